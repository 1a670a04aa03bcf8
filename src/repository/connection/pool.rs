//! Connections that stay with us between statements.
//!
//! What PostgreSQL answers wakes the runtime that opened the connection. So whoever asks
//! gets one that its own runtime opened: one of another's would have that wake this one.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::postgres::{PgArguments, PgRow};
use sea_orm::sqlx::{self, Connection, Postgres, SqlSafeStr};
use sea_orm::{DbErr, RuntimeErr, Statement};
use tokio::runtime::{self, Handle};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::engine::{Engine, trace};
use super::failure::Failure;
use super::rows::FromRow;

/// How long a request waits for its turn at the database.
pub const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the database may take over a new connection while others are idle.
const OPENING: Duration = Duration::from_millis(500);
/// A connection that was idle for longer is asked whether it still lives.
const TRUSTED_FOR: Duration = Duration::from_secs(30);

/// A number of connections, out of sqlx's pool, which opens and counts them.
pub struct Pool<DB: Engine> {
    source: sqlx::Pool<DB>,
    /// The last one returned is the first one taken, of those of a runtime: its thread,
    /// its caches and its prepared statements are the warm ones.
    idle: Mutex<Vec<Idle<DB>>>,
    /// First come, first served.
    permits: Arc<Semaphore>,
}

struct Idle<DB: Engine> {
    session: Session<DB>,
    since: Instant,
}

/// A connection, and where it was opened.
struct Session<DB: Engine> {
    connection: PoolConnection<DB>,
    home: runtime::Id,
}

impl<DB: Engine> Pool<DB> {
    /// At most `connections` of `source`, to which nobody else goes.
    pub fn new(source: sqlx::Pool<DB>, connections: usize) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(connections));
        Arc::new(Self { source, idle: Mutex::default(), permits })
    }

    /// A connection for whoever asks, when one is free.
    pub async fn lease(self: &Arc<Self>) -> Result<Lease<DB>, Failure> {
        let permit = match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_all_taken) => {
                let permit = timeout(ACQUIRE_TIMEOUT, Arc::clone(&self.permits).acquire_owned());
                permit
                    .await
                    .map_err(|_elapsed| Failure::Elapsed)?
                    .expect("the semaphore is never closed")
            }
        };
        let home = Handle::current().id();
        let pool = Arc::clone(self);
        let mut lease = Lease { session: None, pool, sound: false, _permit: permit };
        while let Some(idle) = self.pop_idle(home) {
            if lease.takes(idle).await {
                return Ok(lease);
            }
        }
        // Boxed: it is rare, and so large that whatever reads would be ten times as large
        // with it, and be copied as such.
        Box::pin(self.open(lease, home)).await
    }

    async fn open(&self, mut lease: Lease<DB>, home: runtime::Id) -> Result<Lease<DB>, Failure> {
        let mut opened = pin!(self.source.acquire());
        let opened = match timeout(OPENING, opened.as_mut()).await {
            Ok(opened) => opened,
            Err(_elapsed) => {
                let other = self.idle().pop();
                if let Some(other) = other
                    && lease.takes(other).await
                {
                    return Ok(lease);
                }
                opened.await
            }
        };
        lease.session = Some(Session { connection: opened.map_err(not_acquired)?, home });
        lease.sound = true;
        Ok(lease)
    }

    fn pop_idle(&self, home: runtime::Id) -> Option<Idle<DB>> {
        let mut idle = self.idle();
        if let Some(place) = idle.iter().rposition(|idle| idle.session.home == home) {
            return Some(idle.remove(place));
        }
        // Each of the permits that are left stands for a connection that is idle, or for
        // one that is not open yet.
        if idle.len() > self.permits.available_permits() { idle.pop() } else { None }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle<DB>>> {
        // Nothing that is done under the lock can leave it half done.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<DB: Engine> Drop for Pool<DB> {
    /// sqlx takes a connection back in a task, but the runtime may be gone.
    fn drop(&mut self) {
        for Idle { session, .. } in self.idle().drain(..) {
            drop(session.connection.detach());
        }
    }
}

/// A connection for as long as this lives.
pub struct Lease<DB: Engine> {
    session: Option<Session<DB>>,
    pool: Arc<Pool<DB>>,
    /// Whether the connection is known to be ready for the next statement.
    sound: bool,
    _permit: OwnedSemaphorePermit,
}

impl<DB: Engine> Lease<DB> {
    /// Takes a connection if it still lives. Who gives up waiting for a sign of life has
    /// nobody else wait for it.
    async fn takes(&mut self, Idle { session, since }: Idle<DB>) -> bool {
        let connection = &mut self.session.insert(session).connection;
        self.sound = since.elapsed() < TRUSTED_FOR || connection.ping().await.is_ok();
        if !self.sound {
            self.give_back();
        }
        self.sound
    }

    fn give_back(&mut self) {
        let Some(session) = self.session.take() else { return };
        if self.sound {
            self.pool.idle().push(Idle { session, since: Instant::now() });
        } else {
            drop(session.connection.detach());
        }
    }

    /// Runs a statement, and says how many rows it changed.
    pub async fn execute(&mut self, statement: Statement) -> Result<u64, Failure> {
        let connection = self.begin();
        let outcome = DB::execute(connection, statement).await;
        self.end(outcome)
    }

    /// The rows that a statement answers.
    pub async fn rows<T: FromRow>(&mut self, statement: Statement) -> Result<Vec<T>, Failure> {
        self.read(statement, |row| T::from_row(&mut DB::columns(&row))).await
    }

    /// The same, not read yet.
    pub async fn answer(&mut self, statement: Statement) -> Result<Vec<DB::Row>, Failure> {
        self.read(statement, Ok).await
    }

    async fn read<T: Send>(
        &mut self,
        statement: Statement,
        read: impl Fn(DB::Row) -> Result<T, Failure> + Send,
    ) -> Result<Vec<T>, Failure> {
        let connection = self.begin();
        let outcome = DB::rows(connection, statement, read).await;
        self.end(outcome)?
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
        let session =
            self.session.as_mut().expect("a lease has its connection until it is dropped");
        &mut session.connection
    }

    /// A statement that the database refused has been answered in full, unless it ends
    /// the connection with that; any other failure is one of the connection.
    fn end<T>(&mut self, outcome: sqlx::Result<T>) -> Result<T, Failure> {
        self.sound = match &outcome {
            Ok(_) => true,
            Err(sqlx::Error::Database(error)) => !DB::ends_connection(error.as_ref()),
            Err(_) => false,
        };
        outcome.map_err(Failure::from)
    }
}

impl Lease<Postgres> {
    /// The rows that a statement answers to arguments that SeaORM has no values for.
    pub async fn answer_to(
        &mut self,
        sql: impl SqlSafeStr,
        arguments: PgArguments,
    ) -> Result<Vec<PgRow>, Failure> {
        let sql = sql.into_sql_str();
        trace(sql.as_str());
        let connection = self.begin();
        let outcome = sqlx::query_with(sql, arguments).fetch_all(connection).await;
        self.end(outcome)
    }
}

impl<DB: Engine> Drop for Lease<DB> {
    fn drop(&mut self) {
        self.give_back();
    }
}

fn not_acquired(error: sqlx::Error) -> Failure {
    match error {
        sqlx::Error::PoolTimedOut => Failure::Elapsed,
        other => DbErr::Conn(RuntimeErr::SqlxError(other.into())).into(),
    }
}
