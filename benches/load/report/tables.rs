//! Tables in Markdown.

use std::fmt::Write as _;
use std::time::Duration;

use super::growth;
use crate::operations::grouped;
use crate::options::Engine;
use crate::postgres;
use crate::results::{Database, Measured, Ratio, Results};

/// The most memory that the server may use, in bytes.
const MEMORY: u64 = 200_000_000;
/// How many events are read in a second, at least.
const REPLAYED: f64 = 20_000.0;
/// What an event may add to the cost of its change.
const EVENT_SHARE: f64 = 0.25;

pub fn all(results: &Results) -> String {
    let mut text = machine(results);
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let of_engine: Vec<_> =
            results.databases.iter().filter(|database| database.engine == engine).collect();
        text.extend(of_engine.iter().map(|database| costs(database)));
        if !of_engine.is_empty() {
            writeln!(text, "![](performance/ratios-{}.svg)\n", engine.name()).expect(STRING);
        }
    }
    text += &throughput(results);
    text += &growth::with_directory(results);
    text += &growth::with_group(results);
    text += &feed(results);
    text += &memory(results);
    text
}

fn machine(results: &Results) -> String {
    let machine = &results.machine;
    let version = |engine| {
        let database = results.databases.iter().find(|database| database.engine == engine);
        database.map(|database| format!("{} {}", engine.title(), database.version))
    };
    let engines = [Engine::Sqlite, Engine::Postgres].into_iter().filter_map(version);
    format!(
        "`{}`, {}, commit {}. {} with {} cores and {} GB, Linux {}, {}, {}; PostgreSQL with {}. \
         Medians of {} rounds of {} s.\n\n",
        machine.command,
        machine.time.get(..10).unwrap_or_default(),
        machine.commit,
        machine.cpu,
        machine.cores,
        machine.memory_gb,
        machine.kernel,
        machine.rustc,
        engines.collect::<Vec<_>>().join(", "),
        postgres::SETTINGS,
        results.rounds,
        results.seconds,
    )
}

/// What each operation costs, beside its parts.
fn costs(database: &Database) -> String {
    let measured = database.operations.iter().filter(|measured| measured.ceilings.is_some());
    let mut text = format!(
        "### {}, {} users\n\nCPU of one request in µs.\n\n",
        database.engine.title(),
        grouped(database.users)
    );
    let postgres = database.engine == Engine::Postgres;
    let driver = if postgres { "tokio-postgres" } else { "rusqlite" };
    let more = if postgres { " PostgreSQL | PostgreSQL, sqlx |" } else { "" };
    let line = if postgres { "---:|---:|" } else { "" };
    writeln!(
        text,
        "| operation | server | constant | sqlx | sum | **ratio** | target | {driver} | sum | ratio |{more} \
         requests/s | p50 ms | p90 ms | p99 ms |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|{line}---:|---:|---:|---:|"
    )
    .expect(STRING);
    let mut any = false;
    for measured in measured {
        any = true;
        text += &cost(measured, postgres);
    }
    if any { text + "\n" } else { String::new() }
}

fn cost(measured: &Measured, postgres: bool) -> String {
    let Measured { operation, server, ceilings: Some(parts), .. } = measured else {
        return String::new();
    };
    let (constant, sqlx, driver) = (parts.constant, parts.sqlx, parts.driver);
    let (Some(ratio), Some(to_driver)) = (measured.ratio(), measured.ratio_to_driver()) else {
        return String::new();
    };
    let target = operation.target.map_or_else(|| "–".to_owned(), |target| target.to_string());
    let mut text = format!(
        "| {} | {:.0} | {:.0} | {:.0} | {:.0} | {} | {target} | {:.0} | {:.0} | {:.2} |",
        operation.title,
        server.cpu,
        constant.cpu,
        sqlx.cpu,
        constant.cpu + sqlx.cpu,
        spread(ratio, operation.target),
        driver.cpu,
        constant.cpu + driver.cpu,
        to_driver.median,
    );
    if postgres {
        write!(text, " {:.0} | {:.0} |", server.database_cpu, sqlx.database_cpu).expect(STRING);
    }
    writeln!(
        text,
        " {:.0} | {:.1} | {:.1} | {:.1} |",
        server.throughput,
        server.p50 / 1e3,
        server.p90 / 1e3,
        server.p99 / 1e3
    )
    .expect(STRING);
    text
}

/// The middle of the ratios, judged, and the ends.
fn spread(ratio: Ratio, target: Option<f64>) -> String {
    let Ratio { median, least, most } = ratio;
    format!("{} ({least:.2}–{most:.2})", judged(median, target))
}

/// A ratio, and whether it is beyond what it may be.
pub fn judged(ratio: f64, target: Option<f64>) -> String {
    match target {
        Some(target) if ratio > target => format!("**{ratio:.2}** ✗"),
        Some(_) => format!("**{ratio:.2}** ✓"),
        None => format!("{ratio:.2}"),
    }
}

