//! `tollgate serve`: the console on one address.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use app::api::services::{Caller, Installation, Publishing, Services};
use clap::Args;
use delivery::Delivery;
use fleet::config::ChangesAllowed;
use publish::{Destination, Publisher};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::{CommandError, VERSION, local};
use crate::assets;
use crate::auth::{Auth, Gate, Way};
use crate::config::{Config, Flags, LogFormat};
use crate::gitops;
use crate::http::{self, build};
use crate::output::print_text;
use crate::readers::read;
use crate::webhook;

/// How long requests and running collections may take to end after a signal.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(20);

/// The longest attempt at a call of the bucket and the CDN, and the longest call: somebody waits for the answer at a page.
const PUBLISH_ATTEMPT: Duration = Duration::from_secs(5);
const PUBLISH_CALL: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The address and port; only loopback is possible without authentication [default: 127.0.0.1:3000]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// The directory of the bundle that `cargo xtask bundle` builds
    #[arg(long, value_name = "DIRECTORY")]
    site: Option<PathBuf>,
    /// Read and check the configuration and the database, and end
    #[arg(long)]
    check: bool,
}

impl Serve {
    pub(crate) fn add_flags(&self, flags: &mut Flags) {
        if let Some(listen) = &self.listen {
            flags.values.push(("server.listen", listen.clone()));
        }
        if let Some(site) = &self.site {
            flags.values.push(("server.site", site.display().to_string()));
        }
    }

    pub(crate) async fn run(self, config: Config) -> Result<ExitCode, CommandError> {
        if config.auth.is_none() {
            only_loopback(config.listen)?;
        }
        start_logging(config.log_format);
        let fleet = local::open(&config).await?;
        let site = match &config.site {
            None => None,
            Some(directory) => Some(http::Site::open(directory).map_err(CommandError::usage)?),
        };
        let auth = match &config.auth {
            None => None,
            Some(auth) => {
                Some(Arc::new(Auth::new(auth.clone(), fleet.clone()).map_err(CommandError::usage)?))
            }
        };
        if self.check {
            if let Some(auth) = &auth {
                auth.check().await.map_err(|error| CommandError::failed(error.to_string()))?;
            }
            print_text("The configuration, the database and the issuers are good.")?;
            return Ok(ExitCode::SUCCESS);
        }
        let metrics = http::start_metrics().map_err(CommandError::failed)?;
        let read_only = match &config.fleet.changes {
            ChangesAllowed::Never(why) => Some(why.clone()),
            ChangesAllowed::WithWriterRole | ChangesAllowed::WithCallerCredentials => None,
        };
        let installation = Installation {
            read_only,
            server_version: VERSION.into(),
            server_commit: build::COMMIT.into(),
            issuers: auth.as_ref().map(|auth| auth.issuer_names()).unwrap_or_default(),
        };
        let delivery = Delivery::new(fleet.store().clone(), config.delivery.clone());
        let gitops = gitops::open(&delivery, &config, fleet.clone()).await?;
        let publisher = publisher(&config).await;
        let readers = read(&config).await?;
        let publishing = publisher.clone().map(|(publisher, bucket)| Publishing::at(publisher, bucket));
        let services = Services {
            fleet: fleet.clone(),
            delivery: delivery.clone(),
            gitops: gitops.clone(),
            lists: Arc::default(),
            views: Arc::default(),
            publishing: Arc::new(publishing.unwrap_or_default()),
            installation: Arc::new(installation),
            caller: None,
        };
        let way = match &auth {
            None => Way::Local(Arc::new(Caller::local(local::local_operator()))),
            Some(auth) => Way::SignIn(auth.clone()),
        };
        let mut allowed_hosts = config.allowed_hosts.clone();
        // The name that browsers use is the server's, whether or not it is listed.
        allowed_hosts
            .extend(config.auth.iter().filter_map(|auth| Some(auth.public_url.host_str()?.to_owned())));
        let shutdown = CancellationToken::new();
        let router = http::router(http::Parts {
            services,
            site,
            metrics,
            allowed_hosts,
            gate: Gate { way, trusted_proxies: config.trusted_proxies.into() },
            behind_tls: config.behind_tls,
            shutdown: shutdown.clone(),
        });
        let listener = tokio::net::TcpListener::bind(config.listen).await.map_err(|error| {
            CommandError::failed(format!(
                "{} cannot be listened on: {error}. Is another server running there? Choose another with --listen.",
                config.listen
            ))
        })?;
        let address = listener.local_addr().unwrap_or(config.listen);
        tracing::info!(server.address = %address, server.commit = build::COMMIT, "listening on http://{address}");
        let background = tokio::spawn({
            let (fleet, shutdown) = (fleet.clone(), shutdown.clone());
            let (followed, told) = (delivery.clone(), delivery.clone());
            async move {
                let releases = async {
                    if let Some(((publisher, _), service)) = publisher.zip(config.publish.service) {
                        assets::follow_until(delivery, publisher, service, shutdown.clone()).await;
                    }
                };
                tokio::join!(
                    fleet.clone().run(shutdown.clone()),
                    releases,
                    followed.follow_until(readers, shutdown.clone()),
                    gitops.work_until(shutdown.clone()),
                    tell_github(&told, shutdown.clone()),
                    webhook::send_until(fleet, config.webhooks, shutdown.clone())
                );
            }
        });
        let served = axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).with_graceful_shutdown({
            let shutdown = shutdown.clone();
            async move {
                stop_signal().await;
                tracing::info!(
                    "stopping: open requests are finished, changes under way are taken up by the next start"
                );
                shutdown.cancel();
            }
        });
        served.await.map_err(|error| CommandError::failed(format!("The server failed: {error}")))?;
        shutdown.cancel();
        if tokio::time::timeout(SHUTDOWN_PATIENCE, background).await.is_err() {
            tracing::warn!("background work did not end in time; its rows are taken up by the next start");
        }
        fleet.store().close().await;
        Ok(ExitCode::SUCCESS)
    }
}

