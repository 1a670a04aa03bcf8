//! The program's commands. They call the rooms, and hold no SQL and no HTTP.

mod api_key;
mod dev;
mod serve;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::clock::{SystemClock, SystemRandom};
use crate::repository::Repository;
use crate::settings::{Flags, Settings};
use crate::telemetry;

/// How long what cannot be ended may keep the process from its end.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// Provisioning for a product: SCIM 2.0 for identity providers, gRPC and Connect for the product.
#[derive(Parser)]
#[command(name = "scimd", version, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    settings: Flags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the control plane and the SCIM server
    Serve(serve::Arguments),
    /// Bring the database schema up to date and exit
    Migrate,
    /// Make, list and revoke the keys of the control plane
    #[command(subcommand)]
    ApiKey(api_key::Command),
}

/// Runs the command that the arguments of this process name. Exit code 2 means
/// that the command line is wrong, 1 that the command failed.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    match start(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scimd: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(cli: Cli) -> anyhow::Result<()> {
    let settings = Settings::load(&cli.settings)?;
    let log = telemetry::start(settings.log.to_filter(), settings.log_format)
        .context("logging cannot start")?;
    let runtime = tokio::runtime::Runtime::new().context("the runtime cannot start")?;
    let done = runtime.block_on(async {
        match cli.command {
            Command::Serve(arguments) => serve::run(arguments, settings).await,
            Command::Migrate => {
                migrated(&settings).await?;
                log.say(&format!("the schema of {} is up to date", settings.database_url));
                Ok(())
            }
            Command::ApiKey(command) => api_key::run(command, &settings).await,
        }
    });
    // A look-up of a name cannot be ended, and nobody waits for one any more.
    runtime.shutdown_timeout(STOP_TIMEOUT);
    done
}

/// The store, its schema as this program needs it.
async fn ready(settings: &Settings) -> anyhow::Result<Repository> {
    if settings.migrate {
        return migrated(settings).await;
    }
    let repository = opened(settings).await?;
    repository.check().await?;
    Ok(repository)
}

async fn migrated(settings: &Settings) -> anyhow::Result<Repository> {
    let repository = opened(settings).await?;
    repository
        .migrate()
        .await
        .with_context(|| format!("the schema of {} cannot be made", settings.database_url))?;
    Ok(repository)
}

async fn opened(settings: &Settings) -> anyhow::Result<Repository> {
    Repository::open(&settings.database_url, Arc::new(SystemClock), Arc::new(SystemRandom))
        .await
        .with_context(|| format!("the database {} cannot be opened", settings.database_url))
}
