//! The whole of it: each engine, each size, each operation.

use anyhow::ensure;

use crate::bench::{Bench, Loaded};
use crate::directory::Directory;
use crate::extras;
use crate::feed;
use crate::generate;
use crate::measure::peak_memory;
use crate::operations::{Action, Operation, grouped};
use crate::options::{Engine, Options};
use crate::postgres::{Postgres, database_of_run};
use crate::record::record;
use crate::report;
use crate::results::{Database, Machine, Measured, Memory, Results};
use crate::server::{Log, Server};

/// The name of what is measured of the feed, for `--only`.
const REPLAY: &str = "replay";
/// Configurations beside the one with the directory.
const SPARES: u64 = 150_000;
const SPARES_IF_QUICK: u64 = 8_000;

pub async fn all(options: &Options) -> anyhow::Result<()> {
    let mut results = Results {
        machine: Machine::read()?,
        seconds: options.seconds,
        rounds: options.rounds,
        databases: Vec::new(),
        memory: None,
        replay: None,
    };
    if options.wants(REPLAY) {
        results.replay = Some(feed::replay(options).await?);
    }
    if options.only.iter().all(|only| only == REPLAY) && !options.only.is_empty() {
        return report::write(&results, &options.out());
    }
    for engine in options.engines() {
        let postgres = (engine == Engine::Postgres).then(Postgres::start).transpose()?;
        let mut smallest = None;
        for users in &options.users {
            // Some are measured at the ends only.
            if let Some((database, memory)) =
                size(options, engine, postgres.as_ref(), *users, &mut smallest).await?
            {
                results.databases.push(database);
                results.memory = memory.or(results.memory);
            }
        }
        if let Some(Loaded { world, server, .. }) = smallest {
            server.stop().await?;
            generate::remove(&world, postgres.as_ref()).await?;
        }
    }
    ensure!(!results.databases.is_empty(), "there is no operation like {:?}", options.only);
    report::write(&results, &options.out())
}

async fn size(
    options: &Options,
    engine: Engine,
    postgres: Option<&Postgres>,
    users: u64,
    smallest: &mut Option<Loaded>,
) -> anyhow::Result<Option<(Database, Option<Memory>)>> {
    let directory = Directory { users, groups: options.groups.clone() };
    let (is_first, is_last) =
        (options.users.first() == Some(&users), options.users.last() == Some(&users));
    let is_end = is_first || is_last;
    let mut operations = Operation::all(options, &directory, is_last);
    if !is_end {
        // Between the ends only the growth is of interest.
        operations.retain(Operation::is_about_directory);
    }
    if operations.is_empty() {
        return Ok(None);
    }
    let spares = if options.quick { SPARES_IF_QUICK } else { SPARES };
    let world = generate::world(engine, postgres, &directory, spares).await?;
    let server = Server::start(&world.url, Log::Default).await?;
    generate::check_faithful(&world, &server).await?;
    server.stop().await?;
    let recording = record(&world, &operations).await?;
    if let Some(postgres) = postgres {
        postgres.warm(&database_of_run(users)).await?;
    }
    let pgbench = match postgres {
        Some(postgres) if is_end => extras::pgbench(options, postgres, &world, &recording).await?,
        _ => None,
    };
    let database = postgres.map(|postgres| postgres.process);
    let mut bench = Bench::start(options, &world, database, recording).await?;
    bench.warm_up(&operations).await?;
    let mut measured = Vec::new();
    let mut throughput = Vec::new();
    let mut event_costs = Vec::new();
    for operation in &operations {
        let with_ceilings = is_end && !options.is_between(operation);
        let line = bench.operation(operation, with_ceilings, smallest.as_ref()).await?;
        eprintln!("{}, {}: {}", engine.title(), grouped(users), told(&line));
        let writes = matches!(operation.action, Action::CreateUser | Action::PatchUser);
        if writes && is_end {
            throughput.push(bench.throughput(operation).await?);
            for writers in [1, operation.connections] {
                event_costs.push(bench.event_cost(operation, writers).await?);
            }
        }
        measured.push(line);
    }
    let peak_memory = peak_memory(bench.loaded.server.process())?;
    let loaded = bench.end();
    let mut memory = None;
    if is_first && !is_last {
        *smallest = Some(loaded);
    } else {
        loaded.server.stop().await?;
        if engine == Engine::Sqlite && is_last && options.only.is_empty() {
            memory = Some(extras::memory(options, &world).await?);
        }
        generate::remove(&world, postgres).await?;
    }
    let version = match postgres {
        Some(postgres) => postgres.version().await?,
        None => rusqlite::version().to_owned(),
    };
    let operations = measured;
    let database = Database {
        engine,
        version,
        users,
        operations,
        throughput,
        event_costs,
        peak_memory,
        pgbench,
    };
    Ok(Some((database, memory)))
}

/// For whoever watches.
fn told(measured: &Measured) -> String {
    let Measured { operation, server, ceilings, .. } = measured;
    let beside = ceilings.map(|parts| {
        format!(
            "; constant {:.0} + sqlx {:.0}: {:.2} times; driver {:.0}: {:.2} times",
            parts.constant.cpu,
            parts.sqlx.cpu,
            measured.ratio().map(|ratio| ratio.median).unwrap_or_default(),
            parts.driver.cpu,
            measured.ratio_to_driver().map(|ratio| ratio.median).unwrap_or_default(),
        )
    });
    format!(
        "{:27} {:.0} µs, {:.0}/s, p50 {:.2} ms, p99 {:.2} ms{}",
        operation.name,
        server.cpu,
        server.throughput,
        server.p50 / 1e3,
        server.p99 / 1e3,
        beside.unwrap_or_default(),
    )
}
