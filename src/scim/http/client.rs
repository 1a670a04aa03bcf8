//! Which identity provider calls.

use axum::extract::{FromRequestParts, Path};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::Scim;
use super::error::Error;
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

impl FromRequestParts<Scim> for Client {
    type Rejection = Error;

    /// Lets in who shows the token of the configuration in the path and does not
    /// ask too much.
    async fn from_request_parts(parts: &mut Parts, scim: &Scim) -> Result<Self, Error> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        // `/scim/v2/{configuration}`: taken from the path itself, whose rest need not
        // be text for it.
        let id = parts.uri.path().split('/').nth(3).and_then(|id| id.parse().ok());
        let client = scim.authenticator.scim_client(id, header).await?;
        let configuration = client.configuration.id;
        scim.rate_limit.check(configuration)?;
        let request =
            *parts.extensions.get::<RequestId>().expect("the server gives each request an id");
        Ok(Self {
            configuration,
            base_url: format!("{}/scim/v2/{configuration}", scim.public_url),
            repository: scim.repository.on_behalf_of(Origin::Configuration(configuration, request)),
            unknown_members: scim.unknown_members,
        })
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
