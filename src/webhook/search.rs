//! The search for endpoints that there is something to send to.
//!
//! Whoever is found and finds no place is due from then on, and gets one in
//! turn: who came later, or has more to be sent, comes behind.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::Webhooks;
use crate::model::WebhookEndpointId;
use crate::repository::{News, Result, WEBHOOKS_AT_ONCE, WebhookLease};

/// How often to look which endpoints are due.
const LOOK_INTERVAL: Duration = Duration::from_millis(300);
/// Between two looks at least, however much news there is.
const LOOK_PAUSE: Duration = Duration::from_millis(50);
/// Questions for news of one look, each for [`WEBHOOKS_AT_ONCE`] feeds.
const NEWS_AT_ONCE: usize = 16;
/// How often to look at some endpoints for news that nobody told, because whoever
/// should have was killed.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// Endpoints of one such look.
const SWEPT_AT_ONCE: usize = 100;

/// A lease, and the place that its delivery has.
pub struct Start {
    pub lease: WebhookLease,
    /// From when on it is counted.
    pub leased_at: Instant,
    _places: [Option<OwnedSemaphorePermit>; 2],
}

/// Where the search goes on.
#[derive(Default)]
pub struct Search {
    swept: Option<WebhookEndpointId>,
    /// When to sweep next; `None`: at once.
    sweep_at: Option<Instant>,
}

impl Webhooks {
    /// Looks for endpoints, and hands on their leases.
    pub(super) async fn search(&self, news: &News, start: mpsc::UnboundedSender<Start>) {
        let mut search = Search::default();
        while !self.closed.is_cancelled() {
            match self.look(news, &mut search, &start).await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(error = error.chain(), "webhooks cannot be looked up");
                    sleep(LOOK_INTERVAL).await;
                }
            }
            sleep(LOOK_PAUSE).await;
            tokio::select! {
                () = news.told() => {}
                () = sleep(LOOK_INTERVAL) => {}
                () = self.closed.cancelled() => {}
            }
        }
    }

    /// One look at what is due, at news, and at some endpoints for news that
    /// nobody told. `true`: there is more, and room for it.
    pub(super) async fn look(
        &self,
        news: &News,
        search: &mut Search,
        start: &mpsc::UnboundedSender<Start>,
    ) -> Result<bool> {
        let store = self.repository.read();
        let now = self.clock.now();
        let mut more = false;
        // Those that failed come first, because the others would leave them no
        // place for as long as there are many, and they leave the others half.
        for failed_before in [true, false] {
            let mut limit = self.places.available_permits().min(WEBHOOKS_AT_ONCE);
            if failed_before {
                limit = limit.min(self.places_of_failing.available_permits());
            }
            if limit > 0 {
                let due = store.due_webhooks(now, failed_before, limit).await?;
                self.lease(&due, start).await?;
                more |= due.len() == WEBHOOKS_AT_ONCE;
            }
        }
        for _ in 0..NEWS_AT_ONCE {
            let feeds = news.take(WEBHOOKS_AT_ONCE);
            if feeds.is_empty() {
                break;
            }
            if let Err(error) = self.look_at_news(&feeds, start).await {
                news.tell_again(feeds);
                return Err(error);
            }
        }
        if search.sweep_at.is_none_or(|at| at <= Instant::now()) {
            let swept = store.sweep_webhooks(search.swept, SWEPT_AT_ONCE).await?;
            let behind: Vec<_> =
                swept.iter().filter(|(_, is_behind)| *is_behind).map(|(id, _)| *id).collect();
            let is_last = swept.len() < SWEPT_AT_ONCE;
            search.swept = swept.last().filter(|_| !is_last).map(|(id, _)| *id);
            // The first round is made at once: it is all that a restart needs.
            if is_last || search.sweep_at.is_some() {
                search.sweep_at = Some(Instant::now() + SWEEP_INTERVAL);
            }
            more |= search.sweep_at.is_none();
            self.lease(&behind, start).await?;
        }
        Ok(more)
    }

    async fn look_at_news(
        &self,
        feeds: &[Uuid],
        start: &mpsc::UnboundedSender<Start>,
    ) -> Result<()> {
        let behind = self.repository.read().webhooks_with_news(feeds).await?;
        self.lease(&behind, start).await
    }

    /// Takes the leases of such of `endpoints` as there is room for; the others
    /// are due from now on.
    async fn lease(
        &self,
        endpoints: &[WebhookEndpointId],
        start: &mpsc::UnboundedSender<Start>,
    ) -> Result<()> {
        // Nobody else takes places.
        let room = endpoints.len().min(self.places.available_permits());
        let (endpoints, without_room) = endpoints.split_at(room);
        for some in endpoints.chunks(WEBHOOKS_AT_ONCE) {
            let (leased_at, until) = (Instant::now(), self.lease_end());
            let tx = self.repository.write().await?;
            let leases = tx.lease_webhooks(some, until).await?;
            tx.commit().await?;
            for lease in leases {
                let place = |places: &Arc<Semaphore>| Arc::clone(places).try_acquire_owned().ok();
                let failing =
                    (lease.failures > 0).then(|| place(&self.places_of_failing)).flatten();
                let places = [place(&self.places), failing];
                // Nobody but a server that ends has nobody to deliver.
                let _ = start.send(Start { lease, leased_at, _places: places });
            }
        }
        for some in without_room.chunks(WEBHOOKS_AT_ONCE) {
            let tx = self.repository.write().await?;
            tx.queue_webhooks(some).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}
