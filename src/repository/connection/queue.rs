//! The one connection of an SQLite database that writes, and the queue before it.
//!
//! What makes a small transaction slow is the flush to disk at its end. So
//! transactions that wait for each other are flushed together: the first of them
//! begins a real transaction, those that queue up meanwhile each run in a
//! savepoint of it, and when nobody waits any more all are committed at once.
//! Each is answered only then. To those inside, nothing of it shows: a
//! transaction that fails or is given up takes back its own changes and nobody
//! else's, and one that comes after it sees what it left.

mod batch;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sea_orm::sqlx::Sqlite;
use sea_orm::{DbErr, RuntimeErr};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;

use self::batch::Batch;
use super::pool::{ACQUIRE_TIMEOUT, Lease, Pool, busy};

/// The queue.
pub struct Queue {
    pool: Arc<Pool<Sqlite>>,
    line: Mutex<Line>,
}

#[derive(Default)]
struct Line {
    /// Whether somebody has the turn.
    taken: bool,
    waiting: VecDeque<oneshot::Sender<Turn>>,
}

impl Queue {
    /// A queue before the connection of `pool`.
    pub fn new(pool: Arc<Pool<Sqlite>>) -> Arc<Self> {
        Arc::new(Self { pool, line: Mutex::default() })
    }

    /// Begins a transaction, when it is its turn.
    pub async fn begin(self: &Arc<Self>) -> Result<Turn, DbErr> {
        let waiting = {
            let mut line = self.line();
            if line.taken {
                let (sender, receiver) = oneshot::channel();
                line.waiting.push_back(sender);
                Some(receiver)
            } else {
                line.taken = true;
                None
            }
        };
        let mut turn = match waiting {
            None => Turn(Some(Batch::new(Arc::clone(self)))),
            Some(turn) => {
                let turn = timeout(ACQUIRE_TIMEOUT, turn).await.map_err(|_elapsed| busy())?;
                turn.map_err(|_| lost())?
            }
        };
        turn.batch().open().await?;
        Ok(turn)
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        // Nothing that is done under the lock can leave it half done.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to write, and a transaction that has it. Dropped without
/// [`Turn::commit`], the transaction is rolled back and the next one's turn
/// comes.
pub struct Turn(Option<Batch>);

impl Turn {
    /// The connection.
    pub fn lease(&mut self) -> Result<&mut Lease<Sqlite>, DbErr> {
        self.batch().lease()
    }

    /// Makes everything written durable, or nothing.
    pub async fn commit(mut self) -> Result<(), DbErr> {
        let flushed = self.batch().keep();
        self.0.take().expect(UNTIL_DROPPED).hand_on();
        flushed.await.map_err(|_| lost())?
    }

    fn batch(&mut self) -> &mut Batch {
        self.0.as_mut().expect(UNTIL_DROPPED)
    }
}

const UNTIL_DROPPED: &str = "a turn has its batch until it is handed on or dropped";

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(mut batch) = self.0.take() else { return };
        // Without a runtime the program is at its end, and nobody waits.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                batch.undo().await;
                batch.hand_on();
            });
        }
    }
}

/// The connection, or whoever had it, is gone.
fn lost() -> DbErr {
    DbErr::Exec(RuntimeErr::Internal("the connection that writes was lost".to_owned()))
}
