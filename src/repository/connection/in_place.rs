//! Reading an SQLite file on the thread that asks.
//!
//! sqlx runs SQLite in threads of its own: two changes of thread for each statement,
//! which cost several times what a look-up does. Here a statement runs at once, where
//! the request is answered. Meanwhile that thread answers nobody else, nor while a
//! page comes from the disk, so this is for what is short: a statement that is not is
//! interrupted, and sqlx's readers run it from its beginning. What was done until
//! then is lost each time; it is at most that little, where a statement that takes
//! longer costs more by itself.
//!
//! Whatever else goes wrong here makes the statement run there, too, and what goes
//! wrong there is what is told: there is one way to an error.

#[cfg(test)]
mod tests;

use std::os::raw::c_int;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Error, OpenFlags, ToSql};
use sea_orm::{DbErr, Statement, Value};
use tokio::task;

use super::engine::trace;
use super::rows::{Columns, FromRow, failed};

/// Steps of SQLite's virtual machine between two looks at the time: 10 to 50 µs of
/// what is in memory, and no look for what is found by its id. A page of a hundred
/// users is 1,400, their groups 8,000.
const STEPS: c_int = 1_000;
/// How long after the first look a statement is interrupted. The page and its groups
/// take 0.2 ms.
const LONG: Duration = Duration::from_millis(3);

/// Connections that only read. There are never more of them than threads that
/// run at the same time.
pub struct InPlace {
    file: PathBuf,
    /// How many statements each connection keeps prepared.
    statements: usize,
    /// The last one returned is the first one taken: its caches are the warm ones.
    idle: Mutex<Vec<Connection>>,
}

impl InPlace {
    /// Opens nothing before it is needed.
    pub fn new(file: PathBuf, statements: usize) -> Arc<Self> {
        Arc::new(Self { file, statements, idle: Mutex::default() })
    }

    /// The rows that a statement answers; `None`: it is to be run elsewhere.
    pub async fn rows<T: FromRow>(&self, statement: &Statement) -> Option<Vec<T>> {
        let (rows, was_long) = self.run(statement);
        // Nothing was waited for, so that one request that reads much would keep the
        // thread from all others.
        if was_long {
            task::yield_now().await;
        } else {
            task::coop::consume_budget().await;
        }
        match rows {
            Ok(rows) => {
                trace(&statement.sql);
                Some(rows)
            }
            Err(error) => {
                tracing::debug!(%error, "a statement was not read in place");
                None
            }
        }
    }

    /// And whether the statement took long.
    fn run<T: FromRow>(&self, statement: &Statement) -> (Result<Vec<T>, DbErr>, bool) {
        let idle = self.idle().pop();
        let opened = idle.map_or_else(|| Connection::open(&self.file, self.statements), Ok);
        match opened {
            Ok(connection) => {
                let rows = connection.rows(statement);
                let was_long = connection.first_look().is_some();
                self.idle().push(connection);
                (rows, was_long)
            }
            Err(error) => (Err(failed(&error)), false),
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        locked(&self.idle)
    }
}

/// Nothing that is done under these locks can leave it half done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Connection {
    sqlite: rusqlite::Connection,
    /// When SQLite first looked at the time, during the present statement.
    first_look: Arc<Mutex<Option<Instant>>>,
}

impl Connection {
    fn open(file: &Path, statements: usize) -> rusqlite::Result<Self> {
        // Only one thread at a time has it, so that SQLite need not lock it.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let sqlite = rusqlite::Connection::open_with_flags(file, flags)?;
        // Who would have to wait is answered by sqlx's readers, which wait elsewhere.
        sqlite.busy_timeout(Duration::ZERO)?;
        sqlite.set_prepared_statement_cache_capacity(statements);
        let first_look = Arc::new(Mutex::new(None));
        let looked = Arc::clone(&first_look);
        let is_too_long = move || locked(&looked).get_or_insert_with(Instant::now).elapsed() > LONG;
        sqlite.progress_handler(STEPS, Some(is_too_long))?;
        Ok(Self { sqlite, first_look })
    }

    fn first_look(&self) -> MutexGuard<'_, Option<Instant>> {
        locked(&self.first_look)
    }

    fn rows<T: FromRow>(&self, statement: &Statement) -> Result<Vec<T>, DbErr> {
        *self.first_look() = None;
        let mut prepared =
            self.sqlite.prepare_cached(&statement.sql).map_err(|error| failed(&error))?;
        let values = statement.values.as_ref().map_or(&[][..], |values| &values.0);
        bind(&mut prepared, values).map_err(|error| failed(&error))?;
        let (mut answer, mut rows) = (prepared.raw_query(), Vec::new());
        while let Some(row) = answer.next().map_err(|error| failed(&error))? {
            rows.push(T::from_row(&mut Columns::in_place(row))?);
        }
        Ok(rows)
    }
}

/// Binds the values: to `$2` the second one, wherever it stands. SQLite counts such
/// parameters in the order of the text, and knows `2` as a name.
fn bind(statement: &mut rusqlite::Statement<'_>, values: &[Value]) -> rusqlite::Result<()> {
    for parameter in 1..=statement.parameter_count() {
        let number = match statement.parameter_name(parameter) {
            None => parameter,
            Some(name) => {
                name[1..].parse().map_err(|_| Error::InvalidParameterName(name.to_owned()))?
            }
        };
        let value = number.checked_sub(1).and_then(|place| values.get(place));
        let value = value.ok_or(Error::InvalidParameterCount(number, values.len()))?;
        statement.raw_bind_parameter(parameter, Bound(value))?;
    }
    Ok(())
}

/// A value as sqlx binds it.
struct Bound<'value>(&'value Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self.0 {
            Value::Bool(value) => value.map(|value| ValueRef::Integer(value.into())),
            Value::BigInt(value) => value.map(ValueRef::Integer),
            // Of a limit, which is less than half of all.
            Value::BigUnsigned(value) => match value.map(i64::try_from).transpose() {
                Ok(value) => value.map(ValueRef::Integer),
                Err(error) => return Err(Error::ToSqlConversionFailure(error.into())),
            },
            Value::String(value) => value.as_ref().map(|text| ValueRef::Text(text.as_bytes())),
            Value::Bytes(value) => value.as_deref().map(ValueRef::Blob),
            Value::Uuid(value) => value.as_ref().map(|id| ValueRef::Blob(id.as_bytes())),
            _ => return Err(Error::ToSqlConversionFailure("a type that no column has".into())),
        };
        Ok(ToSqlOutput::Borrowed(value.unwrap_or(ValueRef::Null)))
    }
}
