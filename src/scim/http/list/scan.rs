//! Searches, and walking through what they find.

use uuid::Uuid;

use super::super::client::Client;
use super::super::derived::{Derived, derive, derived_attribute};
use super::super::error::Error;
use super::super::parameters::Parameters;
use super::super::stored::{Stored, kind};
use crate::model::{Condition, Position, Slice, SortedSlice};
use crate::scim::protocol::filter::Filter;
use crate::scim::protocol::narrow::narrow;
use crate::scim::protocol::path::AttributePath;
use crate::scim::protocol::schema::ResourceType;
use crate::scim::protocol::value::Object;

/// How many resources are read at once where a filter is decided here.
const BATCH: u64 = 500;

/// What is asked of the resources of one type.
pub struct Search {
    pub of: &'static ResourceType,
    pub condition: Condition,
    /// What the condition does not decide.
    pub rest: Option<Filter>,
}

/// One search for each type.
pub fn searches(
    types: &[&'static ResourceType],
    parameters: &Parameters,
) -> Result<Vec<Search>, Error> {
    let Some(text) = &parameters.filter else {
        let all = types.iter().map(|of| Search { of, condition: Condition::All, rest: None });
        return Ok(all.collect());
    };
    let search = |of: &&'static ResourceType| {
        let filter = Filter::parse_among(text, of, types)?;
        let narrowed = narrow(&filter, of);
        let rest = (!narrowed.exact).then_some(filter);
        Ok(Search { of, condition: narrowed.condition, rest })
    };
    types.iter().map(search).collect()
}

/// A walk through all that a search finds, batch by batch.
pub struct Scan<'a> {
    search: &'a Search,
    /// Whether what follows from memberships is looked at.
    with_derived: bool,
    after: Option<Position>,
    done: bool,
}

impl<'a> Scan<'a> {
    pub fn new(search: &'a Search) -> Self {
        let derived = derived_attribute(search.of);
        let with_derived = search.rest.as_ref().is_some_and(|rest| rest.mentions(derived));
        Self { search, with_derived, after: None, done: false }
    }

    /// The same for somebody who looks at this attribute too.
    pub fn looking_at(self, attribute: &AttributePath) -> Self {
        let is_derived =
            attribute.extension.is_none() && attribute.name == derived_attribute(self.search.of);
        Self { with_derived: self.with_derived || is_derived, ..self }
    }

    /// Reads the next batch and shows `visit` what the whole filter holds for:
    /// each resource, and how filters and sorting see it. `false` at the end.
    pub async fn next(
        &mut self,
        client: &Client,
        mut visit: impl FnMut(Stored, &Object),
    ) -> Result<bool, Error> {
        if self.done {
            return Ok(false);
        }
        let Search { of, condition, rest } = self.search;
        let slice = Slice { after: self.after, skip: 0, limit: BATCH };
        let batch = read(client, of, condition, slice).await?;
        self.done = (batch.len() as u64) < BATCH;
        self.after = batch.last().map(Stored::position).or(self.after);
        let derived = if self.with_derived {
            let ids: Vec<_> = batch.iter().map(|stored| stored.id).collect();
            derive(client, of, &ids).await?
        } else {
            Derived::default()
        };
        for (place, stored) in batch.into_iter().enumerate() {
            let whole = stored.whole(client, of, derived.of(place))?;
            if rest.as_ref().is_none_or(|filter| filter.matches(&whole)) {
                visit(stored, &whole);
            }
        }
        Ok(true)
    }
}

pub async fn read(
    client: &Client,
    of: &ResourceType,
    condition: &Condition,
    slice: Slice,
) -> Result<Vec<Stored>, Error> {
    let store = client.repository.read();
    let found = store.resources(kind(of), client.configuration, condition, slice).await?;
    Ok(found.into_iter().map(Stored::from).collect())
}

/// The same in another order than that of creation.
pub async fn read_sorted(
    client: &Client,
    search: &Search,
    slice: &SortedSlice,
) -> Result<Vec<Stored>, Error> {
    let (store, of) = (client.repository.read(), kind(search.of));
    let found = store.sorted(of, client.configuration, &search.condition, slice).await?;
    Ok(found.into_iter().map(Stored::from).collect())
}

/// Those with these ids that there are, in any order.
pub async fn read_all(
    client: &Client,
    of: &ResourceType,
    ids: &[Uuid],
) -> Result<Vec<Stored>, Error> {
    let store = client.repository.read();
    let found = store.resources_of_ids(kind(of), client.configuration, ids).await?;
    Ok(found.into_iter().map(Stored::from).collect())
}

pub async fn count(client: &Client, search: &Search) -> Result<u64, Error> {
    let (store, of) = (client.repository.read(), kind(search.of));
    Ok(store.count(of, client.configuration, &search.condition).await?)
}
