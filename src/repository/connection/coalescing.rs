//! Coalescing: what several requests ask of PostgreSQL at the same time is asked as
//! one statement.
//!
//! To send a statement and to be woken by its answer takes the server and PostgreSQL
//! longer than to find a row by an index. So whoever asks what is being asked already,
//! of other ids, waits for that answer; then one of those who waited runs one statement
//! for them all. Whoever asks alone runs the statement as it is written, at once.
//!
//! Nothing is seen of it: a statement that answers somebody began after they had
//! asked, and gives each the rows of their own values. Where it fails, or whoever runs
//! it is given up, each of the others asks for itself.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::sqlx::Postgres;
use sea_orm::{DbBackend, QueryResult, Statement, Value};
use tokio::sync::oneshot;

use super::failure::Failure;
use super::pool::Pool;
use super::rows::{Columns, FromRow};

/// How many statements of one text are under way before others wait.
const AT_ONCE: usize = 1;
/// How long a statement is waited for. One that takes longer has met something that
/// need not be in the way of the next.
const PATIENCE: Duration = Duration::from_millis(10);
/// How many are asked for by one statement.
const LARGEST: usize = 64;

/// Statements that every request runs, and who waits for which.
pub struct Coalescing {
    pool: Arc<Pool<Postgres>>,
    lines: Mutex<HashMap<Text, Line>>,
}

/// Where the text of a statement begins, which is written out once for the program: to
/// look for it by what it says takes longer. One that is there twice has two lines.
type Text = usize;

fn text(sql: &'static str) -> Text {
    sql.as_ptr().addr()
}

/// Those who ask one statement.
#[derive(Default)]
struct Line {
    under_way: usize,
    /// When the latest of those under way began.
    since: Option<Instant>,
    waiting: Vec<Asked>,
}

struct Asked {
    values: Vec<Value>,
    answer: oneshot::Sender<Answer>,
}

