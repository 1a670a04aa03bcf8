//! Changes of users (RFC 7644 3.3, 3.5, 3.6).

use std::mem;

use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use uuid::Uuid;

use super::answer::Answer;
use super::client::Client;
use super::error::Error;
use super::precondition::check_if_match;
use super::stored::{Stored, attributes, shown};
use crate::model::{LinkRefusal, User, UserContent, UserId, Written};
use crate::repository::Write;
use crate::scim::protocol::projection::Projection;
use crate::scim::protocol::schema::USER;
use crate::scim::protocol::value::Object;
use crate::scim::protocol::{patch as protocol_patch, resource};

/// Creates a user.
pub async fn created(
    client: &Client,
    id: Option<Uuid>,
    body: &Value,
    projection: &Projection,
) -> Result<Answer, Error> {
    let mut incoming = resource::incoming(body, &USER)?;
    // A default for new users only: for others, no value is the client's choice.
    incoming.document.entry("active").or_insert(Value::Bool(true));
    let user_name = user_name(&incoming.document);
    let content = resource::user_content(incoming.document)?;

    let id = id.map(UserId::from);
    let at_once = client.repository.create_user_at_once(client.configuration, id, &content);
    let user = match at_once.await? {
        Some(user) => user,
        None => created_in_turn(client, id, content, user_name).await?,
    };

    // Nobody can have put the user into a group yet.
    Stored::from(user).answer(StatusCode::CREATED, client, &USER, "", projection)
}

async fn created_in_turn(
    client: &Client,
    id: Option<UserId>,
    content: UserContent,
    user_name: String,
) -> Result<User, Error> {
    let tx = client.repository.write().await?;
    let user = match tx.create_user(client.configuration, id, content).await? {
        Written::Done(user) => user,
        Written::NameTaken => return Err(Error::UserNameTaken(user_name)),
        Written::LinkRefused(refusal) => return Err(refused(client, tx, refusal).await?),
    };
    tx.commit().await?;
    Ok(user)
}

/// Replaces a user.
pub async fn replaced(
    client: &Client,
    id: &str,
    headers: &HeaderMap,
    body: &Value,
    projection: &Projection,
) -> Result<Answer, Error> {
    let document = resource::incoming(body, &USER)?.document;
    change(client, id, headers, projection, move |present| {
        let before = mem::replace(present, document.clone());
        // Whoever leaves `active` out does not mean to let somebody back in.
        if let (false, Some(active)) = (document.contains_key("active"), before.get("active")) {
            present.insert("active".to_owned(), active.clone());
        }
        Ok(())
    })
    .await
}

/// Patches a user.
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

/// Deletes a user.
pub async fn deleted(client: &Client, id: &str, headers: &HeaderMap) -> Result<Answer, Error> {
    let not_found = || Error::not_found(USER.name, id);
    let user_id = parse(id)?;
    let tx = client.repository.write().await?;
    let user = tx.user_for_update(client.configuration, user_id).await?.ok_or_else(not_found)?;
    check_if_match(headers, &resource::etag(user.user.version))?;
    tx.delete_user(client.configuration, user_id).await?;
    tx.commit().await?;
    Ok(Answer::nothing())
}

/// Changes the document of a user; one that comes out as it was keeps its version.
async fn change(
    client: &Client,
    id: &str,
    headers: &HeaderMap,
    projection: &Projection,
    edit: impl Fn(&mut Object) -> Result<(), Error>,
) -> Result<Answer, Error> {
    let edited = |user: &User| {
        check_if_match(headers, &resource::etag(user.version))?;
        let mut document = attributes(&user.document)?;
        edit(&mut document)?;
        let user_name = user_name(&document);
        let content = resource::user_content(document)?;
        let is_same = resource::is_same(&content.document, &user.document);
        Ok((!is_same).then_some(Edited { user_name, content }))
    };
    let user = match changed_at_once(client, parse(id)?, edited).await? {
        Some(user) => user,
        None => changed_in_turn(client, id, edited).await?,
    };
    shown(client, &USER, StatusCode::OK, &user.into(), projection).await
}

/// What a user is to be, who is not so yet.
struct Edited {
    user_name: String,
    content: UserContent,
}

/// `None`: nothing is changed, and it is to be done in a transaction.
async fn changed_at_once(
    client: &Client,
    id: UserId,
    edited: impl Fn(&User) -> Result<Option<Edited>, Error>,
) -> Result<Option<User>, Error> {
    let (store, configuration) = (&client.repository, client.configuration);
    let Some(present) = store.user_to_update(configuration, id).await? else { return Ok(None) };
    let Some(Edited { content, .. }) = edited(&present.user)? else {
        return Ok(Some(present.user));
    };
    Ok(store.update_user_at_once(configuration, &present, content).await?)
}

/// The same in a transaction, where nobody else changes the user meanwhile.
async fn changed_in_turn(
    client: &Client,
    id: &str,
    edited: impl Fn(&User) -> Result<Option<Edited>, Error>,
) -> Result<User, Error> {
    let tx = client.repository.write().await?;
    let locked = tx.user_for_update(client.configuration, parse(id)?).await?;
    let locked = locked.ok_or_else(|| Error::not_found(USER.name, id))?;
    let user = match edited(&locked.user)? {
        None => locked.user.clone(),
        Some(Edited { user_name, content }) => {
            match tx.update_user(client.configuration, &locked, content).await? {
                Written::Done(user) => user,
                Written::NameTaken => return Err(Error::UserNameTaken(user_name)),
                Written::LinkRefused(refusal) => return Err(refused(client, tx, refusal).await?),
            }
        }
    };
    tx.commit().await?;
    Ok(user)
}

/// Takes back what was begun, and tells the application why.
async fn refused(client: &Client, tx: Write, refusal: LinkRefusal) -> Result<Error, Error> {
    drop(tx);
    client.repository.tell_link_refused(client.configuration, &refusal).await?;
    Ok(Error::LinkRefused(refusal))
}

fn user_name(document: &Object) -> String {
    document.get("userName").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// An id that is none is nobody's.
fn parse(id: &str) -> Result<UserId, Error> {
    id.parse().map_err(|_| Error::not_found(USER.name, id))
}
