//! Connections, and who has them when.
//!
//! sqlx's pool asks the database for a sign of life whenever a connection comes
//! back: a round trip on PostgreSQL, two changes of thread on SQLite, as much as
//! the statement itself. So connections stay with us (`pool`). On SQLite, statements
//! run on the thread that asks (`sqlite`): those outside of transactions unless they
//! take long (`in_place`), and those of transactions, of which those that wait for one
//! another share one commit (`queue`). What takes long to read, and what sees one
//! moment (`moment`), has sqlx's threads. On PostgreSQL, what several requests ask at
//! the same time is one statement (`coalescing`), and so are changes of one configuration
//! (`group_commit`). To the rest of the repository all of
//! it is [`Rows`], which takes SeaORM's statements.

mod arrays;
mod coalescing;
mod engine;
mod failure;
mod group_commit;
mod in_place;
mod moment;
mod pool;
mod queue;
mod rows;
mod sqlite;
mod transaction;

use std::sync::Arc;

use sea_orm::sqlx::{Postgres, Sqlite};
use sea_orm::{DbBackend, Statement, Value};

pub(super) use self::coalescing::Coalescing;
pub(super) use self::failure::Failure;
pub(super) use self::group_commit::GroupCommit;
pub(super) use self::in_place::InPlace;
pub(super) use self::moment::Moment;
pub(super) use self::pool::{ACQUIRE_TIMEOUT, Pool};
pub(super) use self::queue::{Queue, Turn};
pub(super) use self::rows::{Columns, FromRow, Rows, from_row};
pub(super) use self::sqlite::{BUSY_TIMEOUT, Location, STATEMENTS};
pub(super) use self::transaction::Transaction;

/// Runs each statement by itself, on whatever connection is free.
#[derive(Clone)]
pub(super) enum Reader {
    Sqlite { in_place: Arc<InPlace>, pool: Arc<Pool<Sqlite>> },
    Postgres { pool: Arc<Pool<Postgres>>, coalescing: Arc<Coalescing> },
}

/// Begins transactions.
#[derive(Clone)]
pub(super) enum Writer {
    Sqlite(Arc<Queue>),
    Postgres { pool: Arc<Pool<Postgres>>, group_commit: Arc<GroupCommit> },
}

impl Reader {
    /// The same, for whoever runs in the present runtime.
    pub fn for_this_runtime(&self) -> Self {
        match self {
            Self::Sqlite { .. } => self.clone(),
            Self::Postgres { pool, .. } => {
                let coalescing = Coalescing::new(Arc::clone(pool));
                Self::Postgres { pool: Arc::clone(pool), coalescing }
            }
        }
    }
}

impl Writer {
    /// See [`Queue::pause`].
    pub async fn pause(&self) -> Result<Option<Turn>, Failure> {
        match self {
            Self::Sqlite(queue) => queue.pause().await,
            Self::Postgres { .. } => Ok(None),
        }
    }

    /// Where to have changes made that one statement can say. On SQLite a transaction
    /// needs none: its statements wait for nobody, and the queue has them flushed
    /// together.
    pub const fn group_commit(&self) -> Option<&Arc<GroupCommit>> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres { group_commit, .. } => Some(group_commit),
        }
    }

    /// A transaction, when it is its turn.
    pub async fn begin(&self) -> Result<Transaction, Failure> {
        match self {
            Self::Sqlite(queue) => Ok(Transaction::Sqlite(queue.begin().await?)),
            Self::Postgres { pool, .. } => Transaction::on_postgres(pool).await,
        }
    }
}

impl Rows for Reader {
    fn backend(&self) -> DbBackend {
        match self {
            Self::Sqlite { .. } => DbBackend::Sqlite,
            Self::Postgres { .. } => DbBackend::Postgres,
        }
    }

    async fn rows<T: FromRow>(&self, statement: Statement) -> Result<Vec<T>, Failure> {
        match self {
            Self::Sqlite { in_place, pool } => match in_place.rows(&statement).await {
                Some(rows) => Ok(rows),
                None => pool.lease().await?.rows(statement).await,
            },
            Self::Postgres { pool, .. } => pool.lease().await?.rows(statement).await,
        }
    }

    async fn query_often<T: FromRow>(
        &self,
        sql: &'static str,
        values: impl IntoIterator<Item = Value> + Send,
    ) -> Result<Vec<T>, Failure> {
        match self {
            Self::Sqlite { .. } => self.query(sql, values).await,
            Self::Postgres { coalescing, .. } => {
                coalescing.rows(sql, values.into_iter().collect()).await
            }
        }
    }
}

impl Rows for Transaction {
    fn backend(&self) -> DbBackend {
        match self {
            Self::Sqlite(_) => DbBackend::Sqlite,
            Self::Postgres(_) => DbBackend::Postgres,
        }
    }

    async fn rows<T: FromRow>(&self, statement: Statement) -> Result<Vec<T>, Failure> {
        match self {
            Self::Sqlite(turn) => turn.rows(statement).await,
            Self::Postgres(session) => session.lock().await.lease().rows(statement).await,
        }
    }
}

impl Rows for Moment {
    fn backend(&self) -> DbBackend {
        match self {
            Self::Sqlite(_) => DbBackend::Sqlite,
            Self::Postgres(_) => DbBackend::Postgres,
        }
    }

    async fn rows<T: FromRow>(&self, statement: Statement) -> Result<Vec<T>, Failure> {
        match self {
            Self::Sqlite(session) => session.lock().await.lease().rows(statement).await,
            Self::Postgres(session) => session.lock().await.lease().rows(statement).await,
        }
    }
}
