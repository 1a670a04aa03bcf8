//! Attributes that follow from memberships: `groups` of users, `members` of
//! groups.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::Client;
use super::error::Error;
use super::stored::CORRUPT;
use crate::model::{GroupId, Member, MemberId, UserId};
use crate::repository::Write;
use crate::scim::protocol::resource::{self, NotOurs};
use crate::scim::protocol::schema::{GROUP, ResourceType, USER};

/// The attribute of these resources that no document says: it follows from
/// memberships.
pub fn derived_attribute(of: &ResourceType) -> &'static str {
    if of.name == USER.name { "groups" } else { "members" }
}

/// `groups` of users, `members` of groups, in the order of the ids: an array in
/// JSON, or nothing where there are none.
pub async fn derive(
    client: &Client,
    of: &ResourceType,
    ids: &[Uuid],
) -> Result<Vec<String>, Error> {
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
async fn groups_of(client: &Client, users: &[Uuid]) -> Result<Vec<String>, Error> {
    let ids: Vec<_> = users.iter().copied().map(UserId::from).collect();
    let groups = client.repository.read().groups_of(client.configuration, &ids).await?;
    let mut places: Vec<_> = users.iter().map(Uuid::as_u128).zip(0..).collect();
    places.sort_unstable();
    let place_of = |user: &UserId| {
        let id = user.as_uuid().as_u128();
        Some(places[places.binary_search_by_key(&id, |(id, _)| *id).ok()?].1)
    };
    let mut entries = Vec::with_capacity(groups.len());
    let mut lengths = vec![0; users.len()];
    for group in groups {
        let entry = Entry::new(client, group.id.as_uuid(), &GROUP, &group.document)?;
        let entry = json(&Entry { kind: "direct", ..entry });
        let places: Vec<usize> = group.users.iter().filter_map(place_of).collect();
        for place in &places {
            lengths[*place] += entry.len();
        }
        entries.push((entry, places));
    }
    let mut derived: Vec<_> = lengths.into_iter().map(Array::with_capacity).collect();
    for (entry, places) in entries {
        for place in places {
            derived[place].push(&entry);
        }
    }
    Ok(derived.into_iter().map(Array::end).collect())
}

/// How many members are read at once.
const MEMBERS_PAGE: u64 = 1_000;

/// `members` of a group, all of them.
async fn members_of(client: &Client, group: Uuid) -> Result<String, Error> {
    let (store, group) = (client.repository.read(), GroupId::from(group));
    let mut members = Array::default();
    let mut after = None;
    loop {
        let page = store.members(client.configuration, group, after, MEMBERS_PAGE).await?;
        for member in &page {
            members.push(&json(&Entry::of_member(client, member)?));
        }
        after = next_page(&page);
        if after.is_none() {
            return Ok(members.end());
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
        for member in &page {
            members.push((member.id.as_uuid(), json!(Entry::of_member(client, member)?)));
        }
        after = next_page(&page);
        if after.is_none() {
            return Ok(members);
        }
    }
}

/// What these look like as members, each with its id.
pub async fn members_among(
    tx: &Write,
    client: &Client,
    members: &BTreeSet<MemberId>,
) -> Result<Vec<(Uuid, Value)>, Error> {
    let members = tx.members_of_ids(client.configuration, members).await?;
    let entry =
        |member: &Member| Ok((member.id.as_uuid(), json!(Entry::of_member(client, member)?)));
    members.iter().map(entry).collect()
}

/// Behind which member the next page begins, if this one is full.
fn next_page(page: &[Member]) -> Option<Uuid> {
    let full = page.len() as u64 >= MEMBERS_PAGE;
    page.last().filter(|_| full).map(|last| last.id.as_uuid())
}

/// An element of `groups` or `members` (RFC 7643 4.1.2, 4.2).
#[derive(Serialize)]
struct Entry {
    value: Uuid,
    #[serde(rename = "$ref")]
    reference: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    display: Option<String>,
    #[serde(rename = "type")]
    kind: &'static str,
}

impl Entry {
    fn new(
        client: &Client,
        id: Uuid,
        of: &'static ResourceType,
        document: &str,
    ) -> Result<Self, Error> {
        Ok(Self {
            value: id,
            reference: resource::location(&client.base_url, of, id),
            display: resource::display_name(document).map_err(|NotOurs| CORRUPT)?,
            kind: of.name,
        })
    }

    fn of_member(client: &Client, member: &Member) -> Result<Self, Error> {
        let of = match member.id {
            MemberId::User(_) => &USER,
            MemberId::Group(_) => &GROUP,
        };
        Self::new(client, member.id.as_uuid(), of, &member.document)
    }
}

fn json(entry: &Entry) -> String {
    serde_json::to_string(entry).expect("a struct of plain values has a JSON form")
}

/// An array that is being written, of elements that are JSON.
#[derive(Clone, Default)]
struct Array(String);

impl Array {
    /// With room for some elements that have this length together.
    fn with_capacity(length: usize) -> Self {
        // What is between and around them is seldom longer.
        const AROUND: usize = 16;
        Self(String::with_capacity(if length == 0 { 0 } else { length + AROUND }))
    }

    fn push(&mut self, element: &str) {
        self.0.push(if self.0.is_empty() { '[' } else { ',' });
        self.0.push_str(element);
    }

    /// Nothing where there are no elements.
    fn end(mut self) -> String {
        if !self.0.is_empty() {
            self.0.push(']');
        }
        self.0
    }
}
