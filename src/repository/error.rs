//! What can go wrong in the store. Never shown to a caller: each door says it
//! in its own words.

use std::error::Error as _;

use sea_orm::DbErr;

use super::connection::Failure;
use super::tx::Retriable;

/// A failure of the store. `Display` does not show the source, which may quote
/// SQL; the door that answers logs the chain once.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database could not take the request in time; the same request may
    /// succeed later.
    #[error("the database is busy")]
    Busy(#[source] Failure),
    /// The transaction waited for another that waited for it, and was ended so
    /// that the other could go on; the same transaction may succeed now.
    #[error("the database ended the transaction for another")]
    Deadlock(#[source] Failure),
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
    Database(#[source] Failure),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        if failure.is_busy() {
            Self::Busy(failure)
        } else if failure.is_deadlock() {
            Self::Deadlock(failure)
        } else {
            Self::Database(failure)
        }
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        Failure::from(error).into()
    }
}

impl Retriable for Error {
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
