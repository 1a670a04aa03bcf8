//! The server and its ceilings on one database, and taking turns.

use std::sync::Arc;

use crate::ceilings::{Ceiling, Library, Order, Setup};
use crate::driver;
use crate::feed::{self, without_events};
use crate::gauge::Span;
use crate::measure::Figures;
use crate::operations::{Action, Operation};
use crate::options::Options;
use crate::record::Recording;
use crate::results::{Ceilings, EventCost, Measured, Round, Throughput};
use crate::rpc::Method;
use crate::server::{Log, Server};
use crate::world::{Counters, Source, World};

/// Connections where throughput is what matters.
const MANY_CONNECTIONS: u64 = 64;

/// How many changes are made before they are measured. The first change of a page after a
/// checkpoint has PostgreSQL write all of it to its log. A server that is under load all
/// the time has left that behind but for every five minutes.
const CHANGES_BEFORE: u64 = 50_000;
/// How many seconds they may take.
const LONGEST: f64 = 60.0;

/// A directory with the server on it.
pub struct Loaded {
    pub world: World,
    pub server: Server,
    /// The process of the database server, if there is one.
    database: Option<u32>,
    counters: Arc<Counters>,
    /// The names of the operations that were measured on it.
    measured: Vec<String>,
}

impl Loaded {
    async fn load(&self, operation: &Operation, seed: u64, span: &Span) -> anyhow::Result<Figures> {
        let target = self.server.target(self.database);
        driver::run(&target, &self.world, operation, &self.counters, seed, span).await
    }
}

pub struct Bench<'a> {
    options: &'a Options,
    pub loaded: Loaded,
    recording: Recording,
    sqlx: Ceiling,
    driver: Ceiling,
    /// Another one for each measurement, so that none is about the same people.
    seed: u64,
}

impl<'a> Bench<'a> {
    pub async fn start(
        options: &'a Options,
        world: &World,
        database: Option<u32>,
        mut recording: Recording,
    ) -> anyhow::Result<Self> {
        feed::add_without_events(&mut recording);
        let store = |library| {
            let (world, recording) = (world.clone(), recording.clone());
            Setup::Store { library, world, recording }
        };
        let loaded = Loaded {
            server: Server::start(&world.url, Log::Default).await?,
            world: world.clone(),
            database,
            counters: Counters::new(Source::Server),
            measured: Vec::new(),
        };
        Ok(Self {
            loaded,
            sqlx: Ceiling::start("sqlx", &store(Library::Sqlx))?,
            driver: Ceiling::start("driver", &store(Library::Driver))?,
            seed: 0,
            options,
            recording,
        })
    }

    /// Has the server open its connections and read what it then keeps, and PostgreSQL
    /// write what it does only at first, see [`CHANGES_BEFORE`].
    pub async fn warm_up(&mut self, operations: &[Operation]) -> anyhow::Result<()> {
        for operation in operations.iter().filter(|operation| operation.is_about_directory()) {
            let changes = operation.action == Action::PatchUser && self.loaded.database.is_some();
            let span = if changes && !self.options.quick {
                Span { warm_up: 0.0, seconds: LONGEST, at_most: Some(CHANGES_BEFORE) }
            } else {
                Span { warm_up: 0.0, seconds: self.options.seconds / 4.0, at_most: None }
            };
            self.load(operation, &span).await?;
        }
        Ok(())
    }

