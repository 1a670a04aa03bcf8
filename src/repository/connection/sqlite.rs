//! SQLite on the thread that asks.
//!
//! sqlx runs SQLite in threads of its own: two changes of thread for each statement,
//! which cost several times what a look-up does.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Error, OpenFlags, ToSql};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sea_orm::{Statement, Value};

use super::engine::trace;
use super::failure::Failure;
use super::rows::{Columns, FromRow};

/// How much of the database a connection keeps at hand. With a million users, what is
/// above the leaves of its trees, 10 MB, which each look-up goes through.
const CACHE_KIB: i64 = 16 * 1024;

/// How many statements each connection keeps prepared: more than there are.
pub const STATEMENTS: usize = 256;
/// How long SQLite waits for a lock that another process holds.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a database is.
#[derive(Clone, Debug)]
pub struct Location {
    name: PathBuf,
    /// What SQLite keeps it in, unless that is a file.
    storage: Option<&'static str>,
}

impl Location {
    /// In this file.
    pub const fn file(path: PathBuf) -> Self {
        Self { name: path, storage: None }
    }

    /// In memory, for as long as there is a connection to it.
    pub fn memory() -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        // A name that begins like this is shared by the connections of the process.
        let name = format!("/scimd-{}", MADE.fetch_add(1, Ordering::Relaxed));
        Self { name: name.into(), storage: Some("memdb") }
    }

    /// Whether who reads and who writes keep each other out: without a log written
    /// ahead they do.
    pub const fn is_shared_in_turns(&self) -> bool {
        self.storage.is_some()
    }

    /// For sqlx.
    pub fn options(&self) -> SqliteConnectOptions {
        let options = SqliteConnectOptions::new().filename(&self.name);
        match self.storage {
            // What is in memory has no log written ahead.
            Some(storage) => options.vfs(storage).journal_mode(SqliteJournalMode::Memory),
            None => options.journal_mode(SqliteJournalMode::Wal),
        }
    }
}

/// A connection.
pub struct Sqlite(rusqlite::Connection);

impl Sqlite {
    /// One that only reads.
    pub fn read_only(location: &Location) -> rusqlite::Result<Self> {
        Self::open(location, OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    /// One that writes to a database that is there.
    pub fn writable(location: &Location) -> rusqlite::Result<Self> {
        let connection = Self::open(location, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.0.pragma_update(None, "foreign_keys", true)?;
        // An acknowledged change survives the loss of power.
        connection.0.pragma_update(None, "synchronous", "FULL")?;
        if location.storage.is_some() {
            connection.0.pragma_update(None, "journal_mode", "MEMORY")?;
        }
        Ok(connection)
    }

    fn open(location: &Location, flags: OpenFlags) -> rusqlite::Result<Self> {
        // Only one thread at a time has it, so that SQLite need not lock it.
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = match location.storage {
            Some(storage) => {
                rusqlite::Connection::open_with_flags_and_vfs(&location.name, flags, storage)
            }
            None => rusqlite::Connection::open_with_flags(&location.name, flags),
        }?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        Ok(Self(connection))
    }

    /// How long a statement waits for a lock of somebody else's.
    pub fn wait_at_most(&self, wait: Duration) -> rusqlite::Result<()> {
        self.0.busy_timeout(wait)
    }

    /// Has a statement interrupted when this says so, which it is asked once in so
    /// many steps of SQLite's virtual machine.
    pub fn interrupt_when<F>(&self, steps: std::os::raw::c_int, is_so: F) -> rusqlite::Result<()>
    where
        F: FnMut() -> bool + Send + 'static,
    {
        self.0.progress_handler(steps, Some(is_so))
    }

    /// The rows that a statement answers.
    pub fn rows<T: FromRow>(&self, statement: &Statement) -> Result<Vec<T>, Failure> {
        let mut prepared = self.prepared(statement)?;
        let (mut answer, mut rows) = (prepared.raw_query(), Vec::new());
        while let Some(row) = answer.next()? {
            rows.push(T::from_row(&mut Columns::rusqlite(row))?);
        }
        trace(&statement.sql);
        Ok(rows)
    }

    /// Runs a statement, and says how many rows it changed.
    pub fn execute(&self, statement: &Statement) -> Result<u64, Failure> {
        let changed = self.prepared(statement)?.raw_execute()?;
        trace(&statement.sql);
        Ok(changed as u64)
    }

    /// Runs a statement that has no values.
    pub fn run(&self, sql: &str) -> Result<(), Failure> {
        self.0.prepare_cached(sql)?.raw_execute()?;
        trace(sql);
        Ok(())
    }

    fn prepared(&self, statement: &Statement) -> rusqlite::Result<rusqlite::CachedStatement<'_>> {
        let mut prepared = self.0.prepare_cached(&statement.sql)?;
        let values = statement.values.as_ref().map_or(&[][..], |values| &values.0);
        bind(&mut prepared, values)?;
        Ok(prepared)
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
