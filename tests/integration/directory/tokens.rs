//! Tokens that end.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::World;
use crate::harness::{TestServer, on_both_engines};

const DAY: Duration = Duration::from_hours(24);

/// Kind and days of each notice that was given.
async fn notices(world: &World) -> Vec<(String, u64)> {
    let answer = world.ask("ListEvents", json!({ "limit": 1_000 })).await.ok();
    let events = answer["events"].as_array().unwrap().clone();
    let kind = |event: &Value| event["kind"].as_str().unwrap().replace("EVENT_KIND_TOKEN_", "");
    events
        .iter()
        .filter(|event| event["kind"].as_str().unwrap().starts_with("EVENT_KIND_TOKEN_EXPIR"))
        .map(|event| (kind(event), event["tokenDaysLeft"].as_u64().unwrap_or(0)))
        .collect()
}

on_both_engines! {
    async fn the_end_of_a_token_is_told_in_time_and_once_by_however_many_replicas(server: TestServer) {
        let world = World::new(&server).await;
        let mut told = Vec::new();
        // A token of 365 days.
        server.advance(334 * DAY);
        for (days, kind, left) in [(1, "EXPIRING", 30), (16, "EXPIRING", 14), (7, "EXPIRING", 7), (6, "EXPIRING", 1), (1, "EXPIRED", 0)] {
            assert_eq!(notices(&world).await, told);
            server.advance(days * DAY);
            join_all((0..8).map(async |_| while server.repository.give_token_notice().await.unwrap() {})).await;
            told.push((kind.to_owned(), left));
            assert_eq!(notices(&world).await, told);
        }
        server.advance(365 * DAY);
        assert!(!server.repository.give_token_notice().await.unwrap());

        // A new token begins anew; what was missed meanwhile is not told.
        world.tenant.call("RegenerateSCIMToken", json!({ "tokenExpiresIn": "1728000s" })).await;
        server.advance(14 * DAY);
        while server.repository.give_token_notice().await.unwrap() {}
        told.push(("EXPIRING".to_owned(), 7));
        assert_eq!(notices(&world).await, told);
        world.tenant.call("DeleteSCIMConfiguration", json!({})).await;
        server.advance(30 * DAY);
        assert!(!server.repository.give_token_notice().await.unwrap());
        assert_eq!(notices(&world).await, told);
    }

    async fn a_running_server_tells_by_itself(server: TestServer) {
        let world = World::new(&server).await;
        server.advance(365 * DAY);
        for _ in 0..200 {
            sleep(Duration::from_millis(100)).await;
            if notices(&world).await == [("EXPIRED".to_owned(), 0)] {
                return;
            }
        }
        panic!("nothing was told: {:?}", notices(&world).await);
    }
}
