//! What is looked for where there is no room for more, and sent where there is no
//! time.

use std::net::SocketAddr;

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, timeout};

use super::search::Search;
use super::*;
use crate::clock::{ManualClock, SystemRandom};
use crate::model::{
    DatabaseUrl, Instant as Moment, NewConfiguration, NewWebhookEndpoint, OrganizationId,
    SsoConfigurationId, TokenLifetime, WebhookEndpointId, WebhookFailure, WebhookFailureKind,
    WebhookPolicy,
};
use crate::repository::{WEBHOOKS_AT_ONCE, WebhookNext, WebhookProgress};
use crate::signing::SigningSecret;
use crate::token::{Kind, PlainToken};

/// One with room for so many deliveries, and a store of its own.
async fn webhooks(deliveries: usize) -> (Webhooks, TempDir) {
    let directory = tempfile::tempdir().expect("there is room for files");
    let url = DatabaseUrl::SqliteFile(directory.path().join("scimd.db"));
    let clock = Arc::new(ManualClock::at(Moment::from_micros(1_795_464_900_000_000)));
    let repository = Repository::open(&url, clock.clone(), Arc::new(SystemRandom)).await;
    let repository = repository.expect("the file can be made");
    repository.migrate().await.expect("it is new");
    let settings = WebhookSettings {
        keys: None,
        policy: WebhookPolicy { allow_http: true, allow_private: true },
        connect_timeout: Duration::from_secs(2),
        timeout: Duration::from_secs(3),
        deliveries,
        turn: Duration::from_secs(1),
    };
    let keys = Keyring::new([&[7; 32]]);
    let random = Arc::new(SystemRandom);
    let closed = CancellationToken::new();
    (Webhooks::new(repository, clock, random, keys, &settings, closed), directory)
}

impl Webhooks {
    /// An endpoint that is due.
    async fn endpoint(&self) -> WebhookEndpointId {
        self.endpoint_at(([127, 0, 0, 1], 9).into()).await
    }

    async fn endpoint_at(&self, address: SocketAddr) -> WebhookEndpointId {
        let tx = self.repository.write().await.unwrap();
        let id = tx.new_webhook_endpoint_id();
        let new = NewWebhookEndpoint {
            organization_id: OrganizationId::from(id.as_uuid()),
            url: format!("http://{address}/"),
            description: String::new(),
            after: 0,
        };
        tx.create_webhook_endpoint(id, new).await.unwrap().unwrap();
        let secret = SigningSecret::mint(&*self.random);
        let sealed = self.keys.seal(id, &secret, &*self.random);
        tx.add_webhook_secret(id, &sealed).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// Something happens in `organization`.
    async fn event(&self, organization: OrganizationId) {
        let tx = self.repository.write().await.unwrap();
        let new = NewConfiguration {
            organization_id: organization,
            name: String::new(),
            sso_configuration_id: SsoConfigurationId::from(organization.as_uuid()),
            allow_unverified_email_account_linking: false,
            token_lifetime: TokenLifetime::DEFAULT,
        };
        let token = PlainToken::mint(Kind::Scim, &*self.random);
        tx.create_configuration(new, &token.hash()).await.unwrap();
        tx.commit().await.unwrap();
    }

    fn take_all_places(&self) -> tokio::sync::SemaphorePermit<'_> {
        let all = u32::try_from(self.places.available_permits()).unwrap();
        self.places.try_acquire_many(all).unwrap()
    }

    async fn settled(&self, endpoint: WebhookEndpointId, failure: bool, next: WebhookNext) {
        let now = self.clock.now();
        let tx = self.repository.write().await.unwrap();
        let mut leases = tx.lease_webhooks(&[endpoint], self.lease_end()).await.unwrap();
        let kind = WebhookFailureKind::Connection;
        let failure = failure.then_some(WebhookFailure { at: now, number: 1, kind, status: None });
        let progress = WebhookProgress { delivered: 0, succeeded_at: None, failure, next };
        assert!(tx.settle_webhook(&mut leases[0], progress).await.unwrap());
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn where_all_places_are_taken_it_is_not_looked_again_at_once() {
    let (webhooks, _directory) = webhooks(2 * WEBHOOKS_AT_ONCE).await;
    for _ in 0..2 * WEBHOOKS_AT_ONCE {
        let endpoint = webhooks.endpoint().await;
        webhooks.settled(endpoint, true, WebhookNext::At(webhooks.clock.now())).await;
    }
    let _taken = webhooks.take_all_places();
    let (start, mut starts) = mpsc::unbounded_channel();
    let news = webhooks.repository.news();
    let mut search = Search::default();
    assert!(!webhooks.look(&news, &mut search, &start).await.unwrap(), "there is no room");
    assert!(starts.try_recv().is_err());
}

#[tokio::test]
async fn who_has_news_and_finds_no_place_waits_in_line_with_the_others() {
    let (webhooks, _directory) = webhooks(1).await;
    let endpoint = webhooks.endpoint().await;
    webhooks.settled(endpoint, false, WebhookNext::News).await;
    let taken = webhooks.take_all_places();
    let (start, mut starts) = mpsc::unbounded_channel();
    let news = webhooks.repository.news();
    webhooks.event(OrganizationId::from(endpoint.as_uuid())).await;
    let mut search = Search::default();
    webhooks.look(&news, &mut search, &start).await.unwrap();
    assert!(news.take(1).is_empty(), "it is not looked for again");
    let now = webhooks.clock.now();
    let due = webhooks.repository.read().due_webhooks(now, false, 2).await.unwrap();
    assert_eq!(due, [endpoint]);
    drop(taken);
    webhooks.look(&news, &mut search, &start).await.unwrap();
    assert_eq!(starts.try_recv().unwrap().lease.endpoint, endpoint);
}

#[tokio::test]
async fn whose_lease_may_have_ended_while_the_store_was_busy_sends_nothing() {
    let (webhooks, _directory) = webhooks(1).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = webhooks.endpoint_at(listener.local_addr().unwrap()).await;
    webhooks.event(OrganizationId::from(endpoint.as_uuid())).await;
    let tx = webhooks.repository.write().await.unwrap();
    let lease = tx.lease_webhooks(&[endpoint], webhooks.lease_end()).await.unwrap().remove(0);
    tx.commit().await.unwrap();
    // Old enough to be asked for once more, for which it has to wait for this one.
    let leased_at = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
    let busy = webhooks.repository.write().await.unwrap();
    let delivered = webhooks.deliver(lease, leased_at);
    let held = async {
        sleep(Duration::from_millis(2_200)).await;
        drop(busy);
    };
    let (delivered, ()) = tokio::join!(delivered, held);
    delivered.unwrap();
    assert!(timeout(Duration::from_millis(100), listener.accept()).await.is_err());
    let now = webhooks.clock.now();
    let due = webhooks.repository.read().due_webhooks(now, false, 2).await.unwrap();
    assert_eq!(due, [endpoint], "whoever comes by goes on");
}
