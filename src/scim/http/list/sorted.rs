//! Lists in order of an attribute (RFC 7644 3.4.2.3).
//!
//! Where an index has the order, the store reads the page alone. Elsewhere all
//! that matches is read through, and of the keys only those are kept that may be
//! of the page.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::super::client::Client;
use super::super::error::Error;
use super::super::parameters::Parameters;
use super::super::stored::Stored;
use super::scan::{Scan, Search, count, read_all, read_sorted};
use super::{Found, Page};
use crate::model::{Begin, SortField, SortPosition, SortedSlice};
use crate::scim::protocol::fault::{Fault, ScimType};
use crate::scim::protocol::path::AttributePath;
use crate::scim::protocol::sort;
use crate::scim::protocol::value::Object;

/// The page that the parameters ask for.
pub async fn page(
    client: &Client,
    searches: &[Search],
    sort_by: &str,
    parameters: &Parameters,
) -> Result<Page, Error> {
    let attribute = |search: &Search| sort::attribute(sort_by, search.of);
    let attributes: Result<Vec<_>, _> = searches.iter().map(attribute).collect();
    let attributes = attributes.map_err(|detail| Fault::new(ScimType::InvalidPath, detail))?;
    let mark = mark(parameters, &attributes);
    let order = Order {
        descending: parameters.descending,
        begin: begin(parameters, &attributes, &mark)?,
        mark,
        wanted: parameters.count,
        by_cursor: parameters.cursor.is_some(),
    };
    if let ([search], [attribute]) = (searches, attributes.as_slice())
        && search.rest.is_none()
        && let Some(field) = sort::field(attribute)
    {
        return order.by_index(client, search, field, attribute).await;
    }
    order.by_reading(client, searches, &attributes).await
}

/// Where the page begins.
fn begin(
    parameters: &Parameters,
    attributes: &[AttributePath],
    mark: &str,
) -> Result<Begin, Error> {
    let cursor = match &parameters.cursor {
        None => return Ok(Begin::Skip(parameters.start_index - 1)),
        Some(None) => return Ok(Begin::Skip(0)),
        Some(Some(cursor)) => cursor,
    };
    let place = cursor.strip_prefix(mark).ok_or(Error::InvalidCursor)?;
    let place: SortPosition = place.parse().map_err(|_| Error::InvalidCursor)?;
    let fits = |key| attributes.iter().any(|attribute| sort::is_key_of(key, attribute));
    if place.key.as_ref().is_none_or(fits) {
        Ok(Begin::Behind(place))
    } else {
        Err(Error::InvalidCursor)
    }
}

/// How the cursors of an order begin: a place in one is none in another, although
/// it may look like one.
fn mark(parameters: &Parameters, attributes: &[AttributePath]) -> String {
    let direction = if parameters.descending { '-' } else { '+' };
    let attribute = attributes.first().map(AttributePath::to_string).unwrap_or_default();
    format!("{:08x}", crc32fast::hash(format!("{direction}{attribute}").as_bytes()))
}

/// Which page of which order.
struct Order {
    descending: bool,
    /// See [`mark`].
    mark: String,
    begin: Begin,
    wanted: u64,
    by_cursor: bool,
}

impl Order {
    async fn by_index(
        self,
        client: &Client,
        search: &Search,
        by: SortField,
        attribute: &AttributePath,
    ) -> Result<Page, Error> {
        let (descending, begin) = (self.descending, self.begin.clone());
        let slice = SortedSlice { by, descending, begin, limit: self.limit() };
        let mut found = read_sorted(client, search, &slice).await?;
        let more = self.cut(&mut found);
        let last = found.last().map(|last| {
            let whole = last.whole(client, search.of, "")?;
            Ok(SortPosition { key: sort::key(&whole, attribute), position: last.position() })
        });
        let last = last.transpose().map_err(Error::Repository)?;
        let found = found.into_iter().map(|stored| (search.of, stored)).collect();
        Ok(Page { total: count(client, search).await?, found, next: self.next(more, last) })
    }

