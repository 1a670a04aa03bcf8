//! One endpoint's turn: the events that it has not taken yet, one after the
//! other.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep};

use super::Webhooks;
use super::request::{Failed, Message, Sender};
use crate::model::{
    self, Event, WEBHOOK_PATIENCE, WebhookFailure, WebhookFailureKind, WebhookPause, WebhookSecret,
    webhook_wait,
};
use crate::repository::{Result, WebhookLease, WebhookNext, WebhookProgress};
use crate::service;
use crate::signing::SigningSecret;

/// Events of one look into the store, where the last ones were small.
const EVENTS_AT_ONCE: u64 = 10;
/// What so many may come to in all: they are in memory for as long as a receiver
/// takes, and there are as many receivers as deliveries.
const SMALL: usize = 64 * 1024;
/// How often to write down what was taken: after a crash, as much comes again.
const SETTLE_INTERVAL: Duration = Duration::from_millis(500);
/// How much longer a lease is than an attempt may take: for what comes before it, and
/// for clocks that do not agree.
const MARGIN: Duration = Duration::from_secs(10);
/// How old a lease may be when an attempt begins.
const FRESH: Duration = Duration::from_secs(2);
/// How long an attempt may go on when the server ends: less than the server waits.
const STOP_PATIENCE: Duration = Duration::from_secs(3);
/// How long to wait where an event cannot be told: not the endpoint's fault.
const FAULT_WAIT: Duration = Duration::from_mins(1);
/// How long to wait where the store fails.
const ERROR_WAIT: Duration = Duration::from_secs(10);

/// A turn.
pub struct Turn<'a> {
    webhooks: &'a Webhooks,
    lease: WebhookLease,
    secrets: Vec<(WebhookSecret, SigningSecret)>,
    sender: Sender,
    /// The newest event that was taken, and when, if one was in this turn.
    delivered: u64,
    succeeded_at: Option<model::Instant>,
    /// From when on the lease is counted; what was taken by then is written down.
    settled: Instant,
}

impl Webhooks {
    /// Until when a lease goes that is taken now.
    pub(super) fn lease_end(&self) -> model::Instant {
        self.clock.now().saturating_add(self.timeout + MARGIN)
    }

    /// Done when an attempt is given up because the server ends.
    async fn stopping(&self) {
        self.closed.cancelled().await;
        sleep(STOP_PATIENCE).await;
    }

    /// Sends what there is to send.
    pub(super) async fn deliver(&self, lease: WebhookLease, leased_at: Instant) -> Result<()> {
        let secrets = self.repository.read().webhook_secrets(lease.endpoint).await?;
        let secrets = secrets.into_iter().filter_map(|(secret, sealed)| {
            let opened = self.keys.open(lease.endpoint, &sealed);
            if opened.is_none() {
                tracing::warn!(endpoint = %lease.endpoint, secret = %secret.id, "no key opens a webhook's secret");
            }
            Some((secret, opened?))
        });
        let mut turn = Turn {
            webhooks: self,
            secrets: secrets.collect(),
            sender: self.senders.sender(),
            delivered: lease.delivered,
            succeeded_at: None,
            settled: leased_at,
            lease,
        };
        let done = turn.run().await;
        if done.is_err() {
            // What was taken shall not be sent again; else the lease ends by itself.
            let later = self.clock.now().saturating_add(ERROR_WAIT);
            let _ = turn.end(None, WebhookNext::At(later)).await;
        }
        done
    }
}

