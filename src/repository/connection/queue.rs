//! The one connection of an SQLite database that writes, and the queue before it.
//!
//! What makes a small transaction slow is the flush to disk at its end. So
//! transactions that wait for each other are flushed together: the first of them
//! begins a real transaction, those that queue up meanwhile each run in a
//! savepoint of it, and when nobody waits any more all are committed at once.
//! Each is answered only then. To those inside, nothing of it shows: a
//! transaction that fails or is given up takes back its own changes and nobody
//! else's, and one that comes after it sees what it left.
//!
//! Statements run on the thread that asks. What waits for the disk or for another
//! process, and what is known to take long, runs on a thread that may wait.

mod batch;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sea_orm::Statement;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task;
use tokio::time::timeout;

use self::batch::Batch;
use super::arrays::text_length;
use super::failure::Failure;
use super::pool::ACQUIRE_TIMEOUT;
use super::rows::FromRow;
use super::sqlite::{Location, Sqlite};

/// Text in a statement from which on it takes long: 1,500 ids, which are written in
/// some milliseconds.
const LARGE: usize = 64 * 1024;

/// The queue.
pub struct Queue {
    /// See [`Location::is_shared_in_turns`].
    is_shared_in_turns: bool,
    /// Of whoever has the turn; and of a statement of theirs that they did not wait
    /// for.
    connection: Arc<tokio::sync::Mutex<Sqlite>>,
    line: Mutex<Line>,
}

#[derive(Default)]
struct Line {
    /// Whether somebody has the turn.
    taken: bool,
    waiting: VecDeque<oneshot::Sender<Turn>>,
}

impl Queue {
    /// A queue before a connection to a database that is there.
    pub fn open(location: &Location) -> Result<Arc<Self>, Failure> {
        let connection = Arc::new(Sqlite::writable(location)?.into());
        let is_shared_in_turns = location.is_shared_in_turns();
        Ok(Arc::new(Self { is_shared_in_turns, connection, line: Mutex::default() }))
    }

    /// Begins a transaction, when it is its turn.
    pub async fn begin(self: &Arc<Self>) -> Result<Turn, Failure> {
        let mut turn = self.turn().await?;
        turn.batch_mut().open().await?;
        Ok(turn)
    }

    /// Has nobody write for as long as the answer lives, if they would wait for who
    /// reads, and others who read for them.
    pub async fn pause(self: &Arc<Self>) -> Result<Option<Turn>, Failure> {
        if !self.is_shared_in_turns {
            return Ok(None);
        }
        let mut turn = self.turn().await?;
        // What was done before is kept, and nothing is open meanwhile.
        turn.batch_mut().flush_now().await;
        Ok(Some(turn))
    }

    async fn turn(self: &Arc<Self>) -> Result<Turn, Failure> {
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
        match waiting {
            None => Ok(Turn::of(Batch::new(Arc::clone(self)))),
            Some(turn) => {
                let turn = timeout(ACQUIRE_TIMEOUT, turn).await;
                turn.map_err(|_elapsed| Failure::Elapsed)?.map_err(|_| Failure::Lost)
            }
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        // Nothing that is done under the lock can leave it half done.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to write, and a transaction that has it. Dropped without
/// [`Turn::commit`], the transaction is rolled back and the next one's turn
/// comes.
pub struct Turn {
    batch: Option<Batch>,
    takes_long: AtomicBool,
}

impl Turn {
    const fn of(batch: Batch) -> Self {
        Self { batch: Some(batch), takes_long: AtomicBool::new(false) }
    }

    /// Says whether statements from now on may take long.
    pub fn take_long(&self, is_so: bool) {
        self.takes_long.store(is_so, Ordering::Relaxed);
    }

    /// Runs a statement, and says how many rows it changed.
    pub async fn execute(&self, statement: Statement) -> Result<u64, Failure> {
        self.run(statement, Sqlite::execute).await
    }

    /// The rows that a statement answers.
    pub async fn rows<T: FromRow>(&self, statement: Statement) -> Result<Vec<T>, Failure> {
        self.run(statement, Sqlite::rows).await
    }

    async fn run<T: Send + 'static>(
        &self,
        statement: Statement,
        run: fn(&Sqlite, &Statement) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let connection = &self.batch.as_ref().expect(UNTIL_DROPPED).queue.connection;
        if self.takes_long.load(Ordering::Relaxed) || is_large(&statement) {
            // It has the connection until it is done, whoever still waits for it.
            let connection = Arc::clone(connection).lock_owned().await;
            let done = task::spawn_blocking(move || run(&connection, &statement));
            return done.await.map_err(|_| Failure::Lost)?;
        }
        run(&*connection.lock().await, &statement)
    }

    /// Makes everything written durable, or nothing.
    pub async fn commit(mut self) -> Result<(), Failure> {
        let flushed = self.batch_mut().keep().await?;
        self.batch.take().expect(UNTIL_DROPPED).hand_on(&Handle::current());
        flushed.await.map_err(|_| Failure::Lost)?
    }

    const fn batch_mut(&mut self) -> &mut Batch {
        self.batch.as_mut().expect(UNTIL_DROPPED)
    }
}

const UNTIL_DROPPED: &str = "a turn has its batch until it is handed on or dropped";

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(batch) = self.batch.take() else { return };
        // Without a runtime the program is at its end, and nobody waits.
        if let Ok(runtime) = Handle::try_current() {
            batch.undo(runtime);
        }
    }
}

fn is_large(statement: &Statement) -> bool {
    statement.values.as_ref().is_some_and(|values| text_length(&values.0) > LARGE)
}
