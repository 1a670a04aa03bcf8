//! Reading SQLite on the thread that asks.
//!
//! A statement runs at once, where the request is answered. Meanwhile that thread
//! answers nobody else, nor while a page comes from the disk, so this is for what is
//! short: a statement that is not is interrupted, and sqlx's readers run it from its
//! beginning. What was done until then is lost each time; it is at most that little,
//! where a statement that takes longer costs more by itself.
//!
//! Whatever else goes wrong here makes the statement run there, too, and what goes
//! wrong there is what is told: there is one way to an error.

#[cfg(test)]
mod tests;

use std::os::raw::c_int;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::Statement;
use tokio::task;

use super::failure::Failure;
use super::rows::FromRow;
use super::sqlite::{Location, Sqlite};

/// Steps of SQLite's virtual machine between two looks at the time: 10 to 50 µs of
/// what is in memory, and no look for what is found by its id. A page of a hundred
/// users is 1,400, their groups 8,000.
const STEPS: c_int = 1_000;
/// How long after the first look a statement is interrupted. The page and its groups
/// take 0.2 ms.
const LONG: Duration = Duration::from_millis(3);

/// Connections that only read. There are never more of them than threads that
/// run at the same time.
pub struct InPlace {
    location: Location,
    /// The last one returned is the first one taken: its caches are the warm ones.
    idle: Mutex<Vec<Connection>>,
}

impl InPlace {
    /// Opens nothing before it is needed.
    pub fn new(location: Location) -> Self {
        Self { location, idle: Mutex::default() }
    }

    /// The rows that a statement answers; `None`: it is to be run elsewhere.
    pub async fn rows<T: FromRow>(&self, statement: &Statement) -> Option<Vec<T>> {
        let (rows, was_long) = self.run(statement);
        // Nothing was waited for, so that one request that reads much would keep the
        // thread from all others.
        if was_long {
            task::yield_now().await;
        } else {
            task::coop::consume_budget().await;
        }
        match rows {
            Ok(rows) => Some(rows),
            Err(error) => {
                tracing::debug!(%error, "a statement was not read in place");
                None
            }
        }
    }

    /// And whether the statement took long.
    fn run<T: FromRow>(&self, statement: &Statement) -> (Result<Vec<T>, Failure>, bool) {
        let idle = self.idle().pop();
        let opened = idle.map_or_else(|| Connection::open(&self.location), Ok);
        match opened {
            Ok(connection) => {
                *connection.first_look() = None;
                let rows = connection.sqlite.rows(statement);
                let was_long = connection.first_look().is_some();
                self.idle().push(connection);
                (rows, was_long)
            }
            Err(error) => (Err(error.into()), false),
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        locked(&self.idle)
    }
}

/// Nothing that is done under these locks can leave it half done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Connection {
    sqlite: Sqlite,
    /// When SQLite first looked at the time, during the present statement.
    first_look: Arc<Mutex<Option<Instant>>>,
}

impl Connection {
    fn open(location: &Location) -> rusqlite::Result<Self> {
        let sqlite = Sqlite::read_only(location)?;
        // Who would have to wait is answered by sqlx's readers, which wait elsewhere.
        sqlite.wait_at_most(Duration::ZERO)?;
        let first_look = Arc::new(Mutex::new(None));
        let looked = Arc::clone(&first_look);
        let is_too_long = move || locked(&looked).get_or_insert_with(Instant::now).elapsed() > LONG;
        sqlite.interrupt_when(STEPS, is_too_long)?;
        Ok(Self { sqlite, first_look })
    }

    fn first_look(&self) -> MutexGuard<'_, Option<Instant>> {
        locked(&self.first_look)
    }
}
