//! What was acknowledged stays, and what was not leaves no trace, however a
//! request or the whole program ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::harness::{
    Client, Engine, Process, SSO, TestDatabase, TestServer, finished, on_both_engines, scimd,
};

const ORGANIZATION: &str = "0195f2a3-0f5c-7cc3-a1b2-4c5d6e7f8091";
const CREATIONS: usize = 1_000;
const CLIENTS: usize = 16;
const ROUNDS: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_program_has_every_acknowledged_configuration_on_sqlite() {
    kills(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_program_has_every_acknowledged_configuration_on_postgres() {
    kills(Engine::Postgres).await;
}

async fn kills(engine: Engine) {
    let Some(database) = TestDatabase::create(engine).await else { return };
    let create_key = ["api-key", "create", "--organization", ORGANIZATION];
    let key = finished(scimd(&database, &create_key)).await.ok().trim_end().to_owned();
    let mut acknowledged = BTreeSet::new();
    for round in 1..=ROUNDS {
        let process = served(&database).await;
        let tokens = created_until_it_is_killed(process, &key).await;
        let made = tokens.len();
        assert!((CREATIONS / 2..CREATIONS).contains(&made), "the kill comes in the middle: {made}");
        acknowledged.extend(tokens.keys().cloned());

        let process = served(&database).await;
        let there = configurations(&process, &key).await;
        for id in &acknowledged {
            assert!(there.contains(id), "round {round}: {id} was acknowledged and is gone");
        }
        // Of the answers that the kill cut off, some were committed already.
        let kept = there.len() - acknowledged.len();
        assert!(kept <= CLIENTS * round, "round {round}: {kept} that nobody was told of");
        tokens_work(&process, &tokens).await;
        process.kill().await;
    }
}

/// The log of so many requests at the most verbose level would take longer
/// than they do.
async fn served(database: &TestDatabase) -> Process {
    let mut command = scimd(database, &["serve"]);
    command.env("SCIMD_LOG", "info");
    Process::start(command).await
}

/// Creates with all clients at once, and kills the program when half is done.
/// The tokens of the configurations whose creation was answered, by id.
async fn created_until_it_is_killed(process: Process, key: &str) -> BTreeMap<String, String> {
    let begun = Arc::new(AtomicUsize::new(0));
    let (answers, mut answered) = mpsc::unbounded_channel();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (begun, answers) = (Arc::clone(&begun), answers.clone());
        let url = format!("{}/gitpod.v1.OrganizationService/CreateSCIMConfiguration", process.url);
        let key = key.to_owned();
        let http = reqwest::Client::new();
        clients.spawn(async move {
            let body = json!({ "organizationId": ORGANIZATION, "ssoConfigurationId": SSO });
            while begun.fetch_add(1, Ordering::Relaxed) < CREATIONS {
                let request = http.post(&url).bearer_auth(&key).json(&body);
                let Ok(response) = request.send().await else { return };
                assert_eq!(response.status(), 200);
                // An answer that is cut off is none.
                let Ok(answer) = response.json::<Value>().await else { return };
                answers.send(answer).unwrap();
            }
        });
    }
    drop(answers);
    let mut process = Some(process);
    let mut tokens = BTreeMap::new();
    while let Some(answer) = answered.recv().await {
        let id = answer["scimConfiguration"]["id"].as_str().unwrap().to_owned();
        tokens.insert(id, answer["token"].as_str().unwrap().to_owned());
        if tokens.len() >= CREATIONS / 2
            && let Some(process) = process.take()
        {
            process.kill().await;
        }
    }
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    tokens
}

/// The ids of all configurations, each of which was read by itself as well.
async fn configurations(process: &Process, key: &str) -> BTreeSet<String> {
    let client = Client::new(&process.url, Some(key));
    let mut ids = BTreeSet::new();
    let mut token = String::new();
    loop {
        let body = json!({ "pagination": { "pageSize": 100, "token": token } });
        let page = client.call("ListSCIMConfigurations", body).await.ok();
        for listed in page["scimConfigurations"].as_array().unwrap() {
            let id = listed["id"].as_str().unwrap();
            assert_eq!(client.get(id).await.ok()["scimConfiguration"], *listed);
            assert!(ids.insert(id.to_owned()), "{id} is listed twice");
        }
        token = page["pagination"]["nextToken"].as_str().unwrap_or_default().to_owned();
        if token.is_empty() {
            return ids;
        }
    }
}

async fn tokens_work(process: &Process, tokens: &BTreeMap<String, String>) {
    let http = reqwest::Client::new();
    for (id, token) in tokens {
        let url = format!("{}/scim/v2/{id}/ServiceProviderConfig", process.url);
        let status = http.get(url).bearer_auth(token).send().await.unwrap().status();
        assert_eq!(status, 200, "the token of {id}");
    }
}

on_both_engines! {
    async fn a_request_that_its_client_gives_up_leaves_nothing_and_blocks_nobody(server: TestServer) {
        // More than there are connections, so that none may be lost.
        const GIVEN_UP: usize = 40;
        let organization = server.organization();
        let client = server.admin(organization).await;
        let lock = lock(&server.database).await;
        let http = reqwest::Client::builder().timeout(Duration::from_millis(500)).build().unwrap();
        let mut requests = JoinSet::new();
        for _ in 0..GIVEN_UP {
            let url = format!("{}/gitpod.v1.OrganizationService/CreateSCIMConfiguration", client.url);
            let body = json!({ "organizationId": organization.to_string(), "ssoConfigurationId": SSO });
            let request = http.post(url).bearer_auth(client.key.as_ref().unwrap()).json(&body);
            requests.spawn(request.send());
        }
        while let Some(outcome) = requests.join_next().await {
            assert!(outcome.unwrap().unwrap_err().is_timeout());
        }
        // The server learns a little later that a client has hung up. Until then
        // it may do what it was asked.
        sleep(Duration::from_secs(1)).await;
        lock.execute_unprepared("ROLLBACK").await.unwrap();
        let created = client.create(organization).await.id();
        let listed = client.call("ListSCIMConfigurations", json!({})).await.ok();
        let listed = listed["scimConfigurations"].as_array().unwrap();
        assert_eq!(listed.len(), 1, "only the one that was waited for");
        assert_eq!(listed[0]["id"], created);
    }
}

/// Keeps everybody else from writing configurations. PostgreSQL lets them come
/// as far as the statement within their transaction, SQLite as far as its start.
async fn lock(database: &TestDatabase) -> DatabaseConnection {
    let mut options = ConnectOptions::new(database.text());
    options.max_connections(1);
    let connection = Database::connect(options).await.unwrap();
    let statement = match connection.get_database_backend() {
        sea_orm::DbBackend::Sqlite => "BEGIN IMMEDIATE",
        _ => "BEGIN; LOCK TABLE scim_configurations IN ACCESS EXCLUSIVE MODE",
    };
    connection.execute_unprepared(statement).await.unwrap();
    connection
}
