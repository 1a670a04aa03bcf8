//! A whole scimd for each test: real server, real socket, a database of its
//! own, and time and randomness that the test decides.

mod client;
pub mod locked;
mod log;
mod postgres;
mod process;
mod stream;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use scimd::clock::{Clock, ManualClock, Random, SeededRandom, SystemClock, SystemRandom};
use scimd::model::{DatabaseUrl, Instant, NewApiKey, OrganizationId, Role, Scope, WebhookPolicy};
use scimd::repository::Repository;
use scimd::server::Server;
use scimd::settings::{UnknownMembers, WebhookSettings};
use scimd::token::{Kind, PlainToken};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub use self::client::{Answer, Client, SSO, violations_of};
pub use self::log::run_directory;
pub use self::process::{Process, finished, scimd, scimd_alone};

/// The engines that everything must hold on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Makes of each case one test per engine: `name::on_sqlite`,
/// `name::on_postgres`. A case gets a fresh server.
macro_rules! on_both_engines {
    ($($(#[$attribute:meta])* async fn $name:ident($server:ident: $type:ty) $body:block)+) => {$(
        $(#[$attribute])*
        mod $name {
            #[allow(unused_imports, reason = "not every case needs its module's imports")]
            use super::*;

            async fn case($server: $type) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                if let Some(server) = $crate::harness::TestServer::start($crate::harness::Engine::Sqlite).await {
                    case(server).await;
                }
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                if let Some(server) = $crate::harness::TestServer::start($crate::harness::Engine::Postgres).await {
                    case(server).await;
                }
            }
        }
    )+};
}
pub(crate) use on_both_engines;

/// What the secrets of webhooks are kept with.
pub const WEBHOOK_KEY: &str = "c2NpbWQgdGVzdCBrZXkgb2YgMzIgYnl0ZXMhISEhISE=";

/// A database of one test's own.
pub struct TestDatabase {
    pub url: DatabaseUrl,
    /// Dropped with the test.
    _postgres: Option<postgres::Database>,
}

impl TestDatabase {
    /// An empty one, or `None` where the engine is missing and may be.
    pub async fn create(engine: Engine) -> Option<Self> {
        match engine {
            Engine::Sqlite => {
                // Left in place for the test binary `secrets`, which reads it.
                let name = format!("{}.db", uuid::Uuid::new_v4());
                let url = DatabaseUrl::SqliteFile(log::run_directory().join(name));
                Some(Self { url, _postgres: None })
            }
            Engine::Postgres => match postgres::database().await {
                Ok(database) => {
                    let url = DatabaseUrl::Postgres(database.url.clone());
                    Some(Self { url, _postgres: Some(database) })
                }
                Err(postgres::Unavailable(reason)) => {
                    skip(reason);
                    None
                }
            },
        }
    }

    /// How many connections sit in a transaction and do nothing. SQLite has but
    /// one that could, and the next request would wait for it in vain.
    pub async fn open_transactions(&self) -> i64 {
        let DatabaseUrl::Postgres(url) = &self.url else { return 0 };
        let connection = sea_orm::Database::connect(url.as_str()).await.unwrap();
        let query = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
        let query = sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, query);
        let row = sea_orm::ConnectionTrait::query_one_raw(&connection, query).await.unwrap();
        row.unwrap().try_get_by_index(0).unwrap()
    }

    /// The URL as an operator would write it.
    pub fn text(&self) -> String {
        match &self.url {
            DatabaseUrl::SqliteFile(path) => format!("sqlite:{}", path.display()),
            DatabaseUrl::SqliteMemory => "sqlite::memory:".to_owned(),
            DatabaseUrl::Postgres(url) => url.clone(),
        }
    }
}

/// An empty one on each engine that there is.
pub async fn databases() -> Vec<TestDatabase> {
    let mut databases = Vec::new();
    for engine in [Engine::Sqlite, Engine::Postgres] {
        databases.extend(TestDatabase::create(engine).await);
    }
    databases
}

