//! Several transactions in one, and what SQLite is told at their beginnings and
//! ends.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task;
use tokio::time::Instant;

use super::super::failure::Failure;
use super::super::sqlite::{BUSY_TIMEOUT, Sqlite};
use super::{Queue, Turn, UNTIL_DROPPED};

/// The most transactions that are flushed together.
const MAX_TOGETHER: usize = 128;
/// How long the first of them is kept waiting for others.
const MAX_WAIT: Duration = Duration::from_millis(20);

/// Transactions that are flushed together.
pub struct Batch {
    pub(super) queue: Arc<Queue>,
    /// When the transaction around all of them began; `None`: there is none.
    since: Option<Instant>,
    /// Where whoever has the turn is.
    stage: Stage,
    /// Those who are done and want to hear of the flush.
    done: Vec<oneshot::Sender<Result<(), Failure>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nobody's changes are open.
    Between,
    /// The first one, whose transaction is the real one, is at work.
    First,
    /// A later one is at work in its savepoint.
    Within,
}

impl Batch {
    pub const fn new(queue: Arc<Queue>) -> Self {
        Self { queue, since: None, stage: Stage::Between, done: Vec::new() }
    }

    /// Begins the transaction of whoever has the turn.
    pub async fn open(&mut self) -> Result<(), Failure> {
        if self.since.is_none() {
            self.stage = Stage::First;
            self.begin().await?;
            self.since = Some(Instant::now());
            return Ok(());
        }
        let connection = Arc::clone(&self.queue.connection).lock_owned().await;
        if let Err(error) = connection.run("SAVEPOINT turn") {
            // The transaction around is not what it was: SQLite ends it when the
            // disk is full, for instance.
            self.fail(&connection, &error);
            return Err(error);
        }
        self.stage = Stage::Within;
        Ok(())
    }

    async fn begin(&self) -> Result<(), Failure> {
        // A transaction that begins by reading and then writes fails when another
        // process wrote in between, at once and whatever the timeout; IMMEDIATE asks
        // for the lock at the beginning.
        const BEGIN: &str = "BEGIN IMMEDIATE";
        let connection = Arc::clone(&self.queue.connection).lock_owned().await;
        connection.wait_at_most(Duration::ZERO)?;
        let at_once = connection.run(BEGIN);
        connection.wait_at_most(BUSY_TIMEOUT)?;
        match at_once {
            Err(error) if error.is_busy() => {
                let begun = task::spawn_blocking(move || connection.run(BEGIN));
                begun.await.map_err(|_| Failure::Lost)?
            }
            begun => begun,
        }
    }

    /// Adds the transaction of whoever has the turn to those that are to be
    /// flushed.
    pub async fn keep(&mut self) -> Result<oneshot::Receiver<Result<(), Failure>>, Failure> {
        if self.stage == Stage::Within {
            let connection = Arc::clone(&self.queue.connection).lock_owned().await;
            if let Err(error) = connection.run("RELEASE turn") {
                self.fail(&connection, &error);
                return Err(error);
            }
        }
        self.stage = Stage::Between;
        let (sender, receiver) = oneshot::channel();
        self.done.push(sender);
        Ok(receiver)
    }

    /// Takes back what the transaction of whoever has the turn has changed, and
    /// gives the turn to the next one.
    pub fn undo(mut self, runtime: Handle) {
        let connection = Arc::clone(&self.queue.connection);
        runtime.clone().spawn_blocking(move || {
            // A statement that nobody waited for ends first.
            let connection = connection.blocking_lock_owned();
            match self.stage {
                Stage::Between => {}
                Stage::First => self.abandon(&connection),
                Stage::Within => {
                    let undone = connection.run("ROLLBACK TO turn");
                    // SQLite ends the transaction around when the disk is full, for
                    // instance: nobody's changes are there any more.
                    if let Err(error) = undone.and_then(|()| connection.run("RELEASE turn")) {
                        self.fail(&connection, &error);
                    }
                }
            }
            self.stage = Stage::Between;
            drop(connection);
            self.hand_on(&runtime);
        });
    }

    /// Gives the turn to the next one, in the same transaction or after a flush.
    pub fn hand_on(mut self, runtime: &Handle) {
        let is_over = self.since.is_none_or(|since| since.elapsed() >= MAX_WAIT);
        if !is_over && self.done.len() < MAX_TOGETHER {
            match self.give_to_next() {
                None => return,
                Some(batch) => self = batch,
            }
        }
        // Whoever is cancelled meanwhile: others depend on it.
        runtime.spawn_blocking(move || {
            let connection = Arc::clone(&self.queue.connection).blocking_lock_owned();
            self.flush(&connection);
            drop(connection);
            self.end();
        });
    }

    /// `None`: somebody has it. Otherwise nobody waits.
    fn give_to_next(mut self) -> Option<Self> {
        let queue = Arc::clone(&self.queue);
        loop {
            let Some(next) = queue.line().waiting.pop_front() else { return Some(self) };
            match next.send(Turn::of(self)) {
                Ok(()) => return None,
                // Whoever waited has given up.
                Err(mut turn) => self = turn.batch.take().expect(UNTIL_DROPPED),
            }
        }
    }

    /// Makes durable what those before have done, in memory.
    pub async fn flush_now(&mut self) {
        let connection = Arc::clone(&self.queue.connection).lock_owned().await;
        self.flush(&connection);
    }

    fn flush(&mut self, connection: &Sqlite) {
        if self.since.is_none() {
            return;
        }
        match connection.run("COMMIT") {
            Ok(()) => {
                self.since = None;
                self.tell(&Ok(()));
            }
            Err(error) => self.fail(connection, &error),
        }
    }

    /// Nothing is open any more: the next one begins anew, or nobody has the turn.
    fn end(mut self) {
        let queue = Arc::clone(&self.queue);
        loop {
            let mut line = queue.line();
            let Some(next) = line.waiting.pop_front() else {
                line.taken = false;
                return;
            };
            drop(line);
            match next.send(Turn::of(self)) {
                Ok(()) => return,
                Err(mut turn) => self = turn.batch.take().expect(UNTIL_DROPPED),
            }
        }
    }

    /// All that were not flushed yet have failed.
    fn fail(&mut self, connection: &Sqlite, error: &Failure) {
        self.abandon(connection);
        self.stage = Stage::Between;
        self.tell(&Err(error.clone()));
    }

    fn abandon(&mut self, connection: &Sqlite) {
        // Fails where SQLite has ended the transaction by itself.
        let _ = connection.run("ROLLBACK");
        self.since = None;
    }

    fn tell(&mut self, outcome: &Result<(), Failure>) {
        for done in self.done.drain(..) {
            // Whoever is gone does not hear it.
            let _ = done.send(outcome.clone());
        }
    }
}
