//! Resources out of the store, on their way to a client.

use std::ops::Deref;

use axum::http::StatusCode;
use futures::future::join;

use super::answer::Answer;
use super::client::Client;
use super::derived::{Derived, derive_if_shown, derived_attribute};
use super::error::Error;
use crate::model::{Group, Position, Resource, ResourceKind, User};
use crate::repository;
use crate::scim::protocol::projection::Projection;
use crate::scim::protocol::resource::{self, Meta};
use crate::scim::protocol::schema::{ResourceType, USER};
use crate::scim::protocol::value::Object;

/// A user or a group.
#[derive(Clone, Debug)]
pub struct Stored(Resource);

impl Deref for Stored {
    type Target = Resource;

    fn deref(&self) -> &Resource {
        &self.0
    }
}

impl From<Resource> for Stored {
    fn from(resource: Resource) -> Self {
        Self(resource)
    }
}

impl From<User> for Stored {
    fn from(user: User) -> Self {
        Self(Resource {
            id: user.id.as_uuid(),
            document: user.document,
            version: user.version,
            created_at: user.created_at,
            updated_at: user.updated_at,
        })
    }
}

impl From<Group> for Stored {
    fn from(group: Group) -> Self {
        Self(Resource {
            id: group.id.as_uuid(),
            document: group.document,
            version: group.version,
            created_at: group.created_at,
            updated_at: group.updated_at,
        })
    }
}

/// The attributes of a document that we wrote.
pub fn attributes(document: &str) -> Result<Object, repository::Error> {
    resource::attributes(document).map_err(|_| CORRUPT)
}

/// For a document that is none of ours.
pub const CORRUPT: repository::Error = repository::Error::Corrupt("document");

impl Stored {
    /// The resource as filters and sorting see it, with attributes that follow
    /// from elsewhere, see [`derive`].
    pub fn whole(
        &self,
        client: &Client,
        of: &ResourceType,
        derived: &str,
    ) -> Result<Object, repository::Error> {
        let derived = match derived {
            "" => Vec::new(),
            array => serde_json::from_str(array).map_err(|_| CORRUPT)?,
        };
        let derived = Some((derived_attribute(of), derived));
        Ok(resource::outgoing(attributes(&self.document)?, &self.meta(client), derived, of))
    }

    /// Writes what the client sees of the same, as JSON.
    pub fn write(
        &self,
        json: &mut Vec<u8>,
        client: &Client,
        of: &ResourceType,
        derived: &str,
        projection: &Projection,
    ) -> Result<(), repository::Error> {
        let derived = (derived_attribute(of), derived);
        resource::write(json, &self.document, &self.meta(client), derived, of, projection)
            .map_err(|_| CORRUPT)
    }

    /// About how many bytes [`Self::write`] writes at most, without what is derived.
    pub fn size(&self) -> usize {
        self.document.len() + resource::OURS
    }

    /// Its place in order of creation.
    pub fn position(&self) -> Position {
        Position { created_at: self.created_at, id: self.id }
    }

    /// The entity tag.
    pub fn etag(&self) -> String {
        resource::etag(self.version)
    }

    /// An answer with this resource.
    pub fn answer(
        &self,
        status: StatusCode,
        client: &Client,
        of: &ResourceType,
        derived: &str,
        projection: &Projection,
    ) -> Result<Answer, Error> {
        let mut body = Vec::new();
        self.write(&mut body, client, of, derived, projection)?;
        let location = Some(self.meta(client).location(of));
        Ok(Answer { status, body: Some(body), location, etag: Some(self.etag()) })
    }

    /// What the server knows of the resource; nothing of the document is copied.
    fn meta<'a>(&self, client: &'a Client) -> Meta<'a> {
        Meta {
            id: self.id,
            version: self.version,
            created: self.created_at,
            last_modified: self.updated_at,
            base_url: &client.base_url,
        }
    }
}

/// The resource with this id. An id that is none is nobody's.
pub async fn find(client: &Client, of: &ResourceType, id: &str) -> Result<Stored, Error> {
    let not_found = || Error::not_found(of.name, id);
    let id = id.parse().map_err(|_| not_found())?;
    let found = client.repository.read().resource(kind(of), client.configuration, id).await?;
    found.map(Stored::from).ok_or_else(not_found)
}

/// The same, and what follows from its memberships where that is shown. Both are asked for
/// at the same time, which is one wait less than one after the other, and in vain where
/// there is no such resource.
pub async fn find_with_derived(
    client: &Client,
    of: &ResourceType,
    id: &str,
    projection: &Projection,
) -> Result<(Stored, Derived), Error> {
    let derived = async {
        match id.parse() {
            Ok(id) => derive_if_shown(client, of, &[id], projection).await,
            Err(_) => Ok(Derived::default()),
        }
    };
    // To the end of both: a statement that is given up takes its connection along.
    let (stored, derived) = join(find(client, of, id), derived).await;
    Ok((stored?, derived?))
}

/// What the store calls resources of a type.
pub fn kind(of: &ResourceType) -> ResourceKind {
    if of.name == USER.name { ResourceKind::User } else { ResourceKind::Group }
}

/// An answer with one resource, and with what follows from memberships where
/// that is shown.
pub async fn shown(
    client: &Client,
    of: &ResourceType,
    status: StatusCode,
    stored: &Stored,
    projection: &Projection,
) -> Result<Answer, Error> {
    let derived = derive_if_shown(client, of, &[stored.id], projection).await?;
    stored.answer(status, client, of, derived.of(0), projection)
}
