//! Who is let in at the control plane, and what is said to whom is not.

use std::time::Duration;

use scimd::clock::SystemRandom;
use scimd::model::{ApiKeyId, Role, Scope};
use scimd::proto::gitpod::v1::identity_service_client::IdentityServiceClient;
use scimd::proto::gitpod::v1::organization_service_client::OrganizationServiceClient;
use scimd::proto::gitpod::v1::{
    CreateScimConfigurationRequest, DeleteScimConfigurationRequest,
    GetAuthenticatedIdentityRequest, ListScimConfigurationsRequest, Principal,
    RegenerateScimTokenRequest, UpdateScimConfigurationRequest,
};
use scimd::token::{Kind, PlainToken};
use serde_json::{Value, json};
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::harness::{Answer, SSO, TestServer, on_both_engines};
use crate::observability::lose;

on_both_engines! {
    async fn a_call_without_a_bearer_credential_is_told_to_send_one(server: TestServer) {
        let key = server.key(Scope::Platform, Role::Admin, None).await;
        for header in [None, Some("Basic c2NpbWQ6c2NpbWQ="), Some("Bearer"), Some("Bearer "), Some(&key)] {
            assert_eq!(refused(&server, header).await, "CREDENTIAL_MISSING", "{header:?}");
        }
    }

    async fn a_credential_that_is_no_key_of_ours_is_refused(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let key = client.key.clone().unwrap();
        let scim_token = client.create(organization).await.token();
        let unknown = PlainToken::mint(Kind::ApiKey, &SystemRandom);
        let mistyped = mistyped(&key);
        for credential in ["x", &key[..key.len() - 1], &mistyped, &scim_token, unknown.expose()] {
            let header = format!("Bearer {credential}");
            assert_eq!(refused(&server, Some(&header)).await, "CREDENTIAL_INVALID", "{credential}");
        }
    }

    async fn a_key_is_taken_until_the_instant_that_it_expires(server: TestServer) {
        let header = format!("Bearer {}", server.key(Scope::Platform, Role::Admin, Some(Duration::from_hours(1))).await);
        server.advance(Duration::from_hours(1) - Duration::from_micros(1));
        taken(&server, &header).await;
        server.advance(Duration::from_micros(1));
        assert_eq!(refused(&server, Some(&header)).await, "CREDENTIAL_EXPIRED");
        server.advance(Duration::from_hours(1));
        assert_eq!(refused(&server, Some(&header)).await, "CREDENTIAL_EXPIRED");
    }

    async fn a_revoked_key_is_refused_with_the_next_call(server: TestServer) {
        let header = format!("Bearer {}", server.key(Scope::Platform, Role::Admin, Some(Duration::from_hours(1))).await);
        taken(&server, &header).await;
        let id = only_key(&server).await;
        let tx = server.repository.write().await.unwrap();
        assert!(tx.revoke_api_key(id).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(refused(&server, Some(&header)).await, "CREDENTIAL_REVOKED");
        // That it would have expired by now as well says less.
        server.advance(Duration::from_hours(2));
        assert_eq!(refused(&server, Some(&header)).await, "CREDENTIAL_REVOKED");
    }

    async fn the_scheme_is_read_in_any_case_and_with_more_than_one_space(server: TestServer) {
        let key = server.key(Scope::Platform, Role::Viewer, None).await;
        for scheme in ["Bearer ", "bearer ", "BEARER ", "bEaReR  "] {
            taken(&server, &format!("{scheme}{key}")).await;
        }
    }

    async fn a_viewer_reads_and_may_not_write(server: TestServer) {
        let organization = server.organization();
        let id = server.admin(organization).await.create(organization).await.id();
        let viewer = server.viewer(organization).await;
        let before = viewer.get(&id).await.ok();
        viewer.call("ListSCIMConfigurations", json!({})).await.ok();
        viewer.post("/gitpod.v1.IdentityService/GetAuthenticatedIdentity", json!({})).await.ok();
        for (method, body) in [
            ("CreateSCIMConfiguration", json!({ "organizationId": organization.to_string(), "ssoConfigurationId": SSO })),
            ("UpdateSCIMConfiguration", json!({ "scimConfigurationId": id, "enabled": false })),
            // Refused for the role before a look at the rest, which is wrong.
            ("UpdateSCIMConfiguration", json!({ "scimConfigurationId": "x" })),
            ("RegenerateSCIMToken", json!({ "scimConfigurationId": id })),
            ("DeleteSCIMConfiguration", json!({ "scimConfigurationId": id })),
        ] {
            let answer = viewer.call(method, body).await;
            assert_eq!(answer.status, 403, "{method}");
            assert_eq!((answer.code(), answer.reason().as_str()), ("permission_denied", "ROLE_INSUFFICIENT"), "{method}");
        }
        let mut grpc = viewer.grpc().await;
        let create = CreateScimConfigurationRequest { organization_id: organization.to_string(), sso_configuration_id: SSO.to_owned(), ..Default::default() };
        let update = UpdateScimConfigurationRequest { scim_configuration_id: id.clone(), enabled: Some(false), ..Default::default() };
        let regenerate = RegenerateScimTokenRequest { scim_configuration_id: id.clone(), token_expires_in: None };
        let delete = DeleteScimConfigurationRequest { scim_configuration_id: id.clone() };
        for refusal in [
            grpc.create_scim_configuration(create).await.unwrap_err(),
            grpc.update_scim_configuration(update).await.unwrap_err(),
            grpc.regenerate_scim_token(regenerate).await.unwrap_err(),
            grpc.delete_scim_configuration(delete).await.unwrap_err(),
        ] {
            assert_eq!((refusal.code(), reason(&refusal).as_str()), (Code::PermissionDenied, "ROLE_INSUFFICIENT"));
        }
        assert_eq!(viewer.get(&id).await.ok(), before);
        let listed = viewer.call("ListSCIMConfigurations", json!({})).await.ok();
        assert_eq!(listed["scimConfigurations"].as_array().unwrap().len(), 1);
    }

    async fn a_platform_key_acts_for_every_organization_and_lists_all(server: TestServer) {
        let key = server.key(Scope::Platform, Role::Admin, None).await;
        let platform = server.client(&key);
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(platform.create(server.organization()).await.id());
        }
        let organization = server.organization();
        ids.push(server.admin(organization).await.create(organization).await.id());
        for id in &ids {
            let body = json!({ "scimConfigurationId": id, "name": "by the platform" });
            let updated = platform.call("UpdateSCIMConfiguration", body).await;
            assert_eq!(platform.get(id).await.ok(), updated.ok());
        }
        let listed = platform.call("ListSCIMConfigurations", json!({})).await.ok();
        let listed = listed["scimConfigurations"].as_array().unwrap();
        let mut listed: Vec<_> = listed.iter().map(|each| each["id"].as_str().unwrap()).collect();
        listed.sort_unstable();
        ids.sort_unstable();
        assert_eq!(listed, ids);
    }

    async fn the_identity_of_a_key_is_a_service_account_of_its_organization(server: TestServer) {
        let organization = server.organization();
        let client = server.viewer(organization).await;
        let id = only_key(&server).await.to_string();
        let path = "/gitpod.v1.IdentityService/GetAuthenticatedIdentity";
        let identity = client.post(path, json!({})).await.ok();
        assert_eq!(identity, json!({
            "organizationId": organization.to_string(),
            "subject": { "id": id, "principal": "PRINCIPAL_SERVICE_ACCOUNT" },
        }));
        let mut request = tonic::Request::new(GetAuthenticatedIdentityRequest::default());
        let header = format!("Bearer {}", client.key.as_ref().unwrap());
        request.metadata_mut().insert("authorization", header.parse().unwrap());
        let mut grpc = IdentityServiceClient::new(channel(&server).await);
        let identity = grpc.get_authenticated_identity(request).await.unwrap().into_inner();
        assert_eq!(identity.organization_id, organization.to_string());
        let subject = identity.subject.unwrap();
        assert_eq!((subject.id, subject.principal), (id, Principal::ServiceAccount.into()));
    }

    async fn the_identity_of_a_platform_key_has_no_organization(server: TestServer) {
        let key = server.key(Scope::Platform, Role::Admin, None).await;
        let path = "/gitpod.v1.IdentityService/GetAuthenticatedIdentity";
        let identity = server.client(&key).post(path, json!({})).await.ok();
        let id = only_key(&server).await.to_string();
        assert_eq!(identity, json!({ "subject": { "id": id, "principal": "PRINCIPAL_SERVICE_ACCOUNT" } }));
    }

    async fn a_mistyped_key_is_refused_without_a_query(server: TestServer) {
        let key = server.key(Scope::Platform, Role::Admin, None).await;
        lose(&server.database).await;
        let header = format!("Bearer {}", mistyped(&key));
        assert_eq!(refused(&server, Some(&header)).await, "CREDENTIAL_INVALID");
        let unknown = PlainToken::mint(Kind::ApiKey, &SystemRandom);
        let answer = server.client(unknown.expose()).call("ListSCIMConfigurations", json!({})).await;
        assert_eq!(answer.reason(), "INTERNAL");
    }
}

