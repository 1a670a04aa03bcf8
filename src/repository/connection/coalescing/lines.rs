//! Who waits for which statement.

use std::mem;
use std::sync::Arc;
use std::time::Instant;

use foldhash::HashMap;
use sea_orm::Value;
use tokio::sync::oneshot;

use super::{Answer, PATIENCE};

/// The lines of all statements.
#[derive(Default)]
pub struct Lines {
    of: HashMap<Text, Line>,
    /// Whether somebody looks from time to time who has waited for too long.
    are_watched: bool,
}

impl Lines {
    pub fn line(&mut self, sql: &'static str) -> &mut Line {
        self.of.entry(text(sql)).or_insert_with(|| Line::new(sql))
    }

    /// Takes over the watch. `false`: somebody has it already.
    pub fn take_watch(&mut self) -> bool {
        !mem::replace(&mut self.are_watched, true)
    }

    /// The statements that somebody waits for. Where there are none, nobody watches
    /// any more.
    pub fn waited_for(&mut self) -> Vec<&'static str> {
        let waited_for = self.of.values_mut().filter_map(|line| {
            let is_waited_for = !line.waiting().is_empty();
            is_waited_for.then_some(line.sql)
        });
        let waited_for: Vec<_> = waited_for.collect();
        self.are_watched = !waited_for.is_empty();
        waited_for
    }
}

/// Where the text of a statement is, and how long, which is written out once for the
/// program: to look for it by what it says takes longer. One that is there twice has
/// two lines.
pub type Text = (usize, usize);

pub fn text(sql: &'static str) -> Text {
    (sql.as_ptr().addr(), sql.len())
}

/// Those who ask one statement.
pub struct Line {
    sql: &'static str,
    /// When each of the rounds began that are not at their end.
    under_way: Vec<Instant>,
    waiting: Vec<Asked>,
    /// The statement for several, once there have been.
    pub of_several: Option<Arc<str>>,
}

impl Line {
    fn new(sql: &'static str) -> Self {
        Self { sql, under_way: Vec::new(), waiting: Vec::new(), of_several: None }
    }

    /// Whether there is a round to wait for.
    pub fn is_moving(&self) -> bool {
        self.under_way.iter().any(|since| since.elapsed() < PATIENCE)
    }

    pub fn begin(&mut self) -> Instant {
        let now = Instant::now();
        self.under_way.push(now);
        now
    }

    pub fn end(&mut self, began: Instant) {
        if let Some(place) = self.under_way.iter().position(|since| *since == began) {
            self.under_way.swap_remove(place);
        }
    }

    pub fn wait(&mut self, asked: Asked) {
        self.waiting.push(asked);
    }

    /// Those who wait, without who has gone away.
    pub fn waiting(&mut self) -> &mut Vec<Asked> {
        self.waiting.retain(|asked| !asked.answer.is_closed());
        &mut self.waiting
    }
}

/// Somebody who waits.
pub struct Asked {
    pub values: Vec<Value>,
    pub answer: oneshot::Sender<Answer>,
}
