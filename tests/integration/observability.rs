//! What an operator sees: probes, request ids, and the log where something
//! failed that the caller is not told of.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::{Response, Url};
use scimd::model::{DatabaseUrl, Role, Scope};
use scimd::proto::gitpod::v1::ListScimConfigurationsRequest;
use scimd::proto::scimd::v1::StreamEventsRequest;
use sea_orm::{ConnectionTrait as _, Database};
use serde_json::json;
use tonic::Code;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::directory;
use crate::harness::{Client, TestDatabase, TestServer, on_both_engines, run_directory};

on_both_engines! {
    async fn every_answer_has_a_request_id_of_its_own(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let created = client.create(organization).await;
        let http = reqwest::Client::new();
        let list = format!("{}/gitpod.v1.OrganizationService/ListSCIMConfigurations", server.url);
        let scim = format!("{}/scim/v2/{}/ServiceProviderConfig", server.url, created.id());
        let mut ids = Vec::new();
        for request in [
            http.post(&list).bearer_auth(client.key.as_ref().unwrap()).json(&json!({})),
            http.post(&list).bearer_auth(client.key.as_ref().unwrap()).json(&json!({})),
            http.post(&list).bearer_auth(client.key.as_ref().unwrap()).body("no JSON"),
            http.post(&list),
            http.put(&list),
            http.get(&scim).bearer_auth(created.token()),
            http.get(&scim),
            http.delete(&scim).bearer_auth(created.token()),
            http.get(format!("{}/scim/v3", server.url)),
            http.get(format!("{}/nowhere", server.url)),
            http.get(&server.url),
        ] {
            ids.push(request_id(&request.send().await.unwrap()));
        }
        let mut grpc = client.grpc().await;
        let listed = grpc.list_scim_configurations(ListScimConfigurationsRequest::default()).await.unwrap();
        ids.push(listed.metadata().get("x-request-id").unwrap().to_str().unwrap().to_owned());
        let mut stranger = server.client("x").grpc().await;
        let refused = stranger.list_scim_configurations(ListScimConfigurationsRequest::default()).await.unwrap_err();
        ids.push(refused.metadata().get("x-request-id").unwrap().to_str().unwrap().to_owned());
        for id in &ids {
            assert_eq!(uuid::Uuid::parse_str(id).unwrap().get_version_num(), 7);
        }
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
    }

    async fn the_outcome_of_a_request_is_logged_under_its_id(server: TestServer) {
        // Its ids are random: the log is that of all tests.
        let replica = server.replica().await;
        let url = format!("{}/gitpod.v1.OrganizationService/ListSCIMConfigurations?token=x", replica.url);
        let answer = reqwest::Client::new().post(url).json(&json!({})).send().await.unwrap();
        let lines = logged(&request_id(&answer));
        let outcome = lines.iter().find(|line| line.contains(" answered ")).unwrap();
        assert!(outcome.contains(" INFO ") && outcome.contains("status=401"), "{outcome}");
        assert!(outcome.contains("method=POST"), "{outcome}");
        assert!(outcome.contains(r#"path="/gitpod.v1.OrganizationService/ListSCIMConfigurations""#), "{outcome}");

        let key = server.key(Scope::Platform, Role::Admin, None).await;
        let url = format!("{}/gitpod.v1.OrganizationService/CreateSCIMConfiguration", replica.url);
        let body = json!({
            "organizationId": server.organization().to_string(),
            "ssoConfigurationId": server.organization().to_string(),
        });
        let answer = reqwest::Client::new().post(url).bearer_auth(&key).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let change = logged(&request_id(&answer));
        assert!(change.iter().any(|line| line.contains(" configuration created ")), "{change:#?}");
    }

    async fn a_server_that_works_is_alive_ready_and_serving(server: TestServer) {
        assert_eq!(probe(&server, "healthz").await, (200, "ok\n".to_owned()));
        assert_eq!(probe(&server, "readyz").await, (200, "ready\n".to_owned()));
        assert_eq!(health(&server).await, ServingStatus::Serving);
    }

    async fn a_server_without_its_database_is_alive_but_not_ready(server: TestServer) {
        lose(&server.database).await;
        assert_eq!(probe(&server, "healthz").await, (200, "ok\n".to_owned()));
        // The first question may meet a connection that still seems open.
        for _ in 0..2 {
            assert_eq!(probe(&server, "readyz").await, (503, "the database cannot be used\n".to_owned()));
        }
    }

    async fn a_server_that_is_to_stop_is_alive_but_neither_ready_nor_serving(server: TestServer) {
        let mut server = server;
        server.stop(Duration::from_mins(1));
        // The signal has to arrive.
        while health(&server).await == ServingStatus::Serving {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(health(&server).await, ServingStatus::NotServing);
        assert_eq!(probe(&server, "readyz").await, (503, "shutting down\n".to_owned()));
        assert_eq!(probe(&server, "healthz").await, (200, "ok\n".to_owned()));
        let organization = server.organization();
        server.admin(organization).await.create(organization).await.ok();
    }

    async fn a_failure_of_the_store_is_told_to_the_log_and_not_to_the_caller(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let created = client.create(organization).await;
        let key = server.key(Scope::Platform, Role::Admin, None).await;
        // Its ids are random: the log is that of all tests.
        let replica = server.replica().await;
        let mut grpc = Client::new(&replica.url, Some(&key)).grpc().await;
        let request = StreamEventsRequest { organization_id: organization.to_string(), after: 0 };
        let mut directory = directory::grpc(&replica.url, &key).await;
        let stream = directory.stream_events(request).await.unwrap();
        lose(&server.database).await;

        let url = format!("{}/gitpod.v1.OrganizationService/ListSCIMConfigurations", replica.url);
        let request = reqwest::Client::new().post(url).bearer_auth(&key).json(&json!({}));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 500);
        is_in_the_log(&request_id(&answer));
        let body: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(body["code"], "internal");
        let sentence = "internal error; report the x-request-id of this answer to the operator";
        assert_eq!(body["message"], sentence);
        assert_eq!(body["details"].as_array().unwrap().len(), 1, "{body}");

        let failure = grpc.list_scim_configurations(ListScimConfigurationsRequest::default()).await.unwrap_err();
        assert_eq!((failure.code(), failure.message()), (Code::Internal, sentence));
        is_in_the_log(failure.metadata().get("x-request-id").unwrap().to_str().unwrap());

        // Of an answer that had begun before.
        let id = stream.metadata().get("x-request-id").unwrap().to_str().unwrap().to_owned();
        let mut stream = stream.into_inner();
        let failure = loop {
            if let Err(failure) = stream.message().await { break failure }
        };
        assert_eq!((failure.code(), failure.message()), (Code::Internal, sentence));
        is_in_the_log(&id);

        let url = format!("{}/scim/v2/{}/ServiceProviderConfig", replica.url, created.id());
        let answer = reqwest::Client::new().get(url).bearer_auth(created.token()).send().await.unwrap();
        assert_eq!(answer.status(), 500);
        is_in_the_log(&request_id(&answer));
        assert_eq!(answer.json::<serde_json::Value>().await.unwrap(), json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": "500",
            "detail": "Internal error. Report the X-Request-Id of this answer to the operator.",
        }));
    }
}

