//! Groups, operation by operation.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH};
use serde_json::json;

use super::{
    GROUP, NOBODY, SCIM_JSON, ScimClient, answer, change_members, group, id, ids, members, patch,
    set,
};
use crate::harness::{TestServer, on_both_engines};

on_both_engines! {
    async fn a_created_group_comes_back_in_full_with_its_place_and_version(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let ann = client.make_user("ann").await;
        let mut body = group("G", &[&ann]);
        body["id"] = json!(NOBODY);
        body["externalId"] = json!("g-1");
        let answer = client.post("/Groups", body).await;
        let (location, etag) = (answer.header("location").to_owned(), answer.header("etag").to_owned());
        let made = answer.created();
        assert_ne!(made["id"], NOBODY);
        assert_eq!(made, json!({
            "schemas": [GROUP],
            "id": made["id"],
            "externalId": "g-1",
            "displayName": "G",
            "members": [{
                "value": ann,
                "$ref": format!("{}/Users/{ann}", client.base),
                "type": "User",
            }],
            "meta": {
                "resourceType": "Group",
                "created": "2026-11-23T20:15:00.000000Z",
                "lastModified": "2026-11-23T20:15:00.000000Z",
                "location": format!("{}/Groups/{}", client.base, id(&made)),
                "version": etag,
            },
        }));
        assert_eq!(made["meta"]["location"], location);
        assert_eq!(client.read(&format!("/Groups/{}", id(&made))).await, made);
    }

    async fn a_group_that_is_none_is_refused(server: TestServer) {
        let client = ScimClient::new(&server).await;
        for body in [
            json!({ "schemas": [GROUP] }),
            json!({ "schemas": [GROUP], "displayName": "" }),
            group("G", &[NOBODY]),
            group("G", &["not-a-uuid"]),
            json!({ "schemas": [GROUP], "displayName": "G", "members": [{ "display": "x" }] }),
        ] {
            assert_eq!(client.post("/Groups", body.clone()).await.fault(), (400, "invalidValue"), "{body}");
        }
        assert_eq!(client.list("/Groups").await["totalResults"], 0);
        let ann = client.make_user("ann").await;
        for id in [NOBODY, "not-a-uuid", &*ann] {
            assert_eq!(client.get(&format!("/Groups/{id}")).await.status, 404, "{id}");
            assert_eq!(client.put(&format!("/Groups/{id}"), group("G", &[])).await.status, 404, "{id}");
            assert_eq!(client.patch(&format!("/Groups/{id}"), change_members("add", &[&ann])).await.status, 404, "{id}");
            assert_eq!(client.delete(&format!("/Groups/{id}")).await.status, 404, "{id}");
        }
    }

    async fn a_name_belongs_to_one_group(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let ann = client.make_user("ann").await;
        let sales = client.make_group("Sales Ä", &[]).await;
        let path = format!("/Groups/{}", client.make_group("Support", &[&ann]).await);
        let before = client.read(&path).await;
        server.advance(Duration::from_mins(1));
        let rename = |name: &str| json!([{ "op": "replace", "path": "displayName", "value": name }]);
        let both = json!([
            { "op": "remove", "path": "members" },
            { "op": "replace", "value": { "displayName": "sales ä" } },
        ]);
        for refused in [
            client.post("/Groups", group("SALES Ä", &[&ann])).await,
            client.put(&path, group("sALES ä", &[])).await,
            client.patch(&path, rename("sales ä")).await,
            client.patch(&path, both).await,
        ] {
            assert_eq!(refused.fault(), (409, "uniqueness"), "{refused:?}");
            let name = refused.detail().to_lowercase();
            assert!(name.contains("displayname") && name.contains("sales ä"), "{refused:?}");
        }
        assert_eq!(client.read(&path).await, before);
        assert_eq!(client.list("/Groups").await["totalResults"], 2);
        assert_eq!(client.read(&format!("/Users/{ann}")).await["groups"].as_array().unwrap().len(), 1);
        // Its own it may spell anew; what is free again it may take.
        assert_eq!(client.patch(&path, rename("SUPPORT")).await.ok()["displayName"], "SUPPORT");
        client.delete(&format!("/Groups/{sales}")).await.gone();
        assert_eq!(client.patch(&path, rename("sales ä")).await.ok()["displayName"], "sales ä");
        client.make_group("Support", &[]).await;
        // Users are no groups, and other configurations have groups of their own.
        client.make_user("support").await;
        ScimClient::new(&server).await.make_group("Support", &[]).await;
    }

    async fn a_read_shows_what_is_asked_for(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let ann = client.make_user("ann").await;
        let path = format!("/Groups/{}", client.make_group("G", &[&ann]).await);
        let read = client.read(&format!("{path}?attributes=displayName")).await;
        assert_eq!((&read["displayName"], read.get("members"), read.get("meta")), (&json!("G"), None, None));
        let read = client.read(&format!("{path}?attributes=members.value")).await;
        assert_eq!(read["members"], json!([{ "value": ann }]));
        // What its members are called, a group tells who asks for it (RFC 7643 7, "request").
        for asked in ["members", "members.display"] {
            let read = client.read(&format!("{path}?attributes={asked}")).await;
            assert_eq!(read["members"][0]["display"], "ann", "{asked}");
        }
        assert_eq!(client.read(&path).await["members"][0].get("display"), None);
        let read = client.read(&format!("{path}?excludedAttributes=members.type,meta")).await;
        assert_eq!(members(&read), set(&[&ann]));
        assert_eq!((read["members"][0].get("type"), read.get("meta")), (None, None));
        let etag = client.get(&path).await.header("etag").to_owned();
        let again = client.request(Method::GET, &path).header(IF_NONE_MATCH, etag);
        assert_eq!(answer(again).await.status, 304);
    }

    async fn put_replaces_name_and_members(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let users = client.make_users(3).await;
        let made = client.make_group("G", &[&users[0], &users[1]]).await;
        let path = format!("/Groups/{made}");
        let before = client.read(&path).await;
        server.advance(Duration::from_mins(1));
        let mut body = group("G2", &[&users[1], &users[2]]);
        body["id"] = json!(NOBODY);
        body["meta"] = json!({ "created": "1999-01-01T00:00:00Z" });
        let put = client.put(&path, body).await.ok();
        assert_eq!((put["id"].as_str(), put["displayName"].as_str()), (Some(&*made), Some("G2")));
        assert_eq!(put["meta"]["created"], before["meta"]["created"]);
        assert_eq!(put["meta"]["lastModified"], "2026-11-23T20:16:00.000000Z");
        assert_eq!(members(&put), set(&[&users[1], &users[2]]));
        // Without members there are none.
        let bare = json!({ "schemas": [GROUP], "displayName": "G2" });
        client.put(&path, bare).await.ok();
        assert_eq!(client.members(&made).await, set(&[]));
    }

    async fn a_change_of_another_version_is_refused(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let ann = client.make_user("ann").await;
        let path = format!("/Groups/{}", client.make_group("G", &[]).await);
        let first = client.get(&path).await.header("etag").to_owned();
        // A change of the members is one of the group.
        let current = client.patch(&path, change_members("add", &[&ann])).await.header("etag").to_owned();
        assert_ne!(current, first);
        for (version, status) in [(first, 412), (current, 200)] {
            let request = client.request(Method::PATCH, &path).header(IF_MATCH, version);
            let request = request.header(CONTENT_TYPE, SCIM_JSON);
            let answer = answer(request.body(patch(change_members("remove", &[&ann])).to_string())).await;
            assert_eq!(answer.status, status, "{answer:?}");
        }
    }

    async fn lines_of_tags_are_one_list(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let path = format!("/Groups/{}", client.make_group("G", &[]).await);
        let tag = client.get(&path).await.header("etag").to_owned();
        let other = "W/\"99\"";
        let read = client.request(Method::GET, &path).header(IF_NONE_MATCH, other).header(IF_NONE_MATCH, &tag);
        assert_eq!(read.send().await.unwrap().status(), 304);
        let doubled = client.request(Method::DELETE, &path).header(IF_MATCH, format!("W/{tag}"));
        assert_eq!(answer(doubled).await.status, 412);
        let delete = client.request(Method::DELETE, &path).header(IF_MATCH, other).header(IF_MATCH, &tag);
        assert_eq!(answer(delete).await.status, 204);
    }

    async fn a_patched_group_is_shown_while_it_is_small_or_when_it_is_asked_for(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let users = client.make_users(101).await;
        let users: Vec<_> = users.iter().map(String::as_str).collect();
        let made = client.make_group("G", &users[..99]).await;
        let path = format!("/Groups/{made}");
        let hundred = client.patch(&path, change_members("add", &users[99..100])).await;
        assert_eq!(hundred.header("etag"), hundred.body["meta"]["version"]);
        assert_eq!(members(&hundred.ok()).len(), 100);
        client.patch(&path, change_members("add", &users[100..])).await.gone();
        assert_eq!(client.members(&made).await.len(), 101);
        let rename = json!([{ "op": "replace", "path": "displayName", "value": "G2" }]);
        client.patch(&path, rename.clone()).await.gone();
        let shown = client.patch(&format!("{path}?attributes=displayName"), rename).await.ok();
        assert_eq!((&shown["displayName"], shown.get("members")), (&json!("G2"), None));
        assert_eq!(members(&client.patch(&path, change_members("remove", &users[100..])).await.ok()).len(), 100);
    }

    async fn groups_are_found_by_their_attributes_and_members(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let (ann, bob) = (client.make_user("ann").await, client.make_user("bob").await);
        let mut body = group("Sales", &[&ann]);
        body["externalId"] = json!("g-1");
        let sales = id(&client.post("/Groups", body).await.created());
        client.make_group("Support", &[&bob]).await;
        for filter in [
            r#"displayName eq "sales""#,
            r#"externalId eq "g-1""#,
            &*format!(r#"id eq "{sales}""#),
            &*format!(r#"members.value eq "{ann}""#),
            &*format!(r#"members[value eq "{ann}"]"#),
            &*format!(r#"not (members.value eq "{bob}")"#),
            r#"displayName sw "Sa" and members pr"#,
        ] {
            assert_eq!(ids(&client.find("/Groups", filter).await), [&*sales], "{filter}");
        }
    }
}
