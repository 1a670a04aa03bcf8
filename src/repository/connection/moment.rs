//! A transaction that reads, and for as long as it is open sees one moment.

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::sqlx::{Postgres, Sqlite};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement};
use tokio::sync::Mutex;

use super::Reader;
use super::transaction::Session;

/// Ends when it is dropped.
pub enum Moment {
    Sqlite(Mutex<Session<Sqlite>>),
    Postgres(Mutex<Session<Postgres>>),
}

impl Reader {
    /// A transaction on a connection of the reader's. The moment is that of its
    /// first statement.
    pub async fn begin(&self) -> Result<Moment, DbErr> {
        // SQLite knows nothing else; what PostgreSQL has by default sees a moment
        // for each statement.
        const ON_POSTGRES: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        match self {
            Self::Sqlite(pool) => {
                Ok(Moment::Sqlite(Session::begin(pool.lease().await?, "BEGIN").await?.into()))
            }
            Self::Postgres(pool) => {
                Ok(Moment::Postgres(Session::begin(pool.lease().await?, ON_POSTGRES).await?.into()))
            }
        }
    }
}

#[async_trait]
impl ConnectionTrait for Moment {
    fn get_database_backend(&self) -> DbBackend {
        match self {
            Self::Sqlite(_) => DbBackend::Sqlite,
            Self::Postgres(_) => DbBackend::Postgres,
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        match self {
            Self::Sqlite(session) => session.lock().await.lease().execute(statement).await,
            Self::Postgres(session) => session.lock().await.lease().execute(statement).await,
        }
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.execute_raw(Statement::from_string(self.get_database_backend(), sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match self {
            Self::Sqlite(session) => session.lock().await.lease().one(statement).await,
            Self::Postgres(session) => session.lock().await.lease().one(statement).await,
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match self {
            Self::Sqlite(session) => session.lock().await.lease().all(statement).await,
            Self::Postgres(session) => session.lock().await.lease().all(statement).await,
        }
    }
}
