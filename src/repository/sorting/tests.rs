//! What SQLite does to sort; see the tests of `resources`.

use std::sync::Arc;

use sea_orm::DbBackend;

use super::super::Repository;
use super::super::testing::plan;
use super::*;
use crate::clock::{SystemClock, SystemRandom};
use crate::model::{DatabaseUrl, Instant, Position};

/// What SQLite says that it does for each part of a slice.
async fn plans<E: Table>(read: &Read, condition: &Condition, slice: &SortedSlice) -> Vec<String> {
    let mut plans = Vec::new();
    for part in parts(E::KIND, slice) {
        let walk = part.walk(condition, slice.descending, 10, 10);
        let select = matching::<E, Row>(DbBackend::Sqlite, Uuid::nil().into(), condition, walk);
        let steps = plan(&read.connection, select.build(DbBackend::Sqlite)).await;
        plans.push(steps.join("\n"));
    }
    plans
}

#[tokio::test]
async fn sqlite_walks_a_sorted_list_by_its_index() {
    use SortField::{Created, DisplayName, ExternalId, Id, LastModified, UserName};
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    let repository = Repository::open(&DatabaseUrl::SqliteMemory, clock, random).await.unwrap();
    repository.migrate().await.unwrap();
    let read = repository.read();
    let (text, time) = (|| Some(SortKey::Text("a".into())), || Some(SortKey::Instant(1)));
    // Where a list of users begins, and what is read of which index from there.
    for (by, key, plan) in [
        (UserName, text(), "sqlite_autoindex_scim_users_2 ... user_name_key>?"),
        (
            DisplayName,
            text(),
            "scim_users_by_display_name ... (display_name_key,created_at,id)>(?,?,?)",
        ),
        (
            DisplayName,
            None,
            "scim_users_by_display_name ... display_name_key=? AND (created_at,id)>(?,?)",
        ),
        (ExternalId, text(), "scim_users_by_external_id ... (external_id,created_at,id)>(?,?,?)"),
        (ExternalId, None, "scim_users_by_external_id ... external_id=? AND (created_at,id)>(?,?)"),
        (Created, time(), "scim_users_by_creation ... (created_at,id)>(?,?)"),
        (LastModified, time(), "scim_users_by_change ... (updated_at,created_at,id)>(?,?,?)"),
        (Id, text(), "sqlite_autoindex_scim_users_1 ... id>?"),
    ] {
        let position = Position { created_at: Instant::from_micros(1), id: Uuid::nil() };
        let behind = Begin::Behind(SortPosition { key, position });
        let index = plan.split(' ').next().unwrap();
        for condition in [Condition::All, Condition::Active(true)] {
            let slice = |descending, begin| SortedSlice { by, descending, begin, limit: 1 };
            let read = async |slice| plans::<user::Entity>(&read, &condition, &slice).await;
            let expected = plan.replace("...", "(configuration_id=? AND");
            let expected = format!("SEARCH scim_users USING INDEX {expected})");
            assert_eq!(read(slice(false, behind.clone())).await[0], expected);
            // The other way round, and from the start, it is no other index.
            for slice in [
                slice(true, behind.clone()),
                slice(true, Begin::Skip(1)),
                slice(false, Begin::Skip(1)),
            ] {
                for plan in read(slice).await {
                    assert!(
                        plan.contains(&format!("SEARCH scim_users USING INDEX {index} ")),
                        "{plan}"
                    );
                    assert!(!plan.contains("TEMP B-TREE"), "{plan}");
                }
            }
        }
    }
    for (by, index) in [
        (DisplayName, "sqlite_autoindex_scim_groups_2"),
        (ExternalId, "scim_groups_by_external_id"),
        (LastModified, "scim_groups_by_change"),
    ] {
        let slice = SortedSlice { by, descending: true, begin: Begin::Skip(1), limit: 1 };
        for plan in plans::<group::Entity>(&read, &Condition::All, &slice).await {
            assert!(
                plan.starts_with(&format!("SEARCH scim_groups USING INDEX {index} ")),
                "{plan}"
            );
        }
    }
    // Few are found by their own index, and put in order.
    let slice = SortedSlice { by: UserName, descending: false, begin: Begin::Skip(0), limit: 1 };
    let few = Condition::Email("a".into());
    let plan = plans::<user::Entity>(&read, &few, &slice).await.remove(0);
    assert!(plan.contains("scim_user_emails") && plan.contains("TEMP B-TREE"), "{plan}");
}
