//! What a receiver gets, and when.

use std::time::Duration;

use scimd::server::Server;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::receiver::{Manner, Receiver};
use super::{PATIENCE, Webhook, make_users};
use crate::directory::World;
use crate::harness::{Engine, TestServer, on_both_engines};
use crate::scim::client::ScimClient;

on_both_engines! {
    async fn every_event_comes_in_order_and_as_the_feed_has_it(server: TestServer) {
        let world = World::new(&server).await;
        make_users(&world, "before", 30).await;
        let receiver = Receiver::new(Manner::Takes).await;
        let webhook = Webhook::new(&world, &receiver.url).await;
        make_users(&world, "after", 5).await;
        receiver.took_all(36).await;
        assert_eq!(receiver.taken(), (1..=36).collect::<Vec<_>>(), "and each once");
        assert_eq!(receiver.most_open(), 1);

        let body = json!({ "organizationId": world.organization.to_string() }).to_string();
        let request = reqwest::Client::new()
            .post(format!("{}/scimd.v1.DirectoryService/ListEvents", server.url))
            .header("content-type", "application/json")
            .bearer_auth(world.product.key.as_deref().unwrap())
            .body(body);
        let feed = request.send().await.unwrap().text().await.unwrap();
        for received in receiver.received() {
            let event = std::str::from_utf8(&received.body).unwrap();
            assert!(feed.contains(event), "{event}");
            assert_eq!(received.header("content-type"), "application/json");
            assert_eq!(received.header("webhook-id"), format!("{}_{}", world.organization, received.number()));
        }
        let delivery = webhook.delivery(&world.product, |delivery| delivery["deliveredNumber"] == "36").await;
        assert_eq!(delivery["lastSuccessAt"], "2026-11-23T20:15:00Z");
        assert_eq!(delivery.as_object().unwrap().keys().collect::<Vec<_>>(), ["deliveredNumber", "newestNumber", "lastSuccessAt"]);
    }

    async fn an_event_is_there_within_a_second(server: TestServer) {
        let world = World::new(&server).await;
        let receiver = Receiver::new(Manner::Takes).await;
        Webhook::new(&world, &receiver.url).await;
        receiver.took_all(1).await;
        let mut waits = Vec::new();
        for number in 2..12 {
            sleep(Duration::from_millis(100)).await;
            let begun = Instant::now();
            make_users(&world, &format!("n{number}-"), 1).await;
            receiver.took_all(number).await;
            waits.push(begun.elapsed());
        }
        assert!(waits.iter().all(|wait| *wait < Duration::from_secs(1)), "{waits:?}");
    }

    async fn an_event_that_nobody_tells_of_is_found(server: TestServer) {
        let world = World::new(&server).await;
        let receiver = Receiver::new(Manner::Takes).await;
        Webhook::new(&world, &receiver.url).await;
        receiver.took_all(1).await;
        // As though the one that made the change had been killed right after.
        let silent = server.replica_with(|server| server.webhooks.keys = None).await;
        let scim = world.tenant.scim.at_replica(&server, &silent);
        for number in 2..5 {
            let begun = Instant::now();
            let body = json!({ "userName": format!("n{number}") });
            assert_eq!(scim.post("/Users", body).await.status, 201);
            receiver.took_all(number).await;
            assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        }
    }

    async fn a_paused_endpoint_gets_nothing_until_it_is_resumed_where_it_stopped(server: TestServer) {
        let world = World::new(&server).await;
        let receiver = Receiver::new(Manner::Takes).await;
        let webhook = Webhook::new(&world, &receiver.url).await;
        receiver.took_all(1).await;
        let paused = webhook.call(&world.product, "PauseWebhookEndpoint", json!({})).await.ok();
        assert_eq!(paused["webhookEndpoint"]["delivery"]["pause"], json!({
            "pausedAt": "2026-11-23T20:15:00Z", "reason": "WEBHOOK_PAUSE_REASON_REQUESTED",
        }));
        make_users(&world, "a", 3).await;
        // A change is no reason to go on.
        webhook.call(&world.product, "UpdateWebhookEndpoint", json!({ "description": "still paused" })).await.ok();
        sleep(Duration::from_millis(700)).await;
        assert_eq!(receiver.taken(), [1]);
        let resumed = webhook.call(&world.product, "ResumeWebhookEndpoint", json!({})).await.ok();
        assert_eq!(resumed["webhookEndpoint"]["delivery"]["pause"], Value::Null);
        receiver.took_all(4).await;
        assert_eq!(receiver.taken(), [1, 2, 3, 4]);
    }

    async fn what_was_sent_is_sent_again_behind_any_number(server: TestServer) {
        let world = World::new(&server).await;
        make_users(&world, "a", 4).await;
        let receiver = Receiver::new(Manner::Takes).await;
        let webhook = Webhook::new(&world, &receiver.url).await;
        receiver.took_all(5).await;
        webhook.delivery(&world.product, |delivery| delivery["deliveredNumber"] == "5").await;
        webhook.call(&world.product, "ResumeWebhookEndpoint", json!({ "after": "3" })).await.ok();
        receiver.asked(7).await;
        assert_eq!(receiver.taken(), [1, 2, 3, 4, 5, 4, 5]);
        let sent = receiver.received();
        assert_eq!(sent[3].header("webhook-id"), sent[5].header("webhook-id"));
        assert_eq!(sent[3].body, sent[5].body);
    }

    async fn where_somebody_says_to_go_on_holds_also_when_the_number_is_the_one_before(server: TestServer) {
        let world = World::new(&server).await;
        let receiver = Receiver::new(Manner::Takes).await;
        let webhook = Webhook::new(&world, &receiver.url).await;
        receiver.took_all(1).await;
        webhook.delivery(&world.product, |delivery| delivery["deliveredNumber"] == "1").await;
        webhook.call(&world.product, "PauseWebhookEndpoint", json!({})).await.ok();
        make_users(&world, "a", 2).await;
        receiver.set(Manner::TakesUpTo(2));
        webhook.call(&world.product, "ResumeWebhookEndpoint", json!({})).await.ok();
        // That 2 was taken is not written down while 3 hangs.
        receiver.asked(3).await;
        webhook.call(&world.product, "ResumeWebhookEndpoint", json!({ "after": "1" })).await.ok();
        receiver.set(Manner::Takes);
        receiver.took_all(3).await;
        assert_eq!(receiver.taken(), [1, 2, 2, 3]);
    }

    async fn a_change_of_url_and_the_end_of_an_endpoint_hold_at_once(server: TestServer) {
        let world = World::new(&server).await;
        let (old, new) = (Receiver::new(Manner::Takes).await, Receiver::new(Manner::Takes).await);
        let webhook = Webhook::new(&world, &old.url).await;
        old.took_all(1).await;
        webhook.call(&world.product, "UpdateWebhookEndpoint", json!({ "url": new.url })).await.ok();
        make_users(&world, "a", 1).await;
        new.asked(1).await;
        assert_eq!((old.taken(), new.taken()), (vec![1], vec![2]));
        webhook.call(&world.product, "DeleteWebhookEndpoint", json!({})).await.ok();
        make_users(&world, "b", 1).await;
        sleep(Duration::from_millis(700)).await;
        assert_eq!((old.taken(), new.taken()), (vec![1], vec![2]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_stops_leaves_its_endpoints_to_the_others_at_once() {
    let Some(mut server) = TestServer::start_in_real_time(Engine::Postgres).await else { return };
    let world = World::new(&server).await;
    make_users(&world, "a", 40).await;
    let receiver = Receiver::new(Manner::TakesAfter(Duration::from_millis(50))).await;
    Webhook::new(&world, &receiver.url).await;
    receiver.took_all(5).await;
    let _replica = server.replica().await;
    let stopped = Instant::now();
    server.stop(Duration::ZERO);
    receiver.took_all(41).await;
    // Shorter than a lease that nobody gives back.
    assert!(stopped.elapsed() < Duration::from_secs(5), "{:?}", stopped.elapsed());
    assert_eq!(receiver.taken(), (1..=41).collect::<Vec<_>>(), "and each once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_replicas_one_delivers_at_a_time() {
    let Some(server) = TestServer::start_in_real_time(Engine::Postgres).await else { return };
    let replica = server.replica().await;
    let mut receivers = Vec::new();
    for _ in 0..3 {
        let world = World::new(&server).await;
        let receiver = Receiver::new(Manner::TakesAfter(Duration::from_millis(5))).await;
        Webhook::new(&world, &receiver.url).await;
        receivers.push((world, receiver));
    }
    let writers = receivers.iter().flat_map(|(world, _)| {
        let own = world.tenant.scim.clone();
        let other: ScimClient = own.at_replica(&server, &replica);
        [("a", own), ("b", other)]
    });
    let written = writers.map(|(name, scim)| async move {
        for user in 0..25 {
            let body = json!({ "userName": format!("{name}{user}") });
            assert_eq!(scim.post("/Users", body).await.status, 201);
            sleep(Duration::from_millis(20)).await;
        }
    });
    futures::future::join_all(written).await;
    for (_, receiver) in &receivers {
        receiver.took_all(51).await;
        assert_eq!(receiver.taken(), (1..=51).collect::<Vec<_>>(), "and each once");
        assert_eq!(receiver.most_open(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_waits_for_no_receiver_that_hangs() {
    // Longer than anybody waits here: only a lease that is given back is soon another's.
    let patient = |server: &mut Server| server.webhooks.timeout = 2 * PATIENCE;
    let started = TestServer::start_in_real_time_with(Engine::Postgres, patient).await;
    let Some(mut server) = started else { return };
    let world = World::new(&server).await;
    make_users(&world, "a", 1).await;
    let receiver = Receiver::new(Manner::TakesUpTo(1)).await;
    Webhook::new(&world, &receiver.url).await;
    receiver.asked(2).await;
    let _replica = server.replica().await;
    server.stop(Duration::ZERO);
    receiver.set(Manner::Takes);
    receiver.took_all(2).await;
    assert_eq!(receiver.taken(), [1, 2], "what was taken is written down");
}
