//! What Okta sends. Each test is a row of the table.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};

use super::{GROUP, PATCH_OP, ScimClient, USER, answer, id, ids, listed, members, set};
use crate::harness::{TestServer, on_both_engines};

const JSON: &str = "application/json";
const SCIM: &str = "application/scim+json; charset=utf-8";

async fn okta(server: &TestServer) -> ScimClient {
    ScimClient::new(server).await.speaking("Okta SCIM Client 1.0.0", SCIM)
}

fn user(name: &str) -> Value {
    json!({
        "schemas": [USER],
        "userName": name,
        "name": { "givenName": "Test", "familyName": "User" },
        "emails": [{ "primary": true, "value": name, "type": "work" }],
        "displayName": "Test User",
        "locale": "en-US",
        "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [],
        "password": "1mz050nq",
        "active": true,
    })
}

/// Without a path, as the template apps send it.
async fn replace(client: &ScimClient, path: &str, value: Value) -> Value {
    let body =
        json!({ "schemas": [PATCH_OP], "Operations": [{ "op": "replace", "value": value }] });
    client.send(Method::PATCH, path, body).await.ok()
}

on_both_engines! {
    async fn o1_look_before_creating(server: TestServer) {
        let client = okta(&server).await;
        let path = "/Users?filter=userName%20eq%20%22u%40x%22&startIndex=1&count=100";
        let request = client.request(Method::GET, path).header(CONTENT_TYPE, SCIM);
        let list = listed(answer(request).await);
        assert_eq!(list["totalResults"], 0);
        assert_eq!(list["startIndex"], 1);
        assert_eq!(list["itemsPerPage"], 0);
        assert_eq!(list["Resources"], json!([]));
        let made = client.post("/Users", user("u@x")).await.created();
        assert_eq!(ids(&client.list(path).await), [id(&made)]);
    }

    async fn o2_create_with_read_only_groups_and_a_password(server: TestServer) {
        for content_type in [JSON, SCIM] {
            let client = ScimClient::new(&server).await.speaking("Okta SCIM Client 1.0.0", content_type);
            let made = client.post("/Users", user("u@x")).await.created();
            assert!(made["id"].is_string());
            for attribute in ["userName", "name", "emails", "displayName", "locale", "externalId", "active"] {
                assert_eq!(made[attribute], user("u@x")[attribute], "{attribute}");
            }
            assert_eq!(made.get("password"), None);
            assert_eq!(client.post("/Users", user("u@x")).await.fault(), (409, "uniqueness"));
        }
    }

    async fn o3_profile_update_by_the_fetched_object(server: TestServer) {
        let client = okta(&server).await;
        let made = id(&client.post("/Users", user("u@x")).await.created());
        let path = format!("/Users/{made}");
        let mut fetched = client.read(&path).await;
        fetched["name"]["givenName"] = json!("Another");
        fetched["groups"] = json!([]);
        fetched["meta"] = json!({ "resourceType": "User" });
        let updated = client.put(&path, fetched).await.ok();
        assert_eq!(updated["id"], made);
        assert_eq!(updated["name"]["givenName"], "Another");
        assert_eq!(client.read(&path).await, updated);
    }

    async fn o4_deactivate_by_a_path_less_replace(server: TestServer) {
        let client = okta(&server).await;
        let path = format!("/Users/{}", id(&client.post("/Users", user("u@x")).await.created()));
        assert_eq!(replace(&client, &path, json!({ "active": false })).await["active"], false);
        assert_eq!(client.read(&path).await["active"], false);
        assert_eq!(replace(&client, &path, json!({ "active": true })).await["active"], true);
        let synced = replace(&client, &path, json!({ "password": "GBdw45tz" })).await;
        assert_eq!(synced.get("password"), None);
    }

    async fn o5_deactivate_by_put(server: TestServer) {
        let client = okta(&server).await;
        let path = format!("/Users/{}", id(&client.post("/Users", user("u@x")).await.created()));
        for active in [false, true] {
            let mut fetched = client.read(&path).await;
            fetched["active"] = json!(active);
            assert_eq!(client.put(&path, fetched).await.ok()["active"], active);
            assert_eq!(client.read(&path).await["active"], active);
        }
    }

    async fn o6_inactive_users_stay_readable(server: TestServer) {
        let client = okta(&server).await;
        let made = id(&client.post("/Users", user("u@x")).await.created());
        replace(&client, &format!("/Users/{made}"), json!({ "active": false })).await;
        assert_eq!(client.read(&format!("/Users/{made}")).await["active"], false);
        assert_eq!(ids(&client.list("/Users").await), [&*made]);
        assert_eq!(ids(&client.find("/Users", r#"userName eq "u@x""#).await), [made]);
    }

    async fn o7_import_page_by_page(server: TestServer) {
        let client = okta(&server).await;
        let mut users = client.make_users(205).await;
        let mut groups = Vec::new();
        for user in &users[..3] {
            groups.push(client.make_group(user, &[user]).await);
        }
        for (path, made) in [("/Users", &mut users), ("/Groups", &mut groups)] {
            let mut seen = Vec::new();
            loop {
                let page = client.list(&format!("{path}?startIndex={}&count=100", seen.len() + 1)).await;
                assert_eq!(page["totalResults"], made.len());
                assert_eq!(page["startIndex"], seen.len() + 1);
                seen.extend(ids(&page));
                if seen.len() >= made.len() {
                    break;
                }
                assert_eq!(page["itemsPerPage"], 100);
            }
            seen.sort();
            made.sort();
            assert_eq!(seen, *made);
        }
    }

    async fn o8_group_push_creates(server: TestServer) {
        let client = okta(&server).await;
        let body = json!({ "schemas": [GROUP], "displayName": "G", "members": [] });
        let made = client.post("/Groups", body).await.created();
        assert_eq!(made["displayName"], "G");
        assert_eq!(members(&made), set(&[]));
    }

    async fn o9_rename_with_the_id_inside(server: TestServer) {
        let client = okta(&server).await;
        let made = client.make_group("G", &[&client.make_user("u@x").await]).await;
        let before = client.members(&made).await;
        let path = format!("/Groups/{made}");
        let renamed = replace(&client, &path, json!({ "id": made, "displayName": "G2" })).await;
        assert_eq!(renamed["id"], made);
        assert_eq!(renamed["displayName"], "G2");
        assert_eq!(client.members(&made).await, before);
    }

    async fn o10_membership_by_filter_and_by_value(server: TestServer) {
        let client = okta(&server).await;
        let users = client.make_users(3).await;
        let made = client.make_group("G", &[&users[0], &users[1]]).await;
        let operations = json!([
            { "op": "remove", "path": format!("members[value eq \"{}\"]", users[0]) },
            { "op": "add", "path": "members", "value": [{ "value": users[2], "display": "u@x" }] },
        ]);
        client.patch(&format!("/Groups/{made}"), operations).await.ok();
        assert_eq!(client.members(&made).await, set(&[&users[1], &users[2]]));
    }

    async fn o11_push_now_replaces_all_members(server: TestServer) {
        let client = okta(&server).await;
        let users = client.make_users(3).await;
        let made = client.make_group("G", &[&users[0]]).await;
        let path = format!("/Groups/{made}");
        let value = json!([{ "value": users[1], "display": "a" }, { "value": users[2], "display": "b" }]);
        let push = json!([{ "op": "replace", "path": "members", "value": value }]);
        assert_eq!(members(&client.patch(&path, push).await.ok()), set(&[&users[1], &users[2]]));
        let push = json!([{ "op": "replace", "path": "members", "value": [] }]);
        client.patch(&path, push).await.ok();
        assert_eq!(client.members(&made).await, set(&[]));
    }

    async fn o12_membership_by_put(server: TestServer) {
        let client = okta(&server).await;
        let users = client.make_users(2).await;
        let made = client.make_group("G", &[&users[0]]).await;
        let body = json!({
            "schemas": [GROUP],
            "id": made,
            "displayName": "G",
            "members": [{ "value": users[1], "display": "u@x" }],
        });
        client.put(&format!("/Groups/{made}"), body).await.ok();
        assert_eq!(client.members(&made).await, set(&[&users[1]]));
        // What a user carries of groups is not how they are changed.
        let mut carrying = client.read(&format!("/Users/{}", users[0])).await;
        carrying["groups"] = json!([{ "value": made, "display": "G" }]);
        client.put(&format!("/Users/{}", users[0]), carrying).await.ok();
        let mut carrying = user("third@x");
        carrying["groups"] = json!([{ "value": made }]);
        client.post("/Users", carrying).await.created();
        assert_eq!(client.members(&made).await, set(&[&users[1]]));
    }

    async fn o13_unlink_and_delete(server: TestServer) {
        let client = okta(&server).await;
        let path = format!("/Groups/{}", client.make_group("G", &[]).await);
        client.delete(&path).await.gone();
        assert_eq!(client.get(&path).await.status, 404);
    }

    async fn o14_resource_types_lead_to_schemas_and_endpoints(server: TestServer) {
        let client = okta(&server).await;
        let types = client.list("/ResourceTypes").await;
        let schemas = ids(&client.list("/Schemas").await);
        for resource_type in types["Resources"].as_array().unwrap() {
            let schema = resource_type["schema"].as_str().unwrap();
            assert!(schemas.iter().any(|id| id == schema), "{schema}");
            client.list(resource_type["endpoint"].as_str().unwrap()).await;
        }
    }

    async fn o15_nothing_of_what_okta_never_calls_is_needed(server: TestServer) {
        let client = okta(&server).await;
        client.list("/Users?filter=userName%20eq%20%22u%40x%22&startIndex=1&count=100").await;
        let made = id(&client.post("/Users", user("u@x")).await.created());
        let pushed = client.make_group("G", &[]).await;
        let add = json!([{ "op": "add", "path": "members", "value": [{ "value": made, "display": "u@x" }] }]);
        client.patch(&format!("/Groups/{pushed}"), add).await.ok();
        replace(&client, &format!("/Users/{made}"), json!({ "active": false })).await;
        client.delete(&format!("/Groups/{pushed}")).await.gone();
        assert_eq!(client.read(&format!("/Users/{made}")).await.get("groups"), None);
    }

    async fn o16_whoever_asks_too_much_is_told_in_seconds_when_to_come_back(server: TestServer) {
        let limited = server.replica_with(|server| server.scim_rate_limit = 2).await;
        let client = okta(&server).await.at_replica(&server, &limited);
        for _ in 0..2 {
            client.list("/Users").await;
        }
        let refused = client.get("/Users").await;
        assert_eq!(refused.status, 429);
        // A date would make Okta wait for five minutes.
        let seconds: u64 = refused.header("retry-after").parse().unwrap();
        assert!((1..60).contains(&seconds), "{seconds}");
        server.advance(Duration::from_secs(seconds));
        client.list("/Users").await;
    }

    async fn o17_a_token_without_a_scheme_is_refused(server: TestServer) {
        let client = okta(&server).await;
        let request = client.anonymous(Method::GET, "/Users").header(AUTHORIZATION, "non-token");
        let refused = answer(request).await;
        assert_eq!(refused.status, 401);
        assert_eq!(refused.body["status"], "401");
    }
}
