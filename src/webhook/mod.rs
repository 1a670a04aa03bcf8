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
mod search;

use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use self::request::Senders;
use self::search::Start;
use crate::clock::{Clock, Random};
use crate::repository::{News, Repository};
use crate::settings::WebhookSettings;
use crate::signing::Keyring;

/// Who sends.
pub struct Webhooks {
    repository: Repository,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    keys: Keyring,
    senders: Senders,
    timeout: Duration,
    turn: Duration,
    /// Cancelled when the server ends.
    closed: CancellationToken,
    /// Of deliveries at the same time.
    places: Arc<Semaphore>,
    /// Of those that may be of endpoints that failed the last time: however many
    /// there are, the others find room.
    places_of_failing: Arc<Semaphore>,
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
            senders: Senders::new(settings, roots),
            timeout: settings.timeout,
            turn: settings.turn,
            closed,
            places: Arc::new(Semaphore::new(settings.deliveries)),
            places_of_failing: Arc::new(Semaphore::new(settings.deliveries / 2)),
        }
    }

    /// Sends for as long as the server runs; then attempts that are on their way
    /// are finished or soon given up, and no more begun. Any number of replicas may
    /// do so.
    pub async fn run(self) {
        let webhooks = Arc::new(self);
        let news = webhooks.repository.news();
        let (start, starts) = mpsc::unbounded_channel();
        // Together, so that neither waits for the other.
        tokio::join!(webhooks.search(&news, start), webhooks.deliver_all(&news, starts));
    }

    /// Delivers to all whose lease comes, to each in a task: one that panics ends no
    /// other, and none outlives this one.
    async fn deliver_all(
        self: &Arc<Self>,
        news: &News,
        mut starts: mpsc::UnboundedReceiver<Start>,
    ) {
        let mut deliveries = JoinSet::new();
        loop {
            tokio::select! {
                start = starts.recv() => match start {
                    Some(start) => {
                        let (webhooks, news) = (Arc::clone(self), news.clone());
                        deliveries.spawn(async move { webhooks.delivered(&news, start).await });
                    }
                    None => break,
                },
                Some(ended) = deliveries.join_next() => complain_of_panic(ended),
            }
        }
        while let Some(ended) = deliveries.join_next().await {
            complain_of_panic(ended);
        }
    }

    async fn delivered(&self, news: &News, start: Start) {
        let (endpoint, organization) = (start.lease.endpoint, start.lease.organization);
        if let Err(error) = self.deliver(start.lease, start.leased_at).await {
            // The lease ends by itself.
            tracing::warn!(%endpoint, error = error.chain(), "a webhook's delivery was given up");
        }
        // What was committed while the lease was held woke nobody.
        news.tell(organization);
    }
}

fn complain_of_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        // The lease ends by itself.
        tracing::error!(%error, "a webhook's delivery panicked");
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

#[cfg(test)]
mod tests;
