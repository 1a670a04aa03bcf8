//! What Google Workspace sends. Each test is a row of the table.

use serde_json::{Value, json};

use super::{ScimClient, USER, id, ids};
use crate::harness::{TestServer, on_both_engines};

async fn google(server: &TestServer) -> ScimClient {
    ScimClient::new(server).await.speaking("Google-Auto-Provisioning", "application/json")
}

fn user(name: &str) -> Value {
    json!({
        "schemas": ["urn:scim:schemas:core:1.0", USER],
        "userName": name,
        "emails": [{ "primary": true, "value": name, "type": "work" }],
        "displayName": "Test User",
        "name": { "givenName": "Test", "familyName": "User", "formatted": "Test User" },
        "active": true,
    })
}

on_both_engines! {
    async fn g1_plain_json_is_taken(server: TestServer) {
        let client = google(&server).await;
        let path = format!("/Users/{}", id(&client.post("/Users", user("u@x")).await.created()));
        client.put(&path, user("u2@x")).await.ok();
        let off = client.patch(&path, json!([{ "op": "replace", "path": "active", "value": false }])).await;
        assert_eq!(off.ok()["active"], false);
    }

    async fn g2_connection_probe(server: TestServer) {
        let client = google(&server).await;
        for path in ["/Users", "/Users?count=1"] {
            assert_eq!(client.list(path).await["totalResults"], 0, "{path}");
        }
    }

    async fn g3_start_index_without_count(server: TestServer) {
        let client = google(&server).await;
        let made = id(&client.post("/Users", user("u@x")).await.created());
        let list = client.list("/Users?filter=userName%20eq%20%22u@x%22&startIndex=1").await;
        assert_eq!(ids(&list), [made]);
        assert_eq!(list["startIndex"], 1);
    }

    async fn g4_a_schema_of_scim_1_in_the_list(server: TestServer) {
        let client = google(&server).await;
        let made = client.post("/Users", user("u@x")).await.created();
        for attribute in ["userName", "emails", "displayName", "name", "active"] {
            assert_eq!(made[attribute], user("u@x")[attribute], "{attribute}");
        }
        assert!(made["schemas"].as_array().unwrap().contains(&json!(USER)));
    }

    async fn g5_an_active_user_is_deleted(server: TestServer) {
        let client = google(&server).await;
        let made = client.post("/Users", user("u@x")).await.created();
        assert_eq!(made["active"], true);
        let path = format!("/Users/{}", id(&made));
        client.delete(&path).await.gone();
        assert_eq!(client.get(&path).await.status, 404);
        assert_eq!(client.delete(&path).await.status, 404);
    }

    async fn g6_schemas_are_complete(server: TestServer) {
        let schema = google(&server).await.read(&format!("/Schemas/{USER}")).await;
        let attributes = schema["attributes"].as_array().unwrap();
        let names: Vec<_> = attributes.iter().map(|attribute| attribute["name"].as_str().unwrap()).collect();
        for name in [
            "userName", "name", "displayName", "nickName", "profileUrl", "title", "userType", "preferredLanguage",
            "locale", "timezone", "active", "password", "emails", "phoneNumbers", "ims", "photos", "addresses",
            "groups", "entitlements", "roles", "x509Certificates",
        ] {
            assert!(names.contains(&name), "{name}");
        }
    }

    async fn g7_users_alone_are_enough(server: TestServer) {
        let client = google(&server).await;
        let made = client.post("/Users", user("u@x")).await.created();
        assert_eq!(made.get("groups"), None);
        assert_eq!(client.list("/Groups").await["totalResults"], 0);
    }
}
