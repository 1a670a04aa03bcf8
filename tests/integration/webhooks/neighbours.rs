//! A bad receiver delays nobody else, of its own organization or of another.

use std::sync::Arc;
use std::time::Duration;

use scimd::clock::{Random, SystemRandom};
use scimd::server::Server;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::receiver::{Manner, Receiver};
use super::{Webhook, create, make_users};
use crate::directory::World;
use crate::harness::{Engine, TestServer};

/// How long each event takes to each of `receivers`, at most, while so many are
/// made of both organizations.
async fn latest(worlds: [&World; 2], receivers: &[&Receiver], first: u64, count: u64) -> Duration {
    let mut latest = Duration::ZERO;
    for number in first..first + count {
        let begun = Instant::now();
        for world in worlds {
            make_users(world, &format!("n{number}-"), 1).await;
        }
        for receiver in receivers {
            receiver.took_all(number).await;
        }
        latest = latest.max(begun.elapsed());
    }
    latest
}

async fn bad_receivers_delay_nobody(engine: Engine) {
    let Some(server) = TestServer::start_in_real_time(engine).await else { return };
    let (own, other) = (World::new(&server).await, World::new(&server).await);
    let (near, far) = (Receiver::new(Manner::Takes).await, Receiver::new(Manner::Takes).await);
    let target = Receiver::new(Manner::Takes).await;
    let bad = [
        Receiver::new(Manner::Answers(500)).await,
        Receiver::new(Manner::Hangs).await,
        Receiver::new(Manner::Redirects(target.url.clone())).await,
        Receiver::new(Manner::TakesAfter(Duration::from_millis(800))).await,
        Receiver::new(Manner::TakesWithoutEnd).await,
        Receiver::new(Manner::IsFlaky).await,
    ];
    Webhook::new(&own, &near.url).await;
    Webhook::new(&other, &far.url).await;
    let mut webhooks = Vec::new();
    for receiver in &bad {
        webhooks.push(Webhook::new(&own, &receiver.url).await);
    }
    let worst = latest([&own, &other], &[&near, &far], 2, 30).await;
    eprintln!("the good ones waited {worst:?} at most");
    assert!(worst < Duration::from_secs(1), "{worst:?}");
    // What is mended loses nothing.
    for (receiver, webhook) in bad.iter().zip(&webhooks) {
        receiver.set(Manner::Takes);
        webhook.call(&own.product, "ResumeWebhookEndpoint", json!({})).await.ok();
    }
    for receiver in &bad {
        receiver.took_all(31).await;
        assert_eq!(receiver.most_open(), 1, "one request at a time");
    }
    assert_eq!(target.received().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_receivers_delay_nobody_on_sqlite() {
    bad_receivers_delay_nobody(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_receivers_delay_nobody_on_postgres() {
    bad_receivers_delay_nobody(Engine::Postgres).await;
}

/// More than there are places for deliveries.
async fn more_hanging_ones_than_there_are_places_delay_nobody(engine: Engine) {
    let Some(server) = TestServer::start_in_real_time(engine).await else { return };
    let (own, other) = (World::new(&server).await, World::new(&server).await);
    let (near, far) = (Receiver::new(Manner::Takes).await, Receiver::new(Manner::Takes).await);
    Webhook::new(&own, &near.url).await;
    Webhook::new(&other, &far.url).await;
    let hanging = Receiver::new(Manner::Hangs).await;
    for _ in 0..20 {
        let organization = server.organization();
        let client = server.admin(organization).await;
        client.create(organization).await.ok();
        for _ in 0..15 {
            create(&client, organization, &hanging.url).await;
        }
    }
    hanging.asked(300).await;
    // Each has failed once by now, and is tried again all the time.
    sleep(Duration::from_secs(4)).await;
    let worst = latest([&own, &other], &[&near, &far], 2, 20).await;
    eprintln!("beside 300 hanging ones the good ones waited {worst:?} at most");
    assert!(worst < Duration::from_secs(1), "{worst:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_hanging_ones_than_there_are_places_delay_nobody_on_sqlite() {
    more_hanging_ones_than_there_are_places_delay_nobody(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_hanging_ones_than_there_are_places_delay_nobody_on_postgres() {
    more_hanging_ones_than_there_are_places_delay_nobody(Engine::Postgres).await;
}

/// More backlogs than there are places for deliveries, each longer than a turn.
async fn backlogs_keep_nobody_waiting_who_comes_later(engine: Engine) {
    let crowded = |server: &mut Server| {
        server.webhooks.deliveries = 4;
        server.webhooks.turn = Duration::from_millis(500);
    };
    let Some(server) = TestServer::start_in_real_time_with(engine, crowded).await else { return };
    let (busy, calm) = (World::new(&server).await, World::new(&server).await);
    let good = Receiver::new(Manner::Takes).await;
    Webhook::new(&calm, &good.url).await;
    good.took_all(1).await;
    make_users(&busy, "a", 60).await;
    let mut slow = Vec::new();
    for _ in 0..8 {
        let receiver = Receiver::new(Manner::TakesAfter(Duration::from_millis(100))).await;
        Webhook::new(&busy, &receiver.url).await;
        slow.push(receiver);
    }
    for receiver in &slow {
        receiver.asked(1).await;
    }
    make_users(&calm, "b", 1).await;
    good.took_all(2).await;
    for receiver in &slow {
        assert!(receiver.taken().len() < 61, "it waited until backlogs came to an end");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backlogs_keep_nobody_waiting_who_comes_later_on_sqlite() {
    backlogs_keep_nobody_waiting_who_comes_later(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backlogs_keep_nobody_waiting_who_comes_later_on_postgres() {
    backlogs_keep_nobody_waiting_who_comes_later(Engine::Postgres).await;
}

/// Fails where a delivery asks how long to wait for its next attempt.
struct FailingRandom;

impl Random for FailingRandom {
    fn fill(&self, bytes: &mut [u8]) {
        assert!(bytes.len() > 1, "a fault in one delivery");
        SystemRandom.fill(bytes);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_that_panics_ends_no_other() {
    let faulty = |server: &mut Server| server.random = Arc::new(FailingRandom);
    let started = TestServer::start_in_real_time_with(Engine::Sqlite, faulty).await;
    let Some(server) = started else { return };
    let world = World::new(&server).await;
    let bad = Receiver::new(Manner::Answers(500)).await;
    Webhook::new(&world, &bad.url).await;
    bad.asked(1).await;
    let good = Receiver::new(Manner::Takes).await;
    Webhook::new(&world, &good.url).await;
    good.took_all(1).await;
}
