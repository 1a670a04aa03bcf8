//! Searches over POST (RFC 7644 3.4.3), and lists of everything.

use axum::extract::RawQuery;

use super::answer::Answer;
use super::body::Body;
use super::client::Client;
use super::error::Error;
use super::list::list;
use super::parameters::Parameters;
use crate::scim::protocol::schema::{GROUP, RESOURCE_TYPES, USER};

pub async fn users(client: Client, Body(body): Body) -> Result<Answer, Error> {
    list(&client, &[&USER], &Parameters::from_body(&body)?).await
}

pub async fn groups(client: Client, Body(body): Body) -> Result<Answer, Error> {
    list(&client, &[&GROUP], &Parameters::from_body(&body)?).await
}

pub async fn all(client: Client, Body(body): Body) -> Result<Answer, Error> {
    list(&client, &RESOURCE_TYPES, &Parameters::from_body(&body)?).await
}

/// `GET` of the base URL.
pub async fn list_all(client: Client, RawQuery(query): RawQuery) -> Result<Answer, Error> {
    list(&client, &RESOURCE_TYPES, &Parameters::from_query(query.as_deref())?).await
}
