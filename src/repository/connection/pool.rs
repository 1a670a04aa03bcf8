//! Connections that stay with us between statements.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::{self, Connection};
use sea_orm::{ConnAcquireErr, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::engine::Engine;

/// How long a request waits for its turn at the database.
pub const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(15);
/// A connection that was idle for longer is asked whether it still lives.
const TRUSTED_FOR: Duration = Duration::from_secs(30);

/// A number of connections, out of sqlx's pool, which opens and counts them.
pub struct Pool<DB: Engine> {
    source: sqlx::Pool<DB>,
    /// The last one returned is the first one taken: its thread, its caches and
    /// its prepared statements are the warm ones.
    idle: Mutex<Vec<Idle<DB>>>,
    /// First come, first served.
    permits: Arc<Semaphore>,
    keep: bool,
}

struct Idle<DB: Engine> {
    connection: PoolConnection<DB>,
    since: Instant,
}

impl<DB: Engine> Pool<DB> {
    /// At most `connections` at a time of those of `source`, which must have one
    /// more for whoever goes to it directly.
    pub fn new(source: sqlx::Pool<DB>, connections: usize) -> Arc<Self> {
        Self::with(source, connections, true)
    }

    /// One that leaves the connection with `source`: a database in memory is its
    /// one connection, which readers, the writer and migrations have in turn.
    pub fn of_one(source: sqlx::Pool<DB>) -> Arc<Self> {
        Self::with(source, 1, false)
    }

    fn with(source: sqlx::Pool<DB>, connections: usize, keep: bool) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(connections));
        Arc::new(Self { source, idle: Mutex::default(), permits, keep })
    }

    /// A connection for whoever asks, when one is free.
    pub async fn lease(self: &Arc<Self>) -> Result<Lease<DB>, DbErr> {
        let permit = match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_all_taken) => {
                let permit = timeout(ACQUIRE_TIMEOUT, Arc::clone(&self.permits).acquire_owned());
                permit.await.map_err(|_elapsed| busy())?.expect("the semaphore is never closed")
            }
        };
        let connection = match self.take_idle().await {
            Some(connection) => connection,
            None => self.source.acquire().await.map_err(not_acquired)?,
        };
        let pool = Arc::clone(self);
        Ok(Lease { connection: Some(connection), pool, sound: true, _permit: permit })
    }

    async fn take_idle(&self) -> Option<PoolConnection<DB>> {
        loop {
            let Idle { mut connection, since } = self.idle().pop()?;
            if since.elapsed() < TRUSTED_FOR || connection.ping().await.is_ok() {
                return Some(connection);
            }
            drop(connection.detach());
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle<DB>>> {
        // Nothing that is done under the lock can leave it half done.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<DB: Engine> Drop for Pool<DB> {
    /// sqlx takes a connection back in a task, but the runtime may be gone.
    fn drop(&mut self) {
        for Idle { connection, .. } in self.idle().drain(..) {
            drop(connection.detach());
        }
    }
}

/// A connection for as long as this lives.
pub struct Lease<DB: Engine> {
    connection: Option<PoolConnection<DB>>,
    pool: Arc<Pool<DB>>,
    /// Whether the connection is known to be ready for the next statement.
    sound: bool,
    _permit: OwnedSemaphorePermit,
}

impl<DB: Engine> Lease<DB> {
    pub async fn execute(&mut self, statement: Statement) -> Result<ExecResult, DbErr> {
        let connection = self.begin();
        let outcome = DB::execute(connection, statement).await;
        self.end(outcome).map_err(|error| DbErr::Exec(RuntimeErr::SqlxError(error.into())))
    }

    pub async fn one(&mut self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let connection = self.begin();
        let outcome = DB::one(connection, statement).await;
        self.end(outcome).map_err(|error| DbErr::Query(RuntimeErr::SqlxError(error.into())))
    }

    pub async fn all(&mut self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let connection = self.begin();
        let outcome = DB::all(connection, statement).await;
        self.end(outcome).map_err(|error| DbErr::Query(RuntimeErr::SqlxError(error.into())))
    }

    /// Sees to it that nobody gets the connection after this one.
    pub fn condemn(&mut self) {
        self.sound = false;
    }

    /// Whether the connection can be used on.
    pub const fn is_sound(&self) -> bool {
        self.sound
    }

    fn begin(&mut self) -> &mut DB::Connection {
        self.sound = DB::OUTLIVES_CANCELLATION;
        self.connection.as_mut().expect("a lease has its connection until it is dropped")
    }

    /// A statement that the database refused has been answered in full; any
    /// other failure is one of the connection.
    fn end<T>(&mut self, outcome: sqlx::Result<T>) -> sqlx::Result<T> {
        self.sound = matches!(outcome, Ok(_) | Err(sqlx::Error::Database(_)));
        outcome
    }
}

impl<DB: Engine> Drop for Lease<DB> {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if !self.sound {
            drop(connection.detach());
        } else if self.pool.keep {
            self.pool.idle().push(Idle { connection, since: Instant::now() });
        }
    }
}

/// What [`super::super::Error::Busy`] is made of.
pub fn busy() -> DbErr {
    DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)
}

fn not_acquired(error: sqlx::Error) -> DbErr {
    match error {
        sqlx::Error::PoolTimedOut => busy(),
        other => DbErr::Conn(RuntimeErr::SqlxError(other.into())),
    }
}
