//! SeaORM's statements on sqlx's connections.

use std::future::Future;

use futures::TryStreamExt as _;
use sea_orm::Statement;
use sea_orm::sqlx::error::DatabaseError;
use sea_orm::sqlx::postgres::{PgDatabaseError, PgSeverity};
use sea_orm::sqlx::{self, AssertSqlSafe, Database, Postgres, Sqlite};
use sea_query_sqlx::SqlxValues;

use super::failure::Failure;
use super::rows::Columns;

/// What both engines do alike.
pub trait Engine: Database {
    /// Whether a connection is good for the next statement when one was given
    /// up half way. sqlx runs SQLite in a thread of its own, which finishes what
    /// it has begun; on PostgreSQL the rest of an answer would be in the way.
    const OUTLIVES_CANCELLATION: bool;

    /// What is in a row.
    fn columns(row: &Self::Row) -> Columns<'_>;

    /// Whether the database said with this error that it ends the connection.
    fn ends_connection(error: &(dyn DatabaseError + 'static)) -> bool;

    /// Runs a statement, and says how many rows it changed.
    fn execute(
        connection: &mut Self::Connection,
        statement: Statement,
    ) -> impl Future<Output = sqlx::Result<u64>> + Send;

    /// Runs a statement for its rows, each of which is read when it has come: whatever
    /// it was made of is in the caches then.
    fn rows<T: Send>(
        connection: &mut Self::Connection,
        statement: Statement,
        read: impl Fn(Self::Row) -> Result<T, Failure> + Send,
    ) -> impl Future<Output = sqlx::Result<Result<Vec<T>, Failure>>> + Send;
}

macro_rules! engine {
    (
        $database:ty,
        columns: $columns:path,
        outlives_cancellation: $outlives:literal,
        ends_connection: $ends:expr
    ) => {
        impl Engine for $database {
            const OUTLIVES_CANCELLATION: bool = $outlives;

            fn columns(row: &Self::Row) -> Columns<'_> {
                $columns(row)
            }

            fn ends_connection(error: &(dyn DatabaseError + 'static)) -> bool {
                $ends(error)
            }

            async fn execute(
                connection: &mut Self::Connection,
                statement: Statement,
            ) -> sqlx::Result<u64> {
                let (sql, values) = parts(statement);
                Ok(sqlx::query_with(sql, values).execute(connection).await?.rows_affected())
            }

            async fn rows<T: Send>(
                connection: &mut Self::Connection,
                statement: Statement,
                read: impl Fn(Self::Row) -> Result<T, Failure> + Send,
            ) -> sqlx::Result<Result<Vec<T>, Failure>> {
                let (sql, values) = parts(statement);
                let mut answer = sqlx::query_with(sql, values).fetch(connection);
                let mut rows = Ok(Vec::new());
                // To its end in any case: the next statement is not to meet the rest.
                while let Some(row) = answer.try_next().await? {
                    if let Ok(read_so_far) = &mut rows {
                        match read(row) {
                            Ok(row) => read_so_far.push(row),
                            Err(failure) => rows = Err(failure),
                        }
                    }
                }
                Ok(rows)
            }
        }
    };
}

engine!(Sqlite, columns: Columns::sqlite, outlives_cancellation: true, ends_connection: |_| false);
engine!(
    Postgres,
    columns: Columns::postgres,
    outlives_cancellation: false,
    ends_connection: is_fatal
);

/// As when it is shut down, or the connection is ended by an administrator.
pub fn is_fatal(error: &(dyn DatabaseError + 'static)) -> bool {
    let error = error.try_downcast_ref::<PgDatabaseError>();
    error.is_some_and(|error| matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic))
}

/// Text and values. Values never stand in the text, which is what sqlx asks to
/// be assured of.
fn parts(statement: Statement) -> (AssertSqlSafe<String>, SqlxValues) {
    let Statement { sql, values, .. } = statement;
    trace(&sql);
    (AssertSqlSafe(sql), SqlxValues(values.unwrap_or_else(|| sea_orm::Values(Vec::new()))))
}

/// Says which statement runs, without its values.
pub fn trace(sql: &str) {
    tracing::trace!(target: "scimd::repository::statement", sql);
}
