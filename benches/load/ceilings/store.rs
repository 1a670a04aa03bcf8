//! The second and third ceiling: the statements that the server runs, straight
//! through a library, in a closed loop on connections that are never given up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::task::JoinSet;

use super::{Library, Order, postgres, sqlite, sqlx};
use crate::gauge::Gauge;
use crate::meaning::Constants;
use crate::measure::{Cpu, Figures, Latencies};
use crate::operations::Operation;
use crate::options::Engine;
use crate::record::Recording;
use crate::statements::{Step, steps};
use crate::subject::Subject;
use crate::world::{Counters, Draw, Source, World};

/// As many as the server has: src/repository/open.rs.
const SQLITE_READERS: usize = 4;
const POSTGRES_CONNECTIONS: usize = 16;

/// One of several that work side by side, with connections of its own.
pub enum Lane {
    SqlxSqlite(sqlx::Sqlite),
    SqlxPostgres(sqlx::Postgres),
    Sqlite(sqlite::Lane),
    Postgres(postgres::Lane),
}

impl Lane {
    async fn open(library: Library, world: &World) -> anyhow::Result<Vec<Self>> {
        Ok(match (library, world.engine) {
            (Library::Sqlx, Engine::Sqlite) => {
                let lanes = sqlx::sqlite(&world.url, SQLITE_READERS).await?;
                lanes.into_iter().map(Self::SqlxSqlite).collect()
            }
            (Library::Sqlx, Engine::Postgres) => {
                let lanes = sqlx::postgres(&world.url, POSTGRES_CONNECTIONS).await?;
                lanes.into_iter().map(Self::SqlxPostgres).collect()
            }
            (Library::Driver, Engine::Sqlite) => {
                let lanes = sqlite::open(&world.url, SQLITE_READERS)?;
                lanes.into_iter().map(Self::Sqlite).collect()
            }
            (Library::Driver, Engine::Postgres) => {
                let lanes = postgres::open(&world.url, POSTGRES_CONNECTIONS).await?;
                lanes.into_iter().map(Self::Postgres).collect()
            }
        })
    }

    async fn run(
        &mut self,
        step: &Step,
        constants: &Constants,
        subjects: &mut [Subject],
    ) -> anyhow::Result<()> {
        match self {
            Self::SqlxSqlite(lane) => lane.run(step, constants, &mut subjects[0]).await,
            Self::SqlxPostgres(lane) => lane.run(step, constants, subjects).await,
            Self::Sqlite(lane) => lane.run(step, constants, subjects),
            Self::Postgres(lane) => lane.run(step, constants, subjects).await,
        }
    }

    /// Whether it makes one of a step for several subjects: a statement that takes arrays,
    /// on SQLite a transaction.
    fn takes_several(&self, step: &Step) -> bool {
        step.is_for_several() || matches!(self, Self::Sqlite(_))
    }

    /// Whether it blocks the thread that it runs on.
    const fn blocks(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }
}

/// Takes orders from standard input and answers each with figures.
pub async fn serve(library: Library, world: World, recording: &Recording) -> anyhow::Result<()> {
    let source = match library {
        Library::Sqlx => Source::Sqlx,
        Library::Driver => Source::Driver,
    };
    let mut store = Store {
        lanes: Lane::open(library, &world).await?,
        constants: Arc::new(Constants::of(&world)),
        world: Arc::new(world),
        counters: Counters::new(source),
        steps: BTreeMap::new(),
    };
    for (name, recorded) in recording {
        let phases = recorded.statements.iter().map(|statements| steps(statements));
        store.steps.insert(name.clone(), Arc::new(phases.collect::<anyhow::Result<_>>()?));
    }
    let mut orders = BufReader::new(tokio::io::stdin()).lines();
    while let Some(order) = orders.next_line().await? {
        let order: Order = serde_json::from_str(&order)?;
        let figures = store.measure(&order).await.with_context(|| order.operation.name.clone())?;
        println!("{}", serde_json::to_string(&figures)?);
    }
    Ok(())
}

struct Store {
    lanes: Vec<Lane>,
    constants: Arc<Constants>,
    world: Arc<World>,
    counters: Arc<Counters>,
    /// Of each operation, of each of its requests.
    steps: BTreeMap<String, Arc<Vec<Vec<Step>>>>,
}

impl Store {
    async fn measure(&mut self, order: &Order) -> anyhow::Result<Figures> {
        let Order { operation, seed, span, only_transactions, together, database } = order;
        let steps = self.steps.get(&operation.name).context("it was not recorded")?;
        let gauge = Gauge::new(span);
        // Operations that are measured one at a time are so here as well.
        let is_alone = *only_transactions || *together > 0 || operation.connections == 1;
        let most = if is_alone { 1 } else { usize::MAX };
        let lanes = self.lanes.len().min(most);
        let mut running = JoinSet::new();
        for (number, lane) in (0..lanes as u64).zip(self.lanes.drain(..lanes)) {
            let blocks = lane.blocks();
            let worker = Worker {
                lane,
                operation: operation.clone(),
                steps: Arc::clone(steps),
                only_transactions: *only_transactions,
                together: Ord::max(1, *together),
                constants: Arc::clone(&self.constants),
                world: Arc::clone(&self.world),
                draw: Draw::new(&self.counters, *seed, number, lanes as u64),
                gauge: Arc::clone(&gauge),
                latencies: Latencies::default(),
            };
            if blocks {
                running.spawn_blocking(|| futures::executor::block_on(worker.run()));
            } else {
                running.spawn(worker.run());
            }
        }
        gauge.warm_up(span).await;
        let before = Cpu::of(std::process::id(), *database)?;
        let wall = gauge.measured(span).await;
        gauge.end();
        let after = Cpu::of(std::process::id(), *database)?;
        let mut latencies = Latencies::default();
        while let Some(worker) = running.join_next().await {
            let (lane, measured) = worker??;
            self.lanes.push(lane);
            latencies.merge(&measured);
        }
        ensure!(latencies.len() > 0, "nothing was done in time");
        Ok(Figures::new(&latencies, before, after, wall))
    }
}

struct Worker {
    lane: Lane,
    operation: Operation,
    steps: Arc<Vec<Vec<Step>>>,
    only_transactions: bool,
    together: u64,
    constants: Arc<Constants>,
    world: Arc<World>,
    draw: Draw,
    gauge: Arc<Gauge>,
    latencies: Latencies,
}

impl Worker {
    async fn run(mut self) -> anyhow::Result<(Lane, Latencies)> {
        while self.gauge.go_on() {
            let mut subjects: Vec<_> = (0..self.together)
                .map(|_| self.operation.subject(&self.world, &mut self.draw))
                .collect();
            for (phase, steps) in self.steps.iter().enumerate() {
                for subject in &mut subjects {
                    self.operation.turn(subject, phase);
                }
                let begun = Instant::now();
                for step in steps {
                    if self.only_transactions && !matches!(step, Step::Transaction { .. }) {
                        continue;
                    }
                    let size = if self.lane.takes_several(step) { subjects.len() } else { 1 };
                    for subjects in subjects.chunks_mut(size) {
                        self.lane.run(step, &self.constants, subjects).await?;
                    }
                }
                if self.gauge.counts() {
                    for _ in &subjects {
                        self.latencies.add(begun.elapsed());
                    }
                }
            }
        }
        Ok((self.lane, self.latencies))
    }
}
