//! Every method of the descriptor and every SCIM route, called without, with a
//! wrong and with another tenant's credential. Both are walked, so that what is
//! new is covered the day that it exists.

use prost_reflect::{DescriptorPool, MethodDescriptor};
use prost_types::method_options::IdempotencyLevel;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use scimd::clock::SeededRandom;
use scimd::token::{Kind, PlainToken};

use crate::harness::{Answer, Client, SSO, TestServer, on_both_engines};
use crate::webhooks;

/// What the SCIM server has below a configuration, by its own list of routes; and
/// what it has not, which must not be told to whoever has no token either.
fn scim_endpoints() -> Vec<String> {
    let routes = include_str!("../../src/scim/http/mod.rs");
    let route = regex::Regex::new(r#"at\("([^"]*)"\)"#).unwrap();
    let mut endpoints: Vec<_> =
        route.captures_iter(routes).map(|found| found[1].replace("{id}", SSO)).collect();
    assert_eq!(endpoints.len(), routes.matches(".route(&at(").count(), "{endpoints:?}");
    assert!(endpoints.len() >= 16, "{endpoints:?}");
    endpoints.push("/anything/else".to_owned());
    endpoints
}

fn paths() -> Vec<String> {
    let pool = DescriptorPool::decode(scimd::proto::FILE_DESCRIPTOR_SET).unwrap();
    let mut paths = Vec::new();
    for service in pool.services() {
        for method in service.methods() {
            paths.push(format!("/{}/{}", service.full_name(), method.name()));
        }
    }
    assert!(paths.len() >= 7, "{paths:?}");
    paths
}

/// Whether the method has no side effects, by its own word.
fn reads(path: &str) -> bool {
    let options = method(path).method_descriptor_proto().options.clone().unwrap_or_default();
    options.idempotency_level() == IdempotencyLevel::NoSideEffects
}

fn streams(path: &str) -> bool {
    method(path).is_server_streaming()
}

fn method(path: &str) -> MethodDescriptor {
    let pool = DescriptorPool::decode(scimd::proto::FILE_DESCRIPTOR_SET).unwrap();
    let (service, method) = path[1..].split_once('/').unwrap();
    let service = pool.get_service_by_name(service).unwrap();
    service.methods().find(|each| each.name() == method).unwrap()
}

/// Calls a method of either kind; of a stream, the first word.
async fn asked(client: &Client, path: &str, body: Value) -> Answer {
    if !streams(path) {
        return client.post(path, body).await;
    }
    match client.stream(path, body).await.next().await {
        Ok(message) => Answer { status: StatusCode::OK, body: message.unwrap_or_default() },
        Err(error) => Answer { status: StatusCode::BAD_REQUEST, body: error },
    }
}

on_both_engines! {
    async fn every_method_is_refused_without_and_with_a_wrong_credential(server: TestServer) {
        let organization = server.organization();
        let scim_token = server.admin(organization).await.create(organization).await.token();
        // Well-formed, so that the store is asked for it.
        let unknown = PlainToken::mint(Kind::ApiKey, &SeededRandom::new(99));
        let unknown = unknown.expose();
        for path in paths() {
            for prefix in ["", "/api"] {
                for key in [None, Some("x"), Some(unknown), Some(&*scim_token)] {
                    // What cannot even be read gets the same answer: nobody
                    // learns anything without a credential.
                    for body in [json!({}), json!([]), json!({ "pagination": 7 })] {
                        let client = Client::new(&server.url, key);
                        let answer = client.post(&format!("{prefix}{path}"), body).await;
                        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path} {key:?}");
                        assert_eq!(answer.code(), "unauthenticated", "{path}");
                    }
                }
            }
        }
    }

    async fn every_method_that_may_be_a_get_is_refused_without_a_credential(server: TestServer) {
        for path in paths() {
            let url = format!("{}{path}?encoding=json&message=%7B%7D", server.url);
            let status = reqwest::get(url).await.unwrap().status();
            let expected = if reads(&path) && !streams(&path) { StatusCode::UNAUTHORIZED } else { StatusCode::METHOD_NOT_ALLOWED };
            assert_eq!(status, expected, "{path}");
        }
    }

    async fn no_method_shows_or_changes_what_another_tenant_owns(server: TestServer) {
        let (own, other) = (server.organization(), server.organization());
        let (intruder, owner) = (server.admin(own).await, server.admin(other).await);
        let created = owner.create(other).await;
        let before = owner.get(&created.id()).await.ok();
        let webhook = webhooks::create(&owner, other, "http://127.0.0.1:9/").await;
        for path in paths() {
            let body = json!({
                "webhookEndpointId": webhook.id,
                "secretId": webhook.secret_id,
                "url": "http://127.0.0.1:9/taken/over",
                "scimConfigurationId": created.id(),
                "organizationId": other.to_string(),
                "ssoConfigurationId": SSO,
                "userId": SSO,
                "groupId": SSO,
                "accountId": SSO,
                "name": "taken over",
            });
            let answer = asked(&intruder, &path, body).await;
            let told = answer.body.to_string();
            if answer.status == StatusCode::OK {
                assert!(!told.contains(&created.id()) && !told.contains(&other.to_string()), "{path}: {told}");
            } else {
                assert!(matches!(answer.code(), "not_found" | "permission_denied"), "{path}: {told}");
            }
        }
        assert_eq!(owner.get(&created.id()).await.ok(), before);
        assert_eq!(webhook.get(&owner).await["url"], "http://127.0.0.1:9/");
        assert_eq!(server.scim_status(&created.id(), &created.token()).await, 200);
    }

    async fn every_method_is_refused_over_grpc_and_grpc_web_too(server: TestServer) {
        let http2 = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
        let empty_message = vec![0; 5];
        for path in paths() {
            for content_type in ["application/grpc", "application/grpc+proto", "application/grpc-web", "application/grpc-web+proto"] {
                let request = http2
                    .post(format!("{}{path}", server.url))
                    .header("content-type", content_type)
                    .header("te", "trailers")
                    .body(empty_message.clone());
                let response = request.send().await.unwrap();
                let status = response.headers().get("grpc-status").cloned();
                // gRPC-Web may carry its trailers in the body.
                let body = response.bytes().await.unwrap();
                let said = status.map_or_else(
                    || String::from_utf8_lossy(&body).into_owned(),
                    |status| format!("grpc-status:{}", status.to_str().unwrap()),
                );
                assert!(said.contains("grpc-status:16"), "{path} {content_type}: {said:?}");
            }
        }
    }

    async fn every_method_that_writes_is_refused_to_a_viewer(server: TestServer) {
        let organization = server.organization();
        let viewer = server.viewer(organization).await;
        for path in paths() {
            let answer = viewer.post(&path, json!({})).await;
            assert_eq!(answer.status == StatusCode::FORBIDDEN, !reads(&path), "{path}: {answer:?}");
        }
    }

    async fn every_scim_endpoint_is_refused_without_and_with_a_wrong_token(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let (own, other) = (client.create(organization).await, client.create(organization).await);
        let http = reqwest::Client::new();
        let mut refusals = Vec::new();
        for endpoint in scim_endpoints() {
            for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                for id in [own.id(), uuid::Uuid::new_v4().to_string(), "no-uuid".to_owned()] {
                    for token in [other.token(), client.key.clone().unwrap(), "x".to_owned()] {
                        let url = format!("{}/scim/v2/{id}{endpoint}", server.url);
                        let response = http.request(method.clone(), url).bearer_auth(token).send().await.unwrap();
                        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{method} {endpoint}");
                        assert_eq!(response.headers()["www-authenticate"], "Bearer");
                        assert_eq!(response.headers()["content-type"], "application/scim+json");
                        refusals.push(response.json::<Value>().await.unwrap());
                    }
                }
            }
        }
        assert_eq!(refusals[0]["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
        assert_eq!(refusals[0]["status"], "401");
        // A configuration that exists and one that never did are not told apart.
        refusals.dedup();
        assert_eq!(refusals.len(), 1, "{refusals:?}");
    }

    async fn whatever_is_asked_below_scim_is_answered_with_scim(server: TestServer) {
        let organization = server.organization();
        let created = server.admin(organization).await.create(organization).await;
        let own = format!("/scim/v2/{}", created.id());
        let http = reqwest::Client::new();
        for (method, path, status) in [
            (Method::GET, "/scim".to_owned(), 404),
            (Method::GET, "/scim/".to_owned(), 404),
            (Method::GET, "/scim/v2".to_owned(), 404),
            (Method::GET, "/scim/v1/Users".to_owned(), 404),
            (Method::GET, format!("{own}/Nothing"), 404),
            (Method::POST, format!("{own}/ServiceProviderConfig"), 405),
        ] {
            let request = http.request(method, format!("{}{path}", server.url));
            let response = request.bearer_auth(created.token()).send().await.unwrap();
            assert_eq!(response.status(), status, "{path}");
            assert_eq!(response.headers()["content-type"], "application/scim+json", "{path}");
            let body: Value = response.json().await.unwrap();
            assert_eq!(body["status"], status.to_string(), "{path}");
            assert!(body["detail"].is_string(), "{path}");
        }
    }
}
