//! `scimd serve`.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::{dev, ready};
use crate::clock::{SystemClock, SystemRandom};
use crate::model::DatabaseUrl;
use crate::server::Server;
use crate::settings::Settings;

#[derive(Args)]
pub struct Arguments {
    /// Use a database in memory, fill it with a sample, and print requests to try
    #[arg(long)]
    dev: bool,
}

pub async fn run(arguments: Arguments, mut settings: Settings) -> anyhow::Result<()> {
    if arguments.dev {
        settings.database_url = DatabaseUrl::SqliteMemory;
        settings.migrate = true;
    }
    let threads = settings.threads.map_or_else(available_parallelism, Ok);
    let threads = threads.context("how many cores there are is not known: set SCIMD_THREADS")?;
    let repository = ready(&settings).await?;
    let listener = TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("cannot listen on {}", settings.listen))?;
    let address = listener.local_addr()?;
    let public_url = settings.public_url(address);
    // Whoever reads "listening" may connect: the socket is already open.
    tracing::info!(%address, public_url = public_url.as_str(), database = %settings.database_url, "listening");
    if arguments.dev {
        print!("{}", dev::sample(&repository, &SystemRandom, &public_url).await?);
    }
    let webhooks = settings.webhooks();
    let server = Server {
        threads,
        repository,
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        public_url: public_url.as_str().to_owned(),
        event_retention: settings.event_retention,
        cors_origins: settings.cors_origins,
        scim_rate_limit: settings.scim_rate_limit,
        scim_unknown_members: settings.scim_unknown_members,
        webhooks,
    };
    server.run(listener, stop(settings.shutdown_delay)?).await?;
    tracing::info!("stopped");
    Ok(())
}

/// Done at the first signal. SIGTERM is how an orchestrator says that it will
/// stop sending requests soon; SIGINT is a person who waits.
fn stop(delay: Duration) -> anyhow::Result<impl Future<Output = Duration> + Send> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => delay,
            _ = interrupt.recv() => Duration::ZERO,
        }
    })
}
