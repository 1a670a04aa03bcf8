//! Group commit on PostgreSQL: changes of one configuration that come at the same time
//! are made by one statement, and made durable by one flush.
//!
//! A change that a transaction makes step by step waits for PostgreSQL at each of them,
//! and all of an organization's wait for one another from the number of their event to
//! the flush. A change that can be said in one statement need not: the statement takes
//! arrays, with a value for each change, and answers with those that it has made.
//! While it runs, others gather for the next one.
//!
//! Nobody is told of a change before it is durable. One that was not made is as if
//! nobody had asked for it: it is to be made in a transaction, which also finds out what
//! was in the way. Changes of one configuration only are made together, so that
//! no tenant waits for another's, or fails with it. Where a statement takes long, because
//! it waits for somebody's lock or the connection is dead, the next one is run beside it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::mem;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sea_orm::Value;
use sea_orm::sqlx::Postgres;
use sea_orm::sqlx::postgres::PgRow;
use tokio::sync::oneshot;
use tokio::task;
use tokio::time::timeout;
use uuid::Uuid;

use super::arrays::{arguments, text_length};
use super::coalescing::{Text, text};
use super::failure::Failure;
use super::pool::Pool;
use super::rows::Columns;
use crate::clock::Clock;
use crate::model::Instant;
use crate::repository::news::Board;

/// How many changes one statement makes.
const LARGEST: usize = 64;
/// Bytes of text in one statement that no other change is added to.
const LARGE: usize = 256 * 1024;
/// How long a statement runs before others gather for one beside it.
const PATIENCE: Duration = Duration::from_millis(100);

/// Whoever has something changed, by statement and configuration.
pub struct GroupCommit {
    pool: Arc<Pool<Postgres>>,
    clock: Arc<dyn Clock>,
    /// Where to say whose feed has grown.
    board: Arc<Board>,
    groups: Mutex<HashMap<Group, Vec<Asked>>>,
}

/// Those whose changes are made together: by statement and configuration. As long as
/// it is there, somebody works for it.
type Group = (Text, Uuid);

struct Asked {
    values: Vec<Value>,
    answer: oneshot::Sender<Outcome>,
}

/// When the change was made; `None`: it is not made.
type Outcome = Result<Option<Instant>, Failure>;

impl GroupCommit {
    pub fn new(pool: Arc<Pool<Postgres>>, clock: Arc<dyn Clock>, board: Arc<Board>) -> Arc<Self> {
        Arc::new(Self { pool, clock, board, groups: Mutex::default() })
    }

    /// Makes a change of a configuration, with those that others want made by the same
    /// statement, and says when; `None`: it is not made. The statement takes the
    /// configuration, the instant of the changes, and for each of the values an array; and
    /// answers with the place of each change that it has made, from 1.
    pub async fn make(
        self: &Arc<Self>,
        statement: &'static str,
        configuration: Uuid,
        values: Vec<Value>,
    ) -> Outcome {
        let group = (text(statement), configuration);
        let (answer, made) = oneshot::channel();
        let asked = Asked { values, answer };
        let is_first = match self.groups().entry(group) {
            Entry::Occupied(mut others) => {
                others.get_mut().push(asked);
                false
            }
            Entry::Vacant(nobody) => {
                nobody.insert(vec![asked]);
                true
            }
        };
        if is_first {
            let group_commit = Arc::clone(self);
            Work { group_commit, statement, group, is_over: false }.begin();
        }
        made.await.unwrap_or(Err(Failure::Lost))
    }

    /// Makes changes together, and tells everyone what became of theirs.
    async fn make_all(&self, statement: &'static str, configuration: Uuid, asked: Vec<Asked>) {
        let (values, answers): (Vec<_>, Vec<_>) =
            asked.into_iter().map(|asked| (asked.values, asked.answer)).unzip();
        let made = self.run(statement, configuration, &values).await;
        match &made {
            Ok((_, places)) if !places.is_empty() && self.board.is_followed() => {
                self.board.tell([configuration]);
            }
            // Others were faster, which transactions find out.
            Err(failure) if failure.is_unique_violation() || failure.is_deadlock() => {}
            Err(failure) if failure.is_refusal() => {
                tracing::warn!(error = %failure, "asked together in vain, each changes alone");
            }
            _ => {}
        }
        for (place, answer) in answers.into_iter().enumerate() {
            let outcome = match &made {
                Ok((now, places)) => Ok(places.contains(&(place + 1)).then_some(*now)),
                Err(failure) if failure.is_refusal() => Ok(None),
                Err(failure) => Err(failure.clone()),
            };
            // Who has gone away need not hear it.
            let _ = answer.send(outcome);
        }
    }

    /// Runs the statement; which changes it has made, and when.
    async fn run(
        &self,
        statement: &'static str,
        configuration: Uuid,
        changes: &[Vec<Value>],
    ) -> Result<(Instant, Vec<usize>), Failure> {
        let mut lease = self.pool.lease().await?;
        let now = self.clock.now();
        let first = [configuration.into(), now.as_micros().into()];
        let rows = lease.answer_to(statement, arguments(first.into(), changes)?).await?;
        let place =
            |row: &PgRow| Ok(usize::try_from(Columns::postgres(row).read::<i64>()?).unwrap_or(0));
        Ok((now, rows.iter().map(place).collect::<Result<_, Failure>>()?))
    }

    fn groups(&self) -> MutexGuard<'_, HashMap<Group, Vec<Asked>>> {
        // Nothing that is done under the lock can leave it half done.
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever works for a group until nobody waits.
struct Work {
    group_commit: Arc<GroupCommit>,
    statement: &'static str,
    group: Group,
    /// Whether somebody else does by now, or there is no group.
    is_over: bool,
}

impl Work {
    /// In a task of its own: whoever asked may go away, and the others are answered.
    fn begin(self) {
        task::spawn(self.go_on());
    }

    async fn go_on(mut self) {
        loop {
            // Whose request has come already asks in a moment, too.
            task::yield_now().await;
            let Some(asked) = self.next() else { return };
            let group_commit = Arc::clone(&self.group_commit);
            let mut made = pin!(group_commit.make_all(self.statement, self.group.1, asked));
            if timeout(PATIENCE, made.as_mut()).await.is_err() {
                self.hand_on();
                return made.await;
            }
        }
    }

    fn hand_on(&mut self) {
        self.is_over = true;
        let group_commit = Arc::clone(&self.group_commit);
        Self { group_commit, is_over: false, ..*self }.begin();
    }

    /// Those whose changes are made now; `None`: nobody waits, and the group is gone.
    fn next(&mut self) -> Option<Vec<Asked>> {
        let mut groups = self.group_commit.groups();
        let waiting = groups.get_mut(&self.group)?;
        // Who has gone away has nothing changed.
        waiting.retain(|asked| !asked.answer.is_closed());
        if waiting.is_empty() {
            groups.remove(&self.group);
            self.is_over = true;
            return None;
        }
        let mut length = 0;
        let fits = waiting.iter().take(LARGEST).take_while(|asked| {
            let fits = length < LARGE;
            length += text_length(&asked.values);
            fits
        });
        let behind = waiting.split_off(fits.count());
        Some(mem::replace(waiting, behind))
    }
}

impl Drop for Work {
    /// Before its end only with the runtime, or by a panic: nobody is to wait for ever.
    fn drop(&mut self) {
        if !self.is_over {
            self.group_commit.groups().remove(&self.group);
        }
    }
}