async fn tell_github(delivery: &Delivery, shutdown: CancellationToken) {
    if let Err(error) = delivery.tell_github_until(shutdown).await {
        tracing::error!(%error, "GitHub is not told where commits are live");
    }
}

/// What reads the bucket of the page, where one is named, and goes back to another release.
async fn publisher(config: &Config) -> Option<(Publisher, Destination)> {
    let destination = config.publish.destination()?;
    let settings = aws::Settings {
        attempt_timeout: Some(PUBLISH_ATTEMPT),
        call_timeout: Some(PUBLISH_CALL),
        ..config.publish.aws.clone()
    };
    Some((Publisher::new(&aws::load(&settings).await, destination.clone()), destination))
}

/// Without authentication everyone who can connect is the operator, so only this machine may.
fn only_loopback(listen: SocketAddr) -> Result<(), CommandError> {
    if listen.ip().is_loopback() {
        return Ok(());
    }
    Err(CommandError::usage(format!(
        "{listen} can be reached from other machines, and no authentication is configured: everyone who connects would be \
         the operator. Listen on 127.0.0.1 or [::1], and reach it through `ssh -L` or `kubectl port-forward`."
    )))
}

fn start_logging(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        EnvFilter::new("info,tower_http=info,aws_config=warn,aws_smithy_runtime=warn,sqlx=warn")
    });
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}

/// Waits for Ctrl-C or the signal that an orchestrator sends.
async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut terminate) => {
                tokio::select! {
                    _ = interrupt => {}
                    _ = terminate.recv() => {}
                }
            }
            Err(error) => {
                tracing::warn!(%error, "SIGTERM cannot be listened for; only Ctrl-C stops the server in order");
                let _ = interrupt.await;
            }
        }
    }
    #[cfg(not(unix))]
    let _ = interrupt.await;
}