    /// Measures an operation, round by round in turn with its ceilings and with the
    /// smallest directory: what the machine does otherwise is the same for all then.
    pub async fn operation(
        &mut self,
        operation: &Operation,
        with_ceilings: bool,
        smallest: Option<&Loaded>,
    ) -> anyhow::Result<Measured> {
        let recorded = self.recording[&operation.name].clone();
        let setup = Setup::Constant { operation: operation.clone(), recorded };
        let mut stack = Ceiling::start("constant", &setup)?;
        let stack_target = stack.target().await?;
        // What no target is about is worth less time.
        let rounds = self.options.rounds;
        let rounds = if operation.target.is_some() { rounds } else { rounds.div_ceil(2) };
        let span = self.span(operation);
        let mut all = Vec::new();
        for _ in 0..rounds {
            let server = self.load(operation, &span).await?;
            let in_smallest = match smallest {
                Some(smallest) if smallest.measured.contains(&operation.name) => {
                    Some(smallest.load(operation, self.seed, &span).await?)
                }
                _ => None,
            };
            let mut ceilings = None;
            if with_ceilings {
                let counters = Counters::new(Source::Recorder);
                let (world, seed) = (&self.loaded.world, self.seed);
                let load = driver::run(&stack_target, world, operation, &counters, seed, &span);
                let constant = load.await?;
                let order = self.order(operation, span, false);
                let sqlx = self.sqlx.order(&order).await?;
                let driver = self.driver.order(&order).await?;
                ceilings = Some(Ceilings { constant, sqlx, driver });
            }
            all.push(Round { server, smallest: in_smallest, ceilings });
        }
        self.loaded.measured.push(operation.name.clone());
        Ok(Measured::new(operation, all))
    }

    /// Measures how much the server and the driver can do, in turns.
    pub async fn throughput(&mut self, operation: &Operation) -> anyhow::Result<Throughput> {
        let operation = Operation { connections: MANY_CONNECTIONS, ..operation.clone() };
        let span = self.span(&operation);
        let (mut server, mut driver) = (Vec::new(), Vec::new());
        for _ in 0..self.options.rounds {
            server.push(self.load(&operation, &span).await?);
            let only_transactions = self.loaded.database.is_none();
            let order = self.order(&operation, span, only_transactions);
            driver.push(self.driver.order(&order).await?);
        }
        let (server, driver) = (Figures::median(&server), Figures::median(&driver));
        Ok(Throughput { operation, server, driver })
    }

    /// Measures what the event of an operation adds to it, when so many make
    /// changes at once in one organization.
    pub async fn event_cost(
        &mut self,
        operation: &Operation,
        writers: u64,
    ) -> anyhow::Result<EventCost> {
        let operation = Operation { connections: writers, ..operation.clone() };
        let untold = Operation { name: without_events(&operation.name), ..operation.clone() };
        let span = self.span(&operation);
        let (mut server, mut with, mut without) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.options.rounds {
            server.push(self.load(&operation, &span).await?);
            for (operation, figures) in [(&operation, &mut with), (&untold, &mut without)] {
                self.seed += 1;
                let mut order = self.order(operation, span, false);
                // The way that the server goes. On SQLite it commits 9 changes of 16 writers
                // together, as its statements show.
                let straight = if self.loaded.database.is_some() {
                    order.together = writers;
                    &mut self.sqlx
                } else {
                    order.together = writers.div_ceil(2);
                    &mut self.driver
                };
                figures.push(straight.order(&order).await?);
            }
        }
        let [server, told, untold] =
            [&server, &with, &without].map(|figures| Figures::median(figures).all_cpu());
        Ok(EventCost { operation, server, told, untold })
    }

    /// Ends the ceilings, and leaves the directory with its server.
    pub fn end(self) -> Loaded {
        self.loaded
    }

    async fn load(&mut self, operation: &Operation, span: &Span) -> anyhow::Result<Figures> {
        self.seed += 1;
        self.loaded.load(operation, self.seed, span).await
    }

    fn order(&self, operation: &Operation, span: Span, only_transactions: bool) -> Order {
        let (operation, seed, database) = (operation.clone(), self.seed, self.loaded.database);
        Order { operation, seed, span, only_transactions, together: 0, database }
    }

    fn span(&self, operation: &Operation) -> Span {
        // Over two protocols, each its rounds.
        let measurements = 2 * self.options.rounds as u64;
        let deletes = operation.action == Action::Rpc(Method::Delete);
        Span {
            // There may be no more to delete than is deleted meanwhile.
            warm_up: if deletes { 0.0 } else { self.options.seconds * 0.1 },
            seconds: self.options.seconds,
            at_most: deletes.then(|| Counters::share(&self.loaded.world) / measurements),
        }
    }
}
