//! What comes of it where several do something with one account at once.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use tokio::time::timeout;

use super::{World, account, allow, email_patch, id, marked_patch, provision};
use crate::harness::{Engine, TestServer, on_both_engines};

/// On SQLite whoever writes waits for whoever writes, whatever it is.
#[tokio::test(flavor = "multi_thread")]
async fn who_names_an_account_of_another_organization_waits_for_none_of_its_users() {
    let Some(server) = TestServer::start(Engine::Postgres).await else { return };
    let (theirs, own) = (World::new(&server).await, World::new(&server).await);
    let account = theirs.imported("77", "ann@x", true).await;
    let ann = id(&provision(&theirs.one, "ann", "ann@x", true).await).parse().unwrap();
    let at = theirs.one.configuration.parse().unwrap();
    let tx = server.repository.write().await.unwrap();
    assert!(tx.user_for_update(at, ann).await.unwrap().is_some());
    let asked = own.ask("AccountService", "DeleteAccount", json!({ "accountId": account }));
    let answer = timeout(Duration::from_secs(10), asked).await.expect("nobody is waited for");
    assert_eq!(answer.status, 404);
}

on_both_engines! {
    async fn no_user_keeps_an_account_that_is_removed_while_users_come_and_go(server: TestServer) {
        let world = World::new(&server).await;
        allow(&world.one, true).await;
        let account = world.imported("77", "ann@x", true).await;
        let mut users = Vec::new();
        for number in 0..30 {
            users.push(id(&provision(&world.one, &format!("user{number}"), "ann@x", false).await));
        }
        let (leaving, staying) = users.split_at(15);
        let scim = &world.one.scim;
        let (removed, left, changed, new) = tokio::join!(
            world.ask("AccountService", "DeleteAccount", json!({ "accountId": account })),
            join_all(leaving.iter().map(async |user| scim.delete(&format!("/Users/{user}")).await)),
            join_all(staying.iter().map(async |user| scim.patch(&format!("/Users/{user}"), email_patch(&format!("{user}@x"))).await)),
            join_all((0..5).map(async |number| provision(&world.one, &format!("new{number}"), "ann@x", false).await)),
        );
        removed.ok();
        assert!(left.iter().all(|answer| answer.status == 204));
        for answer in &changed {
            assert_eq!(answer.status, 200, "{:?}", answer.body);
        }
        let accounts = world.accounts().await;
        for user in staying.iter().cloned().chain(new.iter().map(id)) {
            let (of, ..) = world.link(&world.one, &user).await;
            assert!(of.is_empty() || accounts.iter().any(|there| there["id"] == *of), "{of}: {accounts:?}");
        }
    }

    async fn who_comes_back_while_its_account_is_removed_gets_another(server: TestServer) {
        let world = World::new(&server).await;
        for round in 0..10 {
            let (before, after) = (format!("a{round}@x"), format!("b{round}@x"));
            let account = world.imported(&format!("c{round}"), &before, true).await;
            let name = format!("ann{round}");
            let ann = id(&provision(&world.one, &name, &before, true).await);
            world.one.scim.patch(&format!("/Users/{ann}"), email_patch(&after)).await;
            world.one.scim.delete(&format!("/Users/{ann}")).await;
            let (removed, again) = tokio::join!(
                world.ask("AccountService", "DeleteAccount", json!({ "accountId": account })),
                provision(&world.one, &name, &after, true),
            );
            removed.ok();
            id(&again);
        }
    }

    async fn an_import_that_somebody_gets_in_the_way_of_is_told_why(server: TestServer) {
        let world = World::new(&server).await;
        for round in 0..10 {
            let (client, name, email) = (format!("c{round}"), format!("ann{round}"), format!("b{round}@x"));
            world.imported(&client, &format!("a{round}@x"), true).await;
            let (imported, made) = tokio::join!(
                world.import(json!([account(&client, &email, true)])),
                provision(&world.one, &name, &email, true),
            );
            let (of, decision, _) = world.link(&world.one, &id(&made)).await;
            if decision == "LINKED" {
                imported.ok();
            } else {
                // What is in the way is named.
                assert_eq!(imported.reason(), "ACCOUNT_CONFLICT");
                assert!(imported.violations()["accounts[0].email"].contains(&of));
            }
        }
    }

    async fn who_gets_an_address_while_its_user_leaves_it_shares_the_account_or_gets_another(server: TestServer) {
        let world = World::new(&server).await;
        world.imported("77", "boss@x", true).await;
        for round in 0..10 {
            let email = format!("a{round}@x");
            let ann = id(&provision(&world.one, &format!("ann{round}"), &email, true).await);
            let (path, name) = (format!("/Users/{ann}"), format!("carl{round}"));
            let (left, carl) = tokio::join!(
                world.one.scim.patch(&path, marked_patch("boss@x")),
                provision(&world.two, &name, &email, true),
            );
            assert_eq!(left.status, 200, "{}", left.body);
            let (own, ..) = world.link(&world.one, &ann).await;
            let (others, decision, _) = world.link(&world.two, &id(&carl)).await;
            assert_eq!(own == others, decision == "LINKED");
            // Carl's, whichever it is.
            let accounts = world.accounts().await;
            let with_email = accounts.iter().find(|account| account["email"] == email).unwrap();
            assert_eq!(with_email["id"], json!(others));
        }
    }

    async fn of_two_who_leave_an_address_at_once_neither_leaves_it_behind(server: TestServer) {
        let world = World::new(&server).await;
        world.imported("77", "boss@x", true).await;
        for round in 0..10 {
            let (name, email) = (format!("ann{round}"), format!("a{round}@x"));
            let one = id(&provision(&world.one, &name, &email, true).await);
            let two = id(&provision(&world.two, &name, &email, true).await);
            let (shared, ..) = world.link(&world.one, &one).await;
            let (one, two) = (format!("/Users/{one}"), format!("/Users/{two}"));
            let second = async {
                match round % 2 {
                    0 => world.two.scim.patch(&two, marked_patch("boss@x")).await.status,
                    _ => world.two.scim.delete(&two).await.status,
                }
            };
            let (first, second) = tokio::join!(world.one.scim.patch(&one, marked_patch("boss@x")), second);
            assert!(first.status == 200 && [200, 204].contains(&second), "{} {second}", first.body);
            let accounts = world.accounts().await;
            let left = accounts.iter().find(|account| account["id"] == *shared).unwrap();
            assert_eq!(left["email"], json!(null), "{left}");
        }
    }

    async fn who_changes_to_an_address_while_another_gets_it_is_refused_or_first(server: TestServer) {
        let world = World::new(&server).await;
        for round in 0..10 {
            let email = format!("b{round}@x");
            let ann = id(&provision(&world.one, &format!("ann{round}"), &format!("a{round}@x"), false).await);
            let (path, name) = (format!("/Users/{ann}"), format!("carl{round}"));
            let (changed, made) = tokio::join!(
                world.one.scim.patch(&path, email_patch(&email)),
                provision(&world.two, &name, &email, false),
            );
            let mut statuses = [changed.status, made.status];
            statuses.sort_unstable();
            assert!([[200, 409], [201, 409]].contains(&statuses), "{statuses:?}");
        }
    }
}
