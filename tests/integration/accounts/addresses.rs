//! What becomes of an address that a user leaves, and which one it may get.

use serde_json::{Value, json};

use super::linking::linked;
use super::{
    World, account, allow, email_patch, id, kinds, link_of, marked_patch, person, provision,
};
use crate::harness::{TestServer, on_both_engines};

/// Fails unless an address leads to nobody: neither who asks by it nor who is
/// provisioned with it, proven or not.
async fn assert_free(world: &World, email: &str, case: &str) {
    let (reason, answer) = world.access(json!({ "email": email })).await;
    assert_eq!((&*reason, &answer["accountId"]), ("UNKNOWN", &Value::Null), "{case}: {answer}");
    for (at, marked) in [(&world.one, true), (&world.two, true), (&world.one, false)] {
        let carl = id(&provision(at, &format!("carl of {email}"), email, marked).await);
        let (account, decision, reason) = world.link(at, &carl).await;
        assert_eq!((&*decision, &*reason), ("CREATED", "NO_ACCOUNT"), "{case}, {marked}");
        at.scim.delete(&format!("/Users/{carl}")).await;
        world.ask("AccountService", "DeleteAccount", json!({ "accountId": account })).await.ok();
    }
}

/// The email of an account, and whether it is verified.
async fn email_of(world: &World, account: &str) -> (Value, bool) {
    let accounts = world.accounts().await;
    let found = accounts.iter().find(|found| found["id"] == *account).unwrap();
    (found["email"].clone(), found["emailVerified"] == true)
}

