//! Coalescing: what several requests ask of PostgreSQL at the same time is asked as
//! one statement.
//!
//! To send a statement and to be woken by its answer takes the server and PostgreSQL
//! longer than to find a row by an index. So whoever asks what is being asked already,
//! of other ids, waits for that answer; then one of those who waited runs one statement
//! for them all, with those who have come with it. Whoever asks alone runs the statement
//! as it is written, at once.
//!
//! Nothing is seen of it: a statement that answers somebody began after they had
//! asked, and gives each the rows of their own values. Where it fails, or whoever runs
//! it is given up, each of the others asks for itself; where it takes long, nobody waits
//! for it who is not asked for by it.
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
use tokio::sync::oneshot;
use tokio::task;
use tokio::time::sleep;

use self::lines::{Asked, Line, Lines};
pub use self::lines::{Text, text};
use self::questions::{Answered, ask, ask_all, of_several};
use super::failure::Failure;
use super::pool::Pool;
use super::rows::FromRow;

/// How long a statement is waited for before another is run beside it: one that takes
/// longer has met something that need not be in the way of the next. It may be twice as
/// long before that is noticed.
const PATIENCE: Duration = Duration::from_millis(10);
/// How many are asked for by one statement.
const LARGEST: usize = 64;

/// Statements that every request runs, and who waits for which.
pub struct Coalescing {
    pool: Arc<Pool<Postgres>>,
    lines: Mutex<Lines>,
}

/// What becomes of somebody who waited.
enum Answer {
    Rows(Result<Answered, Failure>),
    /// To ask, for all who wait.
    Round(Round),
}

impl Coalescing {
    pub fn new(pool: Arc<Pool<Postgres>>) -> Arc<Self> {
        Arc::new(Self { pool, lines: Mutex::default() })
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
        let round = match self.join(sql, &values) {
            Ok(round) => round,
            Err(answer) => match answer.await {
                Ok(Answer::Round(round)) => round,
                Ok(Answer::Rows(answered)) => return answered,
                Err(_given_up) => return ask(&self.pool, sql, values).await,
            },
        };
        round.ask(values).await
    }

    /// The round, or what will become of whoever asks.
    fn join(
        self: &Arc<Self>,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Round, oneshot::Receiver<Answer>> {
        let mut lines = self.lines();
        let line = lines.line(sql);
        if line.is_moving() {
            let (answer, receiver) = oneshot::channel();
            line.wait(Asked { values: values.to_vec(), answer });
            if lines.take_watch() {
                tokio::spawn(Arc::clone(self).watch());
            }
            return Err(receiver);
        }
        Ok(Round { coalescing: Arc::clone(self), sql, began: line.begin() })
    }

    /// Hands a round to the first of those who wait, unless there is one to wait for.
    fn hand_on(self: &Arc<Self>, sql: &'static str) {
        let (next, began) = {
            let mut lines = self.lines();
            let line = lines.line(sql);
            // One after the other: two side by side would be for half as many each.
            if line.is_moving() {
                return;
            }
            let Some(next) = line.next() else { return };
            line.is_busy = true;
            (next, line.begin())
        };
        let round = Round { coalescing: Arc::clone(self), sql, began };
        // Who has gone away just now gives it back, and so on.
        let _ = next.answer.send(Answer::Round(round));
    }

    /// Sees to it that nobody waits for long for a statement that is not for them, until
    /// nobody waits at all. One for all statements: a timer of each would wake a thread
    /// for nothing in every tenth request.
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

/// The right to run a statement. Dropped, it goes to the first of those who wait.
struct Round {
    coalescing: Arc<Coalescing>,
    sql: &'static str,
    began: Instant,
}

impl Round {
    /// Runs the statement for whoever has these values, and for those who wait.
    async fn ask(self, values: Vec<Value>) -> Result<Answered, Failure> {
        if self.is_busy() {
            // Whose request has come already asks in a moment, too. Where there are none,
            // it would be for nothing, and costs a fifth of a small request.
            task::yield_now().await;
        }
        match self.others(values.len()) {
            None => ask(&self.coalescing.pool, self.sql, values).await,
            Some((of_several, others)) => self.ask_with(values, &of_several, others).await,
        }
    }

    async fn ask_with(
        self,
        values: Vec<Value>,
        of_several: &Arc<str>,
        waiting: Vec<Asked>,
    ) -> Result<Answered, Failure> {
        let mut others = Vec::with_capacity(waiting.len());
        // Whoever asks at the same time is often of the same organization, and then has
        // the same token.
        let mut questions = vec![values];
        for Asked { values, answer } in waiting {
            let known = questions.iter().position(|question| *question == values);
            others.push((answer, known.unwrap_or(questions.len())));
            if known.is_none() {
                questions.push(values);
            }
        }
        let pool = Arc::clone(&self.coalescing.pool);
        match ask_all(&pool, self.sql, of_several, &questions).await {
            Ok(answers) => {
                for (other, place) in others {
                    // Who has gone away needs no answer.
                    let _ = other.send(Answer::Rows(Ok(answers[place].clone())));
                }
                Ok(answers.into_iter().next().expect("one for each question"))
            }
            // To wait as long again would help nobody.
            Err(Failure::Elapsed) => {
                for (other, _) in others {
                    let _ = other.send(Answer::Rows(Err(Failure::Elapsed)));
                }
                Err(Failure::Elapsed)
            }
            // What one of them asks may be what the database does not take: each learns
            // that for itself.
            Err(error) => {
                tracing::warn!(%error, "asked together in vain, each asks for itself");
                let sql = self.sql;
                drop((self, others));
                ask(&pool, sql, questions.swap_remove(0)).await
            }
        }
    }

    fn is_busy(&self) -> bool {
        self.line(|line| line.is_busy)
    }

    /// Those who are asked for now, and by which statement, if there are any.
    fn others(&self, parameters: usize) -> Option<(Arc<str>, Vec<Asked>)> {
        self.line(|line| {
            let waiting = line.waiting();
            let behind = waiting.split_off(waiting.len().min(LARGEST - 1));
            let others = mem::replace(waiting, behind);
            line.is_busy = !others.is_empty();
            let write = || of_several(self.sql, parameters).into();
            line.is_busy.then(|| (Arc::clone(line.of_several.get_or_insert_with(write)), others))
        })
    }

    fn line<T>(&self, look: impl FnOnce(&mut Line) -> T) -> T {
        look(self.coalescing.lines().line(self.sql))
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        self.line(|line| line.end(self.began));
        self.coalescing.hand_on(self.sql);
    }
}
