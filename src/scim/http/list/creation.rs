//! Lists in order of creation: by index, and by cursor.

use futures::future::join;

use super::super::client::Client;
use super::super::error::Error;
use super::super::parameters::Parameters;
use super::super::stored::Stored;
use super::scan::{Scan, Search, count, read};
use super::{Found, Page};
use crate::model::{Condition, Position, Slice};

pub async fn by_index(
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
        page.found.extend(found.into_iter().map(|stored| (search.of, stored)));
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
    let slice = Slice { after: None, skip, limit: wanted };
    let page = async || read(client, search.of, &search.condition, slice).await;
    if skip > 0 || wanted == 0 {
        // First, for to skip all that there is takes as long as to walk through it.
        let matching = count(client, search).await?;
        let is_empty = wanted == 0 || skip >= matching;
        return Ok((matching, if is_empty { Vec::new() } else { page().await? }));
    }
    // Of a whole directory the first page is nearly always full.
    let (counted, found) = if search.condition == Condition::All {
        let (counted, found) = counted_with(client, search, slice).await?;
        (Some(counted), found)
    } else {
        (None, page().await?)
    };
    let shown = found.len() as u64;
    // A first page that is not full is all there is, as nearly always where an
    // identity provider looks for one user: nothing is left to be counted.
    let matching = match counted {
        _ if shown < wanted => shown,
        Some(counted) => counted,
        None => count(client, search).await?,
    };
    Ok((matching, found))
}

/// How many there are in all, and a part of them, both asked for at the same time.
async fn counted_with(
    client: &Client,
    search: &Search,
    slice: Slice,
) -> Result<(u64, Vec<Stored>), Error> {
    let part = read(client, search.of, &search.condition, slice);
    let (matching, part) = join(count(client, search), part).await;
    Ok((matching?, part?))
}

/// What takes reading all that the store finds.
async fn scanned(
    client: &Client,
    search: &Search,
    skip: u64,
    wanted: u64,
) -> Result<(u64, Vec<Stored>), Error> {
    let (mut matching, mut found) = (0, Vec::new());
    let mut scan = Scan::new(search);
    let mut visit = |stored, _: &_| {
        if (skip..skip + wanted).contains(&matching) {
            found.push(stored);
        }
        matching += 1;
    };
    while scan.next(client, &mut visit).await? {}
    Ok((matching, found))
}

/// RFC 9865: pages that begin behind a resource, so that a walk misses nothing
/// and repeats nothing whatever others do.
pub async fn by_cursor(
    client: &Client,
    searches: &[Search],
    cursor: Option<&str>,
    wanted: u64,
) -> Result<Page, Error> {
    let cursor = cursor.map(str::parse).transpose().map_err(|_| Error::InvalidCursor)?;
    let mut total = 0;
    let mut found: Vec<Found> = Vec::new();
    for search in searches {
        // One more than asked for tells whether there is a next page.
        let (matching, behind) = if search.rest.is_none() {
            let slice = Slice { after: cursor, skip: 0, limit: wanted + 1 };
            counted_with(client, search, slice).await?
        } else {
            scanned_behind(client, search, cursor, wanted + 1).await?
        };
        total += matching;
        found.extend(behind.into_iter().map(|stored| (search.of, stored)));
    }
    // Resources of several types come in one order, that of creation.
    found.sort_by_key(|(_, stored)| stored.position());
    let more = found.len() as u64 > wanted;
    found.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
    let last = found.last().map(|(_, stored)| stored.position()).or(cursor);
    let next = last.filter(|_| more).map(|last| last.to_string());
    Ok(Page { total, found, next })
}

/// How many there are in all, and of those behind the cursor the first ones.
async fn scanned_behind(
    client: &Client,
    search: &Search,
    cursor: Option<Position>,
    wanted: u64,
) -> Result<(u64, Vec<Stored>), Error> {
    let is_behind = |stored: &Stored| cursor.is_none_or(|cursor| stored.position() > cursor);
    let (mut matching, mut found) = (0, Vec::new());
    let mut scan = Scan::new(search);
    let mut visit = |stored: Stored, _: &_| {
        matching += 1;
        if (found.len() as u64) < wanted && is_behind(&stored) {
            found.push(stored);
        }
    };
    while scan.next(client, &mut visit).await? {}
    Ok((matching, found))
}
