//! The statements through rusqlite, which is SQLite without a thread between.

use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::ensure;
use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, OpenFlags};

use crate::generate::sqlite_file;
use crate::meaning::Constants;
use crate::statements::{Statement, Step};
use crate::subject::Subject;

/// How many statements a connection keeps prepared.
const STATEMENTS: usize = 256;

/// A reader of its own, and the writer that all share.
pub struct Lane {
    reader: Connection,
    writer: Arc<Mutex<Connection>>,
}

/// Opens a file as the server does.
pub fn open(url: &str, readers: usize) -> anyhow::Result<Vec<Lane>> {
    let open = |flags: OpenFlags| -> anyhow::Result<Connection> {
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(sqlite_file(url), flags)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.execute_batch("PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL;")?;
        Ok(connection)
    };
    let writer = Arc::new(Mutex::new(open(OpenFlags::SQLITE_OPEN_READ_WRITE)?));
    let lane = || -> anyhow::Result<Lane> {
        let reader = open(OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        Ok(Lane { reader, writer: Arc::clone(&writer) })
    };
    (0..readers).map(|_| lane()).collect()
}

impl Lane {
    /// For each of the subjects; in one transaction for all, where it is one.
    pub fn run(
        &self,
        step: &Step,
        constants: &Constants,
        subjects: &mut [Subject],
    ) -> anyhow::Result<()> {
        match step {
            Step::Alone(statement) => {
                for subject in subjects {
                    run(&self.reader, statement, constants, subject)?;
                }
                Ok(())
            }
            Step::Transaction { begin, statements, commit } => {
                let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
                writer.prepare_cached(begin)?.execute([])?;
                for subject in subjects {
                    for statement in statements {
                        run(&writer, statement, constants, subject)?;
                    }
                }
                writer.prepare_cached(commit)?.execute([])?;
                Ok(())
            }
        }
    }
}

/// Runs a statement, and reads all that it answers.
fn run(
    connection: &Connection,
    statement: &Statement,
    constants: &Constants,
    subject: &mut Subject,
) -> anyhow::Result<()> {
    let (mut found, mut most) = (0, 0);
    // The server has texts of two statements, which share their parameters.
    for part in statement.numbered.split(';') {
        let mut prepared = connection.prepare_cached(part)?;
        most = most.max(prepared.parameter_count());
        ensure!(most <= statement.parameters.len(), "more parameters in {}", statement.sql);
        let parameters = &statement.parameters[..prepared.parameter_count()];
        for (place, parameter) in parameters.iter().enumerate() {
            prepared.raw_bind_parameter(place + 1, constants.value(parameter.meaning, subject))?;
        }
        found += rows(&mut prepared, statement.has_rows, subject)?;
    }
    ensure!(most == statement.parameters.len(), "fewer parameters in {}", statement.sql);
    ensure!(found > 0 || statement.may_be_empty, "nothing found by {}", statement.sql);
    Ok(())
}

/// How many rows there were, or were changed.
fn rows(
    prepared: &mut CachedStatement<'_>,
    has_rows: bool,
    subject: &mut Subject,
) -> anyhow::Result<usize> {
    let mut found = 0;
    if has_rows {
        let columns = prepared.column_count();
        let version = prepared.column_index("version").ok();
        let mut rows = prepared.raw_query();
        while let Some(row) = rows.next()? {
            found += 1;
            for place in 0..columns {
                match row.get_ref(place)? {
                    ValueRef::Text(text) => drop(black_box(text.to_vec())),
                    ValueRef::Integer(number) => {
                        black_box(number);
                        if version == Some(place) {
                            subject.version = number;
                        }
                    }
                    other => drop(black_box(other)),
                }
            }
        }
    } else {
        found = prepared.raw_execute()?;
    }
    Ok(found)
}
