//! A transaction that writes, on either engine.

use std::sync::Arc;

use sea_orm::sqlx::Postgres;
use sea_orm::{DbBackend, Statement};
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use super::engine::Engine;
use super::failure::Failure;
use super::pool::{Lease, Pool};
use super::queue::Turn;

/// Dropped without [`Transaction::commit`], it is rolled back.
pub enum Transaction {
    Sqlite(Turn),
    Postgres(Mutex<Session<Postgres>>),
}

impl Transaction {
    pub async fn on_postgres(pool: &Arc<Pool<Postgres>>) -> Result<Self, Failure> {
        Ok(Self::Postgres(Mutex::new(Session::begin(pool.lease().await?, "BEGIN").await?)))
    }

    /// Says whether statements from now on may take long: they run where they keep
    /// no request from being answered.
    pub fn take_long(&self, is_so: bool) {
        match self {
            Self::Sqlite(turn) => turn.take_long(is_so),
            // They run in the server.
            Self::Postgres(_) => {}
        }
    }

    /// Runs a statement, and says how many rows it changed.
    pub async fn execute(&self, statement: Statement) -> Result<u64, Failure> {
        match self {
            Self::Sqlite(turn) => turn.execute(statement).await,
            Self::Postgres(session) => session.lock().await.lease().execute(statement).await,
        }
    }

    /// Makes everything written durable, or nothing.
    pub async fn commit(self) -> Result<(), Failure> {
        match self {
            Self::Sqlite(turn) => turn.commit().await,
            Self::Postgres(session) => session.into_inner().commit().await,
        }
    }
}

/// A connection that is in a transaction.
pub struct Session<DB: Engine> {
    /// `None` once the transaction is over.
    lease: Option<Lease<DB>>,
}

impl<DB: Engine> Session<DB> {
    /// Given up between request and answer, the session is rolled back like any
    /// other: a transaction may be open in the connection.
    pub async fn begin(lease: Lease<DB>, begin: &str) -> Result<Self, Failure> {
        let mut session = Self { lease: Some(lease) };
        session.lease().execute(simple(begin)).await?;
        Ok(session)
    }

    async fn commit(mut self) -> Result<(), Failure> {
        let mut lease = self.lease.take().expect(OPEN);
        lease.execute(simple("COMMIT")).await?;
        Ok(())
    }

    pub fn lease(&mut self) -> &mut Lease<DB> {
        self.lease.as_mut().expect(OPEN)
    }
}

impl<DB: Engine> Drop for Session<DB> {
    fn drop(&mut self) {
        // A statement that was given up half way may still be at work. What is
        // closed is rolled back by the server.
        let Some(mut lease) = self.lease.take().filter(Lease::is_sound) else { return };
        let roll_back = async move {
            if lease.execute(simple("ROLLBACK")).await.is_err() {
                lease.condemn();
            }
        };
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(roll_back);
        }
    }
}

const OPEN: &str = "a session has its connection until it is committed or dropped";

/// A statement in words that both engines know.
fn simple(sql: &str) -> Statement {
    Statement::from_string(DbBackend::Postgres, sql)
}
