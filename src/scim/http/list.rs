//! Lists and searches (RFC 7644 3.4.2): filtered, sorted, in pages.
//!
//! What a filter says of indexed attributes is asked of the store; where it
//! says more, what the store finds is read through in batches and the rest
//! decided here, so that memory does not grow with the directory.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::answer::Answer;
use super::client::Client;
use super::error::Error;
use super::parameters::Parameters;
use super::stored::{Stored, derived_attribute, groups_of, members_of};
use crate::model::{Condition, Position, Slice};
use crate::scim::protocol::fault::{Fault, ScimType};
use crate::scim::protocol::filter::Filter;
use crate::scim::protocol::narrow::narrow;
use crate::scim::protocol::projection::Projection;
use crate::scim::protocol::schema::{ResourceType, USER};
use crate::scim::protocol::sort::SortKey;
use crate::scim::protocol::value::Object;

/// How many resources are read at once where a filter is decided here.
const BATCH: u64 = 500;

/// The resources of these types that the parameters ask for.
pub async fn list(
    client: &Client,
    types: &[&'static ResourceType],
    parameters: &Parameters,
) -> Result<Answer, Error> {
    let searches = searches(types, parameters)?;
    let page = match (&parameters.sort_by, parameters.cursor) {
        (Some(sort_by), _) => sorted(client, &searches, sort_by, parameters).await?,
        (None, Some(cursor)) => by_cursor(client, &searches, cursor, parameters.count).await?,
        (None, None) => by_index(client, &searches, parameters).await?,
    };
    let mut resources = Vec::new();
    for (of, stored) in page.found {
        resources.extend(shown(client, of, stored, &parameters.projection(of)).await?);
    }
    let mut response = Object::new();
    response.insert(
        "schemas".to_owned(),
        json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"]),
    );
    response.insert("totalResults".to_owned(), json!(page.total));
    if parameters.cursor.is_none() {
        response.insert("startIndex".to_owned(), json!(parameters.start_index));
    }
    response.insert("itemsPerPage".to_owned(), json!(resources.len()));
    if let Some(next) = page.next {
        response.insert("nextCursor".to_owned(), json!(next.to_string()));
    }
    Ok(Answer::text(with_resources(response, &resources)))
}

/// The response with its resources, which are JSON already.
fn with_resources(response: Object, resources: &[String]) -> String {
    let mut text = Value::Object(response).to_string();
    // The end of the object, to which there is one more to come.
    text.pop();
    text.reserve(resources.iter().map(|resource| resource.len() + 1).sum::<usize>() + 32);
    text.push_str(",\"Resources\":[");
    for (place, resource) in resources.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        text.push_str(resource);
    }
    text.push_str("]}");
    text
}

/// What is asked of the resources of one type.
struct Search {
    of: &'static ResourceType,
    condition: Condition,
    /// What the condition does not decide.
    rest: Option<Filter>,
}

