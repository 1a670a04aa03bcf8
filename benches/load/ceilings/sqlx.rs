//! The statements through sqlx, on both engines.

use std::hint::black_box;
use std::slice::from_mut;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{anyhow, ensure};
use sea_orm::sqlx::error::BoxDynError;
use sea_orm::sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection};
use sea_orm::sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous,
};
use sea_orm::sqlx::{
    Arguments as _, AssertSqlSafe, Column as _, ConnectOptions as _, Row as _, TypeInfo as _,
    ValueRef as _, query, query_with,
};
use tokio::sync::Mutex;

use crate::meaning::{Constants, Value};
use crate::statements::{Statement, Step};
use crate::subject::Subject;

/// How many statements a connection keeps prepared: src/repository/open.rs.
const STATEMENTS: usize = 256;

/// A reader of its own, and the writer that all share.
pub struct Sqlite {
    reader: SqliteConnection,
    writer: Arc<Mutex<SqliteConnection>>,
}

/// Opens a file as the server does.
pub async fn sqlite(url: &str, readers: usize) -> anyhow::Result<Vec<Sqlite>> {
    let file = SqliteConnectOptions::from_str(url)?
        .busy_timeout(Duration::from_secs(10))
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .statement_cache_capacity(STATEMENTS)
        .disable_statement_logging();
    let writer = Arc::new(Mutex::new(file.connect().await?));
    let mut lanes = Vec::new();
    for _ in 0..readers {
        let reader = file.clone().read_only(true).connect().await?;
        lanes.push(Sqlite { reader, writer: Arc::clone(&writer) });
    }
    Ok(lanes)
}

impl Sqlite {
    pub async fn run(
        &mut self,
        step: &Step,
        constants: &Constants,
        subject: &mut Subject,
    ) -> anyhow::Result<()> {
        match step {
            Step::Alone(statement) => {
                on_sqlite(&mut self.reader, statement, constants, from_mut(subject)).await
            }
            Step::Transaction { begin, statements, commit } => {
                let mut writer = self.writer.lock().await;
                query(AssertSqlSafe(Arc::clone(begin))).execute(&mut *writer).await?;
                for statement in statements {
                    on_sqlite(&mut writer, statement, constants, from_mut(subject)).await?;
                }
                query(AssertSqlSafe(Arc::clone(commit))).execute(&mut *writer).await?;
                Ok(())
            }
        }
    }
}

/// A connection of its own.
pub struct Postgres(PgConnection);

/// Opens a database as the server does.
pub async fn postgres(url: &str, connections: usize) -> anyhow::Result<Vec<Postgres>> {
    let options = PgConnectOptions::from_str(url)?
        .statement_cache_capacity(STATEMENTS)
        .disable_statement_logging();
    let mut lanes = Vec::new();
    for _ in 0..connections {
        lanes.push(Postgres(options.connect().await?));
    }
    Ok(lanes)
}

impl Postgres {
    pub async fn run(
        &mut self,
        step: &Step,
        constants: &Constants,
        subjects: &mut [Subject],
    ) -> anyhow::Result<()> {
        match step {
            Step::Alone(statement) => {
                on_postgres(&mut self.0, statement, constants, subjects).await
            }
            Step::Transaction { begin, statements, commit } => {
                query(AssertSqlSafe(Arc::clone(begin))).execute(&mut self.0).await?;
                for statement in statements {
                    on_postgres(&mut self.0, statement, constants, subjects).await?;
                }
                query(AssertSqlSafe(Arc::clone(commit))).execute(&mut self.0).await?;
                Ok(())
            }
        }
    }
}

macro_rules! add {
    ($arguments:expr, $value:expr) => {
        match $value {
            Value::Uuid(id) => $arguments.add(id),
            Value::Text(text) => $arguments.add(text),
            Value::Integer(number) => $arguments.add(number),
            Value::Boolean(flag) => $arguments.add(flag),
            Value::Bytes(bytes) => $arguments.add(bytes),
            Value::Null => $arguments.add(None::<String>),
        }
    };
}

macro_rules! runner {
    ($name:ident, $connection:ty, $arguments:ty, $add_array:ident) => {
        /// Runs a statement, and reads all that it answers.
        async fn $name(
            connection: &mut $connection,
            statement: &Statement,
            constants: &Constants,
            subjects: &mut [Subject],
        ) -> anyhow::Result<()> {
            let mut arguments = <$arguments>::default();
            for parameter in &statement.parameters {
                let value = |subject: &Subject| constants.value(parameter.meaning, subject);
                let added = if parameter.is_array {
                    $add_array(&mut arguments, subjects.iter().map(value).collect())
                } else {
                    add!(arguments, value(&subjects[0]))
                };
                added.map_err(|error| anyhow!(error))?;
            }
            let query = query_with(AssertSqlSafe(Arc::clone(&statement.sql)), arguments);
            let found = if statement.has_rows {
                let rows = query.fetch_all(connection).await?;
                for row in &rows {
                    for (place, column) in row.columns().iter().enumerate() {
                        let value = row.try_get_raw(place)?;
                        if value.is_null() {
                            continue;
                        }
                        match value.type_info().name() {
                            "TEXT" => drop(black_box(row.try_get_unchecked::<String, _>(place)?)),
                            "INTEGER" | "INT8" => {
                                let number = black_box(row.try_get_unchecked::<i64, _>(place)?);
                                if column.name() == "version" {
                                    subjects[0].version = number;
                                }
                            }
                            // Ids, hashes and flags, which are as they are.
                            _ => drop(black_box(value)),
                        }
                    }
                }
                rows.len() as u64
            } else {
                query.execute(connection).await?.rows_affected()
            };
            ensure!(found > 0 || statement.may_be_empty, "nothing found by {}", statement.sql);
            Ok(())
        }
    };
}

runner!(on_sqlite, SqliteConnection, SqliteArguments, no_array);
runner!(on_postgres, PgConnection, PgArguments, add_array);

/// SQLite has none.
fn no_array(_arguments: &mut SqliteArguments, _values: Vec<Value>) -> Result<(), BoxDynError> {
    Err("a statement for several".into())
}

fn add_array(arguments: &mut PgArguments, values: Vec<Value>) -> Result<(), BoxDynError> {
    macro_rules! add_all {
        ($type:ident) => {
            arguments.add(
                values
                    .into_iter()
                    .map(|value| match value {
                        Value::$type(value) => Some(value),
                        _ => None,
                    })
                    .collect::<Vec<_>>(),
            )
        };
    }
    match values[0] {
        Value::Uuid(_) => add_all!(Uuid),
        Value::Text(_) | Value::Null => add_all!(Text),
        Value::Integer(_) => add_all!(Integer),
        Value::Boolean(_) => add_all!(Boolean),
        Value::Bytes(_) => add_all!(Bytes),
    }
}
