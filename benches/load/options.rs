//! The command line.

use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::operations::{Action, Operation};

/// Measures the real server, each operation beside its ceilings.
#[derive(Clone, Debug, Parser)]
#[command(name = "load")]
pub struct Options {
    /// On which database
    #[arg(long, value_enum, default_value = "both")]
    pub engine: Engines,
    /// Sizes of the directory: all operations are measured at the ends
    #[arg(long, value_delimiter = ',', default_value = "1000,10000,100000,1000000")]
    pub users: Vec<u64>,
    /// Sizes of the groups, likewise
    #[arg(long, value_delimiter = ',', default_value = "10,1000,100000")]
    pub groups: Vec<u64>,
    /// How often each operation is measured, in turn with its ceilings
    #[arg(long, default_value_t = 9)]
    pub rounds: usize,
    /// How long each measurement takes, at least
    #[arg(long, default_value_t = 0.3)]
    pub seconds: f64,
    /// Only operations whose name contains this
    #[arg(long, value_name = "OPERATION")]
    pub only: Vec<String>,
    /// Small and short: whether it works, not how fast it is
    #[arg(long)]
    pub quick: bool,
    /// Where to write performance.md and performance/ [default: docs, or target/bench/out for a part of it all]
    #[arg(long, value_name = "DIRECTORY")]
    pub out: Option<PathBuf>,
    /// What cargo gives every benchmark
    #[arg(long, hide = true)]
    bench: bool,
    /// Be the ceiling that this file describes
    #[arg(long, hide = true, value_name = "FILE")]
    pub ceiling: Option<PathBuf>,
}

/// What `--engine` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Engines {
    Sqlite,
    Postgres,
    Both,
}

/// Where the server keeps its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }

    pub const fn title(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

impl Options {
    /// What was said on the command line, completed.
    pub fn read() -> Self {
        let mut options = Self::parse();
        if options.quick {
            options.users = vec![200, 2_000];
            options.groups = vec![10, 1_000];
            options.rounds = 1;
            options.seconds = 0.05;
        }
        options.users.sort_unstable();
        options.groups.sort_unstable();
        options
    }

    pub fn engines(&self) -> Vec<Engine> {
        match self.engine {
            Engines::Sqlite => vec![Engine::Sqlite],
            Engines::Postgres => vec![Engine::Postgres],
            Engines::Both => vec![Engine::Sqlite, Engine::Postgres],
        }
    }

    /// Whether it is about a group of neither the smallest size nor the largest:
    /// there only the growth is of interest.
    pub fn is_between(&self, operation: &Operation) -> bool {
        match operation.action {
            Action::Members { size, count: 1 }
            | Action::RenameGroup { size }
            | Action::GetGroup { size } => {
                self.groups.first() != Some(&size) && self.groups.last() != Some(&size)
            }
            _ => false,
        }
    }

    pub fn wants(&self, operation: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| operation.contains(part))
    }

    /// A part of the benchmark does not overwrite the figures of all of it.
    pub fn out(&self) -> PathBuf {
        let is_all = !self.quick && self.only.is_empty() && self.engine == Engines::Both;
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        self.out
            .clone()
            .unwrap_or_else(|| root.join(if is_all { "docs" } else { "target/bench/out" }))
    }
}