fn throughput(results: &Results) -> String {
    let mut text = "### Throughput at 64 connections\n\n\
        Every answer durable (`synchronous=FULL`, `fsync`). On SQLite beside rusqlite that commits \
        one transaction an operation, and does nothing else; on PostgreSQL beside tokio-postgres \
        with as many connections as the server has.\n\n\
        | operation | users | server/s | driver/s | ratio | target | p50 ms | p99 ms |\n\
        |---|---:|---:|---:|---:|---:|---:|---:|\n"
        .to_owned();
    for database in &results.databases {
        for line in &database.throughput {
            let (server, driver) = (&line.server, &line.driver);
            let ratio = server.throughput / driver.throughput;
            let target = (database.engine == Engine::Sqlite).then_some(1.0);
            let verdict = match target {
                Some(target) if ratio < target => "at least 1 ✗",
                Some(_) => "at least 1 ✓",
                None => "–",
            };
            writeln!(
                text,
                "| {}, {} | {} | {:.0} | {:.0} | {ratio:.2} | {verdict} | {:.1} | {:.1} |",
                database.engine.title(),
                line.operation.title,
                grouped(database.users),
                server.throughput,
                driver.throughput,
                server.p50 / 1e3,
                server.p99 / 1e3,
            )
            .expect(STRING);
        }
    }
    for database in &results.databases {
        let Some(tps) = database.pgbench else { continue };
        let found = database.operations.iter().find(|found| found.operation.name == "user-get");
        let Some(found) = found else { continue };
        writeln!(
            text,
            "\nThe one statement that finds a user by id among {}: pgbench with 16 connections \
             runs it {tps:.0} times a second. The server answers {:.0} such requests a second, each \
             of which takes all the statements of the operation.",
            grouped(database.users),
            found.server.throughput,
        )
        .expect(STRING);
    }
    text + "\n"
}

fn feed(results: &Results) -> String {
    let mut text = "### The change feed\n\n".to_owned();
    if let Some(replay) = &results.replay {
        let rate = |took: Duration| f64::from(replay.events) / took.as_secs_f64();
        let verdict = if rate(replay.took) < REPLAYED { "✗" } else { "✓" };
        writeln!(
            text,
            "{} events on SQLite, each with the whole state of a user, read from the first by one \
             `StreamEvents` and decoded on the same machine: {:.0} a second; target: {REPLAYED} \
             {verdict}. rusqlite alone reads the rows at {:.0} a second. The server had at most {} \
             MB resident.\n",
            grouped(replay.events.into()),
            rate(replay.took),
            rate(replay.alone),
            replay.peak / 1_000_000,
        )
        .expect(STRING);
    }
    if results.databases.iter().all(|database| database.event_costs.is_empty()) {
        return text;
    }
    text += "What an event adds to the change that it tells of: CPU in µs of the statements \
        straight through the driver that the server writes with (rusqlite on SQLite, sqlx on \
        PostgreSQL), with those that write the event and without, and the difference beside the \
        rest of what the server takes, PostgreSQL included. All writers change users of one \
        organization, whose events have their numbers in the order in which they are committed. What \
        the server does for several at once is done so here: statements that make several changes \
        make as many as there are writers, and on SQLite half as many are committed together \
        (the server's are 9 of 16).\n\n\
        | operation | users | writers | server | with | without | adds | target |\n\
        |---|---:|---:|---:|---:|---:|---:|---:|\n";
    for database in &results.databases {
        for cost in &database.event_costs {
            let verdict = if cost.share() > EVENT_SHARE { "✗" } else { "✓" };
            writeln!(
                text,
                "| {}, {} | {} | {} | {:.0} | {:.0} | {:.0} | {:.0} % {verdict} | {:.0} % |",
                database.engine.title(),
                cost.operation.title,
                grouped(database.users),
                cost.operation.connections,
                cost.server,
                cost.told,
                cost.untold,
                cost.share() * 100.0,
                EVENT_SHARE * 100.0,
            )
            .expect(STRING);
        }
    }
    text + "\n"
}

fn memory(results: &Results) -> String {
    let mut text = "### Memory\n\n".to_owned();
    if let Some(memory) = &results.memory {
        let verdict = if memory.peak < MEMORY { "✓" } else { "✗" };
        writeln!(
            text,
            "A fresh server on SQLite with {} users, {:.0} s of creations, filters and pages side by \
             side ({} requests): at most {} MB resident; target: under {} MB {verdict}.\n",
            grouped(memory.users),
            memory.seconds,
            grouped(memory.requests),
            memory.peak / 1_000_000,
            MEMORY / 1_000_000,
        )
        .expect(STRING);
    }
    if results.databases.is_empty() {
        return text;
    }
    text += "At most resident, after all that is measured above:";
    let peaks = results.databases.iter().map(|database| {
        let (engine, users) = (database.engine.title(), grouped(database.users));
        format!(" {engine} with {users} users {} MB", database.peak_memory / 1_000_000)
    });
    text + &peaks.collect::<Vec<_>>().join(",") + ".\n"
}

pub const STRING: &str = "a string takes all that is written to it";
