//! The control plane: RPC services over gRPC, gRPC-Web and Connect.
//!
//! The only room that names prost, tonic or connectrpc. A request passes
//! [`edge`], goes by its content type to tonic or to the Connect routes, gets its
//! [`caller`], and becomes a message that [`transport`] hands to a plain method.
//! [`protocols`] is that way.

mod accounts;
mod bridge;
mod caller;
mod compression;
mod cors;
mod directory;
mod edge;
mod error;
mod feed;
mod identity;
mod json;
mod methods;
mod organizations;
mod pagination;
mod protocols;
mod resource;
mod rules;
mod snapshot;
mod transport;
mod webhooks;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding;
use tonic::service::Routes;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use self::accounts::Accounts;
use self::directory::Directory;
pub use self::feed::event_json;
use self::identity::Identity;
use self::organizations::Organizations;
pub use self::protocols::{Answer, Protocols};
pub use self::snapshot::SnapshotTurns;
use self::transport::Grpc;
use self::webhooks::Webhooks;
use crate::auth::Authenticator;
use crate::clock::Random;
use crate::model::WebhookPolicy;
use crate::proto::FILE_DESCRIPTOR_SET;
use crate::proto::gitpod::v1::identity_service_server::IdentityServiceServer;
use crate::proto::gitpod::v1::organization_service_server::OrganizationServiceServer;
use crate::proto::scimd::v1::account_service_server::AccountServiceServer;
use crate::proto::scimd::v1::directory_service_server::DirectoryServiceServer;
use crate::proto::scimd::v1::webhook_service_server::WebhookServiceServer;
use crate::repository::Repository;
use crate::signing::Keyring;

/// The largest message that is read, compressed or not: 4 MiB.
const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;
/// How long a method may work, whatever its caller would wait.
const MAX_DURATION: Duration = Duration::from_secs(30);

/// What the services need.
pub struct Services {
    /// The store.
    pub repository: Repository,
    /// Who lets callers in.
    pub authenticator: Authenticator,
    /// Where tokens come from.
    pub random: Arc<dyn Random>,
    /// The state that `grpc.health.v1.Health` tells.
    pub health: HealthReporter,
    /// Cancelled when the server ends: what would go on for ever ends then too.
    pub closed: CancellationToken,
    /// Who may take snapshots, of all callers of the process.
    pub snapshots: Arc<SnapshotTurns>,
    /// From which web pages browsers may call; empty: from all.
    pub allowed_origins: Vec<HeaderValue>,
    /// What the secrets of webhooks are kept with; `None`: there are no webhooks.
    pub webhook_keys: Option<Keyring>,
    /// Where webhooks may point.
    pub webhook_policy: WebhookPolicy,
}

/// The control plane in all protocols, with health and reflection, and an answer
/// for whatever else is asked.
#[must_use]
pub fn protocols(services: Services) -> Protocols {
    let directory = Arc::new(Directory::new(
        services.repository.clone(),
        services.authenticator.clone(),
        services.closed.clone(),
        services.snapshots,
    ));
    let accounts = Arc::new(Accounts::new(services.repository.clone()));
    let webhooks = Arc::new(Webhooks {
        repository: services.repository.clone(),
        random: Arc::clone(&services.random),
        keys: services.webhook_keys,
        policy: services.webhook_policy,
    });
    let organizations =
        Arc::new(Organizations::new(services.repository, Arc::clone(&services.random)));
    let identity = Arc::new(Identity);

    let connect = organizations::connect_routes(&organizations)
        .merge(identity::connect_routes(&identity))
        .merge(directory::connect_routes(&directory))
        .merge(directory::connect_streams(&directory))
        .merge(accounts::connect_routes(&accounts))
        .merge(webhooks::connect_routes(&webhooks))
        // Once for all requests: axum makes routes of the handlers here.
        .with_state(());

    macro_rules! with_compression {
        ($server:expr) => {
            $server
                .accept_compressed(CompressionEncoding::Gzip)
                .accept_compressed(CompressionEncoding::Deflate)
                .accept_compressed(CompressionEncoding::Zstd)
                .send_compressed(CompressionEncoding::Gzip)
                .max_decoding_message_size(MAX_MESSAGE_BYTES)
        };
    }
    let health = HealthServer::new(HealthService::from_health_reporter(services.health));
    let grpc = Routes::default()
        .add_service(with_compression!(OrganizationServiceServer::new(Grpc(organizations))))
        .add_service(with_compression!(IdentityServiceServer::new(Grpc(identity))))
        .add_service(with_compression!(DirectoryServiceServer::new(Grpc(directory))))
        .add_service(with_compression!(AccountServiceServer::new(Grpc(accounts))))
        .add_service(with_compression!(WebhookServiceServer::new(Grpc(webhooks))))
        .add_service(health)
        .add_service(reflection().build_v1().expect("the descriptor is the compiled one"))
        .add_service(reflection().build_v1alpha().expect("the descriptor is the compiled one"))
        .prepare()
        .into_axum_router();

    Protocols::new(protocols::Inner {
        authenticator: services.authenticator,
        closed: services.closed,
        cors: cors::layer(services.allowed_origins),
        connect,
        grpc,
    })
}

fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}
