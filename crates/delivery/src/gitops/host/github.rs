//! x
pub struct GithubHost;
