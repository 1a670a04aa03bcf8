//! `/Users` (RFC 7644 3.3 to 3.6).

use axum::Extension;
use axum::extract::RawQuery;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::answer::Answer;
use super::body::Body;
use super::client::{Client, Id};
use super::error::Error;
use super::list;
use super::parameters::Parameters;
use super::precondition::{check_if_match, is_known};
use super::stored::{Stored, groups_of, object};
use crate::model::{UserId, Written};
use crate::scim::protocol::projection::Projection;
use crate::scim::protocol::schema::USER;
use crate::scim::protocol::value::Object;
use crate::scim::protocol::{patch as protocol_patch, resource};

pub async fn list(
    Extension(client): Extension<Client>,
    RawQuery(query): RawQuery,
) -> Result<Answer, Error> {
    list::list(&client, &[&USER], &Parameters::from_query(query.as_deref())?).await
}

pub async fn create(
    Extension(client): Extension<Client>,
    RawQuery(query): RawQuery,
    Body(body): Body,
) -> Result<Answer, Error> {
    created(&client, &body, &projection(query.as_deref())?).await
}

/// Creates a user; for HTTP and for bulk.
pub async fn created(
    client: &Client,
    body: &Value,
    projection: &Projection,
) -> Result<Answer, Error> {
    let mut incoming = resource::incoming(body, &USER)?;
    // A default for new users only: for others, no value is the client's choice.
    incoming.document.entry("active").or_insert(Value::Bool(true));
    let user_name = user_name(&incoming.document);
    let content = resource::user_content(incoming.document)?;

    let tx = client.repository.write().await?;
    let Written::Done(user) = tx.create_user(client.configuration, content).await? else {
        return Err(Error::UserNameTaken(user_name));
    };
    tx.commit().await?;

    // Nobody can have put the user into a group yet.
    Stored::from(user).answer(StatusCode::CREATED, client, &USER, Vec::new(), projection)
}

pub async fn read(
    Extension(client): Extension<Client>,
    Id(id): Id,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Answer, Error> {
    let user = client.repository.read().user(client.configuration, parse(&id)?).await?;
    let user = user.ok_or_else(|| Error::not_found(USER.name, &id))?;
    let stored = Stored::from(user);
    let etag = stored.etag(&client);
    if is_known(&headers, &etag) {
        let status = StatusCode::NOT_MODIFIED;
        return Ok(Answer { status, body: None, location: None, etag: Some(etag) });
    }
    shown(&client, stored, &projection(query.as_deref())?).await
}

pub async fn replace(
    Extension(client): Extension<Client>,
    Id(id): Id,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Answer, Error> {
    replaced(&client, &id, &headers, &body, &projection(query.as_deref())?).await
}

/// Replaces a user; for HTTP and for bulk.
pub async fn replaced(
    client: &Client,
    id: &str,
    headers: &HeaderMap,
    body: &Value,
    projection: &Projection,
) -> Result<Answer, Error> {
    let mut document = resource::incoming(body, &USER)?.document;
    change(client, id, headers, projection, move |present| {
        // Whoever leaves `active` out does not mean to let somebody back in.
        if let (false, Some(active)) = (document.contains_key("active"), present.get("active")) {
            document.insert("active".to_owned(), active.clone());
        }
        *present = document;
        Ok(())
    })
    .await
}

pub async fn patch(
    Extension(client): Extension<Client>,
    Id(id): Id,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Answer, Error> {
    patched(&client, &id, &headers, &body, &projection(query.as_deref())?).await
}

/// Patches a user; for HTTP and for bulk.
pub async fn patched(
    client: &Client,
    id: &str,
    headers: &HeaderMap,
    body: &Value,
    projection: &Projection,
) -> Result<Answer, Error> {
    let operations = protocol_patch::operations(body, &USER)?;
    change(client, id, headers, projection, move |document| {
        protocol_patch::apply(document, &operations, &USER)?;
        Ok(())
    })
    .await
}

pub async fn delete(
    Extension(client): Extension<Client>,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<Answer, Error> {
    deleted(&client, &id, &headers).await
}

/// Deletes a user; for HTTP and for bulk.
pub async fn deleted(client: &Client, id: &str, headers: &HeaderMap) -> Result<Answer, Error> {
    let not_found = || Error::not_found(USER.name, id);
    let user_id = parse(id)?;
    let tx = client.repository.write().await?;
    let user = tx.user_for_update(client.configuration, user_id).await?.ok_or_else(not_found)?;
    check_if_match(headers, &Stored::from(user.user).etag(client))?;
    tx.delete_user(client.configuration, user_id).await?;
    tx.commit().await?;
    Ok(Answer::nothing())
}

/// Changes the document of a user in one transaction; one that comes out as it
/// was keeps its version.
async fn change(
    client: &Client,
    id: &str,
    headers: &HeaderMap,
    projection: &Projection,
    edit: impl FnOnce(&mut Object) -> Result<(), Error>,
) -> Result<Answer, Error> {
    let tx = client.repository.write().await?;
    let user = tx.user_for_update(client.configuration, parse(id)?).await?;
    let user = user.ok_or_else(|| Error::not_found(USER.name, id))?;
    check_if_match(headers, &Stored::from(user.user.clone()).etag(client))?;

    let mut document = object(&user.user.document)?;
    edit(&mut document)?;
    let user_name = user_name(&document);
    let content = resource::user_content(document)?;
    let user = if content.document == user.user.document {
        user.user
    } else {
        match tx.update_user(client.configuration, &user, content).await? {
            Written::Done(user) => user,
            Written::NameTaken => return Err(Error::UserNameTaken(user_name)),
        }
    };
    tx.commit().await?;

    shown(client, user.into(), projection).await
}

async fn shown(client: &Client, stored: Stored, projection: &Projection) -> Result<Answer, Error> {
    let groups = if projection.shows("groups") {
        groups_of(client, &[stored.id]).await?.swap_remove(0)
    } else {
        Vec::new()
    };
    stored.answer(StatusCode::OK, client, &USER, groups, projection)
}

fn projection(query: Option<&str>) -> Result<Projection, Error> {
    Ok(Parameters::from_query(query)?.projection(&USER))
}

fn user_name(document: &Object) -> String {
    document.get("userName").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// An id that is none is nobody's.
fn parse(id: &str) -> Result<UserId, Error> {
    id.parse().map_err(|_| Error::not_found(USER.name, id))
}
