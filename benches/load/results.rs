//! What a run came to.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use scimd::clock::{Clock as _, SystemClock};

use crate::measure::{Figures, median};
use crate::operations::Operation;
use crate::options::Engine;

/// Everything.
#[derive(Debug)]
pub struct Results {
    pub machine: Machine,
    pub seconds: f64,
    pub rounds: usize,
    pub databases: Vec<Database>,
    pub memory: Option<Memory>,
    pub replay: Option<Replay>,
}

/// On what it was measured.
#[derive(Debug)]
pub struct Machine {
    pub time: String,
    pub command: String,
    pub cpu: String,
    pub cores: usize,
    pub memory_gb: u64,
    pub kernel: String,
    pub rustc: String,
    pub commit: String,
}

/// One engine with one size of directory.
#[derive(Debug)]
pub struct Database {
    pub engine: Engine,
    pub version: String,
    pub users: u64,
    pub operations: Vec<Measured>,
    pub throughput: Vec<Throughput>,
    pub event_costs: Vec<EventCost>,
    /// The most memory that the server has had, in bytes.
    pub peak_memory: u64,
    /// What pgbench does of the statement that finds a user by id, a second.
    pub pgbench: Option<f64>,
}

/// An operation: the middle of all rounds, and the rounds.
#[derive(Debug)]
pub struct Measured {
    pub operation: Operation,
    pub server: Figures,
    /// Where they were measured as well.
    pub ceilings: Option<Ceilings>,
    pub rounds: Vec<Round>,
}

/// What was measured one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    pub server: Figures,
    /// The same in the smallest directory, where this is another.
    pub smallest: Option<Figures>,
    pub ceilings: Option<Ceilings>,
}

/// What the parts cost alone.
#[derive(Clone, Copy, Debug)]
pub struct Ceilings {
    pub constant: Figures,
    pub sqlx: Figures,
    pub driver: Figures,
}

/// The server beside the driver, as fast as both can.
#[derive(Debug)]
pub struct Throughput {
    pub operation: Operation,
    pub server: Figures,
    pub driver: Figures,
}

/// What it adds to a change that an event tells of it, by the statements
/// through the driver that the server writes with.
#[derive(Debug)]
pub struct EventCost {
    pub operation: Operation,
    /// CPU time of one operation in microseconds, of the database server too:
    /// what the server takes for all of it.
    pub server: f64,
    /// All statements of a request.
    pub told: f64,
    /// The same without the statements that write events.
    pub untold: f64,
}

impl EventCost {
    /// How much dearer the operation is for its event: 0.25 is a quarter.
    pub fn share(&self) -> f64 {
        let event = self.told - self.untold;
        event / (self.server - event)
    }
}

/// A feed that was read from its beginning.
#[derive(Debug)]
pub struct Replay {
    pub events: u32,
    pub took: Duration,
    /// What rusqlite takes for the rows alone.
    pub alone: Duration,
    /// The most memory that the server has had, in bytes.
    pub peak: u64,
}

/// A load of several kinds at once.
#[derive(Debug)]
pub struct Memory {
    pub users: u64,
    pub seconds: f64,
    pub requests: u64,
    pub peak: u64,
}

/// What the smallest directory costs, and how many times that a larger one.
#[derive(Clone, Copy, Debug)]
pub struct Growth {
    /// In microseconds of CPU time.
    pub smallest: f64,
    /// The middle of all rounds.
    pub ratio: f64,
}

/// How many times the sum of its parts something costs: the middle of all
/// rounds, each of which compares what was measured at about the same time, and
/// the ends.
#[derive(Clone, Copy, Debug)]
pub struct Ratio {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Measured {
    pub fn new(operation: &Operation, rounds: Vec<Round>) -> Self {
        let middle = |of: fn(&Round) -> Option<Figures>| {
            let figures: Vec<_> = rounds.iter().filter_map(of).collect();
            (!figures.is_empty()).then(|| Figures::median(&figures))
        };
        let ceilings = || {
            Some(Ceilings {
                constant: middle(|round| Some(round.ceilings?.constant))?,
                sqlx: middle(|round| Some(round.ceilings?.sqlx))?,
                driver: middle(|round| Some(round.ceilings?.driver))?,
            })
        };
        Self {
            operation: operation.clone(),
            server: middle(|round| Some(round.server)).unwrap_or_default(),
            ceilings: ceilings(),
            rounds,
        }
    }

    /// Beside the stack and the statements through sqlx.
    pub fn ratio(&self) -> Option<Ratio> {
        self.ratio_to(|parts| parts.sqlx.cpu)
    }

    /// Beside the stack and the statements through the driver.
    pub fn ratio_to_driver(&self) -> Option<Ratio> {
        self.ratio_to(|parts| parts.driver.cpu)
    }

    /// What an operation costs in all, beside the same in the smallest directory.
    pub fn growth(&self) -> Option<Growth> {
        let pairs = self.rounds.iter().filter_map(|round| Some((round.smallest?, round.server)));
        let pairs: Vec<_> =
            pairs.map(|(small, large)| (small.all_cpu(), large.all_cpu())).collect();
        (!pairs.is_empty()).then(|| Growth {
            smallest: median(pairs.iter().map(|(small, _)| *small).collect()),
            ratio: median(pairs.iter().map(|(small, large)| large / small).collect()),
        })
    }

    fn ratio_to(&self, statements: fn(&Ceilings) -> f64) -> Option<Ratio> {
        let ratio = |round: &Round| {
            let parts = round.ceilings?;
            Some(round.server.cpu / (parts.constant.cpu + statements(&parts)))
        };
        let ratios: Vec<_> = self.rounds.iter().filter_map(ratio).collect();
        let least = ratios.iter().copied().min_by(f64::total_cmp)?;
        let most = ratios.iter().copied().max_by(f64::total_cmp)?;
        Some(Ratio { median: median(ratios), least, most })
    }
}

impl Machine {
    pub fn read() -> anyhow::Result<Self> {
        let cpu = fs::read_to_string("/proc/cpuinfo")?;
        let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name"));
        let memory = fs::read_to_string("/proc/meminfo")?;
        let memory = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
        let memory = memory.and_then(|line| line.trim().strip_suffix(" kB"));
        let memory: u64 = memory.context("/proc/meminfo has MemTotal")?.trim().parse()?;
        let words: Vec<_> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
        let options =
            if words.is_empty() { String::new() } else { format!(" -- {}", words.join(" ")) };
        Ok(Self {
            time: SystemClock.now().to_string(),
            command: format!("cargo bench --bench load{options}"),
            cpu: cpu.unwrap_or_default().trim_start_matches(['\t', ' ', ':']).to_owned(),
            cores: std::thread::available_parallelism()?.get(),
            memory_gb: memory / 1_000_000,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            rustc: said("rustc", &["--version"]),
            commit: said("git", &["describe", "--always", "--dirty"]),
        })
    }
}

/// What a program says, or nothing.
fn said(program: &str, arguments: &[&str]) -> String {
    let home = env!("CARGO_MANIFEST_DIR");
    let output = Command::new(program).args(arguments).current_dir(home).output();
    let output = output.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).trim().to_owned()
}
