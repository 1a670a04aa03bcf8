//! A transaction that reads, and for as long as it is open sees one moment.

use sea_orm::sqlx::{Postgres, Sqlite};
use tokio::sync::Mutex;

use super::Reader;
use super::failure::Failure;
use super::transaction::Session;

/// Ends when it is dropped.
pub enum Moment {
    Sqlite(Mutex<Session<Sqlite>>),
    Postgres(Mutex<Session<Postgres>>),
}

impl Reader {
    /// A transaction on a connection of the reader's. The moment is that of its
    /// first statement.
    pub async fn begin(&self) -> Result<Moment, Failure> {
        // SQLite knows nothing else; what PostgreSQL has by default sees a moment
        // for each statement.
        const ON_POSTGRES: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        match self {
            Self::Sqlite { pool, .. } => {
                Ok(Moment::Sqlite(Session::begin(pool.lease().await?, "BEGIN").await?.into()))
            }
            Self::Postgres { pool, .. } => {
                Ok(Moment::Postgres(Session::begin(pool.lease().await?, ON_POSTGRES).await?.into()))
            }
        }
    }
}
