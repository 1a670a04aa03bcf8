//! What SQLite does to find memberships.

use std::sync::Arc;

use super::*;
use crate::clock::{SystemClock, SystemRandom};
use crate::model::DatabaseUrl;
use crate::repository::Repository;

#[tokio::test]
async fn sqlite_finds_the_groups_of_users_by_the_users() {
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    let repository = Repository::open(&DatabaseUrl::SqliteMemory, clock, random).await.unwrap();
    repository.migrate().await.unwrap();
    let connection = repository.read().connection;
    let sql = format!("EXPLAIN QUERY PLAN {}", groups_of(DbBackend::Sqlite));
    let values = [Uuid::nil().into(), value(DbBackend::Sqlite, [Uuid::nil()])];
    let statement = Statement::from_sql_and_values(DbBackend::Sqlite, sql, values);
    let rows = connection.query_all_raw(statement).await.unwrap();
    let steps: Vec<String> = rows.iter().map(|row| row.try_get("", "detail").unwrap()).collect();
    assert_eq!(
        steps[0],
        "SEARCH held USING COVERING INDEX scim_group_members_of_member \
         (configuration_id=? AND member_id=?)"
    );
    let whole = steps.iter().filter(|step| step.starts_with("SCAN"));
    assert_eq!(whole.collect::<Vec<_>>(), ["SCAN json_each VIRTUAL TABLE INDEX 1:"]);
}
