//! SCIM over HTTP. Whatever is asked below `/scim`, the answer is SCIM.

mod client;
mod discovery;
mod error;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get};

use self::error::Error;
use crate::auth::Authenticator;

/// The media type of every answer (RFC 7644 8.1).
const SCIM_JSON: &str = "application/scim+json";

/// Every route below `/scim`.
pub fn router(authenticator: Authenticator) -> Router {
    let no_such_endpoint = async || Error::NoSuchEndpoint;
    let at = |endpoint: &str| format!("/scim/v2/{{configuration}}{endpoint}");
    // The token is asked for before anything else, so that only who has one
    // learns what there is.
    Router::new()
        .route(&at("/ServiceProviderConfig"), get(discovery::service_provider_config))
        .route(&at(""), any(no_such_endpoint))
        .route(&at("/"), any(no_such_endpoint))
        .route(&at("/{*endpoint}"), any(no_such_endpoint))
        .method_not_allowed_fallback(async || Error::MethodNotAllowed)
        .layer(from_fn_with_state(authenticator, client::authenticate))
        .route("/scim", any(no_such_endpoint))
        .route("/scim/", any(no_such_endpoint))
        .route("/scim/{*endpoint}", any(no_such_endpoint))
}
