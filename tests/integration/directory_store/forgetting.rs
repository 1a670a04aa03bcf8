//! Events that are kept no longer.

use std::time::Duration;

use scimd::repository::Bounds;

use super::events::{events, organization_of};
use super::{configuration, create_named};
use crate::harness::{TestServer, on_both_engines};

const DAY: Duration = Duration::from_hours(24);

on_both_engines! {
    async fn old_events_go_in_batches_and_the_numbers_go_on(server: TestServer) {
        let store = &server.repository;
        let at = configuration(store).await;
        let organization = organization_of(store, at).await;
        for name in ["a", "b", "c", "d"] {
            create_named(store, at, name).await;
        }
        server.advance(DAY);
        let tx = store.write().await.unwrap();
        let before = tx.now();
        drop(tx);
        create_named(store, at, "e").await;
        let forget = async |limit| {
            let tx = store.write().await.unwrap();
            let more = tx.forget_events(organization, before, limit).await.unwrap();
            tx.commit().await.unwrap();
            more
        };
        let read = store.read();
        assert_eq!(read.organization_to_forget_of(None, before).await.unwrap(), Some(organization));
        assert!(forget(3).await);
        assert_eq!(read.event_bounds(organization).await.unwrap(), Bounds { oldest: 4, newest: 6 });
        assert!(forget(3).await);
        assert!(!forget(3).await);
        assert_eq!(read.event_bounds(organization).await.unwrap(), Bounds { oldest: 6, newest: 6 });
        assert_eq!(read.organization_to_forget_of(None, before).await.unwrap(), None);
        let later = before.saturating_add(DAY);
        while store.forget_events(organization, later).await.unwrap() {}
        assert_eq!(read.event_bounds(organization).await.unwrap(), Bounds { oldest: 7, newest: 6 });
        create_named(store, at, "f").await;
        assert_eq!(read.event_bounds(organization).await.unwrap(), Bounds { oldest: 7, newest: 7 });
        assert_eq!(events(store, organization, 6).await.len(), 1);
    }
}
