//! Which account a user is linked to.

use serde_json::{Value, json};

use super::{World, account, allow, email_patch, id, kinds, marked_patch, person, provision};
use crate::harness::{TestServer, on_both_engines};

/// What the application knows of the email.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Known {
    Nothing,
    Verified,
    Unverified,
    /// Another configuration's user has it.
    Provisioned,
}

pub fn linked(account: &str, reason: &str) -> (String, String, String) {
    (account.to_owned(), "LINKED".to_owned(), reason.to_owned())
}

on_both_engines! {
    async fn who_is_linked_follows_from_account_mark_and_setting(server: TestServer) {
        use Known::{Nothing, Provisioned, Unverified, Verified};
        let world = World::new(&server).await;
        for (number, (known, marked, allowed, expected)) in [
            (Nothing, false, false, Ok("NO_ACCOUNT")),
            (Nothing, true, false, Ok("NO_ACCOUNT")),
            (Nothing, false, true, Ok("NO_ACCOUNT")),
            (Nothing, true, true, Ok("NO_ACCOUNT")),
            (Verified, false, false, Err("does not mark it as verified")),
            (Verified, true, false, Ok("EMAIL_VERIFIED")),
            (Verified, false, true, Ok("UNVERIFIED_ALLOWED")),
            (Verified, true, true, Ok("EMAIL_VERIFIED")),
            (Unverified, false, false, Err("does not mark it as verified")),
            (Unverified, true, false, Err("the application has not verified it")),
            (Unverified, false, true, Ok("UNVERIFIED_ALLOWED")),
            (Unverified, true, true, Ok("UNVERIFIED_ALLOWED")),
            (Provisioned, false, false, Err("does not mark it as verified")),
            (Provisioned, true, false, Ok("EMAIL_VERIFIED")),
            (Provisioned, false, true, Ok("UNVERIFIED_ALLOWED")),
            (Provisioned, true, true, Ok("EMAIL_VERIFIED")),
        ].into_iter().enumerate() {
            let case = format!("{known:?} {marked} {allowed}");
            let (name, email) = (format!("user{number}"), format!("User{number}@Example.com"));
            let there = match known {
                Nothing => None,
                Verified | Unverified => {
                    let client_id = format!("client{number}");
                    Some(world.imported(&client_id, &email.to_lowercase(), known == Verified).await)
                }
                Provisioned => {
                    let first = id(&provision(&world.two, &name, &email.to_uppercase(), false).await);
                    Some(world.link(&world.two, &first).await.0)
                }
            };
            allow(&world.one, allowed).await;
            let made = provision(&world.one, &name, &email, marked).await;
            match expected {
                Ok(reason) => {
                    let link = world.link(&world.one, &id(&made)).await;
                    if let Some(there) = there {
                        assert_eq!(link, linked(&there, reason), "{case}");
                        continue;
                    }
                    assert_eq!((&*link.1, &*link.2), ("CREATED", reason), "{case}");
                    let made = world.accounts().await;
                    let made = made.iter().find(|account| account["id"] == *link.0).unwrap();
                    assert_eq!(made["email"], *email, "{case}");
                    assert_eq!(made["emailVerified"] == true, marked, "{case}");
                    assert_eq!(made["clientId"], Value::Null, "{case}");
                }
                Err(detail) => {
                    assert_eq!((made.status, &made.body["scimType"]), (409, &json!("uniqueness")), "{case}");
                    let told = made.body["detail"].as_str().unwrap();
                    assert!(told.contains(detail), "{case}: {told}");
                    assert!(told.contains("allow_unverified_email_account_linking"), "{told}");
                }
            }
        }
    }

    async fn two_organizations_with_the_same_email_have_two_accounts(server: TestServer) {
        let (here, there) = (World::new(&server).await, World::new(&server).await);
        let own = here.imported("77", "ann@example.com", true).await;
        let ann = id(&provision(&there.one, "ann", "ann@example.com", false).await);
        let (theirs, decision, _) = there.link(&there.one, &ann).await;
        assert_eq!(decision, "CREATED");
        assert_ne!(theirs, own);
        let ann = id(&provision(&here.one, "ann", "ann@example.com", true).await);
        assert_eq!(here.link(&here.one, &ann).await, linked(&own, "EMAIL_VERIFIED"));
    }

    async fn whoever_is_provisioned_again_has_the_same_account(server: TestServer) {
        let world = World::new(&server).await;
        let scim = &world.one.scim;
        // The application's: proven each time.
        let account = world.imported("77", "ann@example.com", true).await;
        for _ in 0..2 {
            let ann = id(&provision(&world.one, "ann", "Ann@Example.com", true).await);
            assert_eq!(world.link(&world.one, &ann).await, linked(&account, "EMAIL_VERIFIED"));
            scim.delete(&format!("/Users/{ann}")).await;
        }
        assert_eq!(provision(&world.one, "ann", "ann@example.com", false).await.status, 409);
        // One that was made for the user: it was this configuration's before.
        let bob = id(&provision(&world.one, "bob", "bob@example.com", false).await);
        let (account, decision, _) = world.link(&world.one, &bob).await;
        assert_eq!(decision, "CREATED");
        scim.delete(&format!("/Users/{bob}")).await;
        let again = id(&provision(&world.one, "bobby", "BOB@example.com", false).await);
        assert_eq!(world.link(&world.one, &again).await, linked(&account, "MADE_BEFORE"));
        // As long as nobody else there has it, and of no other configuration.
        assert_eq!(provision(&world.one, "other", "bob@example.com", false).await.status, 409);
        scim.delete(&format!("/Users/{again}")).await;
        assert_eq!(provision(&world.two, "bob", "bob@example.com", false).await.status, 409);
        // Not even of this one while a user of another has it.
        allow(&world.two, true).await;
        let other = id(&provision(&world.two, "bob", "bob@example.com", false).await);
        assert_eq!(world.link(&world.two, &other).await, linked(&account, "UNVERIFIED_ALLOWED"));
        assert_eq!(provision(&world.one, "bob", "bob@example.com", false).await.status, 409);
        world.two.scim.delete(&format!("/Users/{other}")).await;
        let again = id(&provision(&world.one, "bob", "bob@example.com", false).await);
        assert_eq!(world.link(&world.one, &again).await, linked(&account, "MADE_BEFORE"));
    }

    async fn a_change_of_email_moves_no_user(server: TestServer) {
        let world = World::new(&server).await;
        let scim = &world.one.scim;
        let (mine, others) = (world.imported("1", "a@x", true).await, world.imported("2", "b@x", true).await);
        let ann = id(&provision(&world.one, "ann", "a@x", true).await);
        for (email, change) in [("b@x", "patch"), ("c@x", "put"), ("a@x", "patch"), ("c@x", "patch")] {
            let path = format!("/Users/{ann}");
            let answer = match change {
                "put" => scim.put(&path, person("ann", email, true)).await,
                _ => scim.patch(&path, marked_patch(email)).await,
            };
            assert_eq!(answer.status, 200, "{}", answer.body);
            assert_eq!(world.link(&world.one, &ann).await.0, mine);
        }
        let accounts = world.accounts().await;
        assert_eq!(accounts.len(), 2);
        for (id, email) in [(&mine, "a@x"), (&others, "b@x")] {
            assert!(accounts.iter().any(|account| account["id"] == **id && account["email"] == email), "{accounts:?}");
        }
        // Whoever is gone is remembered by the new email too.
        scim.delete(&format!("/Users/{ann}")).await;
        let again = id(&provision(&world.one, "ann", "c@x", true).await);
        assert_eq!(world.link(&world.one, &again).await, linked(&mine, "EMAIL_VERIFIED"));
        // Which gives nobody else anything.
        let made = id(&provision(&world.two, "ann", "c@x", true).await);
        assert_eq!(world.link(&world.two, &made).await.1, "CREATED");
        scim.delete(&format!("/Users/{again}")).await;
        // And not where another account has it by now.
        let again = id(&provision(&world.one, "ann", "c@x", true).await);
        assert_eq!(world.link(&world.one, &again).await.0, world.link(&world.two, &made).await.0);
    }

    async fn an_account_that_was_made_for_a_user_goes_with_its_email(server: TestServer) {
        let world = World::new(&server).await;
        let scim = &world.one.scim;
        let ann = id(&provision(&world.one, "ann", "ann@x", false).await);
        let account = world.link(&world.one, &ann).await.0;
        let (_, before) = world.events(0).await;
        scim.patch(&format!("/Users/{ann}"), email_patch("ann.jones@x")).await;
        let (events, _) = world.events(before).await;
        assert_eq!(kinds(&events), ["ACCOUNT_UPDATED", "USER_UPDATED"]);
        assert_eq!((&events[0]["account"]["id"], &events[0]["account"]["email"]), (&json!(account), &json!("ann.jones@x")));
        assert_eq!(world.link(&world.one, &ann).await.0, account);
        // The old address is somebody else's.
        let other = id(&provision(&world.one, "ann2", "ann@x", false).await);
        let (others, decision, _) = world.link(&world.one, &other).await;
        assert_eq!(decision, "CREATED");
        assert_ne!(others, account);
        // And cannot be taken from there.
        assert_eq!(scim.patch(&format!("/Users/{ann}"), email_patch("ann@x")).await.status, 409);
        assert_eq!(world.link(&world.one, &ann).await.0, account);
        let mut emails: Vec<_> = world.accounts().await.iter().map(|account| account["email"].to_string()).collect();
        emails.sort();
        assert_eq!(emails, [r#""ann.jones@x""#, r#""ann@x""#]);
        scim.delete(&format!("/Users/{ann}")).await;
        let again = id(&provision(&world.one, "ann", "ann.jones@x", false).await);
        assert_eq!(world.link(&world.one, &again).await, linked(&account, "MADE_BEFORE"));
    }

    async fn who_has_no_email_has_no_account_until_there_is_one(server: TestServer) {
        let world = World::new(&server).await;
        let scim = &world.one.scim;
        let account = world.imported("77", "ann@x", true).await;
        // A userName that looks like an email is none.
        let made = scim.post("/Users", json!({ "userName": "ann@x" })).await;
        let ann = id(&made);
        let path = format!("/Users/{ann}");
        assert_eq!(world.link(&world.one, &ann).await, Default::default());
        let refused = scim.patch(&path, email_patch("ann@x")).await;
        assert_eq!((refused.status, &refused.body["scimType"]), (409, &json!("uniqueness")));
        assert_eq!(scim.get(&path).await.body["emails"], Value::Null);
        assert_eq!(scim.put(&path, person("ann@x", "ann@x", false)).await.status, 409);
        let (_, before) = world.events(0).await;
        assert_eq!(scim.put(&path, person("ann@x", "ann@x", true)).await.status, 200);
        assert_eq!(world.link(&world.one, &ann).await, linked(&account, "EMAIL_VERIFIED"));
        let (events, _) = world.events(before).await;
        assert_eq!(kinds(&events), ["USER_UPDATED", "ACCOUNT_LINKED"]);
        // One that is taken away takes no account with it.
        scim.patch(&path, json!([{ "op": "remove", "path": "emails" }])).await;
        assert_eq!(world.link(&world.one, &ann).await.0, account);
        // And where there is no account, one is made.
        let bob = id(&scim.post("/Users", json!({ "userName": "bob" })).await);
        let (_, before) = world.events(0).await;
        scim.patch(&format!("/Users/{bob}"), email_patch("bob@x")).await;
        assert_eq!(world.link(&world.one, &bob).await.1, "CREATED");
        let (events, _) = world.events(before).await;
        assert_eq!(kinds(&events), ["USER_UPDATED", "ACCOUNT_UPDATED"]);
    }

    async fn a_removed_account_leaves_its_users_without_one_until_their_email_changes(server: TestServer) {
        let world = World::new(&server).await;
        let account = world.imported("77", "ann@x", true).await;
        let users = [id(&provision(&world.one, "ann", "ann@x", true).await), id(&provision(&world.two, "ann", "ann@x", true).await)];
        let etag = world.one.scim.get(&format!("/Users/{}", users[0])).await.header("etag").to_owned();
        let (_, before) = world.events(0).await;
        world.ask("AccountService", "DeleteAccount", json!({ "accountId": account })).await.ok();
        let (events, _) = world.events(before).await;
        assert_eq!(kinds(&events), ["ACCOUNT_UNLINKED", "ACCOUNT_UNLINKED", "ACCOUNT_DELETED"]);
        assert_eq!(events[2]["subjectId"], json!(account));
        assert!(events[2]["cause"]["apiKeyId"].is_string());
        let none = (String::new(), "UNLINKED".to_owned(), "ACCOUNT_DELETED".to_owned());
        assert_eq!(world.link(&world.one, &users[0]).await, none);
        assert_eq!(world.link(&world.two, &users[1]).await, none);
        assert_eq!(world.one.scim.get(&format!("/Users/{}", users[0])).await.header("etag"), etag);
        let title = json!([{ "op": "replace", "path": "title", "value": "x" }]);
        world.one.scim.patch(&format!("/Users/{}", users[0]), title).await;
        assert_eq!(world.link(&world.one, &users[0]).await, none);
        world.one.scim.patch(&format!("/Users/{}", users[0]), email_patch("new@x")).await;
        assert_eq!(world.link(&world.one, &users[0]).await.1, "CREATED");
        let answer = world.ask("AccountService", "DeleteAccount", json!({ "accountId": account })).await;
        assert_eq!((answer.code(), &*answer.reason()), ("not_found", "ACCOUNT_NOT_FOUND"));
    }

    async fn a_user_name_that_is_taken_is_told_before_the_account(server: TestServer) {
        let world = World::new(&server).await;
        provision(&world.one, "ann", "ann@x", false).await;
        let (_, before) = world.events(0).await;
        for (email, verified) in [("ann@x", false), ("ann@x", true), ("other@x", false)] {
            let answer = provision(&world.one, "Ann", email, verified).await;
            assert_eq!(answer.status, 409);
            assert!(answer.body["detail"].as_str().unwrap().contains("userName"), "{}", answer.body);
        }
        assert_eq!(world.events(before).await.0, [0; 0].map(Value::from));
        assert_eq!(world.accounts().await.len(), 1, "nothing is left of the others");
    }

    async fn those_who_come_at_once_with_one_email_get_one_account(server: TestServer) {
        let world = World::new(&server).await;
        allow(&world.one, true).await;
        allow(&world.two, true).await;
        for round in 0..10 {
            let email = format!("user{round}@x");
            let (import, name) = (json!([account(&format!("c{round}"), &email, true)]), format!("user{round}"));
            let (one, two, import) = tokio::join!(
                provision(&world.one, &name, &email, true),
                provision(&world.two, &name, &email, true),
                world.import(import),
            );
            import.ok();
            let links = (world.link(&world.one, &id(&one)).await, world.link(&world.two, &id(&two)).await);
            assert_eq!(links.0.0, links.1.0, "{links:?}");
        }
        assert_eq!(world.accounts().await.len(), 10);
    }

    async fn of_two_who_come_back_at_once_with_one_email_one_is_let_in(server: TestServer) {
        let world = World::new(&server).await;
        for round in 0..10 {
            let email = format!("user{round}@x");
            let first = id(&provision(&world.one, &format!("first{round}"), &email, false).await);
            world.one.scim.delete(&format!("/Users/{first}")).await;
            let (one, two) = (format!("one{round}"), format!("two{round}"));
            let (one, two) = tokio::join!(provision(&world.one, &one, &email, false), provision(&world.one, &two, &email, false));
            let mut statuses = [one.status, two.status];
            statuses.sort_unstable();
            assert_eq!(statuses, [201, 409]);
        }
    }

    async fn bulk_is_refused_what_alone_is_refused(server: TestServer) {
        let world = World::new(&server).await;
        world.imported("77", "ann@x", true).await;
        let operation = |bulk_id: &str, verified| json!({ "method": "POST", "path": "/Users", "bulkId": bulk_id, "data": person(bulk_id, "ann@x", verified) });
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": [operation("refused", false), operation("linked", true)],
        });
        let answer = world.one.scim.post("/Bulk", body).await;
        let operations = &answer.body["Operations"];
        assert_eq!((&operations[0]["status"], &operations[1]["status"]), (&json!("409"), &json!("201")));
        assert_eq!(operations[0]["response"]["scimType"], "uniqueness");
    }
}
