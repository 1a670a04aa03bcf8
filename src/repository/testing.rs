//! What tests of statements share.

use std::sync::Arc;

use sea_orm::Statement;

use super::Repository;
use super::connection::{Reader, Rows, from_row};
use crate::clock::{SystemClock, SystemRandom};
use crate::model::DatabaseUrl;

/// A store in memory, its schema up to date.
pub async fn sqlite() -> Reader {
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    let repository = Repository::open(&DatabaseUrl::SqliteMemory, clock, random).await.unwrap();
    repository.migrate().await.unwrap();
    repository.read().connection
}

/// What SQLite says that it does for a statement, step by step.
pub async fn plan(connection: &Reader, mut statement: Statement) -> Vec<String> {
    statement.sql.insert_str(0, "EXPLAIN QUERY PLAN ");
    let steps: Vec<Step> = connection.rows(statement).await.unwrap();
    steps.into_iter().map(|step| step.detail).collect()
}

/// As SQLite answers it.
struct Step {
    _id: i64,
    _parent: i64,
    _unused: i64,
    detail: String,
}

from_row!(Step { _id, _parent, _unused, detail });
