//! One listener for both doors. The only room whose tasks go on for ever.

mod door;
mod threads;
mod unread_body;

use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use self::door::{Door, Inner};
pub use self::threads::Threads;
use crate::auth::Authenticator;
use crate::clock::{Clock, Random};
use crate::model::{Instant, OrganizationId};
use crate::repository::{self, Repository};
use crate::scim::RateLimit;
use crate::service::SnapshotTurns;
use crate::settings::{UnknownMembers, WebhookSettings};
use crate::signing::Keyring;
use crate::webhook::{self, Webhooks};
use crate::{scim, service};

/// How long running requests may go on once no new ones are taken.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
/// How often to look whether a deleted configuration has left something behind.
const PURGE_INTERVAL: Duration = Duration::from_secs(1);
/// How often to look whether a token ends soon.
const NOTICE_INTERVAL: Duration = Duration::from_secs(5);
/// Between two batches of a purge: the turn of everybody else.
const PURGE_PAUSE: Duration = Duration::from_millis(20);
/// How often the rate limit forgets who makes no requests.
const IDLE_INTERVAL: Duration = Duration::from_mins(1);
/// How often to look for events that are kept no longer.
const FORGET_INTERVAL: Duration = Duration::from_mins(5);
/// How long attempts of webhooks may go on once the listener is closed.
const WEBHOOKS_TIMEOUT: Duration = Duration::from_secs(5);
/// How long `/readyz` waits for the database.
const READY_TIMEOUT: Duration = Duration::from_secs(2);

/// What a server is made of.
pub struct Server {
    /// How many threads serve.
    pub threads: NonZeroUsize,
    /// The store, its schema up to date.
    pub repository: Repository,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where tokens and request ids come from.
    pub random: Arc<dyn Random>,
    /// Under which URL clients reach the server, without a slash at its end.
    pub public_url: String,
    /// See [`crate::settings::Settings::event_retention`].
    pub event_retention: Duration,
    /// See [`crate::settings::Settings::cors_origins`].
    pub cors_origins: Vec<HeaderValue>,
    /// See [`crate::settings::Settings::scim_rate_limit`].
    pub scim_rate_limit: u32,
    /// See [`crate::settings::Settings::scim_unknown_members`].
    pub scim_unknown_members: UnknownMembers,
    /// See [`crate::settings::Settings::webhooks`].
    pub webhooks: WebhookSettings,
}

impl Server {
    /// Serves until `stop` is done and running requests are finished. `stop`
    /// answers how long to go on taking requests while `/readyz` is already
    /// 503, so that load balancers turn away in time.
    pub async fn run(
        self,
        listener: TcpListener,
        stop: impl Future<Output = Duration> + Send + 'static,
    ) -> std::io::Result<()> {
        let purge = AbortOnDropHandle::new(tokio::spawn(purge(self.repository.clone())));
        let rate_limit = RateLimit::new(self.scim_rate_limit, Arc::clone(&self.clock));
        let forget_idle = AbortOnDropHandle::new(tokio::spawn(forget_idle(rate_limit.clone())));
        let forget = AbortOnDropHandle::new(tokio::spawn(forget(
            self.repository.clone(),
            Arc::clone(&self.clock),
            self.event_retention,
        )));
        let notices =
            AbortOnDropHandle::new(tokio::spawn(give_token_notices(self.repository.clone())));
        let closed = CancellationToken::new();
        let keys = self.webhooks.keys.as_ref().map(|keys| Keyring::new(keys.expose()));
        let webhooks = keys.clone().map(|keys| {
            let repository = self.repository.clone();
            let (clock, random) = (Arc::clone(&self.clock), Arc::clone(&self.random));
            let closed = closed.clone();
            Webhooks::new(repository, clock, random, keys, &self.webhooks, closed)
        });
        if webhooks.is_none() {
            webhook::complain_of_missing_key(&self.repository).await;
        }
        let webhooks = webhooks.map(|webhooks| {
            AbortOnDropHandle::new(tokio::spawn(send_webhooks(webhooks, closed.clone())))
        });
        let health = HealthReporter::new();
        let draining = Arc::new(AtomicBool::new(false));
        let threads = self.threads;
        let door = self.doors(keys, rate_limit, health.clone(), &draining, &closed);
        let mut threads = Threads::start(threads, listener, &closed, door)?;
        let closing = closed.clone();
        let stopping = AbortOnDropHandle::new(tokio::spawn(async move {
            let delay = stop.await;
            draining.store(true, Ordering::Relaxed);
            // The empty name stands for the whole server (grpc.health.v1).
            health.set_service_status("", ServingStatus::NotServing).await;
            tracing::info!(?delay, "shutting down");
            tokio::time::sleep(delay).await;
            closing.cancel();
        }));
        let drained_in_vain = async {
            closed.cancelled().await;
            tokio::time::sleep(DRAIN_TIMEOUT).await;
        };
        let served = tokio::select! {
            served = threads.served() => served,
            () = drained_in_vain => {
                tracing::warn!("requests were cut off: they did not finish in time");
                Ok(())
            }
        };
        // Also where a thread ended before.
        closed.cancel();
        if let Some(webhooks) = webhooks {
            // So that another replica need not wait for the ends of leases.
            let _ = tokio::time::timeout(WEBHOOKS_TIMEOUT, webhooks).await;
        }
        drop((stopping, notices, purge, forget, forget_idle));
        served
    }