/// Says why a case does not run here; where it must run, fails.
pub fn skip(reason: &str) {
    let ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    assert!(!ci, "skipped: {reason}, and with CI=true a skip is a failure");
    eprintln!("skipped: {reason}");
}

/// A running server.
pub struct TestServer {
    pub url: String,
    pub repository: Repository,
    pub database: TestDatabase,
    clock: Option<Arc<ManualClock>>,
    random: Arc<dyn Random>,
    stop: Option<oneshot::Sender<Duration>>,
}

impl TestServer {
    /// A server on a database of its own, at 2026-11-23T20:15:00Z until the
    /// test moves the clock, whose ids and tokens are the same in every run.
    pub async fn start(engine: Engine) -> Option<Self> {
        let clock = Arc::new(ManualClock::at(Instant::from_micros(1_795_464_900_000_000)));
        let database = TestDatabase::create(engine).await?;
        let random = Arc::new(SeededRandom::new(1));
        let mut server = Self::serve(database, clock.clone(), random, |_| ()).await;
        server.clock = Some(clock);
        Some(server)
    }

    /// The same with the machine's own clock and randomness, for clients that
    /// look at both.
    pub async fn start_in_real_time(engine: Engine) -> Option<Self> {
        Self::start_in_real_time_with(engine, |_| ()).await
    }

    /// The same, set up differently.
    pub async fn start_in_real_time_with(
        engine: Engine,
        change: impl FnOnce(&mut Server),
    ) -> Option<Self> {
        let database = TestDatabase::create(engine).await?;
        Some(Self::serve(database, Arc::new(SystemClock), Arc::new(SystemRandom), change).await)
    }

    async fn serve(
        database: TestDatabase,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        change: impl FnOnce(&mut Server),
    ) -> Self {
        log::start();
        let repository =
            Repository::open(&database.url, clock.clone(), random.clone()).await.unwrap();
        repository.migrate().await.unwrap();
        let (url, stop) = listen(repository.clone(), clock, random.clone(), change).await;
        Self { url, repository, database, clock: None, random, stop: Some(stop) }
    }

    /// A second server on the same database, as a replica would be.
    pub async fn replica(&self) -> Replica {
        self.replica_with(|_| ()).await
    }

    /// The same, set up differently.
    pub async fn replica_with(&self, change: impl FnOnce(&mut Server)) -> Replica {
        let clock: Arc<dyn Clock> = match &self.clock {
            Some(clock) => clock.clone(),
            None => Arc::new(SystemClock),
        };
        let random: Arc<dyn Random> = Arc::new(SystemRandom);
        let repository =
            Repository::open(&self.database.url, clock.clone(), random.clone()).await.unwrap();
        let (url, stop) = listen(repository, clock, random, change).await;
        Replica { url, _stop: stop }
    }

    /// Moves the server's clock.
    pub fn advance(&self, by: Duration) {
        self.clock.as_ref().expect("this server runs in real time").advance(by);
    }

    /// A new organization's id.
    pub fn organization(&self) -> OrganizationId {
        OrganizationId::from(uuid::Uuid::new_v4())
    }

    /// A key of `scope`, made as the command line makes it.
    pub async fn key(&self, scope: Scope, role: Role, expires_in: Option<Duration>) -> String {
        let token = PlainToken::mint(Kind::ApiKey, &*self.random);
        let tx = self.repository.write().await.unwrap();
        let expires_at = expires_in.map(|span| tx.now().saturating_add(span));
        let new = NewApiKey { scope, role, name: String::new(), expires_at };
        tx.create_api_key(new, &token.hash()).await.unwrap();
        tx.commit().await.unwrap();
        token.expose().to_owned()
    }

    /// A client that shows an admin key of `organization`.
    pub async fn admin(&self, organization: OrganizationId) -> Client {
        let key = self.key(Scope::Organization(organization), Role::Admin, None).await;
        self.client(&key)
    }

    /// A client that shows a viewer key of `organization`.
    pub async fn viewer(&self, organization: OrganizationId) -> Client {
        let key = self.key(Scope::Organization(organization), Role::Viewer, None).await;
        self.client(&key)
    }

