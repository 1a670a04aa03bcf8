//! Receivers of all manners, while the servers that deliver are killed under
//! them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::receiver::{Manner, Receiver};
use crate::harness::{Client, Engine, Process, TestDatabase, WEBHOOK_KEY, finished, scimd};

const ORGANIZATION: &str = "0195f2a3-0f5c-7cc3-a1b2-4c5d6e7f8093";
const KILLS: usize = 12;
const WRITERS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_receiver_gets_every_event_in_order_after_kills_on_sqlite() {
    kills(Engine::Sqlite, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_receiver_gets_every_event_in_order_after_kills_on_postgres() {
    kills(Engine::Postgres, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_receiver_gets_every_event_in_order_after_kills_of_two_replicas() {
    kills(Engine::Postgres, 2).await;
}

async fn served(database: &TestDatabase) -> Process {
    let mut command = scimd(database, &["serve"]);
    command
        .env("SCIMD_LOG", "warn,scimd=info")
        .env("SCIMD_WEBHOOK_SECRET_KEY", WEBHOOK_KEY)
        .env("SCIMD_WEBHOOK_ALLOW_HTTP", "true")
        .env("SCIMD_WEBHOOK_ALLOW_PRIVATE", "true")
        .env("SCIMD_WEBHOOK_TIMEOUT", "1s");
    Process::start(command).await
}

async fn kills(engine: Engine, replicas: usize) {
    let Some(database) = TestDatabase::create(engine).await else { return };
    let create_key = ["api-key", "create", "--organization", ORGANIZATION];
    let key = finished(scimd(&database, &create_key)).await.ok().trim_end().to_owned();
    let mut processes = Vec::new();
    for _ in 0..replicas {
        processes.push(served(&database).await);
    }
    let client = Client::new(&processes[0].url, Some(&key));
    let created = client.create(ORGANIZATION).await;
    let receivers = [
        Receiver::new(Manner::Takes).await,
        Receiver::new(Manner::TakesAfter(Duration::from_millis(3))).await,
        Receiver::new(Manner::IsFlaky).await,
        Receiver::new(Manner::Hangs).await,
    ];
    let mut webhooks = Vec::new();
    for receiver in &receivers {
        webhooks.push(super::create(&client, ORGANIZATION.parse().unwrap(), &receiver.url).await);
    }
    let urls = Arc::new(Mutex::new(processes.iter().map(|p| p.url.clone()).collect::<Vec<_>>()));
    let (done, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (urls, done, made) = (Arc::clone(&urls), Arc::clone(&done), Arc::clone(&made));
        let (configuration, token) = (created.id(), created.token());
        writers.spawn(async move {
            let http = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
            for round in 0.. {
                if done.load(Ordering::Relaxed) {
                    return;
                }
                let url = {
                    let urls = urls.lock().unwrap();
                    format!("{}/scim/v2/{configuration}/Users", urls[writer % urls.len()])
                };
                let user = json!({ "userName": format!("u{writer}-{round}") });
                match http.post(url).bearer_auth(&token).json(&user).send().await {
                    Ok(answer) if answer.status() == 201 => {
                        made.fetch_add(1, Ordering::Relaxed);
                    }
                    _ => {}
                }
                sleep(Duration::from_millis(15)).await;
            }
        });
    }
    for round in 0..KILLS {
        let pause = u64::try_from(uuid::Uuid::new_v4().as_u128() % 500).unwrap();
        sleep(Duration::from_millis(100 + pause)).await;
        let victim = round % replicas;
        processes.remove(victim).kill().await;
        let process = served(&database).await;
        urls.lock().unwrap()[victim].clone_from(&process.url);
        processes.insert(victim, process);
    }
    done.store(true, Ordering::Relaxed);
    while let Some(writer) = writers.join_next().await {
        writer.unwrap();
    }
    receivers[2].set(Manner::Takes);
    receivers[3].set(Manner::Takes);
    let client = Client::new(&processes[0].url, Some(&key));
    for webhook in &webhooks {
        webhook.call(&client, "ResumeWebhookEndpoint", json!({})).await.ok();
    }
    let newest = webhooks[0].get(&client).await["delivery"]["newestNumber"].clone();
    let newest: u64 = newest.as_str().unwrap().parse().unwrap();
    assert!(newest > made.load(Ordering::Relaxed) && newest > 50, "too little was done: {newest}");
    for receiver in &receivers {
        receiver.took_all(newest).await;
        let repeated = receiver.taken().len() as u64 - newest;
        eprintln!("{newest} events, {repeated} of them twice");
    }
}
