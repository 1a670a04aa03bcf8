//! What SQLite does to find a person.

use sea_orm::{DbBackend, Statement};

use super::super::testing::{plan, sqlite};
use super::*;

#[tokio::test]
async fn sqlite_finds_a_person_through_indexes() {
    let connection = sqlite().await;
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
        let statement = Statement::from_sql_and_values(DbBackend::Sqlite, sql, values);
        let plan = plan(&connection, statement).await.join("\n");
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
