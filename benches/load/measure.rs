//! What processes cost, and how long requests take.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use anyhow::Context as _;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// One measurement.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Figures {
    /// CPU time of the process that answers, of one operation, in microseconds.
    pub cpu: f64,
    /// The same of the database server, where there is one.
    pub database_cpu: f64,
    /// Operations a second.
    pub throughput: f64,
    /// In microseconds.
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub max: f64,
    /// How many operations were measured.
    pub operations: u64,
}

impl Figures {
    /// CPU time of both, in microseconds.
    pub fn all_cpu(&self) -> f64 {
        self.cpu + self.database_cpu
    }

    /// What was measured between two readings of the CPU time, within `wall`.
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    pub fn new(latencies: &Latencies, before: Cpu, after: Cpu, wall: Duration) -> Self {
        let operations = latencies.0.len();
        let spent = |of: fn(&Cpu) -> Duration| of(&after).saturating_sub(of(&before)).as_secs_f64();
        let each = 1e6 / operations.max(1) as f64;
        let at = |quantile| latencies.0.value_at_quantile(quantile) as f64 / 1e3;
        Self {
            cpu: spent(|cpu| cpu.process) * each,
            database_cpu: spent(|cpu| cpu.database) * each,
            throughput: operations as f64 / wall.as_secs_f64(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            max: at(1.0),
            operations,
        }
    }

    /// The middle of several rounds, figure by figure.
    pub fn median(rounds: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| median(rounds.iter().map(figure).collect());
        Self {
            cpu: of(|round| round.cpu),
            database_cpu: of(|round| round.database_cpu),
            throughput: of(|round| round.throughput),
            p50: of(|round| round.p50),
            p90: of(|round| round.p90),
            p99: of(|round| round.p99),
            max: of(|round| round.max),
            operations: rounds.iter().map(|round| round.operations).sum(),
        }
    }
}

/// The middle one, or what is in the middle of two.
pub fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    let middle = all.len() / 2;
    match all.len() % 2 {
        _ if all.is_empty() => 0.0,
        0 => f64::midpoint(all[middle - 1], all[middle]),
        _ => all[middle],
    }
}

/// How long operations took, from a nanosecond to a minute, to three digits.
#[derive(Clone)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("bounds in order"))
    }
}

impl Latencies {
    pub fn add(&mut self, took: Duration) {
        self.0.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    pub fn merge(&mut self, other: &Self) {
        self.0.add(&other.0).expect("all have the same bounds");
    }

    pub fn len(&self) -> u64 {
        self.0.len()
    }
}

/// CPU time up to now.
#[derive(Clone, Copy, Debug)]
pub struct Cpu {
    process: Duration,
    database: Duration,
}

impl Cpu {
    /// Of a process, and of the database server, if it is another one.
    pub fn of(process: u32, database: Option<u32>) -> anyhow::Result<Self> {
        let database = database.map(cpu_of_family).transpose()?.unwrap_or_default();
        Ok(Self { process: cpu_of(process)?, database })
    }
}

/// The CPU time that a process has had, all its threads together.
///
/// `schedstat` counts nanoseconds where `stat` counts ticks of 10 ms. It forgets
/// threads that have ended; in what is measured here none do.
fn cpu_of(process: u32) -> anyhow::Result<Duration> {
    let mut total = 0;
    let tasks = format!("/proc/{process}/task");
    for task in fs::read_dir(&tasks).with_context(|| format!("no process {process}"))? {
        // One may end between being listed and being read.
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        let nanoseconds = text.split(' ').next().unwrap_or_default();
        total += nanoseconds.parse::<u64>().context("schedstat begins with a number")?;
    }
    Ok(Duration::from_nanos(total))
}

/// The CPU time of a PostgreSQL: its parent process and all children. Not that
/// of vacuuming, whose time is its own.
fn cpu_of_family(parent: u32) -> anyhow::Result<Duration> {
    let mut total = Duration::ZERO;
    for process in family(parent)? {
        total += cpu_of(process).unwrap_or_default();
    }
    Ok(total)
}

fn family(parent: u32) -> anyhow::Result<BTreeSet<u32>> {
    let mut family = BTreeSet::from([parent]);
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // Behind the name, which is in parentheses and may hold anything.
        let rest = stat.rsplit(')').next().unwrap_or_default();
        let is_child = rest.split_whitespace().nth(1) == Some(&parent.to_string());
        let command = fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
        if is_child && !command.contains("autovacuum") {
            family.insert(process);
        }
    }
    Ok(family)
}

/// The most memory that a process has had, in bytes.
pub fn peak_memory(process: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kilobytes: u64 = kilobytes.context("no VmHWM")?.trim().parse()?;
    Ok(kilobytes * 1_024)
}
