//! Coalescing: what several requests ask of PostgreSQL at the same time is asked as
//! one statement.
//!
//! To send a statement and to be woken by its answer takes the server and PostgreSQL
//! longer than to find a row by an index. So whoever asks what is being asked already,
//! of other ids, waits for that answer; then one statement is run for all who have waited,
//! and for those who have come with it. For whoever is alone in this it is the statement
//! as it is written.
//!
//! Nothing is seen of it: a statement that answers somebody began after they had
//! asked, and gives each the rows of their own values. Where it fails, each of them asks
//! for itself; where it takes long, nobody waits for it who is not asked for by it.
//!
//! All who are asked for together are answered when all rows have come. So this is for
//! statements that answer with few.

mod lines;
mod questions;

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::Value;
use sea_orm::sqlx::Postgres;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task;
use tokio::time::sleep;

use self::lines::{Asked, Lines};
pub use self::lines::{Text, text};
use self::questions::{Answered, ask, ask_all, of_several};
use super::failure::Failure;
use super::pool::Pool;
use super::rows::FromRow;

/// How long a statement is waited for before another is run beside it: one that takes
/// longer has met something that need not be in the way of the next. It may be twice as
/// long before that is noticed.
const PATIENCE: Duration = Duration::from_millis(10);
/// How often everybody else has a turn before a round asks: whose request has come
/// already asks in a moment, too, and whom the last round has answered is often back by
/// then. Where nothing else is to be done, a turn is a look at the sockets.
const TURNS: usize = 2;
/// How many are asked for by one statement.
const LARGEST: usize = 64;

/// What becomes of somebody who waits.
type Answer = Result<Answered, Failure>;

/// Statements that every request runs, and who waits for which.
pub struct Coalescing {
    pool: Arc<Pool<Postgres>>,
    lines: Mutex<Lines>,
    runtime: Handle,
}

impl Coalescing {
    /// Within a runtime, which runs the statements.
    pub fn new(pool: Arc<Pool<Postgres>>) -> Arc<Self> {
        Arc::new(Self { pool, lines: Mutex::default(), runtime: Handle::current() })
    }

    /// The rows that a statement answers, in its order.
    pub async fn rows<T: FromRow>(
        self: &Arc<Self>,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<Vec<T>, Failure> {
        self.answer(sql, values).await?.read()
    }

    async fn answer(
        self: &Arc<Self>,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<Answered, Failure> {
        match self.join(sql, values.clone()).await {
            Ok(answer) => answer,
            Err(_given_up) => ask(&self.pool, sql, values).await,
        }
    }

    /// Where the answer will come.
    fn join(self: &Arc<Self>, sql: &'static str, values: Vec<Value>) -> oneshot::Receiver<Answer> {
        let (answer, receiver) = oneshot::channel();
        let mut lines = self.lines();
        let line = lines.line(sql);
        line.wait(Asked { values, answer });
        if !line.is_moving() {
            let began = line.begin();
            drop(lines);
            self.start(sql, began);
        } else if lines.take_watch() {
            drop(lines);
            self.runtime.spawn(Arc::clone(self).watch());
        }
        receiver
    }

    /// Has those asked for who wait, unless there is a round to wait for.
    fn hand_on(self: &Arc<Self>, sql: &'static str) {
        let began = {
            let mut lines = self.lines();
            let line = lines.line(sql);
            // One after the other: two side by side would be for half as many each.
            if line.is_moving() || line.waiting().is_empty() {
                return;
            }
            line.begin()
        };
        self.start(sql, began);
    }

    /// By a task of its own: who waits may go away, and should not take others along.
    fn start(self: &Arc<Self>, sql: &'static str, began: Instant) {
        let round = Round { coalescing: Arc::clone(self), sql, began, is_begun: false };
        self.runtime.spawn(round.ask());
    }

    /// Sees to it that nobody waits for long for a statement that is not for them, until
    /// nobody waits at all. One for all statements of a runtime: a timer of each would be
    /// set for nothing in every tenth request.
    async fn watch(self: Arc<Self>) {
        loop {
            sleep(PATIENCE).await;
            let waited_for = self.lines().waited_for();
            if waited_for.is_empty() {
                return;
            }
            for sql in waited_for {
                self.hand_on(sql);
            }
        }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        // Nothing that is done under the lock can leave it half done.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to run a statement. Dropped, it goes to those who wait.
struct Round {
    coalescing: Arc<Coalescing>,
    sql: &'static str,
    began: Instant,
    /// Not so of a task that never runs, because the runtime ends.
    is_begun: bool,
}

impl Round {
    /// Asks for those who wait.
    async fn ask(mut self) {
        self.is_begun = true;
        for _ in 0..TURNS {
            task::yield_now().await;
        }
        let Some((of_several, waiting)) = self.waiting() else { return };
        let mut waiters = Vec::with_capacity(waiting.len());
        // Whoever asks at the same time is often of the same organization, and then has
        // the same token.
        let mut questions: Vec<Vec<Value>> = Vec::new();
        for Asked { values, answer } in waiting {
            let known = questions.iter().position(|question| *question == values);
            waiters.push((answer, known.unwrap_or(questions.len())));
            if known.is_none() {
                questions.push(values);
            }
        }
        let answers = {
            let asked = ask_all(&self.coalescing.pool, self.sql, &of_several, &questions);
            // A connection that is dead may be so for long, and there are few.
            let all_gone = async {
                for (waiter, _) in &mut waiters {
                    waiter.closed().await;
                }
            };
            tokio::select! {
                biased;
                answers = asked => answers,
                () = all_gone => return,
            }
        };
        match answers {
            Ok(answers) => {
                for (waiter, place) in waiters {
                    // Who has gone away needs no answer.
                    let _ = waiter.send(Ok(answers[place].clone()));
                }
            }
            // To wait as long again would help nobody.
            Err(Failure::Elapsed) => {
                for (waiter, _) in waiters {
                    let _ = waiter.send(Err(Failure::Elapsed));
                }
            }
            // What one of them asks may be what the database does not take: each learns
            // that for itself.
            Err(error) => tracing::warn!(%error, "asked in vain, each asks for itself"),
        }
    }

    /// Those who wait, as many as are asked for at once, and the statement for several; `None`:
    /// they have gone away, or another round has begun with them.
    fn waiting(&self) -> Option<(Arc<str>, Vec<Asked>)> {
        let mut lines = self.coalescing.lines();
        let line = lines.line(self.sql);
        let waiting = line.waiting();
        let behind = waiting.split_off(waiting.len().min(LARGEST));
        let waiting = mem::replace(waiting, behind);
        let parameters = waiting.first()?.values.len();
        let write = || of_several(self.sql, parameters).into();
        Some((Arc::clone(line.of_several.get_or_insert_with(write)), waiting))
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        let unanswered = {
            let mut lines = self.coalescing.lines();
            let line = lines.line(self.sql);
            line.end(self.began);
            if self.is_begun { Vec::new() } else { mem::take(line.waiting()) }
        };
        if self.is_begun {
            self.coalescing.hand_on(self.sql);
        }
        // Each asks for itself, if it can.
        drop(unanswered);
    }
}