    async fn by_reading(
        self,
        client: &Client,
        searches: &[Search],
        attributes: &[AttributePath],
    ) -> Result<Page, Error> {
        let mut total = 0;
        let mut kept = Kept::new(&self);
        for (of, (search, attribute)) in searches.iter().zip(attributes).enumerate() {
            let mut scan = Scan::new(search).looking_at(attribute);
            let mut visit = |stored: Stored, whole: &Object| {
                total += 1;
                let (key, position) = (sort::key(whole, attribute), stored.position());
                kept.add(Place { place: SortPosition { key, position }, of });
            };
            while scan.next(client, &mut visit).await? {}
        }
        let mut page = kept.page();
        let more = self.cut(&mut page);
        let mut stored = HashMap::new();
        for (of, search) in searches.iter().enumerate() {
            let own = page.iter().filter(|place| place.of == of);
            let ids: Vec<_> = own.map(|place| place.place.position.id).collect();
            let read = read_all(client, search.of, &ids).await?;
            stored.extend(read.into_iter().map(|stored| (stored.id, (search.of, stored))));
        }
        // Whoever was deleted meanwhile is no longer shown.
        let found = page.iter().filter_map(|place| stored.remove(&place.place.position.id));
        let found: Vec<Found> = found.collect();
        let last = page.pop().map(|last| last.place);
        Ok(Page { total, found, next: self.next(more, last) })
    }

    /// How many are looked for: by cursor one more than asked for, which tells
    /// whether there is a next page.
    fn limit(&self) -> u64 {
        self.wanted + u64::from(self.by_cursor)
    }

    /// Cuts off what was looked for beyond the page, and says whether there was
    /// any.
    fn cut<T>(&self, found: &mut Vec<T>) -> bool {
        let more = found.len() as u64 > self.wanted;
        found.truncate(usize::try_from(self.wanted).unwrap_or(usize::MAX));
        more
    }

    /// The cursor of the page behind the last resource of this one.
    fn next(self, more: bool, last: Option<SortPosition>) -> Option<String> {
        let place = match (last, self.begin) {
            (Some(last), _) | (None, Begin::Behind(last)) => Some(last),
            (None, Begin::Skip(_)) => None,
        };
        let place = place.filter(|_| more && self.by_cursor)?;
        Some(format!("{}{place}", self.mark))
    }
}

/// Where a resource stands, and of which search it is.
struct Place {
    place: SortPosition,
    of: usize,
}

/// The first places of a list, of which no more are kept than are needed to find
/// the page: those of the page and those before it, where it begins by index.
struct Kept<'a> {
    order: &'a Order,
    skip: usize,
    limit: usize,
    places: Vec<Place>,
}

impl<'a> Kept<'a> {
    fn new(order: &'a Order) -> Self {
        let skip = match order.begin {
            Begin::Skip(skip) => usize::try_from(skip).unwrap_or(usize::MAX),
            Begin::Behind(_) => 0,
        };
        let limit = usize::try_from(order.limit()).unwrap_or(usize::MAX);
        Self { order, skip, limit: skip.saturating_add(limit), places: Vec::new() }
    }

    fn add(&mut self, place: Place) {
        if let Begin::Behind(begin) = &self.order.begin
            && self.compare(&place.place, begin).is_le()
        {
            return;
        }
        self.places.push(place);
        // Seldom enough to cost little, and often enough to keep little.
        if self.places.len() >= self.limit.saturating_mul(2).max(1_000) {
            self.shrink();
        }
    }

    fn page(mut self) -> Vec<Place> {
        self.shrink();
        self.places.split_off(self.skip.min(self.places.len()))
    }

    fn shrink(&mut self) {
        let mut places = std::mem::take(&mut self.places);
        places.sort_by(|one, other| self.compare(&one.place, &other.place));
        places.truncate(self.limit);
        self.places = places;
    }

    fn compare(&self, one: &SortPosition, other: &SortPosition) -> Ordering {
        if self.order.descending { other.cmp(one) } else { one.cmp(other) }
    }
}
