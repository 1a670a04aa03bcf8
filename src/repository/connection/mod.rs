//! Connections, and who has them when.
//!
//! sqlx's pool asks the database for a sign of life whenever a connection comes
//! back: a round trip on PostgreSQL, two changes of thread on SQLite, as much as
//! the statement itself. So connections stay with us (`pool`), and on SQLite
//! transactions that wait for one another share one commit (`queue`). And what is
//! read of an SQLite file outside of transactions is read on the thread that asks
//! (`in_place`), unless it takes long. To the rest of the repository all of it is
//! SeaORM's [`ConnectionTrait`], and [`Rows`] for what is read by statements.

mod engine;
mod in_place;
mod moment;
mod pool;
mod queue;
mod rows;
mod transaction;

use std::sync::Arc;

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::sqlx::{Postgres, Sqlite};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement};

pub(super) use self::in_place::InPlace;
pub(super) use self::moment::Moment;
pub(super) use self::pool::{ACQUIRE_TIMEOUT, Pool};
pub(super) use self::queue::Queue;
pub(super) use self::rows::{Columns, FromRow, Rows, from_row};
pub(super) use self::transaction::Transaction;

/// Runs each statement by itself, on whatever connection is free.
#[derive(Clone)]
pub(super) enum Reader {
    /// A file has what reads it in place, too.
    Sqlite(Arc<Pool<Sqlite>>, Option<Arc<InPlace>>),
    Postgres(Arc<Pool<Postgres>>),
}

/// Begins transactions.
#[derive(Clone)]
pub(super) enum Writer {
    Sqlite(Arc<Queue>),
    Postgres(Arc<Pool<Postgres>>),
}

impl Writer {
    /// A transaction, when it is its turn.
    pub async fn begin(&self) -> Result<Transaction, DbErr> {
        match self {
            Self::Sqlite(queue) => Ok(Transaction::on_sqlite(queue.begin().await?)),
            Self::Postgres(pool) => Transaction::on_postgres(pool).await,
        }
    }
}

/// Makes a SeaORM connection of a type with a variant for each engine, by what
/// gives the lease on which a statement runs.
macro_rules! connection_trait {
    ($type:ty: $sqlite:pat => $on_sqlite:expr, $postgres:pat => $on_postgres:expr $(,)?) => {
        #[async_trait]
        impl ConnectionTrait for $type {
            fn get_database_backend(&self) -> DbBackend {
                match self {
                    Self::Sqlite(..) => DbBackend::Sqlite,
                    Self::Postgres(..) => DbBackend::Postgres,
                }
            }

            async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
                match self {
                    $sqlite => $on_sqlite.execute(statement).await,
                    $postgres => $on_postgres.execute(statement).await,
                }
            }

            async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
                self.execute_raw(Statement::from_string(self.get_database_backend(), sql)).await
            }

            async fn query_one_raw(
                &self,
                statement: Statement,
            ) -> Result<Option<QueryResult>, DbErr> {
                match self {
                    $sqlite => $on_sqlite.one(statement).await,
                    $postgres => $on_postgres.one(statement).await,
                }
            }

            async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
                match self {
                    $sqlite => $on_sqlite.all(statement).await,
                    $postgres => $on_postgres.all(statement).await,
                }
            }
        }
    };
}

connection_trait!(Reader:
    Self::Sqlite(pool, _) => pool.lease().await?,
    Self::Postgres(pool) => pool.lease().await?,
);
connection_trait!(Transaction:
    Self::Sqlite(turn) => turn.lock().await.lease()?,
    Self::Postgres(session) => session.lock().await.lease(),
);
connection_trait!(Moment:
    Self::Sqlite(session) => session.lock().await.lease(),
    Self::Postgres(session) => session.lock().await.lease(),
);

impl Rows for Reader {
    fn in_place(&self) -> Option<&InPlace> {
        match self {
            Self::Sqlite(_, in_place) => in_place.as_deref(),
            Self::Postgres(_) => None,
        }
    }
}
impl Rows for Transaction {}
impl Rows for Moment {}
