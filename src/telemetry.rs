//! The log: one line per event, on standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::settings::LogFormat;

/// Starts logging for the whole process. `filter` is in the syntax of
/// `tracing_subscriber::EnvFilter`: `info`, `scimd=debug,sqlx=warn`.
pub fn start(filter: EnvFilter, format: LogFormat) -> Result<(), TryInitError> {
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    match format {
        LogFormat::Text => log.finish().try_init(),
        LogFormat::Json => log.json().flatten_event(true).finish().try_init(),
    }
}
