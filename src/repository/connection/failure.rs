//! What a driver says went wrong, in a form that everyone can be told of who was
//! flushed together.

use std::sync::Arc;

use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};

use super::engine::is_fatal;

/// The failure of a statement, or of what is around it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// Said by sqlx, or by SeaORM.
    #[error(transparent)]
    Sqlx(#[from] DbErr),
    /// Said by rusqlite.
    #[error(transparent)]
    Rusqlite(Arc<rusqlite::Error>),
    /// Nobody gave a connection back in time.
    #[error("it was not its turn in time")]
    Elapsed,
    /// Whoever had the connection never said what became of it.
    #[error("the connection that writes was lost")]
    Lost,
    /// What was found a moment ago is not so any more.
    #[error("{0}")]
    Overtaken(&'static str),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        DbErr::Query(RuntimeErr::SqlxError(error.into())).into()
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Rusqlite(Arc::new(error))
    }
}

impl Failure {
    /// Whether the same may succeed later.
    pub fn is_busy(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
        match self {
            Self::Elapsed => true,
            Self::Rusqlite(error) => {
                matches!(error.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked))
            }
            Self::Sqlx(error) => match (error, cause(error)) {
                (DbErr::ConnectionAcquire(_), _) | (_, Some(sqlx::Error::PoolTimedOut)) => true,
                // `SQLITE_BUSY` and its extended codes carry 5 in the low byte,
                // `SQLITE_LOCKED` 6.
                (_, Some(sqlx::Error::Database(error))) if is_of_sqlite(error.as_ref()) => {
                    let code = error.code().and_then(|code| code.parse::<u32>().ok());
                    code.is_some_and(|code| matches!(code & 0xff, 5 | 6))
                }
                _ => false,
            },
            Self::Lost | Self::Overtaken(_) => false,
        }
    }

    /// Whether the same may succeed at once: another was in the way.
    pub fn is_deadlock(&self) -> bool {
        let Self::Sqlx(error) = self else { return matches!(self, Self::Overtaken(_)) };
        match cause(error) {
            // `deadlock_detected` and `serialization_failure` of PostgreSQL.
            Some(sqlx::Error::Database(error)) if !is_of_sqlite(error.as_ref()) => {
                error.code().is_some_and(|code| matches!(code.as_ref(), "40P01" | "40001"))
            }
            _ => false,
        }
    }

    /// Whether the database refused a statement and goes on: of it nothing was done.
    pub fn is_refusal(&self) -> bool {
        let Self::Sqlx(error) = self else { return false };
        matches!(cause(error), Some(sqlx::Error::Database(error)) if !is_fatal(error.as_ref()))
    }

    /// Whether there is a row already that is like the new one in what no two may
    /// have in common.
    pub fn is_unique_violation(&self) -> bool {
        match self {
            Self::Sqlx(error) => {
                matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
            }
            Self::Rusqlite(error) => error.sqlite_error().is_some_and(|error| {
                matches!(
                    error.extended_code,
                    SQLITE_CONSTRAINT_UNIQUE | SQLITE_CONSTRAINT_PRIMARYKEY
                )
            }),
            Self::Elapsed | Self::Lost | Self::Overtaken(_) => false,
        }
    }
}

fn is_of_sqlite(error: &(dyn sqlx::error::DatabaseError + 'static)) -> bool {
    error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some()
}

fn cause(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(cause))
        | DbErr::Exec(RuntimeErr::SqlxError(cause))
        | DbErr::Query(RuntimeErr::SqlxError(cause)) => Some(cause),
        _ => None,
    }
}
