//! Which identity provider calls.

use std::convert::Infallible;
use std::future::Future;

use axum::extract::{FromRequestParts, Path, Request};
use axum::http::Method;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::Scim;
use super::error::Error;
use crate::auth::Access;
use crate::model::{ConfigurationId, Origin, RequestId};
use crate::repository::Repository;
use crate::settings::UnknownMembers;

/// An identity provider that was let in, and all that it may touch.
#[derive(Clone)]
pub struct Client {
    /// The configuration whose token it showed.
    pub configuration: ConfigurationId,
    /// The store, to be asked about that configuration only. What is changed
    /// through it is told with the configuration and the request.
    pub repository: Repository,
    /// The base URL of the configuration, without a slash at its end.
    pub base_url: String,
    /// What becomes of members of groups that are not here.
    pub unknown_members: UnknownMembers,
}

impl Client {
    /// Does `work` for who shows the token of the configuration (`None`: the id is none)
    /// and does not ask too much; `work` finds the client in the extensions of the request.
    pub async fn let_in<F: Future>(
        scim: &Scim,
        configuration: Option<ConfigurationId>,
        mut request: Request,
        work: impl FnOnce(Request) -> F,
    ) -> Result<F::Output, Error> {
        let header = request.headers().get(AUTHORIZATION).cloned();
        let header = header.as_ref().and_then(|value| value.to_str().ok());
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let access = if reads { Access::Read } else { Access::Write };
        let work = async |configuration| {
            scim.rate_limit.check(configuration)?;
            let extensions = request.extensions_mut();
            let id = *extensions.get::<RequestId>().expect("the server gives each request an id");
            extensions.insert(Self {
                configuration,
                base_url: format!("{}/scim/v2/{configuration}", scim.public_url),
                repository: scim.repository.on_behalf_of(Origin::Configuration(configuration, id)),
                unknown_members: scim.unknown_members,
            });
            Ok(work(request).await)
        };
        scim.authenticator.scim_client(configuration, header, access, work).await?
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let client = parts.extensions.remove();
        Ok(client.expect("whoever asks below a base URL was let in"))
    }
}

/// The id at the end of a path.
pub struct Id(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Error;

    /// A path that is no text names nothing.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        path.map(|Path((_configuration, id))| Self(id)).map_err(|_| Error::NoSuchEndpoint)
    }
}
