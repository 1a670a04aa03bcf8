//! What can go wrong in the store. Never shown to a caller: each door says it
//! in its own words.

use std::error::Error as _;

use sea_orm::{DbErr, RuntimeErr, sqlx};

use super::tx::Failure;

/// A failure of the store. `Display` does not show the source, which may quote
/// SQL; the door that answers logs the chain once.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database could not take the request in time; the same request may
    /// succeed later.
    #[error("the database is busy")]
    Busy(#[source] DbErr),
    /// The transaction waited for another that waited for it, and was ended so
    /// that the other could go on; the same transaction may succeed now.
    #[error("the database ended the transaction for another")]
    Deadlock(#[source] DbErr),
    /// A stored value is not one that we ever write.
    #[error("the database holds an impossible value in {0}")]
    Corrupt(&'static str),
    /// The schema is not the one that this program needs.
    #[error("the database schema is behind this program; run `scimd migrate`")]
    SchemaBehind,
    /// Something was to be provisioned through a configuration that has been
    /// deleted since its token was looked at.
    #[error("the SCIM configuration no longer exists")]
    ConfigurationGone,
    /// Anything else.
    #[error("the database failed")]
    Database(#[source] DbErr),
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        if is_busy(&error) {
            Self::Busy(error)
        } else if is_deadlock(&error) {
            Self::Deadlock(error)
        } else {
            Self::Database(error)
        }
    }
}

fn is_busy(error: &DbErr) -> bool {
    match (error, cause(error)) {
        (DbErr::ConnectionAcquire(_), _) | (_, Some(sqlx::Error::PoolTimedOut)) => true,
        // `SQLITE_BUSY` and its extended codes carry 5 in the low byte,
        // `SQLITE_LOCKED` 6.
        (_, Some(sqlx::Error::Database(error))) if is_of_sqlite(error.as_ref()) => {
            let code = error.code().and_then(|code| code.parse::<u32>().ok());
            code.is_some_and(|code| matches!(code & 0xff, 5 | 6))
        }
        _ => false,
    }
}

/// `deadlock_detected` and `serialization_failure` of PostgreSQL.
fn is_deadlock(error: &DbErr) -> bool {
    match cause(error) {
        Some(sqlx::Error::Database(error)) if !is_of_sqlite(error.as_ref()) => {
            error.code().is_some_and(|code| matches!(code.as_ref(), "40P01" | "40001"))
        }
        _ => false,
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

impl Failure for Error {
    fn is_deadlock(&self) -> bool {
        matches!(self, Self::Deadlock(_))
    }
}

impl Error {
    /// The whole chain on one line, for the log.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = self.source();
        while let Some(error) = source {
            text.push_str(": ");
            text.push_str(&error.to_string());
            source = error.source();
        }
        text
    }
}
