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

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use tower::Service;

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

/// Whatever there is below `/scim`. Cheap to clone.
#[derive(Clone)]
pub struct Endpoints(Arc<Inner>);

struct Inner {
    scim: Scim,
    /// What is below a base URL; the [`Client`] is in the extensions of each request.
    router: Router,
}

impl Endpoints {
    /// The endpoints of a server that is made like this.
    #[must_use]
    pub fn new(scim: Scim) -> Self {
        Self(Arc::new(Inner { scim, router: router() }))
    }

    /// Answers whatever is asked there. Below the base URL of a configuration only who has
    /// its token learns what there is.
    pub async fn answer(self, request: Request) -> Result<Response, Infallible> {
        let Inner { scim, router } = &*self.0;
        // Taken from the path itself, whose rest need not be text for it.
        let below = request.uri().path().strip_prefix("/scim/v2/").unwrap_or_default();
        if below.is_empty() {
            return Ok(Error::NoSuchEndpoint.into_response());
        }
        let configuration = below.split('/').next().and_then(|id| id.parse().ok());
        let answer = async |request| router.clone().call(request).await;
        match Client::let_in(scim, configuration, request, answer).await {
            Ok(answer) => answer,
            Err(refusal) => Ok(refusal.into_response()),
        }
    }
}

fn router() -> Router {
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
        .route(&at("/Me"), any(async || Error::NotImplemented))
        .route(&at("/ServiceProviderConfig"), get(discovery::service_provider_config))
        .route(&at("/ResourceTypes"), get(discovery::resource_types))
        .route(&at("/ResourceTypes/{id}"), get(discovery::resource_type))
        .route(&at("/Schemas"), get(discovery::schemas))
        .route(&at("/Schemas/{id}"), get(discovery::schema))
        .route(&at(""), get(search::list_all))
        .route(&at("/"), get(search::list_all))
        .fallback(async || Error::NoSuchEndpoint)
        .method_not_allowed_fallback(async || Error::MethodNotAllowed)
        // Once for all requests: axum makes routes of the handlers here.
        .with_state(())
}
