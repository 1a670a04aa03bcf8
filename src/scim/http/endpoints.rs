//! `/Users` and `/Groups` (RFC 7644 3.3 to 3.6), which are alike.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::IF_NONE_MATCH;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{MethodRouter, get};
use serde_json::Value;

use super::answer::Answer;
use super::body::Body;
use super::change::{Action, Change};
use super::client::{Client, Id};
use super::error::Error;
use super::list::list;
use super::parameters::Parameters;
use super::precondition::is_known;
use super::stored::{find, find_with_derived, kind, shown};
use crate::model::ResourceKind;
use crate::scim::protocol::projection::Projection;
use crate::scim::protocol::schema::ResourceType;

/// All resources of a type.
pub fn all(of: &'static ResourceType) -> MethodRouter {
    get(async move |asked: Asked| list(&asked.client, &[of], &asked.parameters()?).await).post(
        async move |asked: Asked, Body(body): Body| {
            asked.change(of, Action::Create(None), body).await
        },
    )
}

/// One of them.
pub fn one(of: &'static ResourceType) -> MethodRouter {
    get(async move |asked: Asked, Id(id): Id| asked.read(of, &id).await)
        .put(async move |asked: Asked, Id(id): Id, Body(body): Body| {
            asked.change(of, Action::Replace(id), body).await
        })
        .patch(async move |asked: Asked, Id(id): Id, Body(body): Body| {
            asked.change(of, Action::Patch(id), body).await
        })
        .delete(async move |asked: Asked, Id(id): Id| asked.delete(of, id).await)
}

/// What every request has, whatever it asks for.
struct Asked {
    client: Client,
    query: Option<String>,
    headers: HeaderMap,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self {
            client: Client::from_request_parts(parts, state).await?,
            query: parts.uri.query().map(str::to_owned),
            headers: parts.headers.clone(),
        })
    }
}

impl Asked {
    async fn read(self, of: &ResourceType, id: &str) -> Result<Answer, Error> {
        let (client, projection) = (&self.client, self.parameters()?.projection(of));
        // Members of a group may be many: not before it is known that there is such a group.
        // And nothing of memberships for who may have the resource already.
        if kind(of) == ResourceKind::User && !self.headers.contains_key(IF_NONE_MATCH) {
            let (user, derived) = find_with_derived(client, of, id, &projection).await?;
            return user.answer(StatusCode::OK, client, of, derived.of(0), &projection);
        }
        let stored = find(client, of, id).await?;
        let etag = stored.etag();
        if is_known(&self.headers, &etag) {
            let status = StatusCode::NOT_MODIFIED;
            return Ok(Answer { status, body: None, location: None, etag: Some(etag) });
        }
        shown(client, of, StatusCode::OK, &stored, &projection).await
    }

    async fn change(
        self,
        of: &'static ResourceType,
        action: Action,
        body: Value,
    ) -> Result<Answer, Error> {
        let projection = self.parameters()?.projection(of);
        Change { of, action, headers: self.headers, body, projection }.make(&self.client).await
    }

    /// Nothing is shown, so that nothing is chosen.
    async fn delete(self, of: &'static ResourceType, id: String) -> Result<Answer, Error> {
        let (action, projection) = (Action::Delete(id), Projection::default());
        Change { of, action, headers: self.headers, body: Value::Null, projection }
            .make(&self.client)
            .await
    }

    fn parameters(&self) -> Result<Parameters, Error> {
        Parameters::from_query(self.query.as_deref())
    }
}
