//! What `JumpCloud` sends. Each test is a row of the table.

use serde_json::{Value, json};

use super::{ENTERPRISE, GROUP, ScimClient, USER, id, set};
use crate::harness::{TestServer, on_both_engines};

async fn jumpcloud(server: &TestServer) -> ScimClient {
    ScimClient::new(server).await.speaking("jumpcloud-scim", "application/scim+json")
}

fn user(name: &str) -> Value {
    json!({
        "schemas": [USER, ENTERPRISE],
        "externalId": "640f2a1f6b2c5d0001b3d4e5",
        "userName": name,
        "displayName": "Test User",
        "name": { "givenName": "Test", "familyName": "User" },
        "active": true,
        "locale": "en-US",
        "preferredLanguage": "en",
        "emails": [{ "type": "work", "primary": true, "value": name }],
        "phoneNumbers": [{ "type": "mobile", "value": "tel:+1-555-555-5555" }],
        "addresses": [{ "type": "work", "streetAddress": "1 Main St", "postalCode": "80301", "country": "US" }],
        ENTERPRISE: { "employeeNumber": "42", "costCenter": "C", "department": "Sales" },
    })
}

on_both_engines! {
    async fn j1_activation_uses_every_verb(server: TestServer) {
        let client = jumpcloud(&server).await;
        assert_eq!(client.list("/Users").await["totalResults"], 0);
        let person = format!("/Users/{}", id(&client.post("/Users", user("test@x")).await.created()));
        let body = json!({ "schemas": [GROUP], "displayName": "test group" });
        let group = format!("/Groups/{}", id(&client.post("/Groups", body).await.created()));
        client.put(&person, user("test2@x")).await.ok();
        client.patch(&person, json!([{ "op": "replace", "path": "active", "value": false }])).await.ok();
        client.patch(&group, json!([{ "op": "replace", "path": "displayName", "value": "G" }])).await.ok();
        for path in [person, group] {
            client.read(&path).await;
            client.delete(&path).await.gone();
            assert_eq!(client.get(&path).await.status, 404);
        }
    }

    async fn j2_values_are_stored_as_sent(server: TestServer) {
        let client = jumpcloud(&server).await;
        let made = client.post("/Users", user("u@x")).await.created();
        for (attribute, sent) in user("u@x").as_object().unwrap() {
            assert_eq!(made[attribute], *sent, "{attribute}");
        }
        assert_eq!(client.read(&format!("/Users/{}", id(&made))).await, made);
    }

    async fn j3_put_with_empty_lists_and_null(server: TestServer) {
        let client = jumpcloud(&server).await;
        let path = format!("/Users/{}", id(&client.post("/Users", user("u@x")).await.created()));
        let mut body = user("u@x");
        body["addresses"] = json!([]);
        body["phoneNumbers"] = json!([]);
        body["photos"] = json!([{ "value": "https://example.com/u.png" }]);
        let put = client.put(&path, body).await.ok();
        assert_eq!((put.get("addresses"), put.get("phoneNumbers")), (None, None));
        assert_eq!(put["photos"][0]["value"], "https://example.com/u.png");
        let minimal = json!({ "schemas": [USER], "userName": "u@x", "emails": null, "active": true });
        let put = client.put(&path, minimal).await.ok();
        for cleared in ["emails", "photos", "name", "externalId", ENTERPRISE] {
            assert_eq!(put.get(cleared), None, "{cleared}");
        }
        assert_eq!(client.read(&path).await, put);
    }

    async fn j4_one_operation_per_attribute(server: TestServer) {
        let client = jumpcloud(&server).await;
        let path = format!("/Users/{}", id(&client.post("/Users", user("u@x")).await.created()));
        let updated = client.patch(&path, json!([
            { "op": "replace", "path": "name.givenName", "value": "Another" },
            { "op": "replace", "path": "active", "value": false },
        ])).await.ok();
        assert_eq!(updated["name"], json!({ "givenName": "Another", "familyName": "User" }));
        assert_eq!(updated["active"], false);
    }

    async fn j5_members_by_bare_values(server: TestServer) {
        let client = jumpcloud(&server).await;
        let users = client.make_users(2).await;
        let group = client.make_group("G", &[&users[0]]).await;
        let path = format!("/Groups/{group}");
        let change = |op: &str, id: &str| json!([{ "op": op, "path": "members", "value": [{ "value": id }] }]);
        client.patch(&path, change("add", &users[1])).await.ok();
        assert_eq!(client.members(&group).await, set(&[&users[0], &users[1]]));
        client.patch(&path, change("remove", &users[0])).await.ok();
        assert_eq!(client.members(&group).await, set(&[&users[1]]));
    }
}
