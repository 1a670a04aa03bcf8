//! Users, made and read.

use reqwest::Method;
use reqwest::header::{ETAG, IF_NONE_MATCH, LOCATION};
use serde_json::{Value, json};

use super::{ENTERPRISE, NOBODY, ScimClient, USER, ann, answer, id, make_ann, user};
use crate::harness::{TestServer, on_both_engines};

on_both_engines! {
    async fn a_created_user_comes_back_in_full_with_its_place_and_version(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let answer = client.post("/Users", ann()).await;
        let (location, etag) = (answer.header(LOCATION.as_str()).to_owned(), answer.header(ETAG.as_str()).to_owned());
        let made = answer.created();
        let mut expected = ann();
        expected["id"] = made["id"].clone();
        expected["active"] = json!(true);
        expected["meta"] = json!({
            "resourceType": "User",
            "created": "2026-11-23T20:15:00.000000Z",
            "lastModified": "2026-11-23T20:15:00.000000Z",
            "location": format!("{}/Users/{}", client.base, id(&made)),
            "version": etag,
        });
        assert_eq!(made, expected);
        assert_eq!(made["meta"]["location"], location);
        let read = client.get(&format!("/Users/{}", id(&made))).await;
        assert_eq!(read.header("etag"), etag);
        assert_eq!(read.ok(), expected);
    }

    async fn what_the_server_decides_is_not_taken_from_the_client(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let mut body = ann();
        body["id"] = json!(NOBODY);
        body["meta"] = json!({ "created": "1999-01-01T00:00:00Z", "version": "x", "location": "http://x" });
        body["groups"] = json!([{ "value": NOBODY }]);
        body["password"] = json!("t1meMa$heen");
        let made = client.post("/Users", body).await.created();
        assert_ne!(made["id"], NOBODY);
        assert_eq!(made["meta"]["created"], "2026-11-23T20:15:00.000000Z");
        assert_eq!((made.get("groups"), made.get("password")), (None, None));
        let path = format!("/Users/{}?attributes=password", id(&made));
        assert_eq!(client.read(&path).await.get("password"), None);
    }

    async fn what_the_server_does_not_know_is_kept(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let mut body = ann();
        body["shoeSize"] = json!({ "eu": [42.5, true, "x"] });
        body["urn:example:custom:1.0:User"] = json!({ "Level": 3 });
        body[ENTERPRISE]["badge"] = json!("B-7");
        let made = client.post("/Users", body.clone()).await.created();
        for attribute in ["shoeSize", "urn:example:custom:1.0:User", ENTERPRISE] {
            assert_eq!(made[attribute], body[attribute], "{attribute}");
        }
    }

    async fn a_user_name_is_unique_without_regard_to_case(server: TestServer) {
        let client = ScimClient::new(&server).await;
        make_ann(&client).await;
        let taken = client.post("/Users", user("ANN@example.COM")).await;
        assert_eq!(taken.fault(), (409, "uniqueness"));
        let bob = format!("/Users/{}", client.make_user("bob").await);
        assert_eq!(client.put(&bob, user("aNN@example.com")).await.fault(), (409, "uniqueness"));
        let rename = json!([{ "op": "replace", "path": "userName", "value": "ann@EXAMPLE.com" }]);
        assert_eq!(client.patch(&bob, rename).await.fault(), (409, "uniqueness"));
        assert_eq!(client.read(&bob).await["userName"], "bob");
        // Its own it may write otherwise.
        assert_eq!(client.put(&bob, user("BOB")).await.ok()["userName"], "BOB");
        client.post("/Users", user("größe")).await.created();
        assert_eq!(client.post("/Users", user("GRÖßE")).await.fault(), (409, "uniqueness"));
    }

    async fn a_user_that_is_none_is_refused(server: TestServer) {
        let client = ScimClient::new(&server).await;
        for body in [
            json!({ "schemas": [USER] }),
            json!({ "schemas": [USER], "userName": "" }),
            json!({ "schemas": [USER], "userName": null }),
            json!({ "schemas": [USER], "userName": "x", "active": "perhaps" }),
            json!({ "schemas": [USER], "userName": "x", "name": true }),
            json!({ "schemas": [USER], "userName": { "first": "x" } }),
        ] {
            assert_eq!(client.post("/Users", body.clone()).await.fault(), (400, "invalidValue"), "{body}");
        }
        assert_eq!(client.list("/Users").await["totalResults"], 0);
    }

    async fn attributes_choose_what_is_shown(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let path = make_ann(&client).await;
        let department = format!("{ENTERPRISE}:department");
        for (asked, shown) in [
            ("userName", json!({ "userName": "Ann@Example.com" })),
            ("USERNAME,name.familyName", json!({ "userName": "Ann@Example.com", "name": { "familyName": "Lee" } })),
            ("emails.type", json!({ "emails": [{ "type": "work" }, { "type": "home" }] })),
            ("externalId, nothing", json!({ "externalId": "a-1" })),
            (&*department, json!({ ENTERPRISE: { "department": "Sales" } })),
            (&*format!("{USER}:displayName"), json!({ "displayName": "Ann Lee" })),
        ] {
            let read = client.read(&format!("{path}?attributes={asked}")).await;
            let mut expected = shown;
            expected["id"] = read["id"].clone();
            expected["schemas"] = read["schemas"].clone();
            assert_eq!(read, expected, "{asked}");
            assert!(read["id"].is_string() && read["schemas"].is_array());
        }
    }

    async fn excluded_attributes_are_left_out(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let path = make_ann(&client).await;
        let asked = format!("{path}?excludedAttributes=emails,name.givenName,id,schemas,{ENTERPRISE}:department");
        let read = client.read(&asked).await;
        assert_eq!(read.get("emails"), None);
        assert_eq!(read["name"], json!({ "familyName": "Lee" }));
        assert!(read["id"].is_string() && read["schemas"].is_array());
        assert!(!read.to_string().contains("Sales"));
        assert_eq!(read["displayName"], "Ann Lee");
    }

    async fn writes_show_the_attributes_that_are_asked_for_too(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let shown = |body: &Value| body.get("displayName").is_some() && body.get("emails").is_none();
        let made = client.post("/Users?attributes=displayName", ann()).await.created();
        assert!(shown(&made), "{made}");
        let path = format!("/Users/{}", id(&made));
        let put = client.put(&format!("{path}?attributes=displayName"), ann()).await.ok();
        assert!(shown(&put), "{put}");
        let operations = json!([{ "op": "add", "path": "title", "value": "CEO" }]);
        let patched = client.patch(&format!("{path}?excludedAttributes=emails"), operations).await.ok();
        assert!(shown(&patched), "{patched}");
    }

    async fn a_version_that_the_client_has_is_not_sent_again(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let path = make_ann(&client).await;
        let etag = client.get(&path).await.header("etag").to_owned();
        let ask = async |known: &str| {
            answer(client.request(Method::GET, &path).header(IF_NONE_MATCH, known)).await
        };
        for known in [&*etag, "*", &*format!("W/\"other\", {etag}"), etag.trim_start_matches("W/")] {
            let unchanged = ask(known).await;
            assert_eq!(unchanged.status, 304, "{known}");
            assert_eq!(unchanged.header("etag"), etag, "{known}");
        }
        assert_eq!(ask("W/\"other\"").await.status, 200);
        client.patch(&path, json!([{ "op": "add", "path": "title", "value": "CEO" }])).await.ok();
        assert_eq!(ask(&etag).await.status, 200);
    }

    async fn what_there_is_not_is_not_found(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let group = client.make_group("G", &[]).await;
        for id in [NOBODY, &*group, "1", "not-a-uuid", "%20", "..%2FGroups", "{}", "é"] {
            let path = format!("/Users/{id}");
            assert_eq!(client.get(&path).await.status, 404, "{id}");
            assert_eq!(client.put(&path, ann()).await.status, 404, "{id}");
            let operations = json!([{ "op": "replace", "path": "active", "value": false }]);
            assert_eq!(client.patch(&path, operations).await.status, 404, "{id}");
            assert_eq!(client.delete(&path).await.status, 404, "{id}");
        }
        assert_eq!(client.list("/Users").await["totalResults"], 0);
    }
}
