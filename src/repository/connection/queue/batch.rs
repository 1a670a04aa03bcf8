//! Several transactions in one, and what SQLite is told at their beginnings and
//! ends.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::Sqlite;
use sea_orm::{DbBackend, DbErr, Statement};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::super::pool::Lease;
use super::{Queue, Turn, UNTIL_DROPPED, lost};

/// The most transactions that are flushed together.
const MAX_TOGETHER: usize = 128;
/// How long the first of them is kept waiting for others.
const MAX_WAIT: Duration = Duration::from_millis(20);

/// Transactions that are flushed together.
pub struct Batch {
    queue: Arc<Queue>,
    /// `None` as long as none was needed.
    lease: Option<Lease<Sqlite>>,
    /// When the transaction around all of them began; `None`: there is none.
    since: Option<Instant>,
    /// Where whoever has the turn is.
    stage: Stage,
    /// The savepoint of whoever has the turn, or had it last.
    savepoint: Savepoint,
    /// Whether that savepoint is still open, its changes to be kept.
    is_kept: bool,
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
}

/// Two that follow each other have different names: whoever never got into its
/// own takes back nothing of the one before.
#[derive(Clone, Copy)]
enum Savepoint {
    One,
    Other,
}

impl Savepoint {
    const fn next(self) -> Self {
        match self {
            Self::One => Self::Other,
            Self::Other => Self::One,
        }
    }

    const fn undo(self) -> &'static str {
        match self {
            Self::One => "ROLLBACK TO one; RELEASE one",
            Self::Other => "ROLLBACK TO other; RELEASE other",
        }
    }

    const fn release(self) -> &'static str {
        match self {
            Self::One => "RELEASE one",
            Self::Other => "RELEASE other",
        }
    }

    /// What begins it. The one before is released in the same breath: two
    /// statements in one text are one change of thread.
    const fn begin(self, releasing: bool) -> &'static str {
        match (self, releasing) {
            (Self::One, false) => "SAVEPOINT one",
            (Self::Other, false) => "SAVEPOINT other",
            (Self::One, true) => "RELEASE other; SAVEPOINT one",
            (Self::Other, true) => "RELEASE one; SAVEPOINT other",
        }
    }
}

impl Batch {
    pub fn new(queue: Arc<Queue>) -> Self {
        Self {
            queue,
            lease: None,
            since: None,
            stage: Stage::Between,
            savepoint: Savepoint::One,
            is_kept: false,
            done: Vec::new(),
        }
    }

    /// Begins the transaction of whoever has the turn.
    pub async fn open(&mut self) -> Result<(), DbErr> {
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
            if let Err(error) = self.run(self.savepoint.next().begin(self.is_kept)).await {
                // The transaction around is not what it was: SQLite ends it when
                // the disk is full, for instance.
                self.fail(&error).await;
                return Err(error);
            }
            self.savepoint = self.savepoint.next();
            self.is_kept = false;
            self.stage = Stage::Within;
        }
        Ok(())
    }

    /// Adds the transaction of whoever has the turn to those that are to be
    /// flushed. Its savepoint, if it has one, stays open until the next one begins
    /// or all are committed.
    pub fn keep(&mut self) -> oneshot::Receiver<Result<(), DbErr>> {
        self.is_kept = self.stage == Stage::Within;
        self.stage = Stage::Between;
        let (sender, receiver) = oneshot::channel();
        self.done.push(sender);
        receiver
    }

    /// Takes back what the transaction of whoever has the turn has changed.
    /// Statements reach the database in the order in which they were sent, also
    /// behind one that nobody waited for.
    pub async fn undo(&mut self) {
        match self.stage {
            Stage::Between => {}
            Stage::First => self.abandon().await,
            Stage::Entering => {
                // Given up half way. Where the savepoint was never made, there is
                // nothing in it.
                let _ = self.run(self.savepoint.next().undo()).await;
                if self.is_kept {
                    let _ = self.run(self.savepoint.release()).await;
                    self.is_kept = false;
                }
            }
            Stage::Within => {
                // SQLite ends the transaction around when the disk is full, for
                // instance: nobody's changes are there any more.
                if let Err(error) = self.run(self.savepoint.undo()).await {
                    self.fail(&error).await;
                }
            }
        }
        self.stage = Stage::Between;
    }

    /// Gives the turn to the next one, in the same transaction or after a flush.
    pub fn hand_on(mut self) {
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
                self.is_kept = false;
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
        self.is_kept = false;
    }

    fn tell(&mut self, outcome: &Result<(), DbErr>) {
        for done in self.done.drain(..) {
            // Whoever is gone does not hear it.
            let _ = done.send(outcome.clone());
        }
    }

    /// The connection.
    pub fn lease(&mut self) -> Result<&mut Lease<Sqlite>, DbErr> {
        self.lease.as_mut().ok_or_else(lost)
    }

    async fn run(&mut self, sql: &str) -> Result<(), DbErr> {
        self.lease()?.execute(Statement::from_string(DbBackend::Sqlite, sql)).await?;
        Ok(())
    }
}
