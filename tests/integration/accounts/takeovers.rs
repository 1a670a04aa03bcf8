//! How nobody gets the account of somebody else whose address it gets.

use serde_json::json;

use super::linking::linked;
use super::{World, email_patch, id, provision};
use crate::harness::{TestServer, on_both_engines};

on_both_engines! {
    async fn an_account_that_another_configuration_moved_is_no_longer_the_first_ones(server: TestServer) {
        let world = World::new(&server).await;
        let first = id(&provision(&world.one, "ann", "ann@x", false).await);
        let account = world.link(&world.one, &first).await.0;
        world.one.scim.delete(&format!("/Users/{first}")).await;
        let ann = id(&provision(&world.two, "ann", "ann@x", true).await);
        assert_eq!(world.link(&world.two, &ann).await.0, account);
        world.two.scim.patch(&format!("/Users/{ann}"), email_patch("boss@x")).await;
        assert_eq!(world.accounts().await[0]["email"], "boss@x");
        assert_eq!(provision(&world.one, "mallory", "boss@x", false).await.status, 409);
        // Nor where nobody has it any more.
        world.two.scim.delete(&format!("/Users/{ann}")).await;
        assert_eq!(provision(&world.one, "mallory", "boss@x", false).await.status, 409);
        let again = id(&provision(&world.two, "ann", "boss@x", false).await);
        assert_eq!(world.link(&world.two, &again).await, linked(&account, "MADE_BEFORE"));
    }

    async fn what_is_remembered_of_a_user_is_nobody_elses(server: TestServer) {
        let world = World::new(&server).await;
        let scim = &world.one.scim;
        for (marked, number) in [(true, 1), (false, 2)] {
            let (own, passed_on) = (format!("ann{number}@x"), format!("support{number}@x"));
            let (ann, carl) = (format!("ann{number}"), format!("carl{number}"));
            let account = world.imported(&format!("c{number}"), &own, true).await;
            let first = id(&provision(&world.one, &ann, &own, true).await);
            scim.patch(&format!("/Users/{first}"), email_patch(&passed_on)).await;
            scim.delete(&format!("/Users/{first}")).await;
            // Another person gets the address, before she is back or after.
            if number == 1 {
                let again = id(&provision(&world.one, &ann, &own, true).await);
                assert_eq!(world.link(&world.one, &again).await.0, account);
            }
            let other = id(&provision(&world.one, &carl, &passed_on, marked).await);
            let (others, decision, reason) = world.link(&world.one, &other).await;
            assert_eq!((&*decision, &*reason), ("CREATED", "NO_ACCOUNT"));
            assert_ne!(others, account);
        }
    }

    async fn what_is_remembered_is_of_who_has_the_same_id_or_name(server: TestServer) {
        let world = World::new(&server).await;
        let scim = &world.one.scim;
        let account = world.imported("77", "a@x", true).await;
        let user = |name: &str, external_id: &str| {
            let emails = json!([{ "value": "b@x", "primary": true, "verified": true }]);
            json!({ "userName": name, "externalId": external_id, "emails": emails })
        };
        let ann = id(&provision(&world.one, "ann", "a@x", true).await);
        scim.patch(&format!("/Users/{ann}"), email_patch("b@x")).await;
        scim.delete(&format!("/Users/{ann}")).await;
        for (name, external_id) in [("ANN", "another"), ("ann.jones", "another")] {
            let again = id(&scim.post("/Users", user(name, external_id)).await);
            assert_eq!(world.link(&world.one, &again).await, linked(&account, "EMAIL_VERIFIED"));
            // While she has it, it is nobody else's.
            assert_eq!(scim.post("/Users", user("ann2", external_id)).await.status, 201);
            assert_eq!(world.accounts().await.len(), 2);
            let made = world.accounts().await;
            let made = made.iter().find(|made| made["email"] == "b@x").unwrap();
            world.ask("AccountService", "DeleteAccount", json!({ "accountId": made["id"] })).await.ok();
            let there = scim.get("/Users?filter=userName%20eq%20%22ann2%22").await;
            scim.delete(&format!("/Users/{}", there.body["Resources"][0]["id"].as_str().unwrap())).await;
            scim.delete(&format!("/Users/{again}")).await;
        }
    }

    async fn the_mark_of_an_address_is_no_mark_of_the_next(server: TestServer) {
        let world = World::new(&server).await;
        let scim = &world.one.scim;
        let value = |email: &str| json!({ "op": "Replace", "path": "emails[type eq \"work\"].value", "value": email });
        let mark = json!({ "op": "Add", "path": "emails[type eq \"work\"]", "value": { "verified": "True" } });
        // An account that is made for the user.
        let ann = id(&provision(&world.one, "ann", "ann@x", true).await);
        let verified = async || world.accounts().await.iter().find(|it| it["clientId"].is_null()).unwrap()["emailVerified"] == true;
        assert!(verified().await);
        for (patch, expected) in [
            (json!([value("b@x")]), false),
            (json!([value("c@x"), mark]), true),
            (json!([value("C@x")]), true),
            (json!([{ "op": "replace", "path": "emails.value", "value": "d@x" }]), false),
            (json!([mark, value("D@x")]), true),
            (json!([{ "op": "add", "path": "emails[type eq \"work\"]", "value": { "value": "e@x" } }]), false),
            (json!([{ "op": "add", "path": "emails[type eq \"work\"]", "value": { "value": "f@x", "verified": true } }]), true),
            (json!([{ "op": "replace", "value": { "emails[type eq \"work\"].value": "g@x" } }]), false),
        ] {
            let answer = scim.patch(&format!("/Users/{ann}"), patch.clone()).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            assert_eq!(answer.body["emails"][0].get("verified").is_some(), expected, "{patch}: {}", answer.body);
            assert_eq!(verified().await, expected, "{patch}");
        }
        // One of the application's, which the user would get with the address.
        world.imported("ceo-1", "ceo@x", true).await;
        let bob = id(&scim.post("/Users", json!({ "userName": "bob", "emails": [{ "type": "work", "verified": true, "display": "Bob" }] })).await);
        assert_eq!(scim.patch(&format!("/Users/{bob}"), json!([value("ceo@x")])).await.status, 409);
    }
}
