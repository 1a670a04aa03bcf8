//! What is measured beside operations: memory, and what pgbench makes of it.

use std::fs;
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use crate::directory::{BEGINNING, Directory};
use crate::driver;
use crate::gauge::Span;
use crate::measure::peak_memory;
use crate::operations::{Action, Operation};
use crate::options::Options;
use crate::postgres::{Postgres, database_of_run};
use crate::record::Recording;
use crate::results::Memory;
use crate::server::{Log, Server, home};
use crate::world::{Counters, Source, World};

/// How long memory is watched, in measurements of one operation.
const MEMORY_SECONDS: f64 = 8.0;

/// Loads a fresh server with creations, filters and pages at the same time.
pub async fn memory(options: &Options, world: &World) -> anyhow::Result<Memory> {
    let server = Server::start(&world.url, Log::Default).await?;
    let target = server.target(None);
    let seconds = MEMORY_SECONDS * options.seconds;
    let span = Span { warm_up: 0.0, seconds, at_most: None };
    let all = Operation::all(options, &world.directory, false);
    let of = |action| {
        let operation = all.iter().find(|operation| operation.action == action);
        operation.cloned().context("it is one of all operations")
    };
    let (create, filter) = (of(Action::CreateUser)?, of(Action::FindByUserName)?);
    let page = of(Action::PageBehind)?;
    // Beyond what was made when the operations were measured.
    let counters = Counters::new(Source::Memory);
    let run = |operation, seed| driver::run(&target, world, operation, &counters, seed, &span);
    let (created, filtered, paged) =
        tokio::try_join!(run(&create, 1), run(&filter, 2), run(&page, 3))?;
    let memory = Memory {
        users: world.directory.users,
        seconds,
        requests: created.operations + filtered.operations + paged.operations,
        peak: peak_memory(server.process())?,
    };
    server.stop().await?;
    Ok(memory)
}

/// How often pgbench runs the statement that finds a user by id, a second;
/// `None` where there is no pgbench, or nothing to compare it with.
pub async fn pgbench(
    options: &Options,
    postgres: &Postgres,
    world: &World,
    recording: &Recording,
) -> anyhow::Result<Option<f64>> {
    let (Some(program), Some(recorded)) = (postgres.program("pgbench"), recording.get("user-get"))
    else {
        return Ok(None);
    };
    let statements = recorded.statements.iter().flatten();
    let found = statements.into_iter().find(|sql| sql.contains("FROM scim_users "));
    let sql = found.context("no statement that finds a user")?;
    let script = home().join("pgbench.sql");
    fs::write(&script, self::script(sql, world))?;
    let seconds = options.seconds.ceil().max(1.0) * 2.0;
    let output = Command::new(program)
        .args(["-n", "-M", "prepared", "-c", "16", "-j", "2", "-h", "127.0.0.1", "-U", "postgres"])
        .args(["-p", &postgres.port().to_string(), "-T", &seconds.to_string()])
        .arg("-f")
        .arg(script)
        .arg(database_of_run(world.directory.users))
        .stdin(Stdio::null())
        .output()
        .await?;
    ensure!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    let tps = text.lines().find_map(|line| line.strip_prefix("tps = "));
    let tps = tps.and_then(|rest| rest.split(' ').next()).context("pgbench says how many tps")?;
    Ok(Some(tps.parse()?))
}

/// The statement with its parameters in place: anybody's id, computed as
/// `directory::id` does it.
fn script(sql: &str, world: &World) -> String {
    let World { configuration, directory: Directory { users, .. }, .. } = world;
    let id = format!(
        "(lpad(to_hex({BEGINNING} + :number::bigint), 12, '0') || '70008000' || \
         lpad(to_hex(:number::bigint), 12, '0'))::uuid"
    );
    let sql =
        sql.replace("$1", &format!("'{configuration}'")).replace("$2", &id).replace("$3", "1");
    format!("\\set number random(0, {})\n{sql};\n", users - 1)
}
