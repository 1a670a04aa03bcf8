//! The whole of it: each engine, each size, each operation, round by round.

use std::sync::Arc;

use crate::ceilings::{Ceiling, Library, Order, Setup};
use crate::directory::Directory;
use crate::driver;
use crate::gauge::Span;
use crate::generate;
use crate::measure::{Figures, peak_memory};
use crate::operations::{Action, Operation};
use crate::options::{Engine, Options};
use crate::postgres::Postgres;
use crate::record::{Recording, record};
use crate::rpc::Method;
use crate::server::{Log, Server};
use crate::world::{Counters, Source, World};

/// Configurations beside the one with the directory.
const SPARES: u64 = 150_000;
const SPARES_IF_QUICK: u64 = 8_000;

pub async fn all(options: &Options) -> anyhow::Result<()> {
    for engine in options.engines() {
        let postgres = (engine == Engine::Postgres).then(Postgres::start).transpose()?;
        for users in &options.users {
            let directory = Directory { users: *users, groups: options.groups.clone() };
            let all_methods = options.users.last() == Some(users);
            size(options, engine, postgres.as_ref(), directory, all_methods).await?;
        }
    }
    Ok(())
}

async fn size(
    options: &Options,
    engine: Engine,
    postgres: Option<&Postgres>,
    directory: Directory,
    all_methods: bool,
) -> anyhow::Result<()> {
    let spares = if options.quick { SPARES_IF_QUICK } else { SPARES };
    let world = generate::world(engine, postgres, &directory, spares).await?;
    let operations = Operation::all(options, &directory, all_methods);
    let server = Server::start(&world.url, Log::Default).await?;
    generate::check_faithful(&world, &server).await?;
    server.stop().await?;
    let recording = record(&world, &operations).await?;
    let mut bench = Bench::start(options, world, postgres, recording).await?;
    for operation in &operations {
        bench.operation(operation).await?;
    }
    eprintln!("peak {} MB", peak_memory(bench.server.process())? / 1_000_000);
    let world = bench.world.clone();
    drop(bench);
    generate::remove(&world, postgres).await
}

/// The server and its ceilings, on one database.
struct Bench<'a> {
    options: &'a Options,
    world: World,
    database: Option<u32>,
    recording: Recording,
    server: Server,
    sqlx: Ceiling,
    driver: Ceiling,
    counters: Arc<Counters>,
    seed: u64,
}

impl<'a> Bench<'a> {
    async fn start(
        options: &'a Options,
        world: World,
        postgres: Option<&Postgres>,
        recording: Recording,
    ) -> anyhow::Result<Self> {
        let store =
            |library| Setup::Store { library, world: world.clone(), recording: recording.clone() };
        Ok(Self {
            options,
            server: Server::start(&world.url, Log::Default).await?,
            sqlx: Ceiling::start("sqlx", &store(Library::Sqlx))?,
            driver: Ceiling::start("driver", &store(Library::Driver))?,
            database: postgres.map(|postgres| postgres.process),
            world,
            recording,
            counters: Counters::new(Source::Server),
            seed: 0,
        })
    }

    async fn operation(&mut self, operation: &Operation) -> anyhow::Result<()> {
        let recorded = self.recording[&operation.name].clone();
        let setup = Setup::Constant { operation: operation.clone(), recorded };
        let mut constant = Ceiling::start("constant", &setup)?;
        let constant_target = constant.target().await?;
        let mut rounds = [const { Vec::new() }; 4];
        for _ in 0..self.options.rounds {
            self.seed += 1;
            let span = self.span(operation);
            let target = self.server.target(self.database);
            rounds[0].push(
                driver::run(&target, &self.world, operation, &self.counters, self.seed, &span)
                    .await?,
            );
            rounds[1].push(
                driver::run(
                    &constant_target,
                    &self.world,
                    operation,
                    &Counters::new(Source::Recorder),
                    self.seed,
                    &span,
                )
                .await?,
            );
            let order = Order {
                operation: operation.clone(),
                seed: self.seed,
                span,
                only_transactions: false,
                database: self.database,
            };
            rounds[2].push(self.sqlx.order(&order).await?);
            rounds[3].push(self.driver.order(&order).await?);
        }
        let [server, constant, sqlx, driver] = rounds.map(|rounds| Figures::median(&rounds));
        eprintln!(
            "{:40} server {:7.1} constant {:6.1} sqlx {:7.1} ratio {:4.2}  raw {:6.1} ratio {:4.2} | {:7.0}/s sqlx {:7.0} raw {:7.0} | p50 {:6.0} p99 {:6.0} | db {:.0} {:.0} {:.0}",
            operation.name,
            server.cpu,
            constant.cpu,
            sqlx.cpu,
            server.cpu / (constant.cpu + sqlx.cpu),
            driver.cpu,
            server.cpu / (constant.cpu + driver.cpu),
            server.throughput,
            sqlx.throughput,
            driver.throughput,
            server.p50,
            server.p99,
            server.database_cpu,
            sqlx.database_cpu,
            driver.database_cpu,
        );
        Ok(())
    }

    fn span(&self, operation: &Operation) -> Span {
        let slots = 2 * self.options.rounds as u64;
        let deletes = operation.action == Action::Rpc(Method::Delete);
        Span {
            warm_up: self.options.seconds * 0.15,
            seconds: self.options.seconds,
            at_most: deletes.then(|| Counters::share(&self.world) / slots),
        }
    }
}
