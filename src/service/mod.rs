//! The control plane: RPC services over gRPC, gRPC-Web and Connect.
//!
//! The only room that names prost, tonic or connectrpc. A request passes
//! [`edge`], is switched by content type to tonic or to the Connect routes,
//! gets its [`caller`], and becomes a message that [`transport`] hands to a
//! plain method.

mod accounts;
mod bridge;
mod caller;
mod compression;
mod directory;
mod edge;
mod error;
mod feed;
mod identity;
mod methods;
mod organizations;
mod pagination;
mod resource;
mod rules;
mod snapshot;
mod transport;
mod webhooks;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::{from_fn, from_fn_with_state};
use connectrpc_axum::{ConnectLayer, ContentTypeSwitch, MessageLimits};
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding;
use tonic::service::Routes;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};
use tower::{Layer, ServiceBuilder};
use tower_http::cors::{AllowOrigin, CorsLayer};

use self::accounts::Accounts;
use self::directory::Directory;
pub use self::feed::event_json;
use self::identity::Identity;
use self::organizations::Organizations;
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
    /// From which web pages browsers may call; empty: from all.
    pub allowed_origins: Vec<HeaderValue>,
    /// What the secrets of webhooks are kept with; `None`: there are no webhooks.
    pub webhook_keys: Option<Keyring>,
    /// Where webhooks may point.
    pub webhook_policy: WebhookPolicy,
}

/// Everything that is not HTTP of its own kind: the services in all protocols,
/// health and reflection, with an answer for whatever else is asked.
pub fn router(services: Services) -> Router {
    let directory = Arc::new(Directory::new(
        services.repository.clone(),
        services.authenticator.clone(),
        services.closed.clone(),
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
    let authenticate = from_fn_with_state(services.authenticator, caller::authenticate);

    let connect = organizations::connect_routes(&organizations)
        .merge(identity::connect_routes(&identity))
        .merge(directory::connect_routes(&directory))
        .merge(accounts::connect_routes(&accounts))
        .merge(webhooks::connect_routes(&webhooks))
        .layer(
            ServiceBuilder::new()
                .layer(connect_layer().timeout(MAX_DURATION))
                .layer(authenticate.clone())
                .layer(from_fn(compression::compression)),
        )
        // Streams compress message by message, and take as long as they take.
        .merge(
            directory::connect_streams(&directory)
                .layer(ServiceBuilder::new().layer(connect_layer()).layer(authenticate.clone())),
        )
        .fallback(edge::unknown_method);

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
        .into_axum_router()
        .layer(
            ServiceBuilder::new()
                .layer(from_fn_with_state(services.closed, edge::grpc))
                .layer(authenticate),
        );
    let grpc = tonic_web::GrpcWebLayer::new().layer(grpc);

    Router::new().fallback_service(ContentTypeSwitch::new(grpc, connect)).layer(
        ServiceBuilder::new()
            .layer(cors(services.allowed_origins))
            .layer(from_fn(edge::edge))
            .layer(from_fn(bridge::bridge)),
    )
}

fn connect_layer() -> ConnectLayer {
    ConnectLayer::new().limits(MessageLimits::new().receive_max_bytes(MAX_MESSAGE_BYTES))
}

fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

/// What browsers are told. A credential travels in a header that a page must
/// set itself, never in a cookie, so that any page may be let in.
fn cors(allowed_origins: Vec<HeaderValue>) -> CorsLayer {
    let origins = if allowed_origins.is_empty() {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(allowed_origins)
    };
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            CONTENT_ENCODING,
            ACCEPT_ENCODING,
            HeaderName::from_static("connect-protocol-version"),
            HeaderName::from_static("connect-timeout-ms"),
            HeaderName::from_static("grpc-timeout"),
            HeaderName::from_static("x-grpc-web"),
            HeaderName::from_static("x-user-agent"),
        ])
        .expose_headers([
            HeaderName::from_static("grpc-status"),
            HeaderName::from_static("grpc-message"),
            HeaderName::from_static("grpc-status-details-bin"),
            HeaderName::from_static("x-request-id"),
        ])
        .max_age(Duration::from_hours(2))
}
