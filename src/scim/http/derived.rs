//! Attributes that follow from memberships: `groups` of users, `members` of
//! groups.

use std::collections::BTreeSet;

use foldhash::HashMap;
use serde_json::Value;
use uuid::Uuid;

use super::client::Client;
use super::error::Error;
use super::stored::CORRUPT;
use crate::model::{GroupId, GroupOf, Member, MemberId, UserId};
use crate::repository::Write;
use crate::scim::protocol::projection::Projection;
use crate::scim::protocol::resource::{self, NotOurs, Reference};
use crate::scim::protocol::schema::{GROUP, ResourceType, USER};

/// The attribute of these resources that no document says: it follows from
/// memberships.
pub fn derived_attribute(of: &ResourceType) -> &'static str {
    if of.name == USER.name { "groups" } else { "members" }
}

/// `groups` of users, `members` of groups: of each of some resources an array in JSON,
/// or nothing where there are none. One text for all of them, for a page has a hundred.
#[derive(Default)]
pub struct Derived {
    text: String,
    /// Where each array ends; it begins where the one before does.
    ends: Vec<usize>,
}

impl Derived {
    /// Of the resource at this place.
    pub fn of(&self, place: usize) -> &str {
        let Some(end) = self.ends.get(place) else { return "" };
        let begin = if place == 0 { 0 } else { self.ends[place - 1] };
        &self.text[begin..*end]
    }

    /// How long all of them are, in bytes.
    pub fn size(&self) -> usize {
        self.text.len()
    }

    fn new(text: Vec<u8>, ends: Vec<usize>) -> Self {
        Self { text: String::from_utf8(text).expect("JSON is UTF-8"), ends }
    }
}

/// What follows for these resources, in their order.
pub async fn derive(client: &Client, of: &ResourceType, ids: &[Uuid]) -> Result<Derived, Error> {
    if of.name == USER.name {
        return groups_of(client, ids).await;
    }
    let (mut text, mut ends) = (Vec::new(), Vec::with_capacity(ids.len()));
    for id in ids {
        write_members(&mut text, client, *id).await?;
        ends.push(text.len());
    }
    Ok(Derived::new(text, ends))
}

/// The same where a client sees it, and nothing where not.
pub async fn derive_if_shown(
    client: &Client,
    of: &ResourceType,
    ids: &[Uuid],
    projection: &Projection,
) -> Result<Derived, Error> {
    if projection.shows(derived_attribute(of)) {
        derive(client, of, ids).await
    } else {
        Ok(Derived::default())
    }
}

/// `groups` of each of these users, in their order.
async fn groups_of(client: &Client, users: &[Uuid]) -> Result<Derived, Error> {
    let ids: Vec<_> = users.iter().copied().map(UserId::from).collect();
    let groups = client.repository.read().groups_of(client.configuration, &ids).await?;
    shown_groups(client, users, groups)
}

/// The same where their groups are known. Those of others are left out.
pub fn shown_groups(
    client: &Client,
    users: &[Uuid],
    groups: Vec<GroupOf>,
) -> Result<Derived, Error> {
    // Ids are ours: nobody chooses them so that they would collide.
    let places: HashMap<UserId, usize> = users.iter().copied().map(UserId::from).zip(0..).collect();
    let mut elements = Vec::with_capacity(groups.len());
    for group in groups {
        let reference = reference(client, group.id.as_uuid(), &GROUP, &group.document)?;
        let mut element = Vec::new();
        Reference { kind: "direct", ..reference }.write(&mut element);
        let places: Vec<usize> =
            group.users.iter().filter_map(|user| places.get(user).copied()).collect();
        elements.push((element, places));
    }
    Ok(arrays(&elements, users.len()))
}

/// An array for each of so many resources, of the elements that stand beside its place.
fn arrays(elements: &[(Vec<u8>, Vec<usize>)], resources: usize) -> Derived {
    // Each element has a comma or the bracket before it, and an array one more behind.
    let mut lengths = vec![0; resources];
    for (element, places) in elements {
        for place in places {
            lengths[*place] += element.len() + 1;
        }
    }
    let mut ends = Vec::with_capacity(resources);
    let mut next = Vec::with_capacity(resources);
    let mut end = 0;
    for length in lengths {
        next.push(end);
        end += if length > 0 { length + 1 } else { 0 };
        ends.push(end);
    }
    let mut text = vec![b','; end];
    for (element, places) in elements {
        for place in places {
            let begin = next[*place] + 1;
            next[*place] = begin + element.len();
            text[begin..next[*place]].copy_from_slice(element);
        }
    }
    let mut begin = 0;
    for end in &ends {
        if begin < *end {
            text[begin] = b'[';
            text[*end - 1] = b']';
        }
        begin = *end;
    }
    Derived::new(text, ends)
}

/// How many members are read at once.
const MEMBERS_PAGE: u64 = 1_000;

/// Writes `members` of a group, all of them.
async fn write_members(json: &mut Vec<u8>, client: &Client, group: Uuid) -> Result<(), Error> {
    let (store, group) = (client.repository.read(), GroupId::from(group));
    let (begin, mut after) = (json.len(), None);
    loop {
        let page = store.members(client.configuration, group, after, MEMBERS_PAGE).await?;
        for held in &page {
            json.push(if json.len() == begin { b'[' } else { b',' });
            member(client, held)?.write(json);
        }
        after = next_page(&page);
        if after.is_none() {
            break;
        }
    }
    if json.len() > begin {
        json.push(b']');
    }
    Ok(())
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
        for held in &page {
            members.push((held.id.as_uuid(), member(client, held)?.to_value()));
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
    let element = |held: &Member| Ok((held.id.as_uuid(), member(client, held)?.to_value()));
    members.iter().map(element).collect()
}

/// Behind which member the next page begins, if this one is full.
fn next_page(page: &[Member]) -> Option<Uuid> {
    let full = page.len() as u64 >= MEMBERS_PAGE;
    page.last().filter(|_| full).map(|last| last.id.as_uuid())
}

fn reference<'a>(
    client: &'a Client,
    id: Uuid,
    of: &'static ResourceType,
    document: &str,
) -> Result<Reference<'a>, Error> {
    Ok(Reference {
        id,
        of,
        base_url: &client.base_url,
        display: resource::display_name(document).map_err(|NotOurs| CORRUPT)?,
        kind: of.name,
    })
}

fn member<'a>(client: &'a Client, member: &Member) -> Result<Reference<'a>, Error> {
    let of = match member.id {
        MemberId::User(_) => &USER,
        MemberId::Group(_) => &GROUP,
    };
    reference(client, member.id.as_uuid(), of, &member.document)
}
