//! `tollgate healthcheck`: asks the server on this machine whether it is ready, for images without a shell or curl.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::CommandError;
use crate::config::Config;

#[derive(Debug, Args)]
pub(crate) struct Healthcheck {
    /// The server to ask [default: the configured address]
    #[arg(long)]
    url: Option<String>,
}

impl Healthcheck {
    pub(crate) async fn run(self, config: Config) -> Result<ExitCode, CommandError> {
        let base = self.url.unwrap_or_else(|| format!("http://{}", config.listen));
        let url = format!("{}/api/health/ready", base.trim_end_matches('/'));
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(5))
            .build()
            .map_err(|error| CommandError::failed(format!("No client can be made: {error}")))?;
        let answer = client
            .get(&url)
            .send()
            .await
            .map_err(|error| CommandError::failed(format!("{url} does not answer: {error}")))?;
        if answer.status().is_success() {
            Ok(ExitCode::SUCCESS)
        } else {
            Err(CommandError::failed(format!("{url} answers {}", answer.status())))
        }
    }
}
