//! Changes of users and groups, as HTTP and bulk both ask for them.

use axum::http::HeaderMap;
use serde_json::Value;
use uuid::Uuid;

use super::answer::Answer;
use super::client::Client;
use super::error::Error;
use super::{groups, users};
use crate::repository;
use crate::scim::protocol::projection::Projection;
use crate::scim::protocol::schema::{ResourceType, USER};

/// How often a change is made whose transaction is ended for another.
const TRIES: u32 = 3;

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
    ///
    /// Two transactions may wait for each other on PostgreSQL, which then ends
    /// one of them. What that one was for is done anew, from the beginning: what
    /// was read for it may be out of date.
    pub async fn make(&self, client: &Client) -> Result<Answer, Error> {
        let mut tries = 1;
        loop {
            match self.once(client).await {
                Err(Error::Repository(repository::Error::Deadlock(_))) if tries < TRIES => {
                    tracing::debug!(tries, "the transaction was ended for another");
                    tries += 1;
                }
                outcome => return outcome,
            }
        }
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
