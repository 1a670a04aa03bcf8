//! What an operation costs in parts: the HTTP stack without work, and the
//! statements without HTTP. Each is a process of its own, so that its CPU time
//! is counted like the server's.

mod constant;
mod postgres;
mod sqlite;
mod sqlx;
mod store;

use std::fs;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::driver::Target;
use crate::gauge::Span;
use crate::measure::Figures;
use crate::operations::Operation;
use crate::record::{Recorded, Recording};
use crate::server::home;
use crate::world::World;

/// What the process is to be.
#[derive(Debug, Serialize, Deserialize)]
pub enum Setup {
    /// The HTTP stack with one answer.
    Constant { operation: Operation, recorded: Recorded },
    /// The statements, through a library.
    Store { library: Library, world: World, recording: Recording },
}

/// Through what the statements are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Library {
    Sqlx,
    /// rusqlite, or tokio-postgres.
    Driver,
}

/// What such a process is asked to do.
#[derive(Debug, Serialize, Deserialize)]
pub struct Order {
    pub operation: Operation,
    pub seed: u64,
    pub span: Span,
    /// Only what is between `BEGIN` and `COMMIT`, on one connection.
    pub only_transactions: bool,
    /// How many changes are made by each statement that can make several, on one
    /// connection; 0: one on each connection.
    pub together: u64,
    /// The database server, if it is another process.
    pub database: Option<u32>,
}

/// This process as a ceiling, until its standard input ends.
pub fn be(setup: &Path) -> anyhow::Result<()> {
    let setup = serde_json::from_slice(&fs::read(setup)?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match setup {
        Setup::Constant { operation, recorded } => runtime.block_on(async {
            let (mut stdin, mut nowhere) = (tokio::io::stdin(), tokio::io::sink());
            tokio::select! {
                served = constant::serve(&operation, recorded) => served,
                ended = tokio::io::copy(&mut stdin, &mut nowhere) => Ok(ended.map(drop)?),
            }
        }),
        Setup::Store { library, world, recording } => {
            runtime.block_on(store::serve(library, world, &recording))
        }
    }
}

/// A ceiling, from outside. Dropped, it is killed.
pub struct Ceiling {
    child: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Ceiling {
    pub fn start(name: &str, setup: &Setup) -> anyhow::Result<Self> {
        let path = home().join(format!("{name}.ceiling.json"));
        fs::write(&path, serde_json::to_vec(setup)?)?;
        // This very program, also when it has been built anew meanwhile.
        let mut child = Command::new("/proc/self/exe")
            .arg("--ceiling")
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdin = child.stdin.take().context("it was asked for as a pipe")?;
        let stdout = child.stdout.take().context("it was asked for as a pipe")?;
        Ok(Self { child, stdin, stdout: BufReader::new(stdout).lines() })
    }

    /// Of a constant answer: where it is given.
    pub async fn target(&mut self) -> anyhow::Result<Target> {
        let address = self.line().await?;
        let process = self.child.id().context("the ceiling has ended")?;
        Ok(Target { address, process, database: None, is_constant: true })
    }

    /// Of statements: how fast they are.
    pub async fn order(&mut self, order: &Order) -> anyhow::Result<Figures> {
        let mut line = serde_json::to_string(order)?;
        line.push('\n');
        self.stdin.write_all(line.as_bytes()).await?;
        Ok(serde_json::from_str(&self.line().await?)?)
    }

    async fn line(&mut self) -> anyhow::Result<String> {
        match self.stdout.next_line().await? {
            Some(line) => Ok(line),
            None => bail!("the ceiling has ended: {}", self.child.wait().await?),
        }
    }
}