/// What becomes of somebody who waited.
enum Answer {
    Rows(Result<Answered, Failure>),
    /// To ask for all who have waited as long.
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
        // An array has no place for what is not there.
        let is_whole = values.iter().all(|value| *value != value.as_null());
        let answered =
            if is_whole { self.answer(sql, values).await? } else { self.ask(sql, values).await? };
        answered.read()
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
                Err(_given_up) => return self.ask(sql, values).await,
            },
        };
        round.ask(values).await
    }

    /// A round for whoever asks, or what will become of them.
    fn join(
        self: &Arc<Self>,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Round, oneshot::Receiver<Answer>> {
        let mut lines = self.lines();
        let line = lines.entry(text(sql)).or_default();
        let is_patient = |since: Instant| since.elapsed() < PATIENCE;
        if line.under_way >= AT_ONCE && line.since.is_some_and(is_patient) {
            let (answer, receiver) = oneshot::channel();
            line.waiting.push(Asked { values: values.to_vec(), answer });
            return Err(receiver);
        }
        line.under_way += 1;
        Ok(self.round(sql, line))
    }

    /// A round for those who wait, and for whoever gets it.
    fn round(self: &Arc<Self>, sql: &'static str, line: &mut Line) -> Round {
        line.since = Some(Instant::now());
        let behind = line.waiting.split_off(line.waiting.len().min(LARGEST - 1));
        let others = mem::replace(&mut line.waiting, behind);
        Round { coalescing: Arc::clone(self), sql, others }
    }

    /// Runs a statement for one alone.
    async fn ask(&self, sql: &'static str, values: Vec<Value>) -> Result<Answered, Failure> {
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
        let rows = self.pool.lease().await?.answer(statement).await?;
        Ok(Answered { rows: Arc::new(rows), before: 0 })
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<Text, Line>> {
        // Nothing that is done under the lock can leave it half done.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to run a statement, and who waits for it. Dropped, it goes to the first of
/// those who have come since.
struct Round {
    coalescing: Arc<Coalescing>,
    sql: &'static str,
    others: Vec<Asked>,
}

impl Round {
    /// Runs the statement for whoever has these values, and for the others.
    async fn ask(mut self, values: Vec<Value>) -> Result<Answered, Failure> {
        if self.others.is_empty() {
            return self.coalescing.ask(self.sql, values).await;
        }
        let mut others = Vec::with_capacity(self.others.len());
        // Whoever asks at the same time is often of the same organization, and then has
        // the same token.
        let mut questions = vec![values];
        for Asked { values, answer } in mem::take(&mut self.others) {
            let known = questions.iter().position(|question| *question == values);
            others.push((answer, known.unwrap_or(questions.len())));
            if known.is_none() {
                questions.push(values);
            }
        }
        match self.ask_all(&questions).await {
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
            // What one of them asks may be what the database does not take.
            Err(_) => {
                drop(others);
                self.coalescing.ask(self.sql, questions.swap_remove(0)).await
            }
        }
    }

    /// The answer to each question.
    async fn ask_all(&self, questions: &[Vec<Value>]) -> Result<Vec<Answered>, Failure> {
        if let [question] = questions {
            return Ok(vec![self.coalescing.ask(self.sql, question.clone()).await?]);
        }
        let sql = of_several(self.sql, questions[0].len());
        let values = (0..questions[0].len()).map(|place| {
            let values = questions.iter().map(|question| question[place].clone()).collect();
            Value::Array(questions[0][place].array_type(), Some(Box::new(values)))
        });
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
        let rows = self.coalescing.pool.lease().await?.answer(statement).await?;
        let mut answers: Vec<Vec<QueryResult>> = questions.iter().map(|_| Vec::new()).collect();
        for row in rows {
            let question: i64 = row.try_get_by_index(0)?;
            let answer =
                usize::try_from(question - 1).ok().and_then(|place| answers.get_mut(place));
            answer.expect("a row stands beside a question").push(row);
        }
        Ok(answers.into_iter().map(|rows| Answered { rows: Arc::new(rows), before: 1 }).collect())
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        let coalescing = &self.coalescing;
        let mut lines = coalescing.lines();
        let line = lines.get_mut(&text(self.sql)).expect("it has been begun");
        line.waiting.retain(|asked| !asked.answer.is_closed());
        let Some(next) = line.waiting.pop() else {
            line.under_way -= 1;
            return;
        };
        let round = coalescing.round(self.sql, line);
        drop(lines);
        // Who has gone away just now gives it back, and so on.
        let _ = next.answer.send(Answer::Round(round));
    }
}

/// The rows of one statement, or of one question among several.
#[derive(Clone)]
struct Answered {
    rows: Arc<Vec<QueryResult>>,
    /// How many columns stand before those that were asked for.
    before: usize,
}

impl Answered {
    fn read<T: FromRow>(&self) -> Result<Vec<T>, Failure> {
        let read = |row| T::from_row(&mut Columns::sqlx(row, self.before));
        self.rows.iter().map(read).collect()
    }
}

/// A statement that answers with the rows of each question, behind its number from 1.
/// Its parameters are arrays, with a value for each question.
///
/// Each question is answered by a plan like that of the statement alone: `OFFSET 0`
/// keeps PostgreSQL from making one join of all, which it might answer by reading the
/// whole table. Nor does it see how many questions there are, see `repository/ids.rs`.
fn of_several(sql: &str, parameters: usize) -> String {
    let list =
        |form: &dyn Fn(usize) -> String| (1..=parameters).map(form).collect::<Vec<_>>().join(", ");
    let (arrays, names) = (list(&|n| format!("(SELECT ${n})")), list(&|n| format!("p{n}")));
    // None of them has a `$` in a text.
    let one = sql.replace('$', "question.p");
    format!(
        "SELECT question.place, answer.* \
         FROM unnest({arrays}) WITH ORDINALITY AS question ({names}, place) \
             CROSS JOIN LATERAL ({one} OFFSET 0) AS answer"
    )
}