    /// A client that shows `key`.
    pub fn client(&self, key: &str) -> Client {
        Client::new(&self.url, Some(key))
    }

    /// What the programs in `tests/clients` are told: a fresh organization with
    /// keys of each kind, and a configuration of another that they may not see.
    pub async fn client_environment(&self) -> Vec<(String, String)> {
        let (own, other) = (self.organization(), self.organization());
        let scope = Scope::Organization(own);
        let revoked = self.key(scope, Role::Admin, None).await;
        let hash = PlainToken::parse(Kind::ApiKey, &revoked).unwrap().hash();
        let id = self.repository.read().api_key_of_token(&hash).await.unwrap().unwrap().id;
        let tx = self.repository.write().await.unwrap();
        tx.revoke_api_key(id).await.unwrap();
        tx.commit().await.unwrap();
        let descriptor_set = log::run_directory().join("descriptor_set.bin");
        std::fs::write(&descriptor_set, scimd::proto::FILE_DESCRIPTOR_SET).unwrap();
        [
            ("SCIMD_URL", self.url.clone()),
            ("SCIMD_ORGANIZATION", own.to_string()),
            ("SCIMD_ADMIN_KEY", self.key(scope, Role::Admin, None).await),
            ("SCIMD_VIEWER_KEY", self.key(scope, Role::Viewer, None).await),
            ("SCIMD_EXPIRED_KEY", self.key(scope, Role::Admin, Some(Duration::ZERO)).await),
            ("SCIMD_REVOKED_KEY", revoked),
            ("SCIMD_OTHER_ORGANIZATION", other.to_string()),
            ("SCIMD_OTHER_CONFIGURATION", self.admin(other).await.create(other).await.id()),
            ("SCIMD_DESCRIPTOR_SET", descriptor_set.display().to_string()),
            ("SCIMD_PROTO_DIR", concat!(env!("CARGO_MANIFEST_DIR"), "/proto").to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// Whether `token` opens the SCIM server of `configuration`: the status of
    /// asking it what it can do.
    pub async fn scim_status(&self, configuration: &str, token: &str) -> u16 {
        scim_status(&self.url, configuration, token).await
    }

    /// Begins the shutdown, with so long a delay before listening ends.
    pub fn stop(&mut self, delay: Duration) {
        self.stop.take().expect("it is stopped once").send(delay).expect("the server runs");
    }
}

/// See [`TestServer::replica`].
pub struct Replica {
    pub url: String,
    _stop: oneshot::Sender<Duration>,
}

pub async fn scim_status(url: &str, configuration: &str, token: &str) -> u16 {
    let url = format!("{url}/scim/v2/{configuration}/ServiceProviderConfig");
    let request = reqwest::Client::new().get(url).bearer_auth(token);
    request.send().await.unwrap().status().as_u16()
}

async fn listen(
    repository: Repository,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    change: impl FnOnce(&mut Server),
) -> (String, oneshot::Sender<Duration>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let public_url = url.clone();
    // No limit: tests are faster than an identity provider may be.
    let mut server = Server {
        threads: NonZeroUsize::new(2).unwrap(),
        repository,
        clock,
        random,
        public_url,
        event_retention: Duration::from_hours(90 * 24),
        cors_origins: Vec::new(),
        scim_rate_limit: 0,
        scim_unknown_members: UnknownMembers::Refuse,
        webhooks: WebhookSettings {
            keys: Some(WEBHOOK_KEY.parse().unwrap()),
            // Receivers are on this machine.
            policy: WebhookPolicy { allow_http: true, allow_private: true },
            connect_timeout: Duration::from_secs(2),
            timeout: Duration::from_secs(3),
            deliveries: 256,
            turn: Duration::from_secs(10),
        },
    };
    change(&mut server);
    let (stop, stopped) = oneshot::channel();
    tokio::spawn(server.run(listener, async {
        // A test that ends without a word drops the sender.
        stopped.await.unwrap_or(Duration::ZERO)
    }));
    (url, stop)
}

/// The compiled program.
pub fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_scimd"))
}