/// What one answer shows.
struct Page {
    /// How many there are in all.
    total: u64,
    /// What is shown, by type.
    found: Vec<(&'static ResourceType, Vec<Stored>)>,
    /// Behind what the next page begins, if there is one.
    next: Option<Position>,
}

/// One search for each type that the filter can be about.
fn searches(
    types: &[&'static ResourceType],
    parameters: &Parameters,
) -> Result<Vec<Search>, Error> {
    let Some(text) = &parameters.filter else {
        let all = types.iter().map(|of| Search { of, condition: Condition::All, rest: None });
        return Ok(all.collect());
    };
    let mut searches = Vec::new();
    let mut fault = None;
    for of in types {
        match Filter::parse(text, of) {
            Ok(filter) => {
                let narrowed = narrow(&filter, of);
                let rest = (!narrowed.exact).then_some(filter);
                searches.push(Search { of, condition: narrowed.condition, rest });
            }
            Err(error) => fault = Some(error),
        }
    }
    match fault {
        Some(fault) if searches.is_empty() => Err(fault.into()),
        _ => Ok(searches),
    }
}

async fn by_index(
    client: &Client,
    searches: &[Search],
    parameters: &Parameters,
) -> Result<Page, Error> {
    let mut skip = parameters.start_index - 1;
    let mut wanted = parameters.count;
    let mut page = Page { total: 0, found: Vec::new(), next: None };
    for search in searches {
        let (matching, found) = if search.rest.is_none() {
            counted(client, search, skip, wanted).await?
        } else {
            scanned(client, search, skip, wanted).await?
        };
        page.total += matching;
        skip = skip.saturating_sub(matching);
        wanted -= found.len() as u64;
        page.found.push((search.of, found));
    }
    Ok(page)
}

/// What the store alone can tell.
async fn counted(
    client: &Client,
    search: &Search,
    skip: u64,
    wanted: u64,
) -> Result<(u64, Vec<Stored>), Error> {
    let matching = count(client, search).await?;
    if wanted == 0 || skip >= matching {
        return Ok((matching, Vec::new()));
    }
    let slice = Slice { after: None, skip, limit: wanted };
    Ok((matching, read(client, search.of, &search.condition, slice).await?))
}

/// What takes reading all that the store finds.
async fn scanned(
    client: &Client,
    search: &Search,
    skip: u64,
    wanted: u64,
) -> Result<(u64, Vec<Stored>), Error> {
    let (mut matching, mut found) = (0, Vec::new());
    let mut scan = Scan::new(search, None);
    while let Some(batch) = scan.next(client).await? {
        for stored in batch {
            if (skip..skip + wanted).contains(&matching) {
                found.push(stored);
            }
            matching += 1;
        }
    }
    Ok((matching, found))
}

/// RFC 9865: pages that begin behind a resource, so that a walk misses nothing
/// and repeats nothing whatever others do.
async fn by_cursor(
    client: &Client,
    searches: &[Search],
    cursor: Option<Position>,
    wanted: u64,
) -> Result<Page, Error> {
    let mut total = 0;
    let mut found = Vec::new();
    for search in searches {
        // One more than asked for tells whether there is a next page.
        let (matching, behind) = if search.rest.is_none() {
            let slice = Slice { after: cursor, skip: 0, limit: wanted + 1 };
            let behind = read(client, search.of, &search.condition, slice).await?;
            (count(client, search).await?, behind)
        } else {
            scanned_behind(client, search, cursor, wanted + 1).await?
        };
        total += matching;
        found.extend(behind.into_iter().map(|stored| (search.of, vec![stored])));
    }
    // Resources of several types come in one order, that of creation.
    let place = |found: &(&ResourceType, Vec<Stored>)| found.1.first().map(position);
    found.sort_by_key(|each| place(each).map(|place| (place.created_at, place.id)));
    let more = found.len() as u64 > wanted;
    found.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
    let next = found.last().and_then(place).or(cursor).filter(|_| more);
    Ok(Page { total, found, next })
}

/// How many there are in all, and of those behind the cursor the first ones.
async fn scanned_behind(
    client: &Client,
    search: &Search,
    cursor: Option<Position>,
    wanted: u64,
) -> Result<(u64, Vec<Stored>), Error> {
    let is_behind = |stored: &Stored| {
        cursor.is_none_or(|cursor| (stored.created_at, stored.id) > (cursor.created_at, cursor.id))
    };
    let (mut matching, mut found) = (0, Vec::new());
    let mut scan = Scan::new(search, None);
    while let Some(batch) = scan.next(client).await? {
        matching += batch.len() as u64;
        let room = usize::try_from(wanted).unwrap_or(usize::MAX) - found.len();
        found.extend(batch.into_iter().filter(is_behind).take(room));
    }
    Ok((matching, found))
}

/// Sorting reads everything that matches, and keeps of each the key alone.
async fn sorted(
    client: &Client,
    searches: &[Search],
    sort_by: &str,
    parameters: &Parameters,
) -> Result<Page, Error> {
    let mut keys: Vec<(Option<SortKey>, usize, Position)> = Vec::new();
    for (place, search) in searches.iter().enumerate() {
        let attribute = SortKey::attribute(sort_by, search.of)
            .map_err(|detail| Fault::new(ScimType::InvalidPath, detail))?;
        let mut scan = Scan::new(search, None);
        while let Some(batch) = scan.next(client).await? {
            for stored in batch {
                let position = position(&stored);
                let whole = stored.whole(client, search.of, Vec::new())?;
                keys.push((SortKey::of(&whole, &attribute), place, position));
            }
        }
    }
    // Stable, so that resources with equal keys stay in order of creation.
    keys.sort_by(|(one, ..), (other, ..)| {
        order(one.as_ref(), other.as_ref(), parameters.descending)
    });
    let total = keys.len() as u64;
    let skip = match parameters.cursor {
        None => usize::try_from(parameters.start_index - 1).unwrap_or(usize::MAX),
        Some(None) => 0,
        // The place behind the resource that was shown last; where that one is
        // gone, so is the place.
        Some(Some(cursor)) => {
            let last = keys.iter().position(|(.., position)| *position == cursor);
            last.ok_or(Error::InvalidCursor)? + 1
        }
    };
    let wanted = usize::try_from(parameters.count).unwrap_or(usize::MAX);
    let more = keys.len().saturating_sub(skip) > wanted;
    let page: Vec<_> = keys.into_iter().skip(skip).take(wanted).collect();
    let last = page.last().map(|(.., position)| *position).or(parameters.cursor.flatten());
    let next = last.filter(|_| more && parameters.cursor.is_some());
    let mut found = Vec::new();
    for (_, place, position) in page {
        let of = searches[place].of;
        let slice = Slice { after: None, skip: 0, limit: 1 };
        // Whoever was deleted meanwhile is no longer shown.
        found.push((of, read(client, of, &Condition::Id(position.id), slice).await?));
    }
    Ok(Page { total, found, next })
}

/// RFC 7644 3.4.2.3: resources without a value come last in ascending order,
/// first in descending.
fn order(one: Option<&SortKey>, other: Option<&SortKey>, descending: bool) -> Ordering {
    let ascending = match (one, other) {
        (Some(one), Some(other)) => one.cmp(other),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    };
    if descending { ascending.reverse() } else { ascending }
}

/// A walk through all that a search finds, batch by batch.
struct Scan<'a> {
    search: &'a Search,
    after: Option<Position>,
    done: bool,
}

impl<'a> Scan<'a> {
    const fn new(search: &'a Search, after: Option<Position>) -> Self {
        Self { search, after, done: false }
    }

