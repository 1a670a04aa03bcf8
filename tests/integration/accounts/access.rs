//! Who may sign in.

use serde_json::{Value, json};

use super::{World, allow, email_patch, id, marked_patch, provision};
use crate::harness::{TestServer, on_both_engines};
use crate::scim::client::Tenant;

/// Everything that names the person who is provisioned as `ann`.
fn names(account: &str, client_id: &str) -> Vec<Value> {
    vec![
        json!({ "email": "ANN@x" }),
        json!({ "userName": "Ann" }),
        json!({ "externalId": "external ann" }),
        json!({ "accountId": account }),
        json!({ "clientId": client_id }),
    ]
}

async fn set_active(at: &Tenant, user: &str, active: bool) {
    let patch = json!([{ "op": "replace", "path": "active", "value": active }]);
    assert_eq!(at.scim.patch(&format!("/Users/{user}"), patch).await.status, 200);
}

async fn enable(at: &Tenant, enabled: bool) {
    at.call("UpdateSCIMConfiguration", json!({ "enabled": enabled })).await;
}

on_both_engines! {
    async fn access_follows_a_person_by_every_name(server: TestServer) {
        let world = World::new(&server).await;
        let account = world.imported("77", "ann@x", true).await;
        let names = names(&account, "77");
        let all = async |expected: &str, step: &str| {
            for name in &names {
                let (reason, answer) = world.access(name.clone()).await;
                assert_eq!(reason, expected, "{step}: {name}: {answer}");
            }
        };
        all("UNKNOWN", "not provisioned").await;
        let (_, answer) = world.access(json!({ "email": "ann@x" })).await;
        assert_eq!((&answer["accountId"], &answer["clientId"]), (&json!(account), &json!("77")));

        let ann = id(&provision(&world.one, "ann", "ann@x", true).await);
        all("ALLOWED", "provisioned").await;
        let (_, answer) = world.access(json!({ "userName": "ann" })).await;
        assert_eq!(answer, json!({
            "allowed": true, "reason": "ACCESS_REASON_ALLOWED", "accountId": account, "clientId": "77",
            "users": [{ "scimConfigurationId": world.one.configuration, "userId": ann, "reason": "ACCESS_REASON_ALLOWED" }],
        }));
        set_active(&world.one, &ann, false).await;
        all("DEACTIVATED", "deactivated").await;
        set_active(&world.one, &ann, true).await;
        enable(&world.one, false).await;
        all("CONFIGURATION_DISABLED", "disabled").await;
        enable(&world.one, true).await;
        world.one.scim.delete(&format!("/Users/{ann}")).await;
        all("DELETED", "deleted").await;
        let (_, answer) = world.access(json!({ "externalId": "external ann" })).await;
        assert_eq!(answer["users"][0]["userId"], json!(ann));
        assert_eq!((&answer["accountId"], &answer["clientId"]), (&json!(account), &json!("77")));
        let again = id(&provision(&world.one, "ann", "ann@x", true).await);
        all("ALLOWED", "provisioned again").await;
        set_active(&world.one, &again, false).await;
        all("DEACTIVATED", "deactivated again").await;
    }

    async fn one_of_several_identity_providers_suffices(server: TestServer) {
        let world = World::new(&server).await;
        let account = world.imported("77", "ann@x", true).await;
        let one = id(&provision(&world.one, "ann", "ann@x", true).await);
        let two = id(&provision(&world.two, "annie", "ann@x", true).await);
        let check = async |expected: &str| {
            for name in [json!({ "accountId": account }), json!({ "userName": "ann" }), json!({ "userName": "annie" }), json!({ "email": "ann@x" })] {
                assert_eq!(world.access(name.clone()).await.0, expected, "{name}");
            }
        };
        check("ALLOWED").await;
        set_active(&world.one, &one, false).await;
        check("ALLOWED").await;
        enable(&world.two, false).await;
        check("CONFIGURATION_DISABLED").await;
        set_active(&world.one, &one, true).await;
        check("ALLOWED").await;
        world.one.scim.delete(&format!("/Users/{one}")).await;
        assert_eq!(world.access(json!({ "accountId": account })).await.0, "CONFIGURATION_DISABLED");
        // The name is of a user who is gone, whatever else the person has.
        assert_eq!(world.access(json!({ "userName": "ann" })).await.0, "DELETED");
        enable(&world.two, true).await;
        world.two.scim.delete(&format!("/Users/{two}")).await;
        check("DELETED").await;
        let (_, answer) = world.access(json!({ "accountId": account })).await;
        assert_eq!(answer["users"].as_array().unwrap().len(), 2);
    }

    async fn a_deleted_configuration_lets_nobody_in_before_and_after_it_is_purged(server: TestServer) {
        let world = World::new(&server).await;
        allow(&world.one, true).await;
        let account = world.imported("77", "ann@x", true).await;
        id(&provision(&world.one, "ann", "ann@x", false).await);
        id(&provision(&world.one, "ann2", "ann@x", false).await);
        world.one.call("DeleteSCIMConfiguration", json!({})).await;
        // The server's own purge may be at it as well: the answer is the same.
        for _ in 0..2 {
            for name in [json!({ "email": "ann@x" }), json!({ "accountId": account }), json!({ "clientId": "77" })] {
                assert_eq!(world.access(name.clone()).await.0, "DELETED", "{name}");
            }
            while server.repository.purge_once().await.unwrap() {}
        }
    }

    async fn a_name_that_is_passed_on_is_the_new_users(server: TestServer) {
        let world = World::new(&server).await;
        let old = id(&provision(&world.one, "ann", "ann@x", false).await);
        world.one.scim.delete(&format!("/Users/{old}")).await;
        // Back under another name, and somebody else has the old one.
        id(&provision(&world.one, "ann.smith", "ann@x", false).await);
        let new = id(&provision(&world.one, "ann", "other@x", false).await);
        set_active(&world.one, &new, false).await;
        let (reason, answer) = world.access(json!({ "userName": "ann" })).await;
        assert_eq!(reason, "DEACTIVATED");
        assert_eq!(answer["users"].as_array().unwrap().len(), 1, "{answer}");
        assert_eq!(world.access(json!({ "email": "ann@x" })).await.0, "ALLOWED");
    }

    async fn a_name_may_be_looked_for_in_one_configuration(server: TestServer) {
        let world = World::new(&server).await;
        let user = |email: &str| json!({ "userName": "ann", "externalId": "7", "emails": [{ "value": email }] });
        let one = id(&world.one.scim.post("/Users", user("one@x")).await);
        id(&world.two.scim.post("/Users", user("two@x")).await);
        set_active(&world.one, &one, false).await;
        let first = &world.one.configuration;
        for (name, expected) in [
            (json!({ "externalId": "7" }), "ALLOWED"),
            (json!({ "externalId": "7", "scimConfigurationId": first }), "DEACTIVATED"),
            (json!({ "userName": "ann", "scimConfigurationId": first }), "DEACTIVATED"),
            (json!({ "userName": "ann", "scimConfigurationId": world.two.configuration }), "ALLOWED"),
            (json!({ "userName": "bob", "scimConfigurationId": first }), "UNKNOWN"),
        ] {
            assert_eq!(world.access(name.clone()).await.0, expected, "{name}");
        }
        world.one.scim.delete(&format!("/Users/{one}")).await;
        let name = json!({ "externalId": "7", "scimConfigurationId": first });
        assert_eq!(world.access(name).await.0, "DELETED");
    }

    async fn who_has_no_account_is_known_by_name(server: TestServer) {
        let world = World::new(&server).await;
        let ann = id(&world.one.scim.post("/Users", json!({ "userName": "ann@x" })).await);
        assert_eq!(world.access(json!({ "userName": "ann@x" })).await.0, "ALLOWED");
        assert_eq!(world.access(json!({ "email": "ann@x" })).await.0, "UNKNOWN");
        let bob = id(&provision(&world.one, "bob", "bob@x", false).await);
        let account = world.link(&world.one, &bob).await.0;
        world.ask("AccountService", "DeleteAccount", json!({ "accountId": account })).await.ok();
        assert_eq!(world.access(json!({ "userName": "bob" })).await.0, "ALLOWED");
        assert_eq!(world.access(json!({ "email": "bob@x" })).await.0, "ALLOWED");
        assert_eq!(world.access(json!({ "accountId": account })).await.0, "UNKNOWN");
        // Nobody remembers those.
        for user in [ann, bob] {
            world.one.scim.delete(&format!("/Users/{user}")).await;
        }
        assert_eq!(world.access(json!({ "userName": "ann@x" })).await.0, "UNKNOWN");
        assert_eq!(world.access(json!({ "userName": "bob" })).await.0, "UNKNOWN");
    }

    async fn whoever_changed_the_email_is_deleted_by_either(server: TestServer) {
        let world = World::new(&server).await;
        world.imported("77", "a@x", true).await;
        let ann = id(&provision(&world.one, "ann", "a@x", true).await);
        world.one.scim.patch(&format!("/Users/{ann}"), email_patch("b@x")).await;
        world.one.scim.delete(&format!("/Users/{ann}")).await;
        for email in ["a@x", "b@x"] {
            assert_eq!(world.access(json!({ "email": email })).await.0, "DELETED", "{email}");
        }
    }

    async fn an_email_of_an_account_is_nobody_elses(server: TestServer) {
        let world = World::new(&server).await;
        let accounts = (world.imported("77", "ann@x", true).await, world.imported("78", "bob@x", true).await);
        let ann = id(&provision(&world.one, "ann", "ann@x", true).await);
        let bob = id(&provision(&world.one, "bob", "bob@x", true).await);
        world.one.scim.patch(&format!("/Users/{bob}"), marked_patch("ann@x")).await;
        assert_eq!(world.link(&world.one, &bob).await.0, accounts.1);
        set_active(&world.one, &ann, false).await;
        for fields in [json!({ "email": "ann@x" }), json!({ "email": "ann@x", "scimConfigurationId": world.one.configuration })] {
            let (reason, answer) = world.access(fields).await;
            assert_eq!((&*reason, &answer["accountId"]), ("DEACTIVATED", &json!(accounts.0)), "{answer}");
        }
        world.one.scim.delete(&format!("/Users/{ann}")).await;
        assert_eq!(world.access(json!({ "email": "ann@x" })).await.0, "DELETED");
        assert_eq!(world.access(json!({ "email": "bob@x" })).await.0, "ALLOWED");
    }

    async fn an_email_is_looked_for_in_the_configuration_that_is_named(server: TestServer) {
        let world = World::new(&server).await;
        let account = world.imported("77", "ann@x", true).await;
        let ann = id(&provision(&world.one, "ann", "ann@x", true).await);
        let asked = |of: &Tenant| json!({ "email": "Ann@x", "scimConfigurationId": of.configuration });
        assert_eq!(world.access(asked(&world.one)).await.0, "ALLOWED");
        let (reason, answer) = world.access(asked(&world.two)).await;
        assert_eq!((&*reason, &answer["accountId"]), ("UNKNOWN", &json!(account)));
        assert_eq!(answer["users"], Value::Null);
        // Who was there is deleted there, whoever the person still is elsewhere.
        let two = id(&provision(&world.two, "ann", "ann@x", true).await);
        world.two.scim.delete(&format!("/Users/{two}")).await;
        let (reason, answer) = world.access(asked(&world.two)).await;
        assert_eq!((&*reason, &answer["accountId"]), ("DELETED", &json!(account)));
        assert_eq!(world.access(json!({ "email": "ann@x" })).await.0, "ALLOWED");
        world.one.scim.delete(&format!("/Users/{ann}")).await;
        for of in [&world.one, &world.two] {
            assert_eq!(world.access(asked(of)).await.0, "DELETED");
        }
    }

    async fn one_name_is_to_be_said_and_no_more(server: TestServer) {
        let world = World::new(&server).await;
        for bad in [json!({}), json!({ "email": "a@x", "userName": "a" }), json!({ "email": "a\0" }), json!({ "accountId": "7" })] {
            let answer = world.ask("AccountService", "CheckAccess", bad.clone()).await;
            assert_eq!((answer.code(), &*answer.reason()), ("invalid_argument", "ARGUMENT_INVALID"), "{bad}");
            assert_eq!(answer.violations().len(), 1, "{bad}");
        }
    }

    async fn a_configuration_that_is_none_of_the_organizations_is_not_found(server: TestServer) {
        let world = World::new(&server).await;
        let account = world.imported("77", "ann@x", true).await;
        id(&provision(&world.one, "ann", "ann@x", true).await);
        let not_found = async |name: Value, configuration: &str| {
            let mut asked = name;
            asked["scimConfigurationId"] = json!(configuration);
            let answer = world.ask("AccountService", "CheckAccess", asked.clone()).await;
            assert_eq!((answer.code(), &*answer.reason()), ("not_found", "SCIM_CONFIGURATION_NOT_FOUND"), "{asked}");
        };
        let others = World::new(&server).await;
        id(&provision(&others.one, "ann", "ann@x", true).await);
        for configuration in [&others.one.configuration, &uuid::Uuid::new_v4().to_string()] {
            for name in names(&account, "77") {
                not_found(name, configuration).await;
            }
        }
        // One that was the organization's is where somebody has been.
        let first = world.one.configuration.clone();
        world.one.call("DeleteSCIMConfiguration", json!({})).await;
        for _ in 0..2 {
            let asked = json!({ "userName": "ann", "scimConfigurationId": first });
            assert_eq!(world.access(asked).await.0, "DELETED");
            not_found(json!({ "userName": "bob" }), &first).await;
            while server.repository.purge_once().await.unwrap() {}
        }
    }

    async fn who_can_be_stored_can_be_asked_for(server: TestServer) {
        let world = World::new(&server).await;
        // Of 2,000 bytes, as many as are stored.
        let (name, email) = ("n".repeat(2_000), format!("{}@x", "e".repeat(1_998)));
        let user = json!({ "userName": name, "externalId": name, "emails": [{ "value": email }] });
        id(&world.one.scim.post("/Users", user).await);
        for (field, text) in [("email", &email), ("userName", &name), ("externalId", &name)] {
            assert_eq!(world.access(json!({ field: text })).await.0, "ALLOWED", "{field}");
            let found = world.ask("DirectoryService", "ListUsers", json!({ field: text })).await.ok();
            assert_eq!(found["users"].as_array().unwrap().len(), 1, "{field}");
            for method in [("AccountService", "CheckAccess"), ("DirectoryService", "ListUsers")] {
                let answer = world.ask(method.0, method.1, json!({ field: format!("{text}x") })).await;
                assert_eq!(answer.reason(), "ARGUMENT_INVALID", "{field}");
            }
        }
        let accounts = world.ask("AccountService", "ListAccounts", json!({ "email": email })).await.ok();
        assert_eq!(accounts["accounts"].as_array().unwrap().len(), 1);
        assert_eq!(outcome(&world, &accounts["accounts"][0]).await, "ACCOUNT_IMPORT_OUTCOME_UPDATED");
        let long = json!({ "userName": "long", "emails": [{ "value": format!("{email}x") }] });
        assert_eq!(world.one.scim.post("/Users", long).await.body["scimType"], "invalidValue");
    }
}

/// What it comes to that the application tells of an account that is there.
async fn outcome(world: &World, there: &Value) -> Value {
    let told = json!({ "clientId": "1", "email": there["email"], "accountId": there["id"] });
    let answer = world.ask("AccountService", "ImportAccounts", json!({ "accounts": [told] })).await;
    answer.ok()["imports"][0]["outcome"].clone()
}
