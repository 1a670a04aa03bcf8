//! What grows with the directory and with groups, and what does not.

use std::fmt::Write as _;
use std::iter;

use super::tables::{STRING, judged};
use crate::operations::{Action, grouped};
use crate::options::Engine;
use crate::results::{Database, Measured, Results};

/// At most so many times what it costs in the smallest directory.
const GROWTH: f64 = 1.5;
/// The same for a member of a large group.
const GROUP_GROWTH: f64 = 2.0;

/// What grows with the directory.
pub fn with_directory(results: &Results) -> String {
    let mut text = "### Growth with the directory\n\n\
        CPU of one request in µs, of the server and of PostgreSQL together; the smallest and the \
        largest directory in turn, round by round.\n\n"
        .to_owned();
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let sizes: Vec<_> = results.databases.iter().filter(|of| of.engine == engine).collect();
        let [first, .., last] = sizes.as_slice() else { continue };
        let heads = row(sizes.iter().map(|size| grouped(size.users)));
        let line = "---:|".repeat(sizes.len());
        writeln!(text, "| {} | {heads} | ratio | target |\n|---|{line}---:|---:|", engine.title())
            .expect(STRING);
        for measured in &first.operations {
            let name = &measured.operation.name;
            let largest = last.operations.iter().find(|other| other.operation.name == *name);
            let Some(growth) = largest.and_then(Measured::growth) else { continue };
            let others = sizes.iter().skip(1).map(|size| cost_of(size, name));
            let costs = iter::once(Some(growth.smallest)).chain(others);
            let cell = |cost: Option<f64>| match cost {
                Some(cost) => format!("{cost:.0}"),
                None => "–".to_owned(),
            };
            let cells = row(costs.map(cell));
            let ratio = judged(growth.ratio, Some(GROWTH));
            writeln!(text, "| {} | {cells} | {ratio} | {GROWTH} |", measured.operation.title)
                .expect(STRING);
        }
        text.push('\n');
    }
    text + "![](performance/directory-size.svg)\n\n"
}

/// The cells in the middle of a row.
fn row(cells: impl Iterator<Item = String>) -> String {
    cells.collect::<Vec<_>>().join(" | ")
}

/// What grows with a group.
pub fn with_group(results: &Results) -> String {
    let mut text = "### Growth with the group\n\nThe same by members of the group, in the largest \
        directory.\n\n"
        .to_owned();
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let largest = results.databases.iter().rfind(|of| of.engine == engine);
        let Some(largest) = largest else { continue };
        let lines = by_group(largest);
        let Some((_, sizes)) = lines.first() else { continue };
        let heads = row(sizes.iter().map(|(size, _)| grouped(*size)));
        let line = "---:|".repeat(sizes.len());
        writeln!(text, "| {} | {heads} | ratio | target |\n|---|{line}---:|---:|", engine.title())
            .expect(STRING);
        for (title, costs) in &lines {
            let cells = row(costs.iter().map(|(_, cost)| format!("{cost:.0}")));
            let (Some(small), Some(large)) = (costs.first(), costs.last()) else { continue };
            let ratio = judged(large.1 / small.1, Some(GROUP_GROWTH));
            writeln!(text, "| {title} | {cells} | {ratio} | {GROUP_GROWTH} |").expect(STRING);
        }
        text.push('\n');
    }
    text + "![](performance/group-size.svg)\n\n"
}

/// What operations on groups cost, by the size of the group.
pub fn by_group(database: &Database) -> Vec<(&'static str, Vec<(u64, f64)>)> {
    let of = |wanted: fn(Action) -> Option<u64>| {
        let costs = database.operations.iter().filter_map(|measured| {
            Some((wanted(measured.operation.action)?, measured.server.all_cpu()))
        });
        costs.collect::<Vec<_>>()
    };
    let lines = [
        (
            "add or remove a member",
            of(|action| match action {
                Action::Members { size, count: 1 } => Some(size),
                _ => None,
            }),
        ),
        (
            "rename",
            of(|action| match action {
                Action::RenameGroup { size } => Some(size),
                _ => None,
            }),
        ),
        (
            "GET without members",
            of(|action| match action {
                Action::GetGroup { size } => Some(size),
                _ => None,
            }),
        ),
    ];
    lines.into_iter().filter(|(_, costs)| costs.len() > 1).collect()
}

/// What an operation costs in all.
pub fn cost_of(database: &Database, name: &str) -> Option<f64> {
    let found = database.operations.iter().find(|measured| measured.operation.name == name);
    found.map(|measured| measured.server.all_cpu())
}
