//! Resources out of the store, on their way to a client.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use axum::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::Answer;
use super::client::Client;
use super::error::Error;
use crate::model::{Group, GroupId, Instant, MemberId, Membership, Position, User, UserId};
use crate::repository::{self, Write};
use crate::scim::protocol::projection::Projection;
use crate::scim::protocol::resource::{self, Meta};
use crate::scim::protocol::schema::{GROUP, ResourceType, USER};
use crate::scim::protocol::value::Object;

/// A user or a group.
#[derive(Clone, Debug)]
pub struct Stored {
    pub id: Uuid,
    /// JSON, as we wrote it.
    pub document: String,
    pub version: u64,
    pub created_at: Instant,
    pub updated_at: Instant,
}

impl From<User> for Stored {
    fn from(user: User) -> Self {
        Self {
            id: user.id.as_uuid(),
            document: user.document,
            version: user.version,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

impl From<Group> for Stored {
    fn from(group: Group) -> Self {
        Self {
            id: group.id.as_uuid(),
            document: group.document,
            version: group.version,
            created_at: group.created_at,
            updated_at: group.updated_at,
        }
    }
}

/// A document that we wrote.
pub fn object(document: &str) -> Result<Object, repository::Error> {
    serde_json::from_str(document).map_err(|_| CORRUPT)
}

const CORRUPT: repository::Error = repository::Error::Corrupt("document");

impl Stored {
    /// The resource as filters and sorting see it, with attributes that follow
    /// from elsewhere.
    pub fn whole(
        &self,
        client: &Client,
        of: &ResourceType,
        derived: Vec<Value>,
    ) -> Result<Object, repository::Error> {
        let derived = Some((derived_attribute(of), derived));
        Ok(resource::outgoing(object(&self.document)?, &self.meta(client), derived, of))
    }

    /// What the client sees of the same, as JSON.
    pub fn shown(
        &self,
        client: &Client,
        of: &ResourceType,
        derived: Vec<Value>,
        projection: &Projection,
    ) -> Result<String, repository::Error> {
        let derived = (derived_attribute(of), derived);
        resource::text(&self.document, &self.meta(client), derived, of, projection)
            .map_err(|_| CORRUPT)
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
        derived: Vec<Value>,
        projection: &Projection,
    ) -> Result<Answer, Error> {
        let body = Some(self.shown(client, of, derived, projection)?);
        let location = Some(self.meta(client).location(of));
        Ok(Answer { status, body, location, etag: Some(self.etag()) })
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
    let (store, configuration) = (client.repository.read(), client.configuration);
    let stored = if of.name == USER.name {
        let id = id.parse().map_err(|_| not_found())?;
        store.user(configuration, id).await?.map(Stored::from)
    } else {
        let id = id.parse().map_err(|_| not_found())?;
        store.group(configuration, id).await?.map(Stored::from)
    };
    stored.ok_or_else(not_found)
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
    let derived = if projection.shows(derived_attribute(of)) {
        derived(client, of, &[stored.id]).await?.swap_remove(0)
    } else {
        Vec::new()
    };
    stored.answer(status, client, of, derived, projection)
}

/// The attribute of these resources that no document says: it follows from
/// memberships.
pub fn derived_attribute(of: &ResourceType) -> &'static str {
    if of.name == USER.name { "groups" } else { "members" }
}

/// `groups` of users, `members` of groups, in the order of the ids.
pub async fn derived(
    client: &Client,
    of: &ResourceType,
    ids: &[Uuid],
) -> Result<Vec<Vec<Value>>, Error> {
    if of.name == USER.name {
        return groups_of(client, ids).await;
    }
    let mut derived = Vec::new();
    for id in ids {
        derived.push(members_of(client, *id).await?);
    }
    Ok(derived)
}

/// `groups` of each of these users, in their order.
async fn groups_of(client: &Client, users: &[Uuid]) -> Result<Vec<Vec<Value>>, Error> {
    let ids: Vec<_> = users.iter().copied().map(UserId::from).collect();
    let memberships = client.repository.read().groups_of(client.configuration, &ids).await?;
    let places: HashMap<_, _> = users.iter().enumerate().map(|(place, id)| (*id, place)).collect();
    let mut groups = vec![Vec::new(); users.len()];
    // Of a page of users many are in the same groups.
    let mut entries: HashMap<GroupId, Value> = HashMap::new();
    for membership in memberships {
        let Some(place) = places.get(&membership.member.as_uuid()) else { continue };
        let entry = match entries.entry(membership.group) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(group_entry(client, &membership)?),
        };
        groups[*place].push(entry.clone());
    }
    Ok(groups)
}

fn group_entry(client: &Client, membership: &Membership) -> Result<Value, Error> {
    let id = membership.group.to_string();
    let document = object(&membership.document)?;
    let reference = format!("{}{}/{id}", client.base_url, GROUP.endpoint);
    Ok(json!({
        "value": id,
        "$ref": reference,
        "display": resource::display_name(&document),
        "type": "direct",
    }))
}

/// How many members are read at once.
const MEMBERS_PAGE: u64 = 1_000;

/// `members` of a group, all of them.
async fn members_of(client: &Client, group: Uuid) -> Result<Vec<Value>, Error> {
    let (store, group) = (client.repository.read(), GroupId::from(group));
    let mut members = Vec::new();
    let mut after = None;
    loop {
        let page = store.members(client.configuration, group, after, MEMBERS_PAGE).await?;
        for membership in &page {
            members.push(member_entry(client, membership)?);
        }
        after = next_page(&page);
        if after.is_none() {
            return Ok(members);
        }
    }
}

/// The same within a transaction, each with its id.
pub async fn members_in(
    tx: &Write,
    client: &Client,
    group: GroupId,
) -> Result<Vec<(Uuid, Value)>, Error> {
    let mut members = Vec::new();
    let mut after = None;
    loop {
        let page = tx.members(client.configuration, group, after, MEMBERS_PAGE).await?;
        for membership in &page {
            members.push((membership.member.as_uuid(), member_entry(client, membership)?));
        }
        after = next_page(&page);
        if after.is_none() {
            return Ok(members);
        }
    }
}

/// Behind which member the next page begins, if this one is full.
fn next_page(page: &[Membership]) -> Option<Uuid> {
    let full = page.len() as u64 >= MEMBERS_PAGE;
    page.last().filter(|_| full).map(|last| last.member.as_uuid())
}

fn member_entry(client: &Client, membership: &Membership) -> Result<Value, Error> {
    let id = membership.member.as_uuid().to_string();
    let of = match membership.member {
        MemberId::User(_) => &USER,
        MemberId::Group(_) => &GROUP,
    };
    let document = object(&membership.document)?;
    let mut entry = json!({
        "value": id,
        "$ref": format!("{}{}/{id}", client.base_url, of.endpoint),
        "type": of.name,
    });
    if let Some(name) = resource::display_name(&document) {
        entry["display"] = name.into();
    }
    Ok(entry)
}
