//! Users, groups and members as they are now.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use prost::Message as _;
use scimd::model::{Role, Scope};
use scimd::proto::scimd::v1::{GetUserRequest, GetUserResponse};
use serde_json::{Value, json};

use super::{SERVICE, World, ids};
use crate::harness::{TestServer, on_both_engines};
use crate::scim::client::Tenant;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn ann() -> Value {
    json!({
        "userName": "Ann@X", "externalId": "a-1", "displayName": "Ann Lee",
        "name": { "givenName": "Ann", "familyName": "Lee" },
        "emails": [{ "value": "home@x", "type": "home" }, { "value": "Work@X", "type": "work", "primary": true }],
        ENTERPRISE: { "department": "Sales", "employeeNumber": "7" },
        "unknown": { "size": 1.5, "list": [true, null, "x"] },
    })
}

on_both_engines! {
    async fn a_page_ends_where_it_would_be_too_large_for_a_client(server: TestServer) {
        let world = World::new(&server).await;
        let large = "x".repeat(600_000);
        for number in 0..4 {
            let user = json!({ "userName": format!("u{number}"), "title": large });
            world.tenant.scim.post("/Users", user).await.created();
        }
        let (mut seen, mut pages, mut token) = (Vec::new(), 0, String::new());
        loop {
            let page = world.ask("ListUsers", json!({ "pagination": { "token": token } })).await;
            seen.extend(ids(&page, "users"));
            pages += 1;
            match page.ok()["pagination"]["nextToken"].as_str() {
                Some(next) => token = next.to_owned(),
                None => break,
            }
        }
        seen.dedup();
        assert_eq!((seen.len(), pages), (4, 4));
    }

    async fn a_user_has_typed_fields_and_all_that_the_identity_provider_sent(server: TestServer) {
        let world = World::new(&server).await;
        let id = world.tenant.scim.post("/Users", ann()).await.body["id"].as_str().unwrap().to_owned();
        let answer = world.ask_of_tenant("GetUser", json!({ "userId": id })).await.ok();
        let mut user = answer["user"].clone();
        let resource = user["resource"].take();
        let link = user["accountLink"].take();
        assert_eq!(link["decision"], "ACCOUNT_LINK_DECISION_CREATED");
        assert_eq!(link["reason"], "ACCOUNT_LINK_REASON_NO_ACCOUNT");
        assert_eq!(user, json!({
            "id": id, "organizationId": world.organization.to_string(),
            "scimConfigurationId": world.tenant.configuration,
            "userName": "Ann@X", "externalId": "a-1", "active": true, "displayName": "Ann Lee",
            "givenName": "Ann", "familyName": "Lee", "email": "Work@X",
            "emails": [{ "value": "home@x", "type": "home" }, { "value": "Work@X", "type": "work", "primary": true }],
            "version": "1", "createdAt": "2026-11-23T20:15:00Z", "updatedAt": "2026-11-23T20:15:00Z",
            "resource": null, "accountLink": null,
        }));
        assert_eq!(resource["id"], json!(id));
        assert_eq!(resource["schemas"], json!(["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE]));
        assert_eq!(resource[ENTERPRISE]["department"], "Sales");
        assert_eq!(resource["unknown"], json!({ "size": 1.5, "list": [true, null, "x"] }));
        assert_eq!(resource["meta"]["version"], "W/\"1\"");
        assert_eq!(world.ask("ListUsers", json!({})).await.ok()["users"][0]["resource"], resource);
    }

    async fn users_are_found_by_email_user_name_and_external_id(server: TestServer) {
        let world = World::new(&server).await;
        let second = Tenant::new(&server, world.organization).await;
        second.share_emails().await;
        let here = world.tenant.scim.post("/Users", ann()).await.body["id"].clone();
        let there = second.scim.post("/Users", ann()).await.body["id"].clone();
        let other = json!({ "userName": "bob@x", "externalId": "b-1", "emails": [{ "value": "bob@x" }] });
        world.tenant.scim.post("/Users", other).await;
        for (search, found) in [
            (json!({ "email": "WORK@x" }), vec![&here, &there]),
            (json!({ "email": "home@x", "userName": "ann@x" }), vec![&here, &there]),
            (json!({ "email": "bob@x", "userName": "ann@x" }), vec![]),
            (json!({ "userName": "ANN@X", "scimConfigurationId": second.configuration }), vec![&there]),
            (json!({ "externalId": "a-1" }), vec![&here, &there]),
            (json!({ "externalId": "A-1" }), vec![]),
        ] {
            let answer = world.ask("ListUsers", search.clone()).await;
            assert_eq!(ids(&answer, "users"), found.iter().map(|id| id.as_str().unwrap()).collect::<Vec<_>>(), "{search}");
        }
    }

    async fn pages_go_through_all_configurations_and_show_each_user_and_group_once(server: TestServer) {
        let world = World::new(&server).await;
        let second = Tenant::new(&server, world.organization).await;
        let (mut users, mut groups) = (Vec::new(), Vec::new());
        for tenant in [&world.tenant, &second] {
            for number in 0..5 {
                server.advance(std::time::Duration::from_millis(1));
                let made = tenant.scim.post("/Users", json!({ "userName": format!("user{number}") })).await;
                users.push(made.body["id"].as_str().unwrap().to_owned());
                let made = tenant.scim.post("/Groups", json!({ "displayName": format!("group{number}") })).await;
                groups.push(made.body["id"].as_str().unwrap().to_owned());
            }
        }
        for (method, list, expected) in [("ListUsers", "users", users), ("ListGroups", "groups", groups)] {
            let (mut seen, mut pages, mut token) = (Vec::new(), 0, String::new());
            loop {
                let pagination = json!({ "pageSize": 4, "token": token });
                let answer = world.ask(method, json!({ "pagination": pagination })).await;
                seen.extend(ids(&answer, list));
                pages += 1;
                token = answer.clone().ok()["pagination"]["nextToken"].as_str().unwrap_or_default().to_owned();
                if token.is_empty() { break }
            }
            assert_eq!((pages, seen), (3, expected));
        }
        let refused = world.ask("ListUsers", json!({ "pagination": { "token": "x" } })).await;
        assert_eq!(refused.violations().keys().collect::<Vec<_>>(), ["pagination.token"]);
    }

    async fn members_of_a_group_and_groups_of_a_user_are_paged(server: TestServer) {
        let world = World::new(&server).await;
        let scim = &world.tenant.scim;
        let made = async |path: &str, body: Value| scim.post(path, body).await.body["id"].as_str().unwrap().to_owned();
        let user = made("/Users", json!({ "userName": "ann" })).await;
        let (mut groups, mut members) = (Vec::new(), vec![json!({ "value": user })]);
        for number in 0..3 {
            server.advance(std::time::Duration::from_millis(1));
            let group = made("/Groups", json!({ "displayName": format!("group{number}"), "members": members })).await;
            members.push(json!({ "value": group }));
            groups.push(group);
        }
        let page = world.ask_of_tenant("ListUserGroups", json!({ "userId": user, "pagination": { "pageSize": 2 } })).await;
        assert_eq!(ids(&page, "groups"), groups[..2]);
        let pagination = json!({ "token": page.clone().ok()["pagination"]["nextToken"] });
        let page = world.ask_of_tenant("ListUserGroups", json!({ "userId": user, "pagination": pagination })).await;
        assert_eq!(ids(&page, "groups"), groups[2..]);

        let page = world.ask_of_tenant("ListGroupMembers", json!({ "groupId": groups[2], "pagination": { "pageSize": 1 } })).await.ok();
        assert_eq!(page["members"], json!([{ "userId": user }]));
        let pagination = json!({ "token": page["pagination"]["nextToken"] });
        let page = world.ask_of_tenant("ListGroupMembers", json!({ "groupId": groups[2], "pagination": pagination })).await.ok();
        assert_eq!(page["members"], json!([{ "groupId": groups[0] }, { "groupId": groups[1] }]));
        let shown = world.ask_of_tenant("GetGroup", json!({ "groupId": groups[2] })).await.ok();
        assert_eq!((&shown["group"]["displayName"], &shown["group"]["version"]), (&json!("group2"), &json!("1")));
    }

    async fn what_is_not_there_or_anothers_is_not_found(server: TestServer) {
        let (world, other) = (World::new(&server).await, World::new(&server).await);
        let user = other.tenant.scim.post("/Users", ann()).await.body["id"].clone();
        let group = other.tenant.scim.post("/Groups", json!({ "displayName": "g" })).await.body["id"].clone();
        for (method, fields, reason) in [
            ("GetUser", json!({ "userId": user }), "USER_NOT_FOUND"),
            ("ListUserGroups", json!({ "userId": user }), "USER_NOT_FOUND"),
            ("GetGroup", json!({ "groupId": group }), "GROUP_NOT_FOUND"),
            ("ListGroupMembers", json!({ "groupId": group }), "GROUP_NOT_FOUND"),
        ] {
            let answer = world.ask_of_tenant(method, fields.clone()).await;
            assert_eq!((answer.code(), &*answer.reason()), ("not_found", reason), "{method}");
            let mut body = fields;
            body["scimConfigurationId"] = json!(other.tenant.configuration);
            let answer = world.product.post(&format!("{SERVICE}/{method}"), body.clone()).await;
            assert_eq!(&*answer.reason(), "SCIM_CONFIGURATION_NOT_FOUND", "{method}");
            let platform = server.client(&server.key(Scope::Platform, Role::Viewer, None).await);
            platform.post(&format!("{SERVICE}/{method}"), body).await.ok();
        }
        for method in ["ListUsers", "ListGroups"] {
            let named = json!({ "organizationId": other.organization.to_string() });
            let answer = world.product.post(&format!("{SERVICE}/{method}"), named).await;
            assert_eq!(&*answer.reason(), "ORGANIZATION_FORBIDDEN");
            let named = json!({ "scimConfigurationId": other.tenant.configuration });
            let answer = world.ask(method, named).await;
            assert_eq!(&*answer.reason(), "SCIM_CONFIGURATION_NOT_FOUND");
        }
    }

    async fn every_door_shows_the_same_user(server: TestServer) {
        let world = World::new(&server).await;
        let id = world.tenant.scim.post("/Users", ann()).await.body["id"].as_str().unwrap().to_owned();
        let request = GetUserRequest { scim_configuration_id: world.tenant.configuration.clone(), user_id: id };
        let expected = world.grpc().await.get_user(request.clone()).await.unwrap().into_inner();
        assert_eq!(expected.user.as_ref().unwrap().email, "Work@X");

        let url = format!("{}{SERVICE}/GetUser", server.url);
        let (http, key) = (reqwest::Client::new(), world.product.key.clone().unwrap());
        let binary = request.encode_to_vec();
        let post = http.post(&url).header("content-type", "application/proto").body(binary.clone());
        let body = post.bearer_auth(&key).send().await.unwrap().bytes().await.unwrap();
        assert_eq!(GetUserResponse::decode(body).unwrap(), expected);
        let query = [("encoding", "proto"), ("base64", "1"), ("message", &URL_SAFE_NO_PAD.encode(&binary)), ("connect", "v1")];
        let body = http.get(&url).query(&query).bearer_auth(&key).send().await.unwrap().bytes().await.unwrap();
        assert_eq!(GetUserResponse::decode(body).unwrap(), expected);
        let mut framed = vec![0];
        framed.extend(u32::try_from(binary.len()).unwrap().to_be_bytes());
        framed.extend(&binary);
        let web = http.post(&url).header("content-type", "application/grpc-web+proto").body(framed);
        let body = web.bearer_auth(&key).send().await.unwrap().bytes().await.unwrap();
        let length = u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize;
        assert_eq!(GetUserResponse::decode(&body[5..5 + length]).unwrap(), expected);
    }
}