impl Turn<'_> {
    async fn run(&mut self) -> Result<()> {
        let begun = Instant::now();
        // One is what there mostly is, and tells how large they are.
        let mut count = 1;
        loop {
            let store = self.webhooks.repository.read();
            let events = store.events(self.lease.organization, self.delivered, count).await?;
            let is_gap = match events.first() {
                Some(first) => first.number > self.delivered + 1,
                // Where everything has been forgotten there is no event either.
                None if self.succeeded_at.is_none() => {
                    let bounds = store.event_bounds(self.lease.organization).await?;
                    self.delivered + 1 < bounds.oldest
                }
                None => false,
            };
            if is_gap {
                return self.pause(None, WebhookPause::EventsExpired).await;
            }
            if events.is_empty() {
                return self.end(None, WebhookNext::News).await;
            }
            let mut bytes = 0;
            for event in events {
                if begun.elapsed() > self.webhooks.turn || self.webhooks.closed.is_cancelled() {
                    return self.end(None, WebhookNext::At(self.webhooks.clock.now())).await;
                }
                let Some(sent) = self.send(event).await? else { return Ok(()) };
                bytes += sent;
            }
            count = if bytes < SMALL { EVENTS_AT_ONCE } else { 1 };
        }
    }

    /// Sends one event, and says how many bytes it has. `None`: the turn is over.
    async fn send(&mut self, event: Event) -> Result<Option<usize>> {
        let number = event.number;
        let body = match service::event_json(self.lease.organization, event) {
            Ok(body) => Bytes::from(body),
            Err(error) => {
                tracing::error!(endpoint = %self.lease.endpoint, number, %error, "an event cannot be told");
                let later = self.webhooks.clock.now().saturating_add(FAULT_WAIT);
                self.end(None, WebhookNext::At(later)).await?;
                return Ok(None);
            }
        };
        if self.settled.elapsed() > SETTLE_INTERVAL {
            let settled = Instant::now();
            let until = self.webhooks.lease_end();
            if !self.settle(None, WebhookNext::Hold(until)).await? {
                return Ok(None);
            }
            self.settled = settled;
            if settled.elapsed() > FRESH {
                // The store took its time. The lease may end under an attempt.
                self.end(None, WebhookNext::At(self.webhooks.clock.now())).await?;
                return Ok(None);
            }
        }
        let bytes = body.len();
        let answered = tokio::select! {
            answered = self.attempt(number, body) => answered,
            () = self.webhooks.stopping() => {
                self.end(None, WebhookNext::At(self.webhooks.clock.now())).await?;
                return Ok(None);
            }
        };
        match answered {
            Ok(()) => {
                (self.delivered, self.succeeded_at) = (number, Some(self.webhooks.clock.now()));
                Ok(Some(bytes))
            }
            Err(failed) => {
                self.fail(number, failed).await?;
                Ok(None)
            }
        }
    }

    async fn attempt(&self, number: u64, body: Bytes) -> std::result::Result<(), Failed> {
        let now = self.webhooks.clock.now();
        let id = format!("{}_{number}", self.lease.organization);
        let (timestamp, _) = now.as_seconds_and_nanos();
        let lasting =
            self.secrets.iter().filter(|(secret, _)| secret.expires_at.is_none_or(|end| now < end));
        let signatures: Vec<_> =
            lasting.map(|(_, secret)| secret.sign(&id, timestamp, &body)).collect();
        if signatures.is_empty() {
            return Err(Failed { kind: WebhookFailureKind::Secret, status: None });
        }
        let message = Message { id, timestamp, signatures: signatures.join(" "), body };
        self.sender.send(&self.lease.url, message).await
    }

    /// Lets the endpoint be tried again later, or not by itself any more.
    async fn fail(&mut self, number: u64, failed: Failed) -> Result<()> {
        let now = self.webhooks.clock.now();
        let failure = WebhookFailure { at: now, number, kind: failed.kind, status: failed.status };
        let (failures, since) =
            self.lease.failures_after(&self.progress(Some(failure), WebhookNext::News));
        tracing::info!(
            endpoint = %self.lease.endpoint,
            number,
            kind = ?failed.kind,
            status = failed.status,
            failures,
            "webhook failed"
        );
        if failed.is_gone() {
            return self.pause(Some(failure), WebhookPause::Gone).await;
        }
        if since.is_some_and(|since| since.saturating_add(WEBHOOK_PATIENCE) <= now) {
            return self.pause(Some(failure), WebhookPause::Failing).await;
        }
        let mut chance = [0];
        self.webhooks.random.fill(&mut chance);
        let next = now.saturating_add(webhook_wait(failures, chance[0]));
        self.end(Some(failure), WebhookNext::At(next)).await
    }

    async fn pause(&mut self, failure: Option<WebhookFailure>, reason: WebhookPause) -> Result<()> {
        tracing::warn!(endpoint = %self.lease.endpoint, ?reason, "webhook endpoint paused");
        self.end(failure, WebhookNext::Pause(reason)).await
    }

    /// Gives the lease back.
    async fn end(&mut self, failure: Option<WebhookFailure>, next: WebhookNext) -> Result<()> {
        self.settle(failure, next).await.map(drop)
    }

    /// Writes down how far it came; see [`crate::repository::Write::settle_webhook`].
    async fn settle(&mut self, failure: Option<WebhookFailure>, next: WebhookNext) -> Result<bool> {
        let progress = self.progress(failure, next);
        let tx = self.webhooks.repository.write().await?;
        let goes_on = tx.settle_webhook(&mut self.lease, progress).await?;
        tx.commit().await?;
        Ok(goes_on)
    }

    fn progress(&self, failure: Option<WebhookFailure>, next: WebhookNext) -> WebhookProgress {
        let (delivered, succeeded_at) = (self.delivered, self.succeeded_at);
        WebhookProgress { delivered, succeeded_at, failure, next }
    }
}
