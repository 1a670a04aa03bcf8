//! What SQLite does to find resources; PostgreSQL decides by its statistics, and is
//! tested in `tests/integration/directory_store/conditions.rs`.

use super::super::connection::Reader;
use super::super::testing::{self, sqlite};
use super::*;
use crate::model::{Comparison, Instant};

/// What SQLite says that it does for a search, one line a step.
async fn plan<E: Table>(connection: &Reader, condition: &Condition, skip: u64) -> String {
    let slice = Slice {
        after: Some(Position { created_at: Instant::from_micros(1), id: Uuid::nil() }),
        skip,
        limit: 10,
    };
    let condition = query::simplified(E::KIND, condition);
    let statement = walking::<E, Row>(DbBackend::Sqlite, Uuid::nil().into(), &condition, slice);
    testing::plan(connection, statement).await.join("\n")
}

/// Each condition alone and as an alternative is found where it says, and
/// the list is walked for none of them.
async fn assert_found<E: Table>(connection: &Reader, cases: &[(Condition, &str)]) {
    let assert_index = |plan: &str, (condition, index): &(Condition, &str)| {
        assert!(plan.contains(index), "{condition:?}:\n{plan}");
        for walk in
            ["SCAN scim", "creation (configuration_id=?)", "creation (configuration_id=? AND ("]
        {
            assert!(!plan.contains(walk), "{condition:?}:\n{plan}");
        }
    };
    for case in cases {
        assert_index(&plan::<E>(connection, &case.0, 10).await, case);
    }
    let alternatives = Condition::Or(cases.iter().map(|case| case.0.clone()).collect());
    let narrowed = Condition::And(vec![alternatives.clone(), cases[0].0.clone()]);
    for condition in [alternatives, narrowed] {
        let plan = plan::<E>(connection, &condition, 10).await;
        for case in cases {
            assert_index(&plan, case);
        }
    }
}

#[tokio::test]
async fn sqlite_finds_through_indexes_also_among_alternatives() {
    let connection = sqlite().await;
    let (text, id, at) = (|| "a".to_owned(), Uuid::from_u128(1), Instant::from_micros(5));
    let users = [
        (Condition::Id(id), "scim_users_1 (configuration_id=? AND id=?)"),
        (Condition::UserName(text()), "scim_users_2 (configuration_id=? AND user_name_key=?)"),
        (Condition::ExternalId(text()), "by_external_id (configuration_id=? AND external_id=?"),
        (
            Condition::DisplayName(text()),
            "by_display_name (configuration_id=? AND display_name_key=?",
        ),
        (Condition::Email(text()), "PRIMARY KEY (configuration_id=? AND value_key=?)"),
        (Condition::Active(false), "scim_users_inactive (configuration_id=?"),
        (
            Condition::Created(Comparison::Equal, at),
            "by_creation (configuration_id=? AND created_at=?",
        ),
        (
            Condition::LastModified(Comparison::Greater, at),
            "by_change (configuration_id=? AND updated_at>?)",
        ),
        (Condition::MemberOf(id), "PRIMARY KEY (configuration_id=? AND group_id=?)"),
    ];
    assert_found::<user::Entity>(&connection, &users).await;
    let groups = [
        (Condition::Id(id), "scim_groups_1 (configuration_id=? AND id=?)"),
        (Condition::ExternalId(text()), "by_external_id (configuration_id=? AND external_id=?"),
        (
            Condition::DisplayName(text()),
            "scim_groups_2 (configuration_id=? AND display_name_key=?)",
        ),
        (
            Condition::Created(Comparison::Equal, at),
            "by_creation (configuration_id=? AND created_at=?",
        ),
        (
            Condition::LastModified(Comparison::Greater, at),
            "by_change (configuration_id=? AND updated_at>?)",
        ),
        (Condition::Member(id), "of_member (configuration_id=? AND member_id=?)"),
    ];
    assert_found::<group::Entity>(&connection, &groups).await;
}

#[tokio::test]
async fn sqlite_walks_a_list_by_its_index() {
    let connection = sqlite().await;
    let behind = "(configuration_id=? AND (created_at,id)>(?,?))";
    for (condition, index) in [
        (Condition::All, "scim_users_by_creation"),
        (Condition::Active(true), "scim_users_by_creation"),
        (Condition::Active(false), "scim_users_inactive"),
    ] {
        for skip in [0, 10] {
            let plan = plan::<user::Entity>(&connection, &condition, skip).await;
            assert_eq!(plan, format!("SEARCH scim_users USING INDEX {index} {behind}"));
        }
    }
}
