//! The statements that the server runs, as it logs them, and what their
//! parameters mean.
//!
//! The ceilings run these very texts. What a parameter is follows from the
//! column that it stands beside, so that a statement need be written once only:
//! in the server. Where that cannot be told, the benchmark fails.

use std::mem;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};

use crate::meaning::{Meaning, Parameter};
use crate::reading::Reading;

/// A statement, and what is to be bound to it, in the order of binding.
#[derive(Clone, Debug)]
pub struct Statement {
    pub sql: Arc<str>,
    /// The same with `?1` for `$1`, which SQLite would take for a name.
    pub numbered: Arc<str>,
    pub parameters: Vec<Parameter>,
    /// Whether it answers rows, or how many it has changed.
    pub has_rows: bool,
    /// Whether it may find nothing: a user may be in no group, or changed by another
    /// between the look and the deed.
    pub may_be_empty: bool,
}

/// What is done on one connection without giving it up.
#[derive(Clone, Debug)]
pub enum Step {
    /// One statement by itself.
    Alone(Statement),
    /// Several between `BEGIN` and `COMMIT`.
    Transaction { begin: Arc<str>, statements: Vec<Statement>, commit: Arc<str> },
}

impl Step {
    /// Whether it does for several subjects what it does for one: it takes arrays.
    pub fn is_for_several(&self) -> bool {
        let Self::Alone(statement) = self else { return false };
        statement.parameters.iter().any(|parameter| parameter.is_array)
    }
}

/// Takes apart what was recorded of one request.
pub fn steps(recorded: &[String]) -> anyhow::Result<Vec<Step>> {
    let mut steps = Vec::new();
    let mut open: Option<(String, Vec<Statement>)> = None;
    for sql in recorded {
        let first = sql.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        match (first.as_str(), &mut open) {
            ("BEGIN", None) => open = Some((sql.clone(), Vec::new())),
            ("COMMIT", Some((begin, statements))) => {
                let (begin, statements) = (begin.as_str().into(), mem::take(statements));
                steps.push(Step::Transaction { begin, statements, commit: sql.as_str().into() });
                open = None;
            }
            ("BEGIN" | "COMMIT" | "ROLLBACK", _) => bail!("`{sql}` out of order"),
            (_, Some((_, statements))) => statements.push(understood(sql)?),
            (_, None) => steps.push(Step::Alone(understood(sql)?)),
        }
    }
    ensure!(open.is_none(), "a transaction without end");
    one_each(&mut steps);
    Ok(steps)
}

/// Where a statement that could take many ids at once is run many times, each
/// time it is about one of them.
fn one_each(steps: &mut [Step]) {
    let mut statements: Vec<&mut Statement> = Vec::new();
    for step in steps {
        match step {
            Step::Alone(statement) => statements.push(statement),
            Step::Transaction { statements: within, .. } => statements.extend(within),
        }
    }
    let texts: Vec<_> = statements.iter().map(|statement| Arc::clone(&statement.sql)).collect();
    for (place, statement) in statements.into_iter().enumerate() {
        let alike = |texts: &[Arc<str>]| texts.iter().filter(|sql| **sql == statement.sql).count();
        let (all, before) = (alike(&texts), alike(&texts[..place]));
        for parameter in statement.parameters.iter_mut().filter(|_| all > 1) {
            if parameter.meaning == Meaning::Many {
                parameter.meaning = Meaning::OneOfMany(before);
            }
        }
    }
}

fn understood(sql: &str) -> anyhow::Result<Statement> {
    let reading = Reading::of(sql);
    let parameters = reading.parameters().with_context(|| format!("not understood: {sql}"))?;
    let verb = reading.verb();
    Ok(Statement {
        sql: sql.into(),
        numbered: sql.replace('$', "?").into(),
        parameters,
        has_rows: reading.has_rows(),
        may_be_empty: verb.is_none()
            || (verb == Some("select")
                && (reading.has("scim_group_members") || reading.has("skip"))),
    })
}
