//! Connections, to receivers and to the database, are had for as long as they are
//! needed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use scimd::model::Scope;
use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, timeout};

use super::receiver::{Manner, Receiver};
use super::{PATIENCE, Webhook, make_users};
use crate::directory::World;
use crate::harness::{Engine, TestServer, on_both_engines};

/// A receiver that takes everything and never closes a connection, its URL, how
/// many connections it was opened, and how many of them are open.
async fn counted() -> (String, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (opened, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counts = (Arc::clone(&opened), Arc::clone(&open));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (opened, open) = (Arc::clone(&opened), Arc::clone(&open));
            tokio::spawn(async move {
                opened.fetch_add(1, Ordering::SeqCst);
                open.fetch_add(1, Ordering::SeqCst);
                let mut request = vec![0; 65_536];
                while stream.read(&mut request).await.is_ok_and(|length| length > 0) {
                    let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
                }
                open.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    (url, counts.0, counts.1)
}

on_both_engines! {
    async fn a_connection_is_kept_for_the_events_of_a_turn_and_no_longer(server: TestServer) {
        let world = World::new(&server).await;
        make_users(&world, "a", 20).await;
        let (url, opened, open) = counted().await;
        let webhook = Webhook::new(&world, &url).await;
        webhook.delivery(&world.product, |delivery| delivery["deliveredNumber"] == "21").await;
        let begun = Instant::now();
        while open.load(Ordering::SeqCst) > 0 {
            // Others would keep it for half a minute.
            assert!(begun.elapsed() < Duration::from_secs(10), "it stays open");
            sleep(Duration::from_millis(20)).await;
        }
        assert!(opened.load(Ordering::SeqCst) < 5, "{opened:?} for 21 events");
    }
}

/// SQLite has connections of their own for reads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_committed_is_answered_though_no_connection_is_free() {
    const CONNECTIONS: usize = 16;
    let Some(server) = TestServer::start_in_real_time(Engine::Postgres).await else { return };
    let world = World::new(&server).await;
    let receiver = Receiver::new(Manner::Takes).await;
    let webhook = Webhook::new(&world, &receiver.url).await;
    webhook.delivery(&world.product, |delivery| delivery["deliveredNumber"] == "1").await;
    // All connections but the request's are taken, and it waits for this one.
    let before = server.repository.write().await.unwrap();
    let scope = Scope::Organization(world.organization);
    before.touch_webhook_endpoint(scope, webhook.id.parse().unwrap()).await.unwrap();
    let mut taken = Vec::new();
    for _ in 2..CONNECTIONS {
        taken.push(server.repository.write().await.unwrap());
    }
    let request = tokio::spawn(async move {
        let change = json!({ "description": "changed" });
        webhook.call(&world.product, "UpdateWebhookEndpoint", change).await.ok()
    });
    let own = Database::connect(server.database.text()).await.unwrap();
    let waiting = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let is_waiting = async || {
        let waiting = Statement::from_string(DbBackend::Postgres, waiting);
        let row = own.query_one_raw(waiting).await.unwrap().unwrap();
        row.try_get_by_index::<i64>(0).unwrap() > 0
    };
    while !is_waiting().await {
        sleep(Duration::from_millis(20)).await;
    }
    // Its connection is another's as soon as it gives it back.
    let repository = server.repository.clone();
    let next = tokio::spawn(async move {
        let next = tokio::try_join!(repository.write(), repository.write());
        sleep(PATIENCE).await;
        drop(next);
    });
    sleep(Duration::from_millis(200)).await;
    before.commit().await.unwrap();
    let answer = timeout(Duration::from_secs(10), request).await.expect("an answer").unwrap();
    assert_eq!(answer["webhookEndpoint"]["description"], "changed");
    next.abort();
}
