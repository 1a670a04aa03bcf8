//! The six methods, case by case.

use std::collections::BTreeSet;
use std::time::Duration;

use scimd::proto::gitpod::v1::{
    CreateScimConfigurationRequest, GetScimConfigurationRequest, RegenerateScimTokenRequest,
    UpdateScimConfigurationRequest,
};
use serde_json::{Value, json};

use crate::harness::{Client, SSO, TestServer, on_both_engines};

const DAY: Duration = Duration::from_hours(24);

on_both_engines! {
    async fn a_configuration_made_with_nothing_but_what_must_be_said_has_the_defaults(server: TestServer) {
        let organization = server.organization();
        let created = server.admin(organization).await.create(organization).await.ok();
        let configuration = &created["scimConfiguration"];
        // False and empty are left out, as canonical ProtoJSON has it.
        assert_eq!(*configuration, json!({
            "id": configuration["id"],
            "organizationId": organization.to_string(),
            "enabled": true,
            "ssoConfigurationId": SSO,
            "createdAt": "2026-11-23T20:15:00Z",
            "updatedAt": "2026-11-23T20:15:00Z",
            "tokenExpiresAt": "2027-11-23T20:15:00Z",
        }));
        assert_eq!(created["tokenExpiresAt"], configuration["tokenExpiresAt"]);
    }

    async fn what_is_created_is_what_was_asked_for_and_what_is_read(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let created = client.call("CreateSCIMConfiguration", json!({
            "organizationId": organization.to_string(),
            "ssoConfigurationId": SSO,
            "name": "Okta — Zürich",
            "tokenExpiresIn": "7776000s",
            "allowUnverifiedEmailAccountLinking": true,
        })).await;
        let configuration = created.clone().ok()["scimConfiguration"].clone();
        assert_eq!(configuration["name"], "Okta — Zürich");
        assert_eq!(configuration["tokenExpiresAt"], "2027-02-21T20:15:00Z");
        assert_eq!(configuration["allowUnverifiedEmailAccountLinking"], true);
        assert_eq!(client.get(&created.id()).await.ok()["scimConfiguration"], configuration);
    }

    async fn grpc_answers_as_connect_does(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let mut grpc = client.grpc().await;
        let created = grpc.create_scim_configuration(CreateScimConfigurationRequest {
            organization_id: organization.to_string(),
            sso_configuration_id: SSO.to_owned(),
            name: Some("over gRPC".to_owned()),
            ..Default::default()
        }).await.unwrap().into_inner();
        let configuration = created.scim_configuration.unwrap();
        assert_eq!(client.get(&configuration.id).await.ok()["scimConfiguration"]["name"], "over gRPC");
        assert_eq!(server.scim_status(&configuration.id, &created.token).await, 200);
    }

    async fn a_token_may_live_from_one_day_to_two_years_both_included(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let create = async |lifetime: &str| {
            client.call("CreateSCIMConfiguration", json!({
                "organizationId": organization.to_string(),
                "ssoConfigurationId": SSO,
                "tokenExpiresIn": lifetime,
            })).await
        };
        assert_eq!(create("86400s").await.ok()["tokenExpiresAt"], "2026-11-24T20:15:00Z");
        assert_eq!(create("63072000s").await.ok()["tokenExpiresAt"], "2028-11-22T20:15:00Z");
        assert_eq!(create("+9125115.360s").await.ok()["tokenExpiresAt"], "2027-03-09T11:00:15.360Z");
        for refused in ["86399s", "86399.999999999s", "63072000.000000001s", "-86400s", "0s"] {
            let answer = create(refused).await;
            assert_eq!(answer.code(), "invalid_argument", "{refused}");
            assert!(answer.violations().contains_key("token_expires_in"), "{refused}: {answer:?}");
        }
    }

    async fn what_a_lifetime_has_beyond_microseconds_is_cut_off(server: TestServer) {
        let organization = server.organization();
        let created = server.admin(organization).await.call("CreateSCIMConfiguration", json!({
            "organizationId": organization.to_string(),
            "ssoConfigurationId": SSO,
            "tokenExpiresIn": "86400.123456789s",
        })).await.ok();
        assert_eq!(created["tokenExpiresAt"], "2026-11-24T20:15:00.123456Z");
    }

    async fn an_update_changes_the_fields_that_are_present_and_moves_updated_at(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let id = client.create(organization).await.id();
        let mut expected = client.get(&id).await.ok()["scimConfiguration"].clone();
        let other = "0b0e2a2c-6c3a-4a55-8a3b-0a7c5c4f1e22";
        for (field, value) in [
            ("name", json!("renamed")),
            ("enabled", json!(false)),
            ("ssoConfigurationId", json!(other)),
            ("allowUnverifiedEmailAccountLinking", json!(true)),
        ] {
            server.advance(Duration::from_secs(1));
            let answer = update(&client, &id, json!({ field: value })).await;
            expected[field] = value;
            expected["updatedAt"] = answer["updatedAt"].clone();
            // False is left out.
            expected.as_object_mut().unwrap().retain(|_, value| *value != false);
            assert_eq!(answer, expected);
            assert_eq!(client.get(&id).await.ok()["scimConfiguration"], expected);
        }
        assert_eq!(expected["updatedAt"], "2026-11-23T20:15:04Z");
    }

    async fn an_update_with_an_empty_sso_configuration_unlinks(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let id = client.create(organization).await.id();
        let unlinked = update(&client, &id, json!({ "ssoConfigurationId": "" })).await;
        assert_eq!(unlinked.get("ssoConfigurationId"), None);
        let linked = update(&client, &id, json!({ "ssoConfigurationId": SSO })).await;
        assert_eq!(linked["ssoConfigurationId"], SSO);
    }

    async fn an_update_that_names_no_field_changes_nothing(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let id = client.create(organization).await.id();
        let before = client.get(&id).await.ok();
        server.advance(DAY);
        let nulls = json!({ "name": null, "enabled": null, "ssoConfigurationId": null });
        for nothing in [json!({}), nulls, json!({ "unknown": 1 })] {
            assert_eq!(update(&client, &id, nothing).await, before["scimConfiguration"]);
        }
        let answer = client.grpc().await.update_scim_configuration(UpdateScimConfigurationRequest {
            scim_configuration_id: id.clone(),
            ..Default::default()
        }).await.unwrap();
        assert_eq!(answer.into_inner().scim_configuration.unwrap().id, id);
        assert_eq!(client.get(&id).await.ok(), before);
    }

    async fn a_regenerated_token_replaces_the_old_one_at_once(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let created = client.create(organization).await;
        let (id, old) = (created.id(), created.token());
        assert_eq!(server.scim_status(&id, &old).await, 200);
        let new = client.call("RegenerateSCIMToken", json!({ "scimConfigurationId": id })).await.token();
        assert_ne!(new, old);
        assert_eq!(server.scim_status(&id, &old).await, 401);
        assert_eq!(server.scim_status(&id, &new).await, 200);
    }

    async fn a_token_regenerated_without_a_lifetime_gets_that_of_the_one_before(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let id = client.call("CreateSCIMConfiguration", json!({
            "organizationId": organization.to_string(),
            "ssoConfigurationId": SSO,
            "tokenExpiresIn": "7776000.5s",
        })).await.id();
        let regenerate = async |lifetime: Value| {
            let body = json!({ "scimConfigurationId": id, "tokenExpiresIn": lifetime });
            client.call("RegenerateSCIMToken", body).await.ok()["tokenExpiresAt"].clone()
        };
        server.advance(DAY);
        assert_eq!(regenerate(Value::Null).await, "2027-02-22T20:15:00.500Z");
        assert_eq!(regenerate(json!("172800s")).await, "2026-11-26T20:15:00Z");
        server.advance(DAY);
        assert_eq!(regenerate(Value::Null).await, "2026-11-27T20:15:00Z");
        let read = client.get(&id).await.ok();
        assert_eq!(read["scimConfiguration"]["tokenExpiresAt"], "2026-11-27T20:15:00Z");
        assert_eq!(read["scimConfiguration"]["updatedAt"], "2026-11-25T20:15:00Z");
    }

    async fn a_token_opens_its_configuration_until_the_instant_that_it_expires(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let created = client.create(organization).await;
        server.advance(365 * DAY - Duration::from_micros(1));
        assert_eq!(server.scim_status(&created.id(), &created.token()).await, 200);
        server.advance(Duration::from_micros(1));
        assert_eq!(server.scim_status(&created.id(), &created.token()).await, 401);
    }

    async fn a_disabled_configuration_refuses_its_token_until_it_is_enabled(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let created = client.create(organization).await;
        let (id, token) = (created.id(), created.token());
        update(&client, &id, json!({ "enabled": false })).await;
        assert_eq!(server.scim_status(&id, &token).await, 403);
        update(&client, &id, json!({ "enabled": true })).await;
        assert_eq!(server.scim_status(&id, &token).await, 200);
    }

    async fn a_deleted_configuration_is_gone_with_its_token(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let created = client.create(organization).await;
        let body = json!({ "scimConfigurationId": created.id() });
        assert_eq!(client.call("DeleteSCIMConfiguration", body.clone()).await.ok(), json!({}));
        assert_eq!(server.scim_status(&created.id(), &created.token()).await, 401);
        for method in ["DeleteSCIMConfiguration", "GetSCIMConfiguration", "UpdateSCIMConfiguration", "RegenerateSCIMToken"] {
            let answer = client.call(method, body.clone()).await;
            assert_eq!(answer.code(), "not_found", "{method}");
            assert_eq!(answer.reason(), "SCIM_CONFIGURATION_NOT_FOUND");
        }
        let listed = client.call("ListSCIMConfigurations", json!({})).await.ok();
        assert_eq!(listed, json!({ "pagination": {} }));
    }

    async fn an_id_is_read_in_either_case_and_written_in_lower_case(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let id = client.create(organization).await.id();
        assert_eq!(client.get(&id.to_uppercase()).await.id(), id);
    }

    async fn sixty_configurations_are_walked_by_seven_oldest_first_and_each_once(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let mut made = Vec::new();
        for number in 0..60 {
            made.push(client.create(organization).await.id());
            // Some at the same instant: then the id decides.
            if number % 3 == 0 {
                server.advance(Duration::from_secs(1));
            }
        }
        let by_body = walk(&client, async |token| {
            let pagination = json!({ "pageSize": 7, "token": token });
            client.call("ListSCIMConfigurations", json!({ "pagination": pagination })).await.ok()
        }).await;
        let by_query = walk(&client, async |token| {
            let path = format!("/gitpod.v1.OrganizationService/ListSCIMConfigurations?token={token}&pageSize=7");
            // The query wins over the body.
            client.post(&path, json!({ "pagination": { "pageSize": 50 } })).await.ok()
        }).await;
        assert_eq!(by_body, by_query);
        assert_eq!(by_body.iter().collect::<BTreeSet<_>>(), made.iter().collect());
        assert_eq!(by_body.len(), 60);
    }

    async fn a_page_has_25_items_unless_it_is_told_and_at_most_100(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        for _ in 0..101 {
            client.create(organization).await.ok();
        }
        for (size, items) in [(json!(null), 25), (json!(0), 25), (json!(1), 1), (json!(100), 100)] {
            let body = json!({ "pagination": { "pageSize": size } });
            let page = client.call("ListSCIMConfigurations", body).await.ok();
            assert_eq!(page["scimConfigurations"].as_array().unwrap().len(), items, "{size}");
            assert!(page["pagination"]["nextToken"].is_string(), "{size}");
        }
    }

    async fn a_walk_shows_what_stayed_exactly_once_while_others_create_and_delete(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let mut ids = Vec::new();
        for _ in 0..40 {
            server.advance(Duration::from_secs(1));
            ids.push(client.create(organization).await.id());
        }
        let delete = async |id: &str| {
            client.call("DeleteSCIMConfiguration", json!({ "scimConfigurationId": id })).await.ok()
        };
        let mut seen = Vec::new();
        let mut token = String::new();
        let mut round = 0;
        loop {
            let body = json!({ "pagination": { "pageSize": 5, "token": token } });
            let page = client.call("ListSCIMConfigurations", body).await.ok();
            seen.extend(items(&page));
            token = page["pagination"]["nextToken"].as_str().unwrap_or_default().to_owned();
            if token.is_empty() {
                break;
            }
            // The last one shown, whose place the token names, and one that was
            // shown before and one that would come next.
            for index in [round * 5 + 4, round * 5, round * 5 + 6] {
                if ids.get(index).is_some_and(|id| !id.is_empty()) {
                    delete(&ids[index]).await;
                    ids[index].clear();
                }
            }
            round += 1;
            if round < 5 {
                server.advance(Duration::from_secs(1));
                client.create(organization).await.ok();
            }
        }
        let unique: BTreeSet<_> = seen.iter().collect();
        assert_eq!(unique.len(), seen.len(), "none is shown twice");
        for id in ids.iter().filter(|id| !id.is_empty()) {
            assert!(unique.contains(id), "{id} stayed and was not shown");
        }
    }

    async fn a_replica_sees_a_change_with_its_next_request(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let replica = server.replica().await;
        let there = Client::new(&replica.url, client.key.as_deref());
        let created = client.create(organization).await;
        assert_eq!(there.get(&created.id()).await.ok(), client.get(&created.id()).await.ok());
        let body = json!({ "scimConfigurationId": created.id() });
        there.call("RegenerateSCIMToken", body).await.ok();
        assert_eq!(server.scim_status(&created.id(), &created.token()).await, 401);
    }

    async fn messages_with_a_token_do_not_show_it_in_debug(server: TestServer) {
        let organization = server.organization();
        let mut grpc = server.admin(organization).await.grpc().await;
        let created = grpc.create_scim_configuration(CreateScimConfigurationRequest {
            organization_id: organization.to_string(),
            sso_configuration_id: SSO.to_owned(),
            ..Default::default()
        }).await.unwrap().into_inner();
        let id = created.scim_configuration.clone().unwrap().id;
        let request = RegenerateScimTokenRequest { scim_configuration_id: id.clone(), token_expires_in: None };
        let regenerated = grpc.regenerate_scim_token(request).await.unwrap().into_inner();
        let shown = format!("{created:?} {regenerated:?}");
        assert!(shown.contains("[redacted]"));
        assert!(!shown.contains("scimd_scim_"), "{shown}");
        let request = GetScimConfigurationRequest { scim_configuration_id: id };
        grpc.get_scim_configuration(request).await.unwrap();
    }
}

async fn update(client: &Client, id: &str, mut fields: Value) -> Value {
    fields["scimConfigurationId"] = json!(id);
    client.call("UpdateSCIMConfiguration", fields).await.ok()["scimConfiguration"].clone()
}

async fn walk(client: &Client, page: impl AsyncFn(String) -> Value) -> Vec<String> {
    assert!(client.key.is_some());
    let mut ids = Vec::new();
    let mut instants = Vec::new();
    let mut token = String::new();
    loop {
        let page = page(token).await;
        ids.extend(items(&page));
        instants.extend(created_at(&page));
        token = page["pagination"]["nextToken"].as_str().unwrap_or_default().to_owned();
        if token.is_empty() {
            assert!(instants.is_sorted(), "oldest first");
            return ids;
        }
        assert_eq!(items(&page).len(), 7);
    }
}

fn items(page: &Value) -> Vec<String> {
    let items = page["scimConfigurations"].as_array().cloned().unwrap_or_default();
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

fn created_at(page: &Value) -> Vec<String> {
    let items = page["scimConfigurations"].as_array().cloned().unwrap_or_default();
    items.iter().map(|item| item["createdAt"].as_str().unwrap().to_owned()).collect()
}
