//! Sends the change feed on to webhook endpoints.
//!
//! Nothing is queued: an endpoint has the number of the newest event that it has
//! taken, and what is to be sent is what the feed has behind that. Each replica
//! looks for endpoints that are due, or whose organizations have news, takes the
//! leases of some, and delivers to all of them at the same time, to each one
//! event after the other.
//!
//! The only room that names hyper's client and rustls.

mod connect;
mod delivery;
mod request;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use rustls::RootCertStore;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::request::Sender;
use crate::clock::{Clock, Random};
use crate::model::WebhookEndpointId;
use crate::repository::{News, Repository, Result, WEBHOOKS_AT_ONCE, WebhookLease};
use crate::settings::WebhookSettings;
use crate::signing::Keyring;

/// Deliveries at the same time, each of one endpoint.
const DELIVERIES: usize = 256;
/// How many of these may be of endpoints that failed the last time: however many
/// there are, the others find room.
const FAILING_DELIVERIES: usize = DELIVERIES / 2;
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

/// Who sends.
pub struct Webhooks {
    repository: Repository,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    keys: Keyring,
    sender: Sender,
    timeout: Duration,
    /// Cancelled when the server ends.
    closed: CancellationToken,
    places: Arc<Semaphore>,
    places_of_failing: Arc<Semaphore>,
}

/// A lease, and the place that its delivery has.
struct Start {
    lease: WebhookLease,
    _places: [Option<OwnedSemaphorePermit>; 2],
}

/// Where the search goes on.
#[derive(Default)]
struct Search {
    swept: Option<WebhookEndpointId>,
    /// When to sweep next; `None`: at once.
    sweep_at: Option<Instant>,
}

impl Webhooks {
    /// One that opens secrets with `keys`, and ends when `closed` is cancelled.
    #[must_use]
    pub fn new(
        repository: Repository,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        keys: Keyring,
        settings: &WebhookSettings,
        closed: CancellationToken,
    ) -> Self {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        Self {
            repository,
            clock,
            random,
            keys,
            sender: Sender::new(settings, roots),
            timeout: settings.timeout,
            closed,
            places: Arc::new(Semaphore::new(DELIVERIES)),
            places_of_failing: Arc::new(Semaphore::new(FAILING_DELIVERIES)),
        }
    }

    /// Sends for as long as the server runs; then attempts that are on their way
    /// are finished, and no more begun. Any number of replicas may do so.
    pub async fn run(self) {
        let news = self.repository.news();
        let (start, starts) = mpsc::unbounded_channel();
        // Together, so that neither waits for the other.
        tokio::join!(self.search(&news, start), self.deliver_all(&news, starts));
    }

    /// Delivers to all whose lease comes.
    async fn deliver_all(&self, news: &News, mut starts: mpsc::UnboundedReceiver<Start>) {
        let mut deliveries = FuturesUnordered::new();
        loop {
            tokio::select! {
                start = starts.recv() => match start {
                    Some(start) => deliveries.push(self.delivered(news, start)),
                    None => break,
                },
                Some(()) = deliveries.next() => {}
            }
        }
        while deliveries.next().await.is_some() {}
    }

    async fn delivered(&self, news: &News, start: Start) {
        let (endpoint, organization) = (start.lease.endpoint, start.lease.organization);
        if let Err(error) = self.deliver(start.lease).await {
            // The lease ends by itself.
            tracing::warn!(%endpoint, error = error.chain(), "a webhook's delivery was given up");
        }
        // What was committed while the lease was held woke nobody.
        news.tell(organization);
    }

    /// Looks for endpoints, and hands on their leases.
    async fn search(&self, news: &News, start: mpsc::UnboundedSender<Start>) {
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
    async fn look(
        &self,
        news: &News,
        search: &mut Search,
        start: &mpsc::UnboundedSender<Start>,
    ) -> Result<bool> {
        let store = self.repository.read();
        let now = self.clock.now();
        let mut more = false;
        for failed_before in [false, true] {
            let places = if failed_before { &self.places_of_failing } else { &self.places };
            let limit = places.available_permits().min(WEBHOOKS_AT_ONCE);
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
            if let Err(error) = self.look_at_news(news, &feeds, start).await {
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
        news: &News,
        feeds: &[Uuid],
        start: &mpsc::UnboundedSender<Start>,
    ) -> Result<()> {
        let behind = self.repository.read().webhooks_with_news(feeds).await?;
        if self.lease(&behind, start).await? < behind.len() {
            news.tell_again(feeds.iter().copied());
        }
        Ok(())
    }

    /// Takes the leases of such of `endpoints` as there is room for, and says how
    /// many those are.
    async fn lease(
        &self,
        endpoints: &[WebhookEndpointId],
        start: &mpsc::UnboundedSender<Start>,
    ) -> Result<usize> {
        let room = endpoints.len().min(self.places.available_permits());
        for some in endpoints[..room].chunks(WEBHOOKS_AT_ONCE) {
            let tx = self.repository.write().await?;
            let leases = tx.lease_webhooks(some, self.lease_end()).await?;
            tx.commit().await?;
            for lease in leases {
                let place = |places: &Arc<Semaphore>| Arc::clone(places).try_acquire_owned().ok();
                let failing =
                    (lease.failures > 0).then(|| place(&self.places_of_failing)).flatten();
                let places = [place(&self.places), failing];
                // Nobody but a server that ends has nobody to deliver.
                let _ = start.send(Start { lease, _places: places });
            }
        }
        Ok(room)
    }
}

/// Says so where nothing is sent to the endpoints that there are.
pub async fn complain_of_missing_key(repository: &Repository) {
    let endpoints = repository.read().sweep_webhooks(None, 1).await;
    if endpoints.is_ok_and(|endpoints| !endpoints.is_empty()) {
        tracing::warn!(
            "there are webhook endpoints, to which nothing is sent: SCIMD_WEBHOOK_SECRET_KEY is not set"
        );
    }
}
