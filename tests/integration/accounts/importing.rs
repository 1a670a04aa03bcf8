//! What the application tells of its accounts.

use reqwest::StatusCode;
use scimd::proto::scimd::v1::{ImportAccountsRequest, ImportedAccount};
use serde_json::{Value, json};

use super::{World, account, allow, email_patch, id, kinds, provision};
use crate::directory::accounts as accounts_over_grpc;
use crate::harness::{Answer, TestServer, on_both_engines, violations_of};

fn outcomes(answer: &Answer) -> Vec<String> {
    let imports = answer.clone().ok()["imports"].as_array().cloned().unwrap_or_default();
    let outcome =
        |import: &Value| import["outcome"].as_str().unwrap().replace("ACCOUNT_IMPORT_OUTCOME_", "");
    imports.iter().map(outcome).collect()
}

/// Client id and email of every account.
async fn all(world: &World) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let accounts = world.accounts().await;
    let mut all: Vec<_> =
        accounts.iter().map(|each| (text(&each["clientId"]), text(&each["email"]))).collect();
    all.sort();
    all
}

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> Vec<(String, String)> {
    pairs.map(|(one, other)| (one.to_owned(), other.to_owned())).to_vec()
}

on_both_engines! {
    async fn the_same_again_changes_nothing(server: TestServer) {
        let world = World::new(&server).await;
        let both = json!([account("1", "a@x", true), account("2", "B@x", false)]);
        assert_eq!(outcomes(&world.import(both.clone()).await), ["CREATED", "CREATED"]);
        let (events, seen) = world.events(2).await;
        assert_eq!(kinds(&events), ["ACCOUNT_UPDATED", "ACCOUNT_UPDATED"]);
        assert_eq!((&events[1]["account"]["clientId"], &events[1]["account"]["email"]), (&json!("2"), &json!("B@x")));
        assert_eq!((&events[0]["scimConfigurationId"], &events[0]["endsTransaction"]), (&Value::Null, &Value::Null));
        assert_eq!(outcomes(&world.import(both).await), ["UNCHANGED", "UNCHANGED"]);
        assert_eq!(world.events(seen).await.1, seen);
        let next = json!([account("2", "b@x", true), account("1", "a@x", true), account("3", "c@x", true)]);
        assert_eq!(outcomes(&world.import(next).await), ["UPDATED", "UNCHANGED", "CREATED"]);
        assert_eq!(world.events(seen).await.1, seen + 2);
        assert_eq!(all(&world).await, pairs([("1", "a@x"), ("2", "b@x"), ("3", "c@x")]));
        assert_eq!(outcomes(&world.import(json!([])).await), [""; 0]);
    }

    async fn what_cannot_be_is_named_by_its_place_and_nothing_is_done(server: TestServer) {
        let world = World::new(&server).await;
        world.imported("1", "a@x", true).await;
        let two = world.imported("2", "b@x", true).await;
        let before = all(&world).await;
        let new = account("9", "new@x", true);
        let named = |client_id: &str, email: &str, id: &str| {
            let mut named = account(client_id, email, true);
            named["accountId"] = json!(id);
            named
        };
        let unknown = uuid::Uuid::new_v4().to_string();
        for (bad, field) in [
            (account("3", "A@X", true), "accounts[1].email"),
            (account("2", "a@x", true), "accounts[1].email"),
            (account("9", "other@x", true), "accounts[1].client_id"),
            (account("8", "NEW@x", true), "accounts[1].email"),
            (named("3", "c@x", &unknown), "accounts[1].account_id"),
            (named("3", "c@x", &two), "accounts[1].account_id"),
            (named("1", "c@x", &two), "accounts[1].account_id"),
        ] {
            let answer = world.import(json!([new, bad])).await;
            assert_eq!((answer.code(), &*answer.reason()), ("already_exists", "ACCOUNT_CONFLICT"), "{bad}");
            assert_eq!(answer.violations().keys().collect::<Vec<_>>(), [field], "{bad}");
            assert_eq!(all(&world).await, before, "{bad}");
        }
        for (bad, field) in [
            (account("", "c@x", true), "accounts[1].client_id"),
            (account(&"x".repeat(256), "c@x", true), "accounts[1].client_id"),
            (account("3", "", true), "accounts[1].email"),
            (account("3", "  ", true), "accounts[1].email"),
            (account("3", "a\0@x", true), "accounts[1].email"),
            (account("3", &"ü".repeat(1_001), true), "accounts[1].email"),
            (account("3", &"\u{10400}".repeat(600), true), "accounts[1].email"),
            (named("3", "c@x", "7"), "accounts[1].account_id"),
        ] {
            let answer = world.import(json!([new, bad])).await;
            assert_eq!((answer.code(), &*answer.reason()), ("invalid_argument", "ARGUMENT_INVALID"), "{bad}");
            assert_eq!(answer.violations().keys().collect::<Vec<_>>(), [field], "{bad}");
            assert_eq!(all(&world).await, before, "{bad}");
        }
    }

    async fn a_thousand_are_imported_at_once_and_no_more(server: TestServer) {
        let world = World::new(&server).await;
        let many = |count: usize, suffix: &str| (0..count).map(|number| account(&format!("c{number}"), &format!("user{number}@{suffix}"), true)).collect::<Value>();
        let answer = world.import(many(1_001, "x")).await;
        assert_eq!(answer.violations().keys().collect::<Vec<_>>(), ["accounts"]);
        for (suffix, outcome) in [("x", "CREATED"), ("x", "UNCHANGED"), ("y", "UPDATED")] {
            let answer = world.import(many(1_000, suffix)).await;
            assert_eq!(outcomes(&answer), vec![outcome; 1_000]);
        }
        // All pages together are all of them.
        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let page = json!({ "pagination": { "pageSize": 90, "token": token } });
            let page = world.ask("AccountService", "ListAccounts", page).await.ok();
            seen.extend(page["accounts"].as_array().unwrap().iter().map(|each| each["clientId"].as_str().unwrap().to_owned()));
            match page["pagination"]["nextToken"].as_str().unwrap_or_default() {
                "" => break,
                next => token = next.to_owned(),
            }
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 1_000);
        for (filter, client_id) in [(json!({ "email": "USER7@y" }), "c7"), (json!({ "clientId": "c8" }), "c8")] {
            let found = world.ask("AccountService", "ListAccounts", filter).await.ok();
            assert_eq!(found["accounts"].as_array().unwrap().len(), 1);
            assert_eq!(found["accounts"][0]["clientId"], client_id);
        }
    }

    async fn many_conflicts_are_told_in_part_and_over_grpc_too(server: TestServer) {
        let world = World::new(&server).await;
        let many = |suffix: &str| (0..1_000).map(|number| account(&format!("{suffix}{number}"), &format!("user{number}@x"), true)).collect::<Value>();
        world.import(many("c")).await.ok();
        let answer = world.import(many("d")).await;
        assert_eq!((answer.code(), &*answer.reason()), ("already_exists", "ACCOUNT_CONFLICT"));
        assert_eq!(answer.violations().len(), 20);
        assert!(answer.body["message"].as_str().unwrap().ends_with("; and 995 more"), "{}", answer.body);
        let accounts = (0..1_000).map(|number| ImportedAccount {
            client_id: format!("d{number}"),
            email: format!("user{number}@x"),
            ..Default::default()
        });
        let request = ImportAccountsRequest { organization_id: world.organization.to_string(), accounts: accounts.collect() };
        let mut client = accounts_over_grpc(&world.product.url, world.product.key.as_deref().unwrap()).await;
        let status = client.import_accounts(request).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::AlreadyExists, "{status:?}");
        assert_eq!(violations_of(&status), answer.violations());
        let headers = status.details().len() * 4 / 3 + status.message().len() * 3 / 2;
        assert!(headers < 8_000, "{headers}");
    }

    async fn emails_may_be_passed_on_within_one_request(server: TestServer) {
        let world = World::new(&server).await;
        world.import(json!([account("1", "a@x", true), account("2", "b@x", true), account("3", "c@x", true)])).await.ok();
        let answer = world.import(json!([account("1", "b@x", true), account("2", "a@x", true)])).await;
        assert_eq!(outcomes(&answer), ["UPDATED", "UPDATED"]);
        assert_eq!(all(&world).await, pairs([("1", "b@x"), ("2", "a@x"), ("3", "c@x")]));
        // A new account may have an email that another one leaves.
        let answer = world.import(json!([account("4", "c@x", true), account("3", "d@x", true)])).await;
        assert_eq!(outcomes(&answer), ["CREATED", "UPDATED"]);
        assert_eq!(all(&world).await, pairs([("1", "b@x"), ("2", "a@x"), ("3", "d@x"), ("4", "c@x")]));
        let answer = world.import(json!([account("1", "d@x", true), account("3", "c@x", true)])).await;
        assert_eq!(answer.violations().keys().collect::<Vec<_>>(), ["accounts[1].email"]);
    }

    async fn an_account_that_was_made_for_a_user_is_taken_over_where_it_would_be_linked(server: TestServer) {
        for (marked, allowed, verified, expected) in [
            (true, false, true, true),
            (false, true, true, true),
            (false, true, false, true),
            (false, false, true, false),
            (true, false, false, false),
        ] {
            let world = World::new(&server).await;
            let user = id(&provision(&world.one, "ann", "ann@x", marked).await);
            let (made, ..) = world.link(&world.one, &user).await;
            allow(&world.one, allowed).await;
            let case = format!("{marked} {allowed} {verified}");
            let answer = world.import(json!([account("77", "Ann@x", verified)])).await;
            if expected {
                assert_eq!(outcomes(&answer), ["UPDATED"], "{case}");
                assert_eq!(answer.ok()["imports"][0]["accountId"], json!(made));
            } else {
                assert_eq!(answer.reason(), "ACCOUNT_CONFLICT", "{case}");
                assert!(answer.violations()["accounts[0].email"].contains(&made), "{case}");
                // Unless the application says that it knows.
                let mut named = account("77", "ann@x", verified);
                named["accountId"] = json!(made);
                assert_eq!(outcomes(&world.import(json!([named])).await), ["UPDATED"], "{case}");
            }
            assert_eq!(world.link(&world.one, &user).await.0, made);
            assert_eq!(outcomes(&world.import(json!([account("77", "ann@x", verified)])).await).len(), 1);
            assert_eq!(all(&world).await, pairs([("77", "ann@x")]));
        }
    }

    async fn a_proof_of_an_address_is_no_proof_of_the_next(server: TestServer) {
        let world = World::new(&server).await;
        let scim = &world.one.scim;
        let first = id(&provision(&world.one, "mallory", "m@x", true).await);
        scim.delete(&format!("/Users/{first}")).await;
        let mallory = id(&provision(&world.one, "mallory", "m@x", true).await);
        let (made, decision, reason) = world.link(&world.one, &mallory).await;
        assert_eq!((&*decision, &*reason), ("LINKED", "EMAIL_VERIFIED"));
        scim.patch(&format!("/Users/{mallory}"), email_patch("ceo@x")).await;
        let answer = world.import(json!([account("ceo-1", "ceo@x", true)])).await;
        assert_eq!(answer.reason(), "ACCOUNT_CONFLICT");
        assert!(answer.violations()["accounts[0].email"].contains(&made));
        assert_eq!(world.access(json!({ "clientId": "ceo-1" })).await.0, "UNKNOWN");
        // Until the identity provider vouches for that one too.
        let proven = json!([{ "op": "replace", "path": "emails", "value": [{ "value": "Ceo@x", "primary": true, "verified": true }] }]);
        scim.patch(&format!("/Users/{mallory}"), proven).await;
        assert_eq!(outcomes(&world.import(json!([account("ceo-1", "ceo@x", true)])).await), ["UPDATED"]);
    }

    async fn an_account_is_no_two_of_a_request(server: TestServer) {
        let world = World::new(&server).await;
        let ann = id(&provision(&world.one, "ann", "ann@x", true).await);
        let (own, ..) = world.link(&world.one, &ann).await;
        let by_email = account("78", "ann@x", true);
        let by_id = |client_id: &str, email: &str| {
            let mut named = account(client_id, email, true);
            named["accountId"] = json!(own);
            named
        };
        // What the second one says is named.
        for (items, field) in [
            (json!([by_id("77", "new@x"), by_email]), "accounts[1].email"),
            (json!([by_email, by_id("77", "new@x")]), "accounts[1].account_id"),
            (json!([by_id("77", "new@x"), by_id("78", "ann@x")]), "accounts[1].account_id"),
        ] {
            let answer = world.import(items.clone()).await;
            assert_eq!(answer.reason(), "ACCOUNT_CONFLICT", "{items}");
            assert_eq!(answer.violations().keys().collect::<Vec<_>>(), [field], "{items}");
        }
        assert_eq!(all(&world).await, pairs([("", "ann@x")]));
    }

    async fn what_was_taken_over_by_its_email_must_be_proven_like_others(server: TestServer) {
        let world = World::new(&server).await;
        let user = id(&provision(&world.one, "ann", "ann@x", false).await);
        world.one.scim.delete(&format!("/Users/{user}")).await;
        assert_eq!(outcomes(&world.import(json!([account("77", "ann@x", true)])).await), ["UPDATED"]);
        assert_eq!(provision(&world.one, "ann", "ann@x", false).await.status, 409);
        assert_eq!(provision(&world.one, "ann", "ann@x", true).await.status, 201);
    }

    async fn an_account_that_is_named_is_its_configurations_until_its_email_changes(server: TestServer) {
        let world = World::new(&server).await;
        let user = id(&provision(&world.one, "ann", "ann@x", false).await);
        let mut named = account("77", "ann@x", true);
        named["accountId"] = json!(world.link(&world.one, &user).await.0);
        assert_eq!(outcomes(&world.import(json!([named])).await), ["UPDATED"]);
        for expected in ["UNCHANGED", "UPDATED"] {
            let email = if expected == "UPDATED" { "boss@x" } else { "ann@x" };
            for user in world.one.scim.get("/Users").await.body["Resources"].as_array().unwrap() {
                world.one.scim.delete(&format!("/Users/{}", user["id"].as_str().unwrap())).await;
            }
            assert_eq!(outcomes(&world.import(json!([account("77", email, true)])).await), [expected]);
            let status = provision(&world.one, "mallory", email, false).await.status;
            assert_eq!(status, if expected == "UPDATED" { 409 } else { 201 });
        }
    }

    async fn a_viewer_reads_and_does_not_import(server: TestServer) {
        let world = World::new(&server).await;
        world.imported("77", "ann@x", true).await;
        let viewer = World { product: server.viewer(world.organization).await, ..world };
        assert_eq!(viewer.accounts().await.len(), 1);
        assert_eq!(viewer.access(json!({ "email": "ann@x" })).await.0, "UNKNOWN");
        assert_eq!(viewer.import(json!([])).await.status, StatusCode::FORBIDDEN);
    }

    async fn an_account_of_another_organization_is_neither_shown_nor_changed(server: TestServer) {
        let (own, other) = (World::new(&server).await, World::new(&server).await);
        let theirs = other.imported("77", "ann@x", true).await;
        let ann = id(&provision(&other.one, "ann", "ann@x", true).await);
        let mut named = account("77", "ann@x", true);
        named["accountId"] = json!(theirs);
        assert_eq!(own.import(json!([named])).await.violations().keys().collect::<Vec<_>>(), ["accounts[0].account_id"]);
        let answer = own.ask("AccountService", "DeleteAccount", json!({ "accountId": theirs })).await;
        assert_eq!(answer.reason(), "ACCOUNT_NOT_FOUND");
        for asked in [json!({ "accountId": theirs }), json!({ "clientId": "77" }), json!({ "email": "ann@x" }), json!({ "userName": "ann" }), json!({ "externalId": "external ann" })] {
            assert_eq!(own.access(asked.clone()).await.1, json!({ "reason": "ACCESS_REASON_UNKNOWN" }), "{asked}");
        }
        assert_eq!(own.accounts().await.len(), 0);
        own.imported("77", "ann@x", false).await;
        assert_eq!(other.accounts().await[0]["emailVerified"], true);
        assert_eq!(other.link(&other.one, &ann).await.0, theirs);
    }

    async fn an_email_that_the_application_changes_changes_who_has_it(server: TestServer) {
        let world = World::new(&server).await;
        let account = world.imported("77", "a@x", true).await;
        let ann = id(&provision(&world.one, "ann", "a@x", true).await);
        world.one.scim.patch(&format!("/Users/{ann}"), email_patch("b@x")).await;
        for (email, expected) in [("a@x", "ALLOWED"), ("b@x", "ALLOWED"), ("c@x", "UNKNOWN")] {
            assert_eq!(world.access(json!({ "email": email })).await.0, expected, "{email}");
        }
        world.imported("77", "b@x", true).await;
        for (email, expected) in [("a@x", "UNKNOWN"), ("b@x", "ALLOWED")] {
            assert_eq!(world.access(json!({ "email": email })).await.0, expected, "{email}");
        }
        world.imported("77", "c@x", true).await;
        for (email, expected) in [("a@x", "UNKNOWN"), ("b@x", "ALLOWED"), ("c@x", "ALLOWED")] {
            assert_eq!(world.access(json!({ "email": email })).await.0, expected, "{email}");
        }
        assert_eq!(world.link(&world.one, &ann).await.0, account);
    }
}
