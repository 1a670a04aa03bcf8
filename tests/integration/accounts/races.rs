//! What comes of it where several do something with one account at once.

use futures::future::join_all;
use serde_json::json;

use super::{World, account, allow, email_patch, id, provision};
use crate::harness::{TestServer, on_both_engines};

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
        assert!(changed.iter().all(|answer| answer.status == 200));
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
}