    /// What makes a door for each of the threads that serve, within its runtime.
    fn doors(
        self,
        webhook_keys: Option<Keyring>,
        rate_limit: RateLimit,
        health: HealthReporter,
        draining: &Arc<AtomicBool>,
        closed: &CancellationToken,
    ) -> impl Fn() -> Door + Clone + Send + use<> {
        let (draining, closed) = (Arc::clone(draining), closed.clone());
        let authenticator = Authenticator::new(self.repository.clone(), Arc::clone(&self.clock));
        let snapshots = Arc::<SnapshotTurns>::default();
        let server = Arc::new(self);
        move || {
            let repository = server.repository.for_this_runtime();
            let authenticator = authenticator.over(repository.clone());
            let probe = Probe { repository: repository.clone(), draining: Arc::clone(&draining) };
            let probes = Router::new()
                .route(door::HEALTHZ, get(async || "ok\n"))
                .route(door::READYZ, get(ready))
                .with_state(probe);
            Door::new(Inner {
                clock: Arc::clone(&server.clock),
                random: Arc::clone(&server.random),
                probes,
                scim: scim::Endpoints::new(scim::Scim {
                    repository: repository.clone(),
                    authenticator: authenticator.clone(),
                    public_url: server.public_url.clone(),
                    rate_limit: rate_limit.clone(),
                    unknown_members: server.scim_unknown_members,
                }),
                protocols: service::protocols(service::Services {
                    repository,
                    authenticator,
                    random: Arc::clone(&server.random),
                    health: health.clone(),
                    closed: closed.clone(),
                    snapshots: Arc::clone(&snapshots),
                    allowed_origins: server.cors_origins.clone(),
                    webhook_keys: webhook_keys.clone(),
                    webhook_policy: server.webhooks.policy,
                }),
            })
        }
    }
}

/// How long to wait after a batch of work of the server's own: little where there
/// was some.
fn pause_after(
    batch: repository::Result<bool>,
    interval: Duration,
    complaint: &'static str,
) -> Duration {
    match batch {
        Ok(true) => PURGE_PAUSE,
        Ok(false) => interval,
        Err(error) => {
            tracing::warn!(error = error.chain(), "{complaint}");
            interval
        }
    }
}

/// Sends webhooks for as long as the server runs.
async fn send_webhooks(webhooks: Webhooks, closed: CancellationToken) {
    let ended = AbortOnDropHandle::new(tokio::spawn(webhooks.run())).await;
    if !closed.is_cancelled() {
        tracing::error!(?ended, "no more webhooks are sent until the server is started again");
    }
}

/// Removes what deleted configurations have left behind, for as long as the
/// server runs. Any number of replicas may do so.
async fn purge(repository: Repository) {
    const COMPLAINT: &str = "a deleted configuration cannot be purged";
    loop {
        let batch = repository.purge_once().await;
        tokio::time::sleep(pause_after(batch, PURGE_INTERVAL, COMPLAINT)).await;
    }
}

/// Forgets, for as long as the server runs, who has made no requests lately.
async fn forget_idle(rate_limit: RateLimit) {
    loop {
        tokio::time::sleep(IDLE_INTERVAL).await;
        rate_limit.forget_idle();
    }
}

/// Says in time that tokens end, for as long as the server runs. Any number of
/// replicas may do so: each notice is given once.
async fn give_token_notices(repository: Repository) {
    const COMPLAINT: &str = "a token's end cannot be told";
    loop {
        let batch = repository.give_token_notice().await;
        tokio::time::sleep(pause_after(batch, NOTICE_INTERVAL, COMPLAINT)).await;
    }
}

/// Forgets what the change feeds keep no longer, one organization after the
/// other, for as long as the server runs. Any number of replicas may do so.
async fn forget(repository: Repository, clock: Arc<dyn Clock>, retention: Duration) {
    const COMPLAINT: &str = "old events cannot be removed";
    let mut organization = None;
    loop {
        let before = clock.now().saturating_sub(retention);
        let batch = forget_some(&repository, &mut organization, before).await;
        tokio::time::sleep(pause_after(batch, FORGET_INTERVAL, COMPLAINT)).await;
    }
}

/// Goes on from `at` with one batch. `false`: all organizations had their turn.
async fn forget_some(
    repository: &Repository,
    at: &mut Option<OrganizationId>,
    before: Instant,
) -> repository::Result<bool> {
    let next = repository.read().organization_to_forget_of(*at, before).await?;
    *at = next;
    if let Some(organization) = next {
        while repository.forget_events(organization, before).await? {
            tokio::time::sleep(PURGE_PAUSE).await;
        }
    }
    Ok(next.is_some())
}

#[derive(Clone)]
struct Probe {
    repository: Repository,
    draining: Arc<AtomicBool>,
}

/// `/readyz`: whether to send requests here. `/healthz` answers as long as the
/// process can, because a restart does not mend a database.
async fn ready(State(probe): State<Probe>) -> (StatusCode, &'static str) {
    if probe.draining.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n");
    }
    match tokio::time::timeout(READY_TIMEOUT, probe.repository.check()).await {
        Ok(Ok(())) => (StatusCode::OK, "ready\n"),
        Ok(Err(error)) => {
            tracing::warn!(error = error.chain(), "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the database cannot be used\n")
        }
        Err(_elapsed) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
    }
}
