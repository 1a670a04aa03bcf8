//! The threads that serve: each connection has one of them, and all have the store.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use futures::future::join_all;
use reqwest::Method;
use tokio::time::{sleep, timeout};

use crate::harness::{Process, TestServer, on_both_engines, scimd};
use crate::scim::client::{ScimClient, Tenant, answer};

/// A process with so many threads that serve.
async fn serving(server: &TestServer, threads: &str) -> Process {
    let mut command = scimd(&server.database, &["serve"]);
    command.env("SCIMD_THREADS", threads);
    Process::start(command).await
}

/// A client of the process, with a connection of its own.
fn client(tenant: &Tenant, server: &TestServer, process: &Process) -> ScimClient {
    ScimClient::at(&tenant.scim.base, &tenant.scim.token).at_url(server, &process.url)
}

/// Each thread that serves, and for how long it has run.
fn run_times(process: &Process) -> BTreeMap<String, Duration> {
    let tasks = fs::read_dir(format!("/proc/{}/task", process.id())).unwrap();
    let times = tasks.filter_map(|task| {
        let task = task.unwrap().path();
        // Others than those that serve come and go.
        let name = fs::read_to_string(task.join("comm")).ok()?.trim().to_owned();
        let times = fs::read_to_string(task.join("schedstat")).ok()?;
        let nanos = times.split(' ').next().unwrap().parse().unwrap();
        name.starts_with("serve-").then_some((name, Duration::from_nanos(nanos)))
    });
    times.collect()
}

on_both_engines! {
    async fn as_many_threads_serve_as_are_set_and_take_connections_in_turn(server: TestServer) {
        let tenant = Tenant::new(&server, server.organization()).await;
        let process = serving(&server, "3").await;
        // They begin after it is said that it listens.
        let begun = async {
            while run_times(&process).len() < 3 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(10), begun).await.unwrap();
        let before = run_times(&process);
        assert_eq!(before.keys().collect::<Vec<_>>(), ["serve-0", "serve-1", "serve-2"]);
        for _ in 0..3 {
            let client = client(&tenant, &server, &process);
            // More than a thread does of its own.
            for _ in 0..40 {
                client.read("/Users").await;
            }
        }
        for (name, time) in run_times(&process) {
            let run = time.saturating_sub(before[&name]);
            assert!(run > Duration::from_millis(4), "{name} ran for {run:?}");
        }
    }

    async fn more_threads_than_connections_share_them(server: TestServer) {
        let tenant = Tenant::new(&server, server.organization()).await;
        let process = serving(&server, "40").await;
        let mut clients = Vec::new();
        for place in 0..80 {
            let client = client(&tenant, &server, &process);
            let user = format!("user-{place}");
            client.make_user(&user).await;
            clients.push((client, user));
        }
        for _ in 0..3 {
            let found = clients.iter().map(|(client, user)| async move {
                let path = format!("/Users?filter=userName%20eq%20%22{user}%22");
                answer(client.request(Method::GET, &path)).await
            });
            for (found, (_, user)) in join_all(found).await.into_iter().zip(&clients) {
                assert_eq!(found.body["Resources"][0]["userName"], user.as_str(), "{found:?}");
            }
        }
    }
}
