//! Which statements the server runs for an operation, and what it answers: the
//! ceilings repeat both.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::driver::once;
use crate::operations::Operation;
use crate::requests::Answer;
use crate::server::{Log, Server, home};
use crate::statements::steps;
use crate::world::{Counters, Draw, Source, World};

/// What was recorded of one operation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recorded {
    /// The statements of each of its requests.
    pub statements: Vec<Vec<String>>,
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// By the names of operations.
pub type Recording = BTreeMap<String, Recorded>;

/// How often an operation is tried until two in a row are alike: the server has
/// work of its own, whose statements are in the same log.
const ATTEMPTS: usize = 8;
/// The server writes what it logs every 20 ms.
const LOG_DELAY: Duration = Duration::from_millis(100);

/// Has the server do every operation, with a log of its statements.
pub async fn record(world: &World, operations: &[Operation]) -> anyhow::Result<Recording> {
    let path = home().join("statements.log");
    let server = Server::start(&world.url, Log::Statements(&path)).await?;
    let mut log = StatementLog::open(&path)?;
    let counters = Counters::new(Source::Recorder);
    let mut recording = Recording::new();
    for operation in operations {
        let mut draw = Draw::new(&counters, 7, 0, 1);
        let mut previous: Option<Recorded> = None;
        for attempt in 0.. {
            ensure!(attempt < ATTEMPTS, "{} never runs the same statements twice", operation.name);
            let recorded = recorded(&server, world, operation, &mut draw, &mut log).await?;
            let alike = previous.is_some_and(|last| last.statements == recorded.statements);
            if alike && attempt > 1 {
                recording.insert(operation.name.clone(), recorded);
                break;
            }
            previous = Some(recorded);
        }
        let recorded = &recording[&operation.name];
        for statements in &recorded.statements {
            steps(statements).with_context(|| operation.name.clone())?;
        }
    }
    server.stop().await?;
    Ok(recording)
}

async fn recorded(
    server: &Server,
    world: &World,
    operation: &Operation,
    draw: &mut Draw,
    log: &mut StatementLog,
) -> anyhow::Result<Recorded> {
    let mut statements = Vec::new();
    let mut last: Option<Recorded> = None;
    log.since()?;
    once(&server.address, world, operation, draw, |answer| {
        statements.push(log.since()?);
        last = Some(read(answer));
        Ok(())
    })
    .await?;
    if statements.iter().any(Vec::is_empty) {
        bail!("the server logs no statements for {}", operation.name);
    }
    let last = last.context("every operation has a request")?;
    Ok(Recorded { statements, ..last })
}

fn read(answer: &Answer) -> Recorded {
    let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    Recorded {
        statements: Vec::new(),
        status: answer.status.as_u16(),
        headers: answer.headers.iter().map(header).collect(),
        body: answer.body.to_vec(),
    }
}

/// The log, read as it grows.
struct StatementLog {
    file: File,
    /// A line that has no end yet.
    rest: String,
}

impl StatementLog {
    fn open(path: &std::path::Path) -> anyhow::Result<Self> {
        Ok(Self { file: File::open(path)?, rest: String::new() })
    }

    /// The statements that were logged since the last call.
    fn since(&mut self) -> anyhow::Result<Vec<String>> {
        thread::sleep(LOG_DELAY);
        self.file.read_to_string(&mut self.rest)?;
        let whole = self.rest.rfind('\n').map_or(0, |end| end + 1);
        let lines: String = self.rest.drain(..whole).collect();
        let mut statements = Vec::new();
        for line in lines.lines() {
            let event: Value = serde_json::from_str(line)?;
            if event["target"] == "scimd::repository::statement" {
                let sql = event["sql"].as_str().context("a statement has the field `sql`")?;
                statements.push(sql.to_owned());
            }
        }
        Ok(statements)
    }
}
