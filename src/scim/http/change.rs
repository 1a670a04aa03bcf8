//! Changes of users and groups, as HTTP and bulk both ask for them.

use axum::http::HeaderMap;
use serde_json::Value;
use uuid::Uuid;

use super::answer::Answer;
use super::client::Client;
use super::error::Error;
use super::{groups, users};
use crate::repository::retry_deadlocks;
use crate::scim::protocol::projection::Projection;
use crate::scim::protocol::schema::{ResourceType, USER};

/// What is to be done.
pub struct Change {
    pub of: &'static ResourceType,
    pub action: Action,
    /// For `If-Match`.
    pub headers: HeaderMap,
    /// `Null` where there is none.
    pub body: Value,
    pub projection: Projection,
}

/// The kind of change, with the id of what is changed.
pub enum Action {
    /// The id is the one that it gets, if that is settled already.
    Create(Option<Uuid>),
    Replace(String),
    Patch(String),
    Delete(String),
}

impl Change {
    /// Does it, all of it or nothing.
    pub async fn make(&self, client: &Client) -> Result<Answer, Error> {
        retry_deadlocks(|| self.once(client)).await
    }

    async fn once(&self, client: &Client) -> Result<Answer, Error> {
        let Self { of, action, headers, body, projection } = self;
        if of.name == USER.name {
            match action {
                Action::Create(id) => users::created(client, *id, body, projection).await,
                Action::Replace(id) => users::replaced(client, id, headers, body, projection).await,
                Action::Patch(id) => users::patched(client, id, headers, body, projection).await,
                Action::Delete(id) => users::deleted(client, id, headers).await,
            }
        } else {
            match action {
                Action::Create(id) => groups::created(client, *id, body, projection).await,
                Action::Replace(id) => {
                    groups::replaced(client, id, headers, body, projection).await
                }
                Action::Patch(id) => groups::patched(client, id, headers, body, projection).await,
                Action::Delete(id) => groups::deleted(client, id, headers).await,
            }
        }
    }
}
