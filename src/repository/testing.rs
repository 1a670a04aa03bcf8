//! What tests of statements share.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, QueryResult, Statement};

use super::Repository;
use super::connection::Reader;
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
    let rows = connection.query_all_raw(statement).await.unwrap();
    let step = |row: &QueryResult| row.try_get("", "detail").unwrap();
    rows.iter().map(step).collect()
}
