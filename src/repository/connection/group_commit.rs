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
//! no tenant waits for another's, or fails with it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
use super::pool::{ACQUIRE_TIMEOUT, Pool};
use super::rows::Columns;

/// How many changes one statement makes.
const LARGEST: usize = 64;
/// Bytes of text in one statement that no other change is added to.
const LARGE: usize = 256 * 1024;

/// Whoever has something changed, by statement and configuration.
pub struct GroupCommit {
    pool: Arc<Pool<Postgres>>,
    groups: Mutex<HashMap<Group, Vec<Asked>>>,
    asked: AtomicU64,
}

/// Those whose changes are made together: by statement and configuration. As long as
/// it is there, somebody works for it.
type Group = (Text, Uuid);

struct Asked {
    /// No two have the same.
    number: u64,
    values: Vec<Value>,
    answer: oneshot::Sender<Result<bool, Failure>>,
}

impl GroupCommit {
    pub fn new(pool: Arc<Pool<Postgres>>) -> Arc<Self> {
        Arc::new(Self { pool, groups: Mutex::default(), asked: AtomicU64::new(0) })
    }

    /// Makes a change of a configuration, with those that others want made by the same
    /// statement; `false`: it is not made. The statement takes the configuration and,
    /// for each of the values, an array; and answers with the place of each change that
    /// it has made, from 1. Who waits too long for those before has nothing changed.
    pub async fn make(
        self: &Arc<Self>,
        statement: &'static str,
        configuration: Uuid,
        values: Vec<Value>,
    ) -> Result<bool, Failure> {
        let group = (text(statement), configuration);
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let (answer, mut made) = oneshot::channel();
        let asked = Asked { number, values, answer };
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
            // A task of its own: whoever asks may go away, and the others are answered.
            let group_commit = Arc::clone(self);
            let work = Work { group_commit, statement, group, is_over: false };
            task::spawn(work.go_on());
        }
        let made = match timeout(ACQUIRE_TIMEOUT, &mut made).await {
            Ok(made) => made,
            Err(_elapsed) if self.withdraw(group, number) => return Err(Failure::Elapsed),
            Err(_elapsed) => made.await,
        };
        made.unwrap_or(Err(Failure::Lost))
    }

    /// `false`: the change is being made.
    fn withdraw(&self, group: Group, number: u64) -> bool {
        let mut groups = self.groups();
        let Some(waiting) = groups.get_mut(&group) else { return false };
        let place = waiting.iter().position(|asked| asked.number == number);
        place.map(|place| waiting.remove(place)).is_some()
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
    is_over: bool,
}

impl Work {
    async fn go_on(mut self) {
        loop {
            // Whose request has come already asks in a moment, too.
            task::yield_now().await;
            let Some(asked) = self.next() else { return };
            self.make(asked).await;
        }
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

    async fn make(&self, asked: Vec<Asked>) {
        let (values, answers): (Vec<_>, Vec<_>) =
            asked.into_iter().map(|asked| (asked.values, asked.answer)).unzip();
        let made = self.run(&values).await;
        if let Err(failure) = &made
            && failure.is_refusal()
        {
            tracing::debug!(error = %failure, "what was to be changed together is changed one by one");
        }
        for (place, answer) in answers.into_iter().enumerate() {
            let outcome = match &made {
                Ok(places) => Ok(places.contains(&(place + 1))),
                Err(failure) if failure.is_refusal() => Ok(false),
                Err(failure) => Err(failure.clone()),
            };
            // Who has gone away need not hear it.
            let _ = answer.send(outcome);
        }
    }

    async fn run(&self, changes: &[Vec<Value>]) -> Result<Vec<usize>, Failure> {
        let arguments = arguments(Some(self.group.1), changes)?;
        let mut lease = self.group_commit.pool.lease().await?;
        let rows = lease.answer_to(self.statement, arguments).await?;
        let place =
            |row: &PgRow| Ok(usize::try_from(Columns::postgres(row).read::<i64>()?).unwrap_or(0));
        rows.iter().map(place).collect()
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
