//! What SQLite does to find memberships.

use sea_orm::Statement;

use super::super::testing::{plan, sqlite};
use super::*;

#[tokio::test]
async fn sqlite_finds_the_groups_of_users_by_the_users() {
    let connection = sqlite().await;
    let values = [Uuid::nil().into(), value(DbBackend::Sqlite, [Uuid::nil()])];
    let sql = groups_of(DbBackend::Sqlite);
    let statement = Statement::from_sql_and_values(DbBackend::Sqlite, sql, values);
    let steps = plan(&connection, statement).await;
    assert_eq!(
        steps[0],
        "SEARCH held USING COVERING INDEX scim_group_members_of_member \
         (configuration_id=? AND member_id=?)"
    );
    let whole = steps.iter().filter(|step| step.starts_with("SCAN"));
    assert_eq!(whole.collect::<Vec<_>>(), ["SCAN json_each VIRTUAL TABLE INDEX 1:"]);
}
