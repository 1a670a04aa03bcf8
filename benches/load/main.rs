//! `cargo bench --bench load`: the real server under load, each operation beside
//! what its parts would cost alone. docs/performance.md has the figures and says
//! what they mean.

mod bench;
mod ceilings;
mod directory;
mod driver;
mod extras;
mod feed;
mod gauge;
mod generate;
mod meaning;
mod measure;
mod operations;
mod options;
mod postgres;
mod reading;
mod record;
mod report;
mod requests;
mod results;
mod rpc;
mod run;
mod server;
mod statements;
mod subject;
mod world;

use std::process::ExitCode;

use anyhow::bail;
use tokio::signal::unix::{SignalKind, signal};

use crate::options::Options;

/// The server's: a ceiling that had another one would compare allocators.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let options = Options::read();
    if let Some(setup) = &options.ceiling {
        return ceilings::be(setup);
    }
    // One thread is enough for the load, and leaves the rest to the server.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            // Whoever is given up half way ends what it has started.
            _ = tokio::signal::ctrl_c() => bail!("interrupted"),
            _ = terminate.recv() => bail!("terminated"),
            outcome = run::all(&options) => outcome,
        }
    })
}
