//! The compiled program: its commands, what it prints, how it ends.

use std::time::Duration;

use regex::Regex;
use scimd::model::DatabaseUrl;
use scimd::token::PATTERN;
use sea_orm::sqlx::{Connection as _, Executor as _, SqliteConnection};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use tokio::time::sleep;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::clients;
use crate::harness::{
    self, Client, Engine, Process, TestDatabase, TestServer, databases, finished, on_both_engines,
    scim_status, scimd, scimd_alone,
};

const ORGANIZATION: &str = "0195f2a3-0f5c-7cc3-a1b2-4c5d6e7f8091";

on_both_engines! {
    async fn a_key_from_the_command_line_opens_a_server_that_runs_already(server: TestServer) {
        let database = &server.database;
        let process = Process::serve(database).await;
        let key = key(database, &["--organization", ORGANIZATION, "--name", "CI"]).await;
        let client = Client::new(&process.url, Some(&key));
        let created = client.create(ORGANIZATION).await;
        assert_eq!(scim_status(&process.url, &created.id(), &created.token()).await, 200);
        let stranger = client.create("7e1e7b0c-8f43-4f0e-9a53-d5b8f0f3a6d2").await;
        assert_eq!(stranger.code(), "permission_denied");
    }

    async fn a_viewer_key_from_the_command_line_reads_and_may_not_write(server: TestServer) {
        let process = Process::serve(&server.database).await;
        let key = key(&server.database, &["--organization", ORGANIZATION, "--role", "viewer"]).await;
        let client = Client::new(&process.url, Some(&key));
        client.call("ListSCIMConfigurations", json!({})).await.ok();
        assert_eq!(client.create(ORGANIZATION).await.code(), "permission_denied");
    }

    async fn a_platform_key_from_the_command_line_acts_for_every_organization(server: TestServer) {
        let process = Process::serve(&server.database).await;
        let key = key(&server.database, &["--platform"]).await;
        let client = Client::new(&process.url, Some(&key));
        for organization in [ORGANIZATION, "7e1e7b0c-8f43-4f0e-9a53-d5b8f0f3a6d2"] {
            client.create(organization).await.ok();
        }
    }

    async fn the_list_of_keys_shows_everything_but_the_secrets(server: TestServer) {
        let database = &server.database;
        let viewer = ["--organization", ORGANIZATION, "--role", "viewer", "--expires-in", "1d", "--name", "nightly\treport"];
        let secrets = [key(database, &viewer).await, key(database, &["--platform"]).await];
        let listed = finished(scimd(database, &["api-key", "list"])).await.ok();
        let rows = rows(&listed);
        assert_eq!(rows[0], ["ID", "SCOPE", "ROLE", "CREATED", "EXPIRES", "REVOKED", "NAME"]);
        assert_eq!(rows.len(), 3, "{listed}");
        let (viewer, platform) = (&rows[1], &rows[2]);
        assert_eq!(viewer[1..3], [ORGANIZATION, "viewer"]);
        assert_eq!(viewer[5..], ["-", "nightly report"]);
        assert_eq!(platform[1..3], ["platform", "admin"]);
        assert_eq!(platform[4..], ["-", "-", ""]);
        let instant = |text: &str| humantime::parse_rfc3339(text).unwrap();
        let span = instant(&viewer[4]).duration_since(instant(&viewer[3])).unwrap();
        assert_eq!(span, Duration::from_hours(24));
        for secret in &secrets {
            assert!(!listed.contains(&secret[10..]), "{listed}");
        }
        let own = ["api-key", "list", "--organization", ORGANIZATION];
        let own = finished(scimd(database, &own)).await.ok();
        assert_eq!(own.lines().count(), 2, "{own}");
    }

    async fn a_revoked_key_is_refused_at_once_by_a_server_that_runs(server: TestServer) {
        let database = &server.database;
        let process = Process::serve(database).await;
        let key = key(database, &["--organization", ORGANIZATION]).await;
        let client = Client::new(&process.url, Some(&key));
        client.create(ORGANIZATION).await.ok();
        let listed = finished(scimd(database, &["api-key", "list"])).await.ok();
        let id = rows(&listed)[1][0].clone();
        let revoked = finished(scimd(database, &["api-key", "revoke", &id])).await;
        assert_eq!((revoked.code, revoked.stdout.as_str()), (Some(0), ""));
        assert_eq!(client.create(ORGANIZATION).await.reason(), "CREDENTIAL_REVOKED");
        // Once more changes nothing, not even the instant.
        let before = finished(scimd(database, &["api-key", "list"])).await.ok();
        finished(scimd(database, &["api-key", "revoke", &id])).await.ok();
        assert_eq!(finished(scimd(database, &["api-key", "list"])).await.ok(), before);
    }

    async fn revoking_a_key_that_there_is_none_of_fails_and_says_so(server: TestServer) {
        let revoked = finished(scimd(&server.database, &["api-key", "revoke", ORGANIZATION])).await;
        assert_eq!(revoked.code, Some(1));
        let said = format!("scimd: there is no API key {ORGANIZATION}\n");
        assert!(revoked.stderr.ends_with(&said), "{}", revoked.stderr);
    }

    async fn no_secret_is_logged_by_the_program_at_its_most_verbose(server: TestServer) {
        let mut process = Process::serve(&server.database).await;
        let key = key(&server.database, &["--organization", ORGANIZATION]).await;
        let client = Client::new(&process.url, Some(&key));
        let created = client.create(ORGANIZATION).await;
        let id = created.id();
        let body = json!({ "scimConfigurationId": id });
        let regenerated = client.call("RegenerateSCIMToken", body).await.token();
        client.get(&id).await.ok();
        assert_eq!(scim_status(&process.url, &id, &regenerated).await, 200);
        let mut grpc = client.grpc().await;
        grpc.list_scim_configurations(
            scimd::proto::gitpod::v1::ListScimConfigurationsRequest::default(),
        ).await.unwrap();
        // Whatever waits to be written is, at the end.
        process.signal("TERM").await;
        process.ended().await;
        let log = process.log();
        assert!(log.contains(r#""level":"TRACE""#), "it is the most verbose level");
        assert!(log.contains("token regenerated"), "it is the log of those requests");
        for secret in [&key, &created.token(), &regenerated] {
            // Nor what is secret of it without its prefix.
            assert!(!log.contains(&secret[secret.len() - 49..]));
        }
        assert!(!Regex::new(PATTERN).unwrap().is_match(&log));
    }
}

#[tokio::test]
async fn each_line_that_serve_dev_prints_works_when_it_is_pasted() {
    let mut command = scimd_alone(&["serve", "--dev"]);
    command.stdout(std::process::Stdio::piped());
    let mut process = Process::start(command).await;
    let mut stdout = process.stdout();
    let mut page = String::new();
    while page.matches("\n  curl ").count() + page.matches("\n  buf curl ").count() < 3
        || !page.ends_with("\n\n")
    {
        let mut bytes = [0; 4096];
        let read = stdout.read(&mut bytes).await.unwrap();
        assert_ne!(read, 0, "{page}");
        page.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
    }
    let mut answers = Vec::new();
    for line in
        page.lines().filter(|line| line.starts_with("  curl ") || line.starts_with("  buf curl "))
    {
        if let Some(answer) = pasted(line).await {
            assert!(answer["code"].is_null() && answer["status"].is_null(), "{line}: {answer}");
            answers.push(answer);
        }
    }
    assert!(answers.iter().any(|answer| answer["scimConfigurations"][0]["name"] == "Sample"));
    assert!(answers.iter().any(|answer| answer["authenticationSchemes"].is_array()), "{answers:?}");
}

/// What a line answers in a shell; `None` where the machine lacks its program.
async fn pasted(line: &str) -> Option<Value> {
    let mut shell = Command::new("sh");
    if line.starts_with("  buf ") {
        let buf = match clients::buf() {
            Ok(buf) => buf,
            Err(reason) => {
                harness::skip(&reason.to_string());
                return None;
            }
        };
        let path = std::env::var_os("PATH").unwrap_or_default();
        let own = buf.parent().unwrap().to_owned();
        let path = std::iter::once(own).chain(std::env::split_paths(&path));
        shell.env("PATH", std::env::join_paths(path).unwrap());
    }
    shell.args(["-c", line]).env("NO_PROXY", "127.0.0.1");
    let answer = finished(shell).await.ok();
    Some(serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{line}: {answer}")))
}

#[tokio::test]
async fn the_key_alone_is_printed_on_standard_output() {
    for database in databases().await {
        let create = ["api-key", "create", "--organization", ORGANIZATION];
        let printed = finished(scimd(&database, &create)).await.ok();
        let line = Regex::new(&format!(r"\A{PATTERN}\n\z")).unwrap();
        assert!(line.is_match(&printed), "{printed:?}");
    }
}

#[tokio::test]
async fn a_command_line_that_is_wrong_ends_with_2_and_makes_nothing() {
    for (arguments, named) in [
        (vec!["api-key", "create"], "--organization <UUID>|--platform"),
        (vec!["api-key", "create", "--organization", "acme"], "must be a UUID such as"),
        (
            vec!["api-key", "create", "--organization", ORGANIZATION, "--platform"],
            "cannot be used with",
        ),
        (vec!["api-key", "create", "--platform", "--role", "owner"], "must be `admin`"),
        (vec!["api-key", "create", "--platform", "--expires-in", "soon"], "--expires-in"),
        (vec!["api-key", "revoke", "all"], "must be a UUID such as"),
        (vec!["migrate", "--force"], "--force"),
        (vec![], "Usage: scimd"),
    ] {
        let database = TestDatabase::create(Engine::Sqlite).await.unwrap();
        let ended = finished(scimd(&database, &arguments)).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(ended.stderr.contains(named), "{arguments:?}: {}", ended.stderr);
        let DatabaseUrl::SqliteFile(file) = &database.url else { unreachable!("it is SQLite") };
        assert!(!file.exists(), "{arguments:?}");
    }
}

#[tokio::test]
async fn migrate_makes_the_schema_and_a_second_time_leaves_it() {
    for database in databases().await {
        for _ in 0..2 {
            let migrated = finished(scimd(&database, &["migrate"])).await;
            assert_eq!(
                (migrated.code, migrated.stdout.as_str()),
                (Some(0), ""),
                "{}",
                migrated.stderr
            );
            let said = format!("the schema of {} is up to date\n", database.url);
            assert!(migrated.stderr.ends_with(&said), "{}", migrated.stderr);
        }
        let mut serve = scimd(&database, &["serve"]);
        serve.env("SCIMD_MIGRATE", "false");
        let process = Process::start(serve).await;
        let ready = reqwest::get(format!("{}/readyz", process.url)).await.unwrap();
        assert_eq!(ready.status(), 200);
    }
}

#[tokio::test]
async fn a_server_that_may_not_migrate_refuses_a_schema_that_is_behind() {
    for database in databases().await {
        let mut serve = scimd(&database, &["serve"]);
        serve.env("SCIMD_MIGRATE", "false");
        let ended = finished(serve).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
        assert!(ended.stderr.contains("run `scimd migrate`"), "{}", ended.stderr);
        assert!(!ended.stderr.contains("listening"), "{}", ended.stderr);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_turns_new_requests_away_and_finishes_running_ones() {
    let database = TestDatabase::create(Engine::Sqlite).await.unwrap();
    let mut serve = scimd(&database, &["serve"]);
    serve.env("SCIMD_SHUTDOWN_DELAY", "2s");
    let mut process = Process::start(serve).await;
    let key = key(&database, &["--organization", ORGANIZATION]).await;
    let client = Client::new(&process.url, Some(&key));
    let url = process.url.clone();
    let ready = async || reqwest::get(format!("{url}/readyz")).await.map(|answer| answer.status());
    let mut health =
        HealthClient::new(Channel::from_shared(url.clone()).unwrap().connect().await.unwrap());
    let mut health = async || {
        let answer = health.check(HealthCheckRequest { service: String::new() }).await.unwrap();
        answer.into_inner().status()
    };
    assert_eq!(ready().await.unwrap(), 200);
    assert_eq!(health().await, ServingStatus::Serving);

    // A request that cannot end before the lock does.
    let mut lock = SqliteConnection::connect(&database.text()).await.unwrap();
    lock.execute("BEGIN IMMEDIATE").await.unwrap();
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.create(ORGANIZATION).await }
    });
    sleep(Duration::from_millis(300)).await;
    process.signal("TERM").await;
    process.logged("shutting down").await;

    assert_eq!(ready().await.unwrap(), 503);
    assert_eq!(health().await, ServingStatus::NotServing);
    client.call("ListSCIMConfigurations", json!({})).await.ok();
    while ready().await.is_ok() {
        sleep(Duration::from_millis(50)).await;
    }
    assert!(!waiting.is_finished());
    lock.execute("ROLLBACK").await.unwrap();
    let created = waiting.await.unwrap();
    assert_eq!(process.ended().await.code(), Some(0), "{}", process.log());

    let again = Process::serve(&database).await;
    assert_eq!(scim_status(&again.url, &created.id(), &created.token()).await, 200);
}

#[tokio::test]
async fn sigint_ends_the_server_without_delay() {
    let database = TestDatabase::create(Engine::Sqlite).await.unwrap();
    let mut serve = scimd(&database, &["serve"]);
    serve.env("SCIMD_SHUTDOWN_DELAY", "1h");
    let mut process = Process::start(serve).await;
    process.signal("INT").await;
    assert_eq!(process.ended().await.code(), Some(0), "{}", process.log());
}

async fn key(database: &TestDatabase, arguments: &[&str]) -> String {
    let arguments = [&["api-key", "create"], arguments].concat();
    finished(scimd(database, &arguments)).await.ok().trim_end().to_owned()
}

fn rows(listed: &str) -> Vec<Vec<String>> {
    listed.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}
