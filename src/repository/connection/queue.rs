//! The one connection of an SQLite database that writes, and the queue before it.
//!
//! What makes a small transaction slow is the flush to disk at its end. So
//! transactions that wait for each other are flushed together: the first of them
//! begins a real transaction, those that queue up meanwhile each run in a
//! savepoint of it, and when nobody waits any more all are committed at once.
//! Each is answered only then. To those inside, nothing of it shows: a
//! transaction that fails or is given up takes back its own changes and nobody
//! else's, and one that comes after it sees what it left.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sea_orm::sqlx::Sqlite;
use sea_orm::{DbBackend, DbErr, RuntimeErr, Statement};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::pool::{ACQUIRE_TIMEOUT, Lease, Pool, busy};

/// The most transactions that are flushed together.
const MAX_TOGETHER: usize = 128;
/// How long the first of them is kept waiting for others.
const MAX_WAIT: Duration = Duration::from_millis(20);

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
        self.batch().lease.as_mut().ok_or_else(lost)
    }

    /// Makes everything written durable, or nothing.
    pub async fn commit(mut self) -> Result<(), DbErr> {
        let flushed = self.batch().release().await?;
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

/// Transactions that are flushed together.
struct Batch {
    queue: Arc<Queue>,
    /// `None` as long as none was needed.
    lease: Option<Lease<Sqlite>>,
    /// When the transaction around all of them began; `None`: there is none.
    since: Option<Instant>,
    /// Where whoever has the turn is.
    stage: Stage,
    /// Those who are done and want to hear of the flush.
    done: Vec<oneshot::Sender<Result<(), DbErr>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nobody's changes are open.
    Between,
    /// The first one, whose transaction is the real one, is at work.
    First,
    /// A later one is entering its savepoint.
    Entering,
    /// A later one is at work in its savepoint.
    Within,
    /// A later one is leaving its savepoint, its changes to be kept.
    Leaving,
}

impl Batch {
    fn new(queue: Arc<Queue>) -> Self {
        Self { queue, lease: None, since: None, stage: Stage::Between, done: Vec::new() }
    }

    /// Begins the transaction of whoever has the turn.
    async fn open(&mut self) -> Result<(), DbErr> {
        if self.lease.is_none() {
            self.lease = Some(self.queue.pool.lease().await?);
        }
        if self.since.is_none() {
            self.stage = Stage::First;
            // A transaction that begins by reading and then writes fails when
            // another process wrote in between, at once and whatever the
            // timeout; IMMEDIATE asks for the lock at the beginning.
            self.run("BEGIN IMMEDIATE").await?;
            self.since = Some(Instant::now());
        } else {
            self.stage = Stage::Entering;
            self.run("SAVEPOINT one").await?;
            self.stage = Stage::Within;
        }
        Ok(())
    }

    /// Adds the transaction of whoever has the turn to those that are to be
    /// flushed.
    async fn release(&mut self) -> Result<oneshot::Receiver<Result<(), DbErr>>, DbErr> {
        if self.stage == Stage::Within {
            self.stage = Stage::Leaving;
            if let Err(error) = self.run("RELEASE one").await {
                self.fail(&error).await;
                return Err(error);
            }
        }
        self.stage = Stage::Between;
        let (sender, receiver) = oneshot::channel();
        self.done.push(sender);
        Ok(receiver)
    }

    /// Takes back what the transaction of whoever has the turn has changed.
    /// Statements reach the database in the order in which they were sent, also
    /// behind one that nobody waited for.
    async fn undo(&mut self) {
        match self.stage {
            Stage::Between => {}
            Stage::First => self.abandon().await,
            Stage::Entering => {
                // Where the savepoint was never made, there is nothing in it.
                let _ = self.run("ROLLBACK TO one").await;
                let _ = self.run("RELEASE one").await;
            }
            Stage::Within => {
                let undone = match self.run("ROLLBACK TO one").await {
                    Ok(()) => self.run("RELEASE one").await,
                    failed => failed,
                };
                // SQLite ends the transaction around when the disk is full, for
                // instance: nobody's changes are there any more.
                if let Err(error) = undone {
                    self.fail(&error).await;
                }
            }
            // Given up by whoever wanted to keep it: it may as well be kept.
            Stage::Leaving => {
                let _ = self.run("RELEASE one").await;
            }
        }
        self.stage = Stage::Between;
    }

    /// Gives the turn to the next one, in the same transaction or after a flush.
    fn hand_on(mut self) {
        let is_over = self.since.is_none_or(|since| since.elapsed() >= MAX_WAIT);
        if !is_over && self.done.len() < MAX_TOGETHER {
            match self.give_to_next() {
                None => return,
                Some(batch) => self = batch,
            }
        }
        // In a task of its own: others depend on it, whoever is cancelled.
        tokio::spawn(async move {
            self.flush().await;
            self.end();
        });
    }

    /// `None`: somebody has it. Otherwise nobody waits.
    fn give_to_next(mut self) -> Option<Self> {
        let queue = Arc::clone(&self.queue);
        loop {
            let Some(next) = queue.line().waiting.pop_front() else { return Some(self) };
            match next.send(Turn(Some(self))) {
                Ok(()) => return None,
                // Whoever waited has given up.
                Err(mut turn) => self = turn.0.take().expect(UNTIL_DROPPED),
            }
        }
    }

    async fn flush(&mut self) {
        if self.since.is_none() {
            return;
        }
        match self.run("COMMIT").await {
            Ok(()) => {
                self.since = None;
                self.tell(&Ok(()));
            }
            Err(error) => self.fail(&error).await,
        }
    }

    /// Nothing is open any more: the next one begins anew, or nobody has the turn.
    fn end(mut self) {
        // Back before somebody else looks for it. A database in memory is read
        // through the same connection.
        self.lease = None;
        let queue = Arc::clone(&self.queue);
        loop {
            let mut line = queue.line();
            let Some(next) = line.waiting.pop_front() else {
                line.taken = false;
                return;
            };
            drop(line);
            match next.send(Turn(Some(self))) {
                Ok(()) => return,
                Err(mut turn) => self = turn.0.take().expect(UNTIL_DROPPED),
            }
        }
    }

    /// All that were not flushed yet have failed.
    async fn fail(&mut self, error: &DbErr) {
        self.abandon().await;
        self.stage = Stage::Between;
        self.tell(&Err(error.clone()));
    }

    async fn abandon(&mut self) {
        // Fails where SQLite has ended the transaction by itself.
        let _ = self.run("ROLLBACK").await;
        self.since = None;
    }

    fn tell(&mut self, outcome: &Result<(), DbErr>) {
        for done in self.done.drain(..) {
            // Whoever is gone does not hear it.
            let _ = done.send(outcome.clone());
        }
    }

    async fn run(&mut self, sql: &str) -> Result<(), DbErr> {
        let lease = self.lease.as_mut().ok_or_else(lost)?;
        lease.execute(Statement::from_string(DbBackend::Sqlite, sql)).await?;
        Ok(())
    }
}

/// The connection, or whoever had it, is gone.
fn lost() -> DbErr {
    DbErr::Exec(RuntimeErr::Internal("the connection that writes was lost".to_owned()))
}

#[cfg(test)]
mod tests;
