//! What can go wrong in the store. Never shown to a caller: each door says it
//! in its own words.

use std::error::Error as _;

use sea_orm::{DbErr, RuntimeErr, sqlx};

/// A failure of the store. `Display` does not show the source, which may quote
/// SQL; the door that answers logs the chain once.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database could not take the request in time; the same request may
    /// succeed later.
    #[error("the database is busy")]
    Busy(#[source] DbErr),
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
        if is_busy(&error) { Self::Busy(error) } else { Self::Database(error) }
    }
}

fn is_busy(error: &DbErr) -> bool {
    let cause = match error {
        DbErr::ConnectionAcquire(_) => return true,
        DbErr::Conn(RuntimeErr::SqlxError(cause))
        | DbErr::Exec(RuntimeErr::SqlxError(cause))
        | DbErr::Query(RuntimeErr::SqlxError(cause)) => cause,
        _ => return false,
    };
    match cause.as_ref() {
        sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
                is_busy_on_sqlite(&code)
            } else {
                is_busy_on_postgres(&code)
            }
        }),
        _ => false,
    }
}

/// `SQLITE_BUSY` and its extended codes carry 5 in the low byte, `SQLITE_LOCKED` 6.
fn is_busy_on_sqlite(code: &str) -> bool {
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6))
}

/// Transactions that waited for one another: one was rolled back so that the
/// other could go on (`deadlock_detected`, `serialization_failure`).
fn is_busy_on_postgres(code: &str) -> bool {
    matches!(code, "40P01" | "40001")
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
