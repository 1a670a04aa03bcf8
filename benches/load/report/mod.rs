//! The figures as tables for people, between two marks of docs/performance.md:
//! what stands around them stays.

mod growth;
mod plot;
mod tables;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context as _;

use crate::results::{Ceilings, Results};

const BEGIN: &str = "<!-- figures: written by `cargo bench --bench load` -->";
const END: &str = "<!-- end of the figures -->";

/// Every single measurement.
fn rounds(results: &Results) -> String {
    let mut text =
        "engine,users,operation,round,part,operations,cpu_us,database_cpu_us,per_second,\
        p50_us,p90_us,p99_us,max_us\n"
            .to_owned();
    for database in &results.databases {
        for measured in &database.operations {
            let operation = &measured.operation;
            for (round, measured) in measured.rounds.iter().enumerate() {
                let mut parts = vec![("server", measured.server)];
                parts.extend(measured.smallest.map(|smallest| ("smallest", smallest)));
                if let Some(Ceilings { constant, sqlx, driver }) = measured.ceilings {
                    parts.extend([("constant", constant), ("sqlx", sqlx), ("driver", driver)]);
                }
                for (part, figures) in parts {
                    writeln!(
                        text,
                        "{},{},{},{},{part},{},{:.1},{:.1},{:.1},{:.0},{:.0},{:.0},{:.0}",
                        database.engine.name(),
                        database.users,
                        operation.name,
                        round + 1,
                        figures.operations,
                        figures.cpu,
                        figures.database_cpu,
                        figures.throughput,
                        figures.p50,
                        figures.p90,
                        figures.p99,
                        figures.max,
                    )
                    .expect(tables::STRING);
                }
            }
        }
    }
    text
}

/// Writes performance.md and performance/.
pub fn write(results: &Results, out: &Path) -> anyhow::Result<()> {
    let details = out.join("performance");
    fs::create_dir_all(&details)?;
    fs::write(details.join("rounds.csv"), rounds(results))?;
    plot::all(results, &details)?;
    let page = out.join("performance.md");
    let text = if page.exists() {
        fs::read_to_string(&page)?
    } else {
        format!("# Performance\n\n{BEGIN}\n{END}\n")
    };
    let (before, rest) = text.split_once(BEGIN).context("the page has no place for figures")?;
    let (_, after) = rest.split_once(END).context("the figures have no end")?;
    let figures = tables::all(results);
    fs::write(&page, format!("{before}{BEGIN}\n\n{figures}\n{END}{after}"))?;
    eprintln!("written to {}", page.display());
    Ok(())
}
