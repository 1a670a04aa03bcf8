//! Lists and searches (RFC 7644 3.4.2): filtered, sorted, in pages.
//!
//! What a filter says of indexed attributes is asked of the store; where it
//! says more, what the store finds is read through in batches and the rest
//! decided here, so that memory does not grow with the directory.

mod creation;
mod scan;
mod sorted;

use futures::future::join;
use serde::Serialize;

use self::scan::{Search, searches};
use super::answer::Answer;
use super::client::Client;
use super::derived::{Derived, derive_if_shown, derived_attribute, shown_groups};
use super::error::Error;
use super::parameters::Parameters;
use super::stored::{Stored, kind};
use crate::model::{GroupOf, ResourceKind};
use crate::scim::protocol::projection::Projection;
use crate::scim::protocol::schema::ResourceType;

/// What one answer shows.
struct Page {
    /// How many there are in all.
    total: u64,
    /// What is shown.
    found: Vec<Found>,
    /// Behind what the next page begins, if there is one, as a client hands it
    /// back.
    next: Option<String>,
}

/// What stands before the resources of a list (RFC 7644 3.4.2, RFC 9865 2).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    schemas: [&'static str; 1],
    total_results: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_index: Option<u64>,
    items_per_page: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<&'a str>,
}

/// A resource of some type.
type Found = (&'static ResourceType, Stored);

/// The resources of these types that the parameters ask for.
pub async fn list(
    client: &Client,
    types: &[&'static ResourceType],
    parameters: &Parameters,
) -> Result<Answer, Error> {
    let searches = searches(types, parameters)?;
    let projections: Vec<_> = types.iter().map(|of| parameters.projection(of)).collect();
    let page = page(client, &searches, parameters);
    let groups = groups_ahead(client, &searches, &projections, parameters);
    let (page, groups) = join(page, groups).await;
    let (page, groups) = (page?, groups?);
    let head = Head {
        schemas: ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        total_results: page.total,
        start_index: parameters.cursor.is_none().then_some(parameters.start_index),
        items_per_page: page.found.len(),
        next_cursor: page.next.as_deref(),
    };
    let mut json = serde_json::to_vec(&head).expect("numbers and text have a JSON form");
    // The end of the object, to which there is one more to come.
    json.pop();
    json.extend_from_slice(b",\"Resources\":[");
    let types = types.iter().copied().zip(projections);
    write_resources(&mut json, client, types, &page.found, groups).await?;
    json.extend_from_slice(b"]}");
    Ok(Answer::written(json))
}

async fn page(
    client: &Client,
    searches: &[Search],
    parameters: &Parameters,
) -> Result<Page, Error> {
    match (&parameters.sort_by, &parameters.cursor) {
        (Some(sort_by), _) => sorted::page(client, searches, sort_by, parameters).await,
        (None, Some(cursor)) => {
            creation::by_cursor(client, searches, cursor.as_deref(), parameters.count).await
        }
        (None, None) => creation::by_index(client, searches, parameters).await,
    }
}

/// Groups of the user who is looked for by name, as identity providers do before they
/// change anything: asked for at the same time as the user, which is one wait less. `None`:
/// they are not known yet.
async fn groups_ahead(
    client: &Client,
    searches: &[Search],
    projections: &[Projection],
    parameters: &Parameters,
) -> Result<Option<Vec<GroupOf>>, Error> {
    match (searches, projections) {
        ([Search { of, condition, rest: None }], [projection])
            if kind(of) == ResourceKind::User
                && parameters.count > 0
                && projection.shows(derived_attribute(of)) =>
        {
            let store = client.repository.read();
            Ok(store.groups_of_user_named(client.configuration, condition).await?)
        }
        _ => Ok(None),
    }
}

/// What is shown of the resources of one type.
struct Shown {
    of: &'static ResourceType,
    projection: Projection,
    derived: Derived,
    /// How many of them are written.
    written: usize,
}

/// Writes what the client sees of these resources, in their order. What follows from
/// memberships is read for all of one type together, unless it is known already: `groups`
/// are those of the one user that may be among them.
async fn write_resources(
    json: &mut Vec<u8>,
    client: &Client,
    types: impl Iterator<Item = (&'static ResourceType, Projection)>,
    found: &[Found],
    mut groups: Option<Vec<GroupOf>>,
) -> Result<(), Error> {
    let mut shown = Vec::new();
    for (of, projection) in types {
        let own = found.iter().filter(|(type_, _)| type_.name == of.name);
        let ids: Vec<_> = own.map(|(_, stored)| stored.id).collect();
        let derived = match groups.take() {
            Some(groups) => shown_groups(client, &ids, groups)?,
            None => derive_if_shown(client, of, &ids, &projection).await?,
        };
        shown.push(Shown { of, projection, derived, written: 0 });
    }
    // Once, and not in steps, of which each would copy what is there already.
    let sizes = found.iter().map(|(_, stored)| stored.size() + 1);
    let derived = shown.iter().map(|shown| shown.derived.size());
    json.reserve(sizes.chain(derived).sum());
    for (place, (of, stored)) in found.iter().enumerate() {
        if place > 0 {
            json.push(b',');
        }
        let shown = shown.iter_mut().find(|shown| shown.of.name == of.name);
        let shown = shown.expect("what is found is of one of the types");
        let derived = shown.derived.of(shown.written);
        stored.write(json, client, of, derived, &shown.projection)?;
        shown.written += 1;
    }
    Ok(())
}
