//! Changes of groups (RFC 7644 3.3, 3.5, 3.6). Members are rows: nothing here reads
//! or writes more of them than a request names, but to show them.

mod members;

use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use uuid::Uuid;

use self::members::{allow_stray, fold, refuse_circle, resolved};
use super::answer::Answer;
use super::client::Client;
use super::error::Error;
use super::precondition::check_if_match;
use super::stored::{attributes, shown};
use crate::model::{Group, GroupId, MemberChange, Written};
use crate::repository::Write;
use crate::scim::protocol::projection::Projection;
use crate::scim::protocol::schema::GROUP;
use crate::scim::protocol::value::Object;
use crate::scim::protocol::{patch as protocol_patch, resource};

/// A PATCH of a group with more members is answered without it, unless its
/// attributes are asked for by name (RFC 7644 3.5.2 allows both): Entra ID wants
/// no megabytes back for each member that it adds.
const MAX_MEMBERS_SHOWN_BY_PATCH: u64 = 100;

/// Creates a group.
pub async fn created(
    client: &Client,
    id: Option<Uuid>,
    body: &Value,
    projection: &Projection,
) -> Result<Answer, Error> {
    let incoming = resource::incoming(body, &GROUP)?;
    allow_stray(client, incoming.stray)?;
    let name = display_name(&incoming.document);
    let content = resource::group_content(incoming.document)?;

    let tx = client.repository.write().await?;
    let members = resolved(&tx, client, &incoming.members.unwrap_or_default()).await?;
    let written =
        tx.create_group(client.configuration, id.map(Into::into), content, &members).await?;
    let Written::Done(group) = written else { return Err(Error::GroupNameTaken(name)) };
    tx.commit().await?;

    shown(client, &GROUP, StatusCode::CREATED, &group.into(), projection).await
}

/// Replaces a group. One that names no members has none from then on.
pub async fn replaced(
    client: &Client,
    id: &str,
    headers: &HeaderMap,
    body: &Value,
    projection: &Projection,
) -> Result<Answer, Error> {
    let incoming = resource::incoming(body, &GROUP)?;
    allow_stray(client, incoming.stray)?;

    let tx = client.repository.write().await?;
    let group = find(&tx, client, id, headers).await?;
    let mut change = MemberChange::default();
    change.replace(resolved(&tx, client, &incoming.members.unwrap_or_default()).await?);
    let group = stored(&tx, client, group, incoming.document, &change).await?;
    tx.commit().await?;

    shown(client, &GROUP, StatusCode::OK, &group.into(), projection).await
}

/// Patches a group.
pub async fn patched(
    client: &Client,
    id: &str,
    headers: &HeaderMap,
    body: &Value,
    projection: &Projection,
) -> Result<Answer, Error> {
    let operations = protocol_patch::operations(body, &GROUP)?;

    let tx = client.repository.write().await?;
    let group = find(&tx, client, id, headers).await?;
    let mut document = attributes(&group.document)?;
    let on_members = protocol_patch::apply(&mut document, &operations, &GROUP)?;
    let mut change = MemberChange::default();
    for operation in on_members {
        fold(&tx, client, group.id, &mut change, operation).await?;
    }
    let group = stored(&tx, client, group, document, &change).await?;
    let members = tx.member_count(client.configuration, group.id).await?.unwrap_or_default();
    tx.commit().await?;

    if members > MAX_MEMBERS_SHOWN_BY_PATCH && !projection.is_explicit() {
        let etag = Some(resource::etag(group.version));
        return Ok(Answer { etag, ..Answer::nothing() });
    }
    shown(client, &GROUP, StatusCode::OK, &group.into(), projection).await
}

/// Deletes a group.
pub async fn deleted(client: &Client, id: &str, headers: &HeaderMap) -> Result<Answer, Error> {
    let tx = client.repository.write().await?;
    let group = find(&tx, client, id, headers).await?;
    tx.delete_group(client.configuration, group.id).await?;
    tx.commit().await?;
    Ok(Answer::nothing())
}

/// The group to be changed, if it is the version that the client knows.
async fn find(tx: &Write, client: &Client, id: &str, headers: &HeaderMap) -> Result<Group, Error> {
    let group = tx.group_for_update(client.configuration, parse(id)?).await?;
    let group = group.ok_or_else(|| Error::not_found(GROUP.name, id))?;
    check_if_match(headers, &resource::etag(group.version))?;
    Ok(group)
}

/// Stores what has changed; where nothing has, the version stays.
async fn stored(
    tx: &Write,
    client: &Client,
    group: Group,
    document: Object,
    change: &MemberChange,
) -> Result<Group, Error> {
    let name = display_name(&document);
    let content = resource::group_content(document)?;
    refuse_circle(tx, client, group.id, change).await?;
    let content =
        Some(content).filter(|content| !resource::is_same(&content.document, &group.document));
    match tx.update_group(client.configuration, group.id, content, change).await? {
        Some(Written::Done(update)) => Ok(update.group),
        Some(Written::NameTaken) => Err(Error::GroupNameTaken(name)),
        None => Err(Error::not_found(GROUP.name, group.id)),
    }
}

fn display_name(document: &Object) -> String {
    document.get("displayName").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// An id that is none is nobody's.
fn parse(id: &str) -> Result<GroupId, Error> {
    id.parse().map_err(|_| Error::not_found(GROUP.name, id))
}
