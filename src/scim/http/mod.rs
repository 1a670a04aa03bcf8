//! SCIM over HTTP. Whatever is asked below `/scim`, the answer is SCIM.

mod answer;
mod body;
mod bulk;
mod change;
mod client;
mod derived;
mod discovery;
mod endpoints;
mod error;
mod groups;
mod limit;
mod list;
mod parameters;
mod precondition;
mod search;
mod stored;
mod users;

use axum::Router;
use axum::routing::{any, get, post};

use self::client::Client;
use self::error::Error;
pub use self::limit::RateLimit;
use crate::auth::Authenticator;
use crate::repository::Repository;
use crate::scim::protocol::schema::{GROUP, USER};
use crate::settings::UnknownMembers;

/// The media type of every answer (RFC 7644 8.1).
const SCIM_JSON: &str = "application/scim+json";

/// What the SCIM server is made of.
#[derive(Clone)]
pub struct Scim {
    /// The store.
    pub repository: Repository,
    /// Who lets identity providers in.
    pub authenticator: Authenticator,
    /// Under which URL they reach the server.
    pub public_url: String,
    /// How many requests each of them may make.
    pub rate_limit: RateLimit,
    /// What becomes of members of groups that are not here.
    pub unknown_members: UnknownMembers,
}

/// Every route below `/scim`. Each handler below a base URL begins with [`Client`],
/// so that only who has a token learns what there is.
pub fn router(scim: Scim) -> Router {
    let no_such_endpoint = async || Error::NoSuchEndpoint;
    let at = |endpoint: &str| format!("/scim/v2/{{configuration}}{endpoint}");
    Router::new()
        .route(&at("/Users"), endpoints::all(&USER))
        .route(&at("/Users/.search"), post(search::users))
        .route(&at("/Users/{id}"), endpoints::one(&USER))
        .route(&at("/Groups"), endpoints::all(&GROUP))
        .route(&at("/Groups/.search"), post(search::groups))
        .route(&at("/Groups/{id}"), endpoints::one(&GROUP))
        .route(&at("/.search"), post(search::all))
        .route(&at("/Bulk"), post(bulk::bulk))
        .route(&at("/Me"), any(async |_: Client| Error::NotImplemented))
        .route(&at("/ServiceProviderConfig"), get(discovery::service_provider_config))
        .route(&at("/ResourceTypes"), get(discovery::resource_types))
        .route(&at("/ResourceTypes/{id}"), get(discovery::resource_type))
        .route(&at("/Schemas"), get(discovery::schemas))
        .route(&at("/Schemas/{id}"), get(discovery::schema))
        .route(&at(""), get(search::list_all))
        .route(&at("/"), get(search::list_all))
        .route(&at("/{*endpoint}"), any(async |_: Client| Error::NoSuchEndpoint))
        .method_not_allowed_fallback(async |_: Client| Error::MethodNotAllowed)
        .route("/scim", any(no_such_endpoint))
        .route("/scim/", any(no_such_endpoint))
        .route("/scim/{*endpoint}", any(no_such_endpoint))
        .with_state(scim)
}
