//! What SQLite does to find a person.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement};

use super::super::Repository;
use super::*;
use crate::clock::{SystemClock, SystemRandom};
use crate::model::DatabaseUrl;

#[tokio::test]
async fn sqlite_finds_a_person_through_indexes() {
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    let repository = Repository::open(&DatabaseUrl::SqliteMemory, clock, random).await.unwrap();
    repository.migrate().await.unwrap();
    let connection = repository.read().connection;
    let text = || "a".to_owned();
    for (person, indexes) in [
        (Person::Account(Uuid::nil().into()), &["PRIMARY KEY (organization_id=? AND id=?)"][..]),
        (Person::ClientId(text()), &["by_client_id (organization_id=? AND client_id=?)"]),
        (
            Person::Email(text()),
            &[
                "scim_accounts_2 (organization_id=? AND email_key=?)",
                "by_other_email (configuration_id=? AND other_email_key=?)",
                "former_users_by_email (organization_id=? AND email_key=?)",
            ],
        ),
        (
            Person::UserName(text()),
            &[
                "scim_users_2 (configuration_id=? AND user_name_key=?)",
                "former_users_by_user_name (organization_id=? AND user_name_key=?)",
            ],
        ),
        (
            Person::ExternalId(text()),
            &[
                "by_external_id (configuration_id=? AND external_id=?)",
                "former_users_by_external_id (organization_id=? AND external_id=?)",
            ],
        ),
    ] {
        let (sql, value) = statement(&person);
        let none: Option<Uuid> = None;
        let values = [Uuid::nil().into(), value, none.into(), USERS_AT_MOST.into()];
        let sql = format!("EXPLAIN QUERY PLAN {sql}");
        let statement = Statement::from_sql_and_values(DbBackend::Sqlite, sql, values);
        let rows = connection.query_all_raw(statement).await.unwrap();
        let step = |row: &QueryResult| row.try_get("", "detail").unwrap();
        let plan = rows.iter().map(step).collect::<Vec<String>>().join("\n");
        for index in indexes.iter().chain(&["scim_users_of_account (account_id=?)"]) {
            assert!(plan.contains(index), "{person:?}, {index}:\n{plan}");
        }
        for there in plan.lines().filter(|step| step.contains(" there ")) {
            assert!(there.contains("(account_id=?"), "{person:?}, {there}:\n{plan}");
        }
        for walk in
            ["SCAN person", "SCAN former", "SCAN scim_users", "AUTOMATIC", "(organization_id=?)\nU"]
        {
            assert!(!plan.contains(walk), "{person:?}, {walk}:\n{plan}");
        }
    }
}
