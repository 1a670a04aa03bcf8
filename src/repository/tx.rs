//! The two handles through which everything is read and written. Their methods
//! stand beside the tables that they are about.

use std::sync::{Arc, Mutex};

use sea_orm::{DbBackend, QueryTrait, Statement, Value};

use super::Result;
use super::connection::{FromRow, Reader, Rows, Transaction};
use super::feed::Recorded;
use super::news::Board;
use crate::clock::Random;
use crate::model::{Instant, Origin};

/// How often a transaction is begun that others get in the way of.
const TRIES: u32 = 3;

/// What a transaction fails with, here or in a door.
pub trait Retriable {
    /// Whether it was ended for another; the same transaction may succeed now.
    fn is_deadlock(&self) -> bool;
}

/// Makes a transaction, and makes it anew where the database ended it for another.
///
/// Two transactions may wait for each other on PostgreSQL, which then ends one of
/// them. `once` does all of it from the beginning: what was read for it may be out
/// of date.
pub async fn retry_deadlocks<T, E, F>(once: impl Fn() -> F) -> std::result::Result<T, E>
where
    E: Retriable,
    F: Future<Output = std::result::Result<T, E>>,
{
    let mut tries = 1;
    loop {
        match once().await {
            Err(error) if error.is_deadlock() && tries < TRIES => {
                tracing::debug!(tries, "the transaction was ended for another");
                tries += 1;
            }
            outcome => return outcome,
        }
    }
}

/// Reads. Each method is one statement and sees what was committed when it ran.
#[derive(Clone)]
pub struct Read {
    pub(super) connection: Reader,
}

impl Read {
    /// The row that a statement answers which every request runs.
    pub(super) async fn query_one<T: FromRow>(
        &self,
        sql: &'static str,
        values: impl IntoIterator<Item = Value> + Send,
    ) -> Result<Option<T>> {
        Ok(self.connection.query_often(sql, values).await?.pop())
    }

    /// The rows that a statement of SeaORM's answers.
    pub(super) async fn query<T: FromRow>(&self, select: &impl QueryTrait) -> Result<Vec<T>> {
        let statement = select.build(self.connection.backend());
        Ok(self.connection.rows(statement).await?)
    }
}

/// A transaction that may write. Dropped without [`Write::commit`], it is
/// rolled back.
///
/// An error of a method means that the transaction is lost: PostgreSQL answers
/// `COMMIT` after a failed statement with success and rolls back.
pub struct Write {
    pub(super) transaction: Transaction,
    pub(super) now: Instant,
    pub(super) random: Arc<dyn Random>,
    /// Who makes the changes.
    pub(super) origin: Origin,
    /// What happened so far; see `feed`.
    pub(super) recorded: Mutex<Vec<Recorded>>,
    /// Where to say whose feed has grown.
    pub(super) board: Arc<Board>,
}

impl Write {
    /// The one instant of this transaction: whatever it writes happened then.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// Runs one statement and says how many rows it changed.
    pub(super) async fn execute(
        &self,
        sql: impl Into<String>,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<u64> {
        let statement = Statement::from_sql_and_values(self.backend(), sql, values);
        Ok(self.transaction.execute(statement).await?)
    }

    /// The same of a statement of SeaORM's.
    pub(super) async fn perform(&self, statement: &impl QueryTrait) -> Result<u64> {
        Ok(self.transaction.execute(statement.build(self.backend())).await?)
    }

    /// Runs one statement and gives the rows that it answers.
    pub(super) async fn query<T: FromRow>(
        &self,
        sql: impl Into<String>,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<T>> {
        Ok(self.transaction.query(sql, values).await?)
    }

    /// The same of a statement of SeaORM's.
    pub(super) async fn select<T: FromRow>(&self, statement: &impl QueryTrait) -> Result<Vec<T>> {
        Ok(self.transaction.rows(statement.build(self.backend())).await?)
    }

    pub(super) fn backend(&self) -> DbBackend {
        self.transaction.backend()
    }

    /// `sql` for PostgreSQL, nothing for SQLite, which locks no rows: there is
    /// one transaction that writes, and it has the whole database.
    pub(super) fn on_postgres(&self, sql: &'static str) -> &'static str {
        if self.backend() == DbBackend::Postgres { sql } else { "" }
    }

    /// Makes everything written durable, with the events that tell of it, or
    /// nothing.
    pub async fn commit(self) -> Result<()> {
        let feeds = self.write_events().await?;
        self.transaction.commit().await?;
        if self.board.is_followed() {
            self.board.tell(feeds);
        }
        Ok(())
    }
}
