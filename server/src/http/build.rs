//! What this binary was built from.

/// The commit, or `unknown` for a build outside of a checkout.
pub(crate) const COMMIT: &str = env!("BUILD_COMMIT");

/// The time of the commit, in seconds since 1970; a build of one commit is the same at any time.
pub(crate) const COMMIT_TIME: &str = env!("BUILD_TIME");
