//! Users, replaced, patched and deleted.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, IF_MATCH};
use serde_json::{Value, json};

use super::{
    Answer, NOBODY, SCIM_JSON, ScimClient, USER, ann, answer, id, make_ann, members, patch, set,
    user,
};
use crate::harness::{TestServer, on_both_engines};

/// A change if the resource is of a certain version.
async fn change_if(client: &ScimClient, method: &Method, path: &str, version: &str) -> Answer {
    let body = match *method {
        Method::PUT => user("ann@example.com"),
        Method::PATCH => patch(json!([{ "op": "replace", "path": "title", "value": "CEO" }])),
        _ => Value::Null,
    };
    let request = client.request(method.clone(), path).header(IF_MATCH, version);
    answer(match body {
        Value::Null => request,
        body => request.header(CONTENT_TYPE, SCIM_JSON).body(body.to_string()),
    })
    .await
}

on_both_engines! {
    async fn put_replaces_all_that_a_client_may_write(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let before = client.post("/Users", ann()).await.created();
        let path = format!("/Users/{}", id(&before));
        server.advance(Duration::from_mins(1));
        let mut body = user("ann@example.com");
        body["id"] = json!(NOBODY);
        body["meta"] = json!({ "created": "1999-01-01T00:00:00Z", "resourceType": "Group" });
        body["groups"] = json!([{ "value": NOBODY }]);
        body["title"] = json!("CEO");
        let answer = client.put(&path, body).await;
        assert_eq!(answer.header("etag"), answer.body["meta"]["version"]);
        let put = answer.ok();
        assert_ne!(put["meta"]["version"], before["meta"]["version"]);
        assert_eq!(put, json!({
            "schemas": [USER],
            "id": before["id"],
            "userName": "ann@example.com",
            "title": "CEO",
            "active": true,
            "meta": {
                "resourceType": "User",
                "created": "2026-11-23T20:15:00.000000Z",
                "lastModified": "2026-11-23T20:16:00.000000Z",
                "location": before["meta"]["location"],
                "version": put["meta"]["version"],
            },
        }));
        assert_eq!(client.read(&path).await, put);
        // What was searched by before finds nothing any more.
        for filter in [r#"externalId eq "a-1""#, r#"displayName eq "Ann Lee""#, r#"emails.value eq "ann@example.com""#] {
            assert_eq!(client.find("/Users", filter).await["totalResults"], 0, "{filter}");
        }
    }

    async fn a_change_of_another_version_is_refused(server: TestServer) {
        let client = ScimClient::new(&server).await;
        for method in [Method::PUT, Method::PATCH, Method::DELETE] {
            let path = make_ann(&client).await;
            let first = client.get(&path).await.header("etag").to_owned();
            client.patch(&path, json!([{ "op": "add", "path": "nickName", "value": "A" }])).await.ok();
            let before = client.read(&path).await;
            for stale in [&*first, "W/\"x\"", "nonsense"] {
                assert_eq!(change_if(&client, &method, &path, stale).await.status, 412, "{method} {stale}");
            }
            assert_eq!(client.read(&path).await, before);
            let current = before["meta"]["version"].as_str().unwrap();
            let changed = change_if(&client, &method, &path, current).await;
            assert!(changed.status < 300, "{method} {changed:?}");
            if method != Method::DELETE {
                assert!(change_if(&client, &method, &path, "*").await.status < 300);
                client.delete(&path).await.gone();
            }
        }
    }

    async fn of_a_patch_all_is_done_or_nothing(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let path = make_ann(&client).await;
        let before = client.read(&path).await;
        server.advance(Duration::from_mins(1));
        for (last, fault) in [
            (json!({ "op": "replace", "path": "emails[type eq \"fax\"]", "value": {"value": "x"} }), "noTarget"),
            (json!({ "op": "replace", "path": "id", "value": "x" }), "mutability"),
            (json!({ "op": "replace", "path": "active", "value": "perhaps" }), "invalidValue"),
            (json!({ "op": "replace", "path": "emails[", "value": "x" }), "invalidPath"),
            (json!({ "op": "replace", "path": "shoeSize", "value": 4 }), "invalidPath"),
            (json!({ "op": "remove" }), "noTarget"),
            (json!({ "op": "remove", "path": "userName" }), "mutability"),
            (json!({ "op": "move", "path": "title", "value": "x" }), "invalidSyntax"),
            (json!({ "op": "add", "path": "title" }), "invalidValue"),
        ] {
            let operations = json!([{ "op": "replace", "path": "displayName", "value": "changed" }, last]);
            assert_eq!(client.patch(&path, operations).await.fault(), (400, fault), "{last}");
            assert_eq!(client.read(&path).await, before, "{last}");
        }
        let no_patch = client.send(Method::PATCH, &path, json!({ "displayName": "changed" })).await;
        assert_eq!(no_patch.fault(), (400, "invalidSyntax"));
    }

    async fn a_patch_that_changes_nothing_keeps_version_and_time(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let path = make_ann(&client).await;
        let before = client.read(&path).await;
        server.advance(Duration::from_mins(1));
        for nothing in [
            json!([{ "op": "replace", "path": "displayName", "value": "Ann Lee" }]),
            json!([{ "op": "add", "path": "emails", "value": [{ "value": "ann@home.example", "type": "home" }] }]),
            json!([{ "op": "remove", "path": "title" }]),
            json!([{ "op": "replace", "value": { "id": before["id"], "meta": before["meta"], "active": "True" } }]),
            json!([{ "op": "replace", "path": "password", "value": "t1meMa$heen" }]),
            json!([
                { "op": "replace", "path": "displayName", "value": "x" },
                { "op": "replace", "path": "displayName", "value": "Ann Lee" },
            ]),
        ] {
            let answer = client.patch(&path, nothing.clone()).await;
            assert_eq!(answer.ok(), before, "{nothing}");
            assert_eq!(client.read(&path).await, before, "{nothing}");
        }
    }

    async fn active_can_be_removed_which_lets_nobody_in(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let path = make_ann(&client).await;
        assert_eq!(client.read(&path).await["active"], true);
        let removed = client.patch(&path, json!([{ "op": "remove", "path": "active" }])).await.ok();
        assert_eq!((removed.get("active"), client.read(&path).await.get("active")), (None, None));
        for (filter, found) in [
            ("active eq true", 0), ("active ne true", 1), ("not (active eq true)", 1),
            ("active eq false", 0), ("active ne false", 1), ("active pr", 0), ("active eq null", 1),
        ] {
            assert_eq!(client.find("/Users", filter).await["totalResults"], found, "{filter}");
        }
        // Nor does a PUT that says nothing of it.
        let whole = json!({ "schemas": [USER], "userName": "Ann@Example.com" });
        assert_eq!(client.put(&path, whole).await.ok().get("active"), None);
        let operations = json!([{ "op": "add", "path": "active", "value": true }]);
        assert_eq!(client.patch(&path, operations).await.ok()["active"], true);
    }

    async fn a_patch_moves_version_and_time(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let path = make_ann(&client).await;
        let before = client.read(&path).await;
        server.advance(Duration::from_mins(1));
        let answer = client.patch(&path, json!([
            { "op": "add", "path": "emails", "value": [{ "value": "new@x", "primary": true }] },
            { "op": "remove", "path": "emails[type eq \"home\"]" },
            { "op": "add", "path": "name.middleName", "value": "B" },
            { "op": "replace", "path": "displayName", "value": "Ann B Lee" },
        ])).await;
        assert_eq!(answer.header("etag"), answer.body["meta"]["version"]);
        let after = answer.ok();
        assert_eq!(after["meta"]["lastModified"], "2026-11-23T20:16:00.000000Z");
        assert_eq!(after["meta"]["created"], before["meta"]["created"]);
        assert_ne!(after["meta"]["version"], before["meta"]["version"]);
        assert_eq!(after["name"], json!({ "familyName": "Lee", "givenName": "Ann", "middleName": "B" }));
        // One is primary at most: the last that was said to be.
        assert_eq!(after["emails"], json!([
            { "value": "ann@example.com", "type": "work", "primary": false },
            { "value": "new@x", "primary": true },
        ]));
        assert_eq!(client.read(&path).await, after);
        assert_eq!(client.find("/Users", r#"emails.value eq "NEW@X""#).await["totalResults"], 1);
    }

    async fn a_deleted_user_is_gone_its_name_is_free_and_it_is_in_no_group(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let path = make_ann(&client).await;
        let ann = path.trim_start_matches("/Users/");
        let bob = client.make_user("bob").await;
        let group = client.make_group("G", &[ann, &bob]).await;
        let before = client.read(&format!("/Groups/{group}")).await;
        server.advance(Duration::from_mins(1));
        client.delete(&path).await.gone();
        assert_eq!(client.get(&path).await.status, 404);
        assert_eq!(client.delete(&path).await.status, 404);
        assert_eq!(client.find("/Users", r#"userName eq "ann@example.com""#).await["totalResults"], 0);
        let after = client.read(&format!("/Groups/{group}")).await;
        assert_eq!(members(&after), set(&[&bob]));
        assert_ne!(after["meta"]["version"], before["meta"]["version"]);
        assert_eq!(after["meta"]["lastModified"], "2026-11-23T20:16:00.000000Z");
        assert_ne!(make_ann(&client).await, path);
    }
}