/// Takes the database away from a server that runs.
pub async fn lose(database: &TestDatabase) {
    let (url, statement) = match &database.url {
        DatabaseUrl::Postgres(url) => {
            let mut url = Url::parse(url).unwrap();
            let name = url.path().trim_start_matches('/').to_owned();
            url.set_path("postgres");
            (url.to_string(), format!("DROP DATABASE {name} WITH (FORCE)"))
        }
        // A file that is open cannot be taken away, but what is in it can.
        _ => (
            database.text(),
            "DROP TABLE api_keys; DROP TABLE scim_configurations; DROP TABLE seaql_migrations"
                .to_owned(),
        ),
    };
    let connection = Database::connect(url).await.unwrap();
    connection.execute_unprepared(&statement).await.unwrap();
    connection.close().await.unwrap();
}

async fn probe(server: &TestServer, path: &str) -> (u16, String) {
    let answer = reqwest::get(format!("{}/{path}", server.url)).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn health(server: &TestServer) -> ServingStatus {
    let channel = Channel::from_shared(server.url.clone()).unwrap().connect().await.unwrap();
    let request = HealthCheckRequest { service: String::new() };
    HealthClient::new(channel).check(request).await.unwrap().into_inner().status()
}

fn request_id(answer: &Response) -> String {
    answer.headers()["x-request-id"].to_str().unwrap().to_owned()
}

/// The lines that were logged of a request, and say so without the span that there
/// is at level `debug` only.
fn logged(id: &str) -> Vec<String> {
    let log = std::fs::read(run_directory().join("trace.log")).unwrap();
    let log = String::from_utf8_lossy(&log);
    let own = format!(" id={id} ");
    log.lines().filter(|line| line.contains(&own)).map(str::to_owned).collect()
}

fn is_in_the_log(id: &str) {
    let logged = logged(id);
    let cause = logged.iter().find(|line| line.contains(" ERROR "));
    let cause = cause.unwrap_or_else(|| panic!("no error: {logged:#?}"));
    assert!(
        cause.contains("the store failed") && cause.contains(r#" error="the database failed: "#),
        "{cause}"
    );
}
