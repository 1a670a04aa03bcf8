//! Receivers that fail lose nothing, and are told of.

use std::time::Duration;

use scimd::model::Instant;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

use super::receiver::{Manner, Receiver};
use super::{Webhook, make_users};
use crate::directory::World;
use crate::harness::{TestServer, on_both_engines};

/// As long as a second of the server's clock is for its webhooks to look up.
const LOOKS: Duration = Duration::from_millis(700);

on_both_engines! {
    async fn what_failed_is_tried_again_after_longer_and_longer_waits(server: TestServer) {
        let world = World::new(&server).await;
        let receiver = Receiver::new(Manner::Answers(500)).await;
        let webhook = Webhook::new(&world, &receiver.url).await;
        make_users(&world, "a", 2).await;
        receiver.asked(1).await;
        let delivery = webhook.delivery(&world.product, |delivery| !delivery["nextAttemptAt"].is_null()).await;
        assert_eq!(delivery["lastFailure"], json!({
            "failedAt": "2026-11-23T20:15:00Z", "eventNumber": "1", "kind": "WEBHOOK_FAILURE_KIND_STATUS",
            "httpStatus": 500, "message": "the receiver answered 500",
        }));
        assert_eq!(delivery["failingSince"], "2026-11-23T20:15:00Z");
        assert_eq!((&delivery["deliveredNumber"], &delivery["newestNumber"]), (&Value::Null, &json!("3")));
        // News is no reason to come sooner, and each wait is about twice the last.
        for (attempt, wait) in [(2, 1_200), (3, 2_400), (4, 4_800)] {
            make_users(&world, &format!("n{attempt}-"), 1).await;
            sleep(LOOKS).await;
            assert_eq!(receiver.received().len(), attempt - 1);
            server.advance(Duration::from_millis(wait));
            receiver.asked(attempt).await;
            webhook.delivery(&world.product, |delivery| delivery["lastFailure"]["failedAt"] != json!(null)
                && !delivery["nextAttemptAt"].is_null()).await;
        }
        assert_eq!(receiver.most_open(), 1);
        receiver.set(Manner::Takes);
        server.advance(Duration::from_secs(10));
        receiver.took_all(6).await;
        assert_eq!(receiver.taken(), [1, 2, 3, 4, 5, 6]);
        let delivery = webhook.delivery(&world.product, |delivery| delivery["deliveredNumber"] == "6").await;
        assert_eq!((&delivery["failingSince"], &delivery["nextAttemptAt"]), (&Value::Null, &Value::Null));
        assert_eq!(delivery["lastFailure"]["httpStatus"], 500, "it is remembered");
    }

    async fn a_change_or_a_resumption_ends_the_wait(server: TestServer) {
        let world = World::new(&server).await;
        let receiver = Receiver::new(Manner::Answers(404)).await;
        let webhook = Webhook::new(&world, &receiver.url).await;
        for (attempt, method) in [(1, "UpdateWebhookEndpoint"), (2, "ResumeWebhookEndpoint")] {
            receiver.asked(attempt).await;
            webhook.delivery(&world.product, |delivery| !delivery["nextAttemptAt"].is_null()).await;
            webhook.call(&world.product, method, json!({})).await.ok();
        }
        receiver.asked(3).await;
    }

    async fn after_three_days_it_is_paused_and_goes_on_where_it_stopped(server: TestServer) {
        let world = World::new(&server).await;
        let receiver = Receiver::new(Manner::Takes).await;
        let webhook = Webhook::new(&world, &receiver.url).await;
        receiver.took_all(1).await;
        receiver.set(Manner::Answers(503));
        make_users(&world, "a", 2).await;
        receiver.asked(2).await;
        webhook.delivery(&world.product, |delivery| !delivery["nextAttemptAt"].is_null()).await;
        server.advance(Duration::from_hours(3 * 24) - Duration::from_secs(1));
        receiver.asked(3).await;
        let delivery = webhook.delivery(&world.product, |delivery| delivery["lastFailure"]["failedAt"] != json!("2026-11-23T20:15:00Z")).await;
        assert_eq!(delivery["pause"], Value::Null, "not yet");
        server.advance(Duration::from_mins(40));
        receiver.asked(4).await;
        let delivery = webhook.delivery(&world.product, |delivery| !delivery["pause"].is_null()).await;
        assert_eq!(delivery["pause"]["reason"], "WEBHOOK_PAUSE_REASON_FAILING");
        assert_eq!(delivery["deliveredNumber"], "1");
        make_users(&world, "b", 2).await;
        server.advance(Duration::from_hours(24));
        sleep(LOOKS).await;
        assert_eq!(receiver.received().len(), 4);
        receiver.set(Manner::Takes);
        webhook.call(&world.product, "ResumeWebhookEndpoint", json!({})).await.ok();
        receiver.took_all(5).await;
        assert_eq!(receiver.taken(), [1, 2, 3, 4, 5]);
    }

    async fn one_that_is_gone_is_paused_at_once(server: TestServer) {
        let world = World::new(&server).await;
        let receiver = Receiver::new(Manner::Answers(410)).await;
        let webhook = Webhook::new(&world, &receiver.url).await;
        let delivery = webhook.delivery(&world.product, |delivery| !delivery["pause"].is_null()).await;
        assert_eq!(delivery["pause"]["reason"], "WEBHOOK_PAUSE_REASON_GONE");
        assert_eq!(delivery["lastFailure"]["httpStatus"], 410);
        server.advance(Duration::from_hours(1));
        sleep(LOOKS).await;
        assert_eq!(receiver.received().len(), 1);
    }

    async fn one_whose_events_are_no_longer_kept_is_paused_until_told_where_to_go_on(server: TestServer) {
        let world = World::new(&server).await;
        let receiver = Receiver::new(Manner::Answers(500)).await;
        let webhook = Webhook::new(&world, &receiver.url).await;
        make_users(&world, "a", 3).await;
        webhook.delivery(&world.product, |delivery| !delivery["nextAttemptAt"].is_null()).await;
        server.advance(Duration::from_secs(1));
        make_users(&world, "b", 1).await;
        let before = Instant::from_micros(1_795_464_900_000_001);
        server.repository.forget_events(world.organization, before).await.unwrap();
        server.advance(Duration::from_secs(5));
        let delivery = webhook.delivery(&world.product, |delivery| !delivery["pause"].is_null()).await;
        assert_eq!(delivery["pause"]["reason"], "WEBHOOK_PAUSE_REASON_EVENTS_EXPIRED");
        receiver.set(Manner::Takes);
        let refused = webhook.call(&world.product, "ResumeWebhookEndpoint", json!({})).await;
        assert_eq!((refused.code(), refused.reason().as_str()), ("out_of_range", "EVENTS_EXPIRED"));
        webhook.call(&world.product, "ResumeWebhookEndpoint", json!({ "after": "4" })).await.ok();
        receiver.asked(2).await;
        assert_eq!(receiver.taken(), [5]);
    }

    async fn where_every_event_is_forgotten_it_is_paused_too(server: TestServer) {
        let world = World::new(&server).await;
        let receiver = Receiver::new(Manner::Answers(500)).await;
        let webhook = Webhook::new(&world, &receiver.url).await;
        webhook.delivery(&world.product, |delivery| !delivery["nextAttemptAt"].is_null()).await;
        server.repository.forget_events(world.organization, Instant::from_micros(i64::MAX)).await.unwrap();
        server.advance(Duration::from_secs(5));
        let delivery = webhook.delivery(&world.product, |delivery| !delivery["pause"].is_null()).await;
        assert_eq!(delivery["pause"]["reason"], "WEBHOOK_PAUSE_REASON_EVENTS_EXPIRED");
    }

    async fn what_is_wrong_is_told_in_plain_words(server: TestServer) {
        let world = World::new(&server).await;
        let target = Receiver::new(Manner::Takes).await;
        let silent = Receiver::new(Manner::Hangs).await;
        let redirecting = Receiver::new(Manner::Redirects(target.url.clone())).await;
        let garbled = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let garbled_url = format!("http://{}/", garbled.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = garbled.accept().await {
                // What is left unread would make the end of the connection a failure of its own.
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(b"220 mail.example.com ESMTP\r\n").await;
                let _ = stream.read(&mut [0; 4096]).await;
            }
        });
        let tls = silent.url.replace("http://", "https://");
        for (url, kind, status, words) in [
            ("http://127.0.0.1:9/", "CONNECTION", 0, "no connection"),
            ("http://no-such-host.invalid/", "NAME", 0, "no address"),
            (&silent.url, "TIMEOUT", 0, "in time"),
            (&redirecting.url, "STATUS", 307, "redirects are not followed"),
            (&garbled_url, "PROTOCOL", 0, "not HTTP"),
            (&tls, "TLS", 0, "TLS"),
        ] {
            let webhook = Webhook::new(&world, url).await;
            let delivery = webhook.delivery(&world.product, |delivery| !delivery["lastFailure"].is_null()).await;
            let failure = &delivery["lastFailure"];
            assert_eq!(failure["kind"], format!("WEBHOOK_FAILURE_KIND_{kind}"), "{url} {failure}");
            assert_eq!(failure["httpStatus"].as_u64().unwrap_or_default(), status, "{url}");
            assert!(failure["message"].as_str().unwrap().contains(words), "{url} {failure}");
        }
        assert_eq!(target.received().len(), 0, "where it was redirected to");
    }

    async fn an_event_that_cannot_be_read_keeps_none_before_it_waiting(server: TestServer) {
        let world = World::new(&server).await;
        make_users(&world, "a", 2).await;
        let database = sea_orm::Database::connect(server.database.text()).await.unwrap();
        let spoilt = "UPDATE scim_events SET kind = 999 WHERE number = 3";
        sea_orm::ConnectionTrait::execute_unprepared(&database, spoilt).await.unwrap();
        let receiver = Receiver::new(Manner::Takes).await;
        let webhook = Webhook::new(&world, &receiver.url).await;
        // What was taken is written down, and the lease given back.
        webhook.delivery(&world.product, |delivery| delivery["deliveredNumber"] == "1").await;
        server.advance(Duration::from_secs(11));
        webhook.delivery(&world.product, |delivery| delivery["deliveredNumber"] == "2").await;
        assert_eq!(receiver.taken(), [1, 2]);
    }

    async fn a_secret_that_no_key_opens_is_told_and_a_new_one_mends_it(server: TestServer) {
        let world = World::new(&server).await;
        let receiver = Receiver::new(Manner::Answers(500)).await;
        let webhook = Webhook::new(&world, &receiver.url).await;
        receiver.asked(1).await;
        let database = sea_orm::Database::connect(server.database.text()).await.unwrap();
        let spoilt = "UPDATE scim_webhook_secrets SET sealed = (SELECT token_hash FROM scim_configurations LIMIT 1)";
        sea_orm::ConnectionTrait::execute_unprepared(&database, spoilt).await.unwrap();
        receiver.set(Manner::Takes);
        webhook.delivery(&world.product, |delivery| !delivery["nextAttemptAt"].is_null()).await;
        server.advance(Duration::from_secs(5));
        webhook.delivery(&world.product, |delivery| delivery["lastFailure"]["kind"] == "WEBHOOK_FAILURE_KIND_SECRET").await;
        webhook.call(&world.product, "AddWebhookSecret", json!({})).await.ok();
        receiver.took_all(1).await;
    }
}