    /// Of the next batch, what the whole filter holds for; `None` at the end.
    async fn next(&mut self, client: &Client) -> Result<Option<Vec<Stored>>, Error> {
        if self.done {
            return Ok(None);
        }
        let Search { of, condition, rest } = self.search;
        let slice = Slice { after: self.after, skip: 0, limit: BATCH };
        let batch = read(client, of, condition, slice).await?;
        self.done = (batch.len() as u64) < BATCH;
        self.after = batch.last().map(position).or(self.after);
        let Some(filter) = rest else { return Ok(Some(batch)) };
        let derived = if filter.mentions("groups") || filter.mentions("members") {
            derived(client, of, &batch).await?
        } else {
            vec![Vec::new(); batch.len()]
        };
        let mut matching = Vec::new();
        for (stored, derived) in batch.into_iter().zip(derived) {
            if filter.matches(&stored.whole(client, of, derived)?) {
                matching.push(stored);
            }
        }
        Ok(Some(matching))
    }
}

fn position(stored: &Stored) -> Position {
    Position { created_at: stored.created_at, id: stored.id }
}

/// `groups` of users, `members` of groups.
async fn derived(
    client: &Client,
    of: &ResourceType,
    batch: &[Stored],
) -> Result<Vec<Vec<Value>>, Error> {
    let ids: Vec<_> = batch.iter().map(|stored| stored.id).collect();
    if of.name == USER.name {
        return groups_of(client, &ids).await;
    }
    let mut derived = Vec::new();
    for id in ids {
        derived.push(members_of(client, id).await?);
    }
    Ok(derived)
}

async fn shown(
    client: &Client,
    of: &'static ResourceType,
    found: Vec<Stored>,
    projection: &Projection,
) -> Result<Vec<String>, Error> {
    let derived = if projection.shows(derived_attribute(of)) {
        derived(client, of, &found).await?
    } else {
        vec![Vec::new(); found.len()]
    };
    let shown = found.iter().zip(derived);
    let shown = shown.map(|(stored, derived)| stored.shown(client, of, derived, projection));
    Ok(shown.collect::<Result<_, _>>()?)
}

async fn read(
    client: &Client,
    of: &ResourceType,
    condition: &Condition,
    slice: Slice,
) -> Result<Vec<Stored>, Error> {
    let store = client.repository.read();
    Ok(if of.name == USER.name {
        let users = store.users(client.configuration, condition, slice).await?;
        users.into_iter().map(Stored::from).collect()
    } else {
        let groups = store.groups(client.configuration, condition, slice).await?;
        groups.into_iter().map(Stored::from).collect()
    })
}

async fn count(client: &Client, search: &Search) -> Result<u64, Error> {
    let store = client.repository.read();
    Ok(if search.of.name == USER.name {
        store.count_users(client.configuration, &search.condition).await?
    } else {
        store.count_groups(client.configuration, &search.condition).await?
    })
}