/// The key with two neighbouring characters exchanged, as a person would.
fn mistyped(key: &str) -> String {
    let mut characters: Vec<char> = key.chars().collect();
    let at = (20..50).find(|at| characters[*at] != characters[at + 1]).unwrap();
    characters.swap(at, at + 1);
    characters.into_iter().collect()
}

async fn only_key(server: &TestServer) -> ApiKeyId {
    let keys = server.repository.read().api_keys(None).await.unwrap();
    assert_eq!(keys.len(), 1);
    keys[0].id
}

async fn channel(server: &TestServer) -> Channel {
    Channel::from_shared(server.url.clone()).unwrap().connect().await.unwrap()
}

/// What a call with this header is refused for. Both doors say the same.
async fn refused(server: &TestServer, header: Option<&str>) -> String {
    let url = format!("{}/gitpod.v1.OrganizationService/ListSCIMConfigurations", server.url);
    let mut request = reqwest::Client::new().post(url).json(&json!({}));
    if let Some(header) = header {
        request = request.header("authorization", header);
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
    let status = response.status();
    let answer = Answer { status, body: response.json::<Value>().await.unwrap() };
    assert_eq!(answer.code(), "unauthenticated");

    let refusal = list_over_grpc(server, header).await.unwrap_err();
    assert_eq!(refusal.code(), Code::Unauthenticated);
    assert_eq!(refusal.message(), answer.body["message"]);
    assert_eq!(reason(&refusal), answer.reason());
    answer.reason()
}

/// Checks that both doors take a call with this header.
async fn taken(server: &TestServer, header: &str) {
    let url = format!("{}/gitpod.v1.OrganizationService/ListSCIMConfigurations", server.url);
    let request = reqwest::Client::new().post(url).json(&json!({}));
    let response = request.header("authorization", header).send().await.unwrap();
    assert_eq!(response.status(), 200, "{header}");
    list_over_grpc(server, Some(header)).await.unwrap();
}

async fn list_over_grpc(server: &TestServer, header: Option<&str>) -> Result<(), Status> {
    let mut request = tonic::Request::new(ListScimConfigurationsRequest::default());
    if let Some(header) = header {
        request.metadata_mut().insert("authorization", header.parse().unwrap());
    }
    let mut grpc = OrganizationServiceClient::new(channel(server).await);
    grpc.list_scim_configurations(request).await.map(drop)
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().unwrap().reason
}