on_both_engines! {
    async fn a_change_is_refused_the_address_that_a_creation_is_refused(server: TestServer) {
        let world = World::new(&server).await;
        let scim = &world.one.scim;
        world.imported("77", "boss@x", true).await;
        world.imported("78", "guess@x", false).await;
        id(&provision(&world.two, "bob", "bob@x", false).await);
        id(&provision(&world.one, "eve", "eve@x", false).await);
        // Of an account that was made for the user, and of one of the application's.
        world.imported("79", "known@x", true).await;
        for (name, own) in [("ann", "ann@x"), ("known", "known@x")] {
            let ann = id(&provision(&world.one, name, own, true).await);
            let path = format!("/Users/{ann}");
            let before = scim.get(&path).await;
            let there = world.link(&world.one, &ann).await;
            for email in ["boss@x", "Guess@x", "bob@x", "eve@x"] {
                let (_, seen) = world.events(0).await;
                let created = provision(&world.one, "new", email, false).await;
                let data = person(name, email, false);
                let bulk = json!({
                    "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
                    "Operations": [{ "method": "PUT", "path": path, "data": data }],
                });
                let bulk = scim.post("/Bulk", bulk).await;
                let of_bulk = &bulk.body["Operations"][0];
                assert_eq!((bulk.status, &of_bulk["status"]), (200, &json!("409")), "{}", bulk.body);
                for refused in [
                    &scim.patch(&path, email_patch(email)).await.body,
                    &scim.put(&path, data).await.body,
                    &of_bulk["response"],
                ] {
                    assert_eq!(*refused, created.body, "{email}");
                    assert_eq!(refused["scimType"], "uniqueness");
                }
                let (events, _) = world.events(seen).await;
                assert_eq!(kinds(&events), ["LINK_REFUSED"; 2], "{email}");
                let told = &events[1]["linkRefusal"];
                assert_eq!((&told["userId"], &told["email"]), (&json!(ann), &json!(email)));
                assert_eq!(link_of(&told["accountLink"]).2, "EMAIL_UNVERIFIED");
            }
            let after = scim.get(&path).await;
            assert_eq!((&after.body, after.header("etag")), (&before.body, before.header("etag")));
            assert_eq!(world.link(&world.one, &ann).await, there);
            // The address that the user's own account has.
            assert_eq!(scim.patch(&path, email_patch(own)).await.status, 200);
            // Whoever proves one, or need not.
            assert_eq!(scim.patch(&path, marked_patch("guess@x")).await.status, 200);
            allow(&world.one, true).await;
            assert_eq!(scim.patch(&path, email_patch("boss@x")).await.status, 200);
            allow(&world.one, false).await;
            assert_eq!(world.link(&world.one, &ann).await.0, there.0);
            // One that it has is not refused because of its mark.
            assert_eq!(scim.patch(&path, email_patch("boss@x")).await.status, 200);
            assert_eq!(scim.put(&path, person(name, "boss@x", false)).await.status, 200);
            scim.delete(&path).await;
        }
    }

    async fn a_change_is_not_refused_what_a_creation_is_not(server: TestServer) {
        let world = World::new(&server).await;
        let scim = &world.one.scim;
        // Whose user of the same configuration is gone.
        let gone = id(&provision(&world.one, "gone", "gone@x", false).await);
        scim.delete(&format!("/Users/{gone}")).await;
        // That another user has and no account.
        world.imported("77", "a@x", true).await;
        let other = id(&provision(&world.one, "other", "a@x", true).await);
        scim.patch(&format!("/Users/{other}"), email_patch("other@x")).await;
        let ann = id(&provision(&world.one, "ann", "ann@x", false).await);
        let (account, ..) = world.link(&world.one, &ann).await;
        for email in ["gone@x", "other@x"] {
            assert_eq!(scim.patch(&format!("/Users/{ann}"), email_patch(email)).await.status, 200);
            assert_eq!(world.link(&world.one, &ann).await.0, account);
        }
    }

    async fn an_address_that_its_user_left_for_anothers_leads_nobody_to_the_account(server: TestServer) {
        let world = World::new(&server).await;
        let scim = &world.one.scim;
        let boss = world.imported("77", "boss@x", true).await;
        let ann = id(&provision(&world.one, "ann", "ann@x", true).await);
        let path = format!("/Users/{ann}");
        let (own, ..) = world.link(&world.one, &ann).await;
        let (_, seen) = world.events(0).await;
        assert_eq!(scim.patch(&path, marked_patch("boss@x")).await.status, 200);
        let (events, _) = world.events(seen).await;
        assert_eq!(kinds(&events), ["ACCOUNT_UPDATED", "USER_UPDATED"]);
        assert_eq!((&events[0]["account"]["id"], &events[0]["account"]["email"]), (&json!(own), &Value::Null));
        assert_eq!(world.link(&world.one, &ann).await.0, own);
        assert_eq!(email_of(&world, &own).await, (Value::Null, false));
        assert_free(&world, "ann@x", "left for another's").await;
        assert_eq!(world.access(json!({ "accountId": own })).await.0, "ALLOWED");
        assert_eq!(world.access(json!({ "email": "boss@x" })).await.1["accountId"], json!(boss));
        // To another that is another's: there is nothing to tell.
        id(&provision(&world.two, "bob", "bob@x", true).await);
        let (_, seen) = world.events(0).await;
        assert_eq!(scim.patch(&path, marked_patch("bob@x")).await.status, 200);
        assert_eq!(kinds(&world.events(seen).await.0), ["USER_UPDATED"]);
        // The next one that is free is the account's.
        assert_eq!(scim.patch(&path, marked_patch("Ann@x")).await.status, 200);
        assert_eq!(email_of(&world, &own).await, (json!("Ann@x"), true));
        assert_eq!(world.access(json!({ "email": "ann@x" })).await.0, "ALLOWED");
    }

    async fn an_address_that_is_taken_from_its_user_leads_nobody_to_the_account(server: TestServer) {
        let world = World::new(&server).await;
        let scim = &world.one.scim;
        let ann = id(&provision(&world.one, "ann", "ann@x", true).await);
        let path = format!("/Users/{ann}");
        let (own, ..) = world.link(&world.one, &ann).await;
        assert_eq!(scim.patch(&path, json!([{ "op": "remove", "path": "emails" }])).await.status, 200);
        assert_eq!(world.link(&world.one, &ann).await.0, own);
        assert_eq!(email_of(&world, &own).await, (Value::Null, false));
        assert_free(&world, "ann@x", "taken").await;
        // It gets the next one, be it the same again.
        assert_eq!(scim.patch(&path, email_patch("ann@x")).await.status, 200);
        assert_eq!(world.link(&world.one, &ann).await.0, own);
        assert_eq!(email_of(&world, &own).await, (json!("ann@x"), false));
        // The application's has the one that the application says.
        let known = world.imported("77", "known@x", true).await;
        let user = id(&provision(&world.one, "known", "known@x", true).await);
        scim.patch(&format!("/Users/{user}"), json!([{ "op": "remove", "path": "emails" }])).await;
        assert_eq!(email_of(&world, &known).await, (json!("known@x"), true));
    }

    async fn of_several_the_last_one_who_has_the_address_takes_it_along(server: TestServer) {
        let world = World::new(&server).await;
        for way in ["change", "remove", "delete", "purge"] {
            let (first, second) = (format!("{way}@x"), format!("{way}2@x"));
            let one = id(&provision(&world.one, way, &first, true).await);
            let two = id(&provision(&world.two, way, &first, true).await);
            let (shared, ..) = world.link(&world.one, &one).await;
            assert_eq!(world.link(&world.two, &two).await.0, shared);
            let path = format!("/Users/{two}");
            assert_eq!(world.two.scim.patch(&path, marked_patch(&second)).await.status, 200);
            assert_eq!(email_of(&world, &shared).await.0, json!(first), "the other has it");
            let path = format!("/Users/{one}");
            match way {
                // Both have the new one, which is the account's by then.
                "change" => drop(world.one.scim.patch(&path, marked_patch(&second)).await),
                "remove" => drop(world.one.scim.patch(&path, json!([{ "op": "remove", "path": "emails" }])).await),
                "delete" => drop(world.one.scim.delete(&path).await),
                _ => {
                    world.one.call("DeleteSCIMConfiguration", json!({})).await;
                    while server.repository.purge_once().await.unwrap() {}
                }
            }
            let expected = if way == "change" { json!(second) } else { Value::Null };
            // The first one has never proven it.
            assert_eq!(email_of(&world, &shared).await, (expected, false), "{way}");
            let asked = json!({ "email": second });
            let (reason, answer) = world.access(asked).await;
            assert_eq!((&*reason, &answer["accountId"]), ("ALLOWED", &json!(shared)), "{way}");
            match way {
                "delete" => {
                    // Who comes back is no newcomer.
                    assert_eq!(world.access(json!({ "email": first })).await.0, "DELETED");
                    let carl = id(&provision(&world.two, "carl", &first, true).await);
                    assert_eq!(world.link(&world.two, &carl).await.1, "CREATED");
                    let (others, ..) = world.link(&world.two, &carl).await;
                    world.two.scim.delete(&format!("/Users/{carl}")).await;
                    world.ask("AccountService", "DeleteAccount", json!({ "accountId": others })).await.ok();
                    let again = id(&provision(&world.one, way, &first, true).await);
                    assert_eq!(world.link(&world.one, &again).await, linked(&shared, "EMAIL_VERIFIED"));
                }
                "purge" => {
                    let carl = id(&provision(&world.two, "carl", &first, true).await);
                    assert_eq!(world.link(&world.two, &carl).await.1, "CREATED");
                }
                _ => assert_free(&world, &first, way).await,
            }
        }
    }

    async fn an_address_that_one_of_several_proves_is_proven_by_no_other(server: TestServer) {
        let world = World::new(&server).await;
        let mallory = id(&provision(&world.one, "mallory", "ann@x", false).await);
        let ann = id(&provision(&world.two, "ann", "ann@x", true).await);
        let (shared, ..) = world.link(&world.two, &ann).await;
        assert_eq!(world.link(&world.one, &mallory).await.0, shared);
        world.one.scim.patch(&format!("/Users/{mallory}"), email_patch("mallory@x")).await;
        world.two.scim.patch(&format!("/Users/{ann}"), marked_patch("jones@x")).await;
        assert_eq!(email_of(&world, &shared).await, (json!("jones@x"), false));
        world.one.scim.patch(&format!("/Users/{mallory}"), email_patch("jones@x")).await;
        let answer = world.import(json!([account("77", "jones@x", true)])).await;
        assert!(answer.violations()["accounts[0].email"].contains(&shared));
    }

    async fn who_is_provisioned_again_finds_an_account_without_an_address(server: TestServer) {
        let world = World::new(&server).await;
        let scim = &world.one.scim;
        let boss = world.imported("77", "boss@x", true).await;
        let ann = id(&provision(&world.one, "ann", "ann@x", true).await);
        let (own, ..) = world.link(&world.one, &ann).await;
        scim.patch(&format!("/Users/{ann}"), marked_patch("boss@x")).await;
        scim.delete(&format!("/Users/{ann}")).await;
        assert_eq!(world.access(json!({ "userName": "ann" })).await.0, "DELETED");
        assert_free(&world, "ann@x", "deleted").await;
        world.ask("AccountService", "DeleteAccount", json!({ "accountId": boss })).await.ok();
        let again = id(&provision(&world.one, "ann", "boss@x", false).await);
        assert_eq!(world.link(&world.one, &again).await, linked(&own, "MADE_BEFORE"));
    }

    async fn the_application_tells_the_address_of_an_account_that_has_none(server: TestServer) {
        let world = World::new(&server).await;
        let scim = &world.one.scim;
        let mut left = Vec::new();
        for name in ["ann", "bob"] {
            let user = id(&provision(&world.one, name, &format!("{name}@x"), true).await);
            scim.patch(&format!("/Users/{user}"), json!([{ "op": "remove", "path": "emails" }])).await;
            left.push(world.link(&world.one, &user).await.0);
        }
        // Two without one are no two with the same one; by the old one neither is found.
        let other = world.imported("1", "ann@x", true).await;
        assert!(!left.contains(&other));
        let mut named = account("2", "ann2@x", true);
        named["accountId"] = json!(left[0]);
        let answer = world.import(json!([named])).await.ok();
        assert_eq!((&answer["imports"][0]["accountId"], email_of(&world, &left[0]).await), (&json!(left[0]), (json!("ann2@x"), true)));
        // From there on it is the application's.
        assert_eq!(provision(&world.two, "new", "ann2@x", false).await.status, 409);
    }
}
