//! The threads that serve: each connection has one of them, and all have the store.

use std::collections::BTreeMap;
use std::fs;

use futures::future::join_all;
use reqwest::Method;
use scimd::model::DatabaseUrl;
use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};

use crate::harness::{Process, TestServer, on_both_engines, scimd};
use crate::scim::client::{ScimClient, Tenant, answer};

/// A process with so many threads that serve.
async fn serving(server: &TestServer, threads: &str) -> Process {
    let mut command = scimd(&server.database, &["serve"]);
    command.env("SCIMD_THREADS", threads);
    Process::start(command).await
}

/// Each thread that serves, and for how many nanoseconds it has run.
fn run_times(process: &Process) -> BTreeMap<String, u64> {
    let tasks = fs::read_dir(format!("/proc/{}/task", process.id())).unwrap();
    let tasks = tasks.map(|task| task.unwrap().path());
    let named = tasks.map(|task| {
        let name = fs::read_to_string(task.join("comm")).unwrap();
        let times = fs::read_to_string(task.join("schedstat")).unwrap();
        let time = times.split(' ').next().unwrap().parse().unwrap();
        (name.trim().to_owned(), time)
    });
    named.filter(|(name, _)| name.starts_with("serve-")).collect()
}

/// How many connections there are to the database of a test, but that of who asks. None
/// on SQLite.
async fn connections(server: &TestServer) -> i64 {
    let DatabaseUrl::Postgres(url) = &server.database.url else { return 0 };
    let connection = Database::connect(url.as_str()).await.unwrap();
    let count = "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let count = Statement::from_string(DbBackend::Postgres, count);
    let row = connection.query_one_raw(count).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

on_both_engines! {
    async fn as_many_threads_serve_as_are_set_and_take_connections_in_turn(server: TestServer) {
        let tenant = Tenant::new(&server, server.organization()).await;
        let process = serving(&server, "3").await;
        let before = run_times(&process);
        assert_eq!(before.keys().collect::<Vec<_>>(), ["serve-0", "serve-1", "serve-2"]);
        for _ in 0..3 {
            // Each client has a connection of its own.
            let client = ScimClient::at(&tenant.scim.base, &tenant.scim.token);
            client.at_url(&server, &process.url).read("/Users").await;
        }
        for (name, time) in run_times(&process) {
            assert!(time > before[&name], "{name} did nothing");
        }
    }

    async fn more_threads_than_connections_share_them(server: TestServer) {
        let tenant = Tenant::new(&server, server.organization()).await;
        let process = serving(&server, "40").await;
        let mut clients = Vec::new();
        for place in 0..80 {
            let client = ScimClient::at(&tenant.scim.base, &tenant.scim.token);
            let client = client.at_url(&server, &process.url);
            let user = format!("user-{place}");
            client.make_user(&user).await;
            clients.push((client, user));
        }
        let before = connections(&server).await;
        for _ in 0..3 {
            let found = clients.iter().map(|(client, user)| async move {
                let path = format!("/Users?filter=userName%20eq%20%22{user}%22");
                answer(client.request(Method::GET, &path)).await
            });
            for (found, (_, user)) in join_all(found).await.into_iter().zip(&clients) {
                assert_eq!(found.body["Resources"][0]["userName"], user.as_str(), "{found:?}");
            }
        }
        // 16, and one for the schema, of the process and of the server of the test.
        let after = connections(&server).await;
        assert!(before <= 34 && after <= 34, "{before}, {after}");
    }
}
