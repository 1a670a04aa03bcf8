//! Pages, between messages and the model.

use std::fmt::Display;
use std::str::FromStr;

use uuid::Uuid;

use super::rules::Violation;
use crate::model::{ConfigurationId, Page, Position, Slice};
use crate::proto::gitpod::v1::{PaginationRequest, PaginationResponse};

/// What `page_size` 0, or none at all, stands for.
const DEFAULT_PAGE_SIZE: u32 = 25;

/// About how much of stored documents one page carries: clients take messages of
/// 4 MiB unless told otherwise, and a message says a part of a document twice.
const MAX_PAGE_BYTES: usize = 1024 * 1024;

/// The page that a request asks for.
pub fn page(request: Option<&PaginationRequest>) -> Result<Page, Violation> {
    Ok(Page { after: token(request)?, limit: limit(request) })
}

/// What to say of the page behind this one.
pub fn next(next: Option<impl Display>) -> PaginationResponse {
    PaginationResponse { next_token: next.map(|next| next.to_string()).unwrap_or_default() }
}

/// The page of a list that is in order of ids.
pub fn behind_id(request: Option<&PaginationRequest>) -> Result<(Option<Uuid>, u32), Violation> {
    Ok((token(request)?, limit(request)))
}

/// The page of a list that goes through several configurations.
pub fn walk(request: Option<&PaginationRequest>) -> Result<Walk, Violation> {
    Ok(Walk { after: token(request)?, limit: limit(request) })
}

/// One page of what several configurations have, one after the other in order
/// of their ids, so that a place stays one when its configuration is gone.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    after: Option<Place>,
    limit: u32,
}

/// The place of an item in such a list.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub configuration: ConfigurationId,
    pub position: Position,
}

impl Walk {
    /// What to read of this configuration when `found` items are there already;
    /// `None`: nothing.
    pub fn slice(&self, configuration: ConfigurationId, found: usize) -> Option<Slice> {
        // One more than asked for tells whether there is a next page.
        let limit = (u64::from(self.limit) + 1).saturating_sub(found as u64);
        let after = match self.after {
            Some(place) if configuration < place.configuration => return None,
            Some(place) if configuration == place.configuration => Some(place.position),
            _ => None,
        };
        (limit > 0).then_some(Slice { after, skip: 0, limit })
    }

    /// Leaves of `found` what belongs on the page, fewer where they are large, and
    /// says where to go on. `size` is about how many bytes one makes.
    pub fn finish<T>(
        &self,
        found: &mut Vec<T>,
        size: impl Fn(&T) -> usize,
        place: impl FnOnce(&T) -> Place,
    ) -> PaginationResponse {
        let mut bytes = 0;
        let fits = found.iter().take(self.limit as usize).take_while(|one| {
            bytes += size(one);
            bytes <= MAX_PAGE_BYTES
        });
        let fits = fits.count().max(1);
        let more = found.len() > fits;
        found.truncate(fits);
        next(found.last().filter(|_| more).map(place))
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.configuration.as_uuid().simple(), self.position)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (configuration, position) = text.split_once('.').ok_or(())?;
        Ok(Self {
            configuration: Uuid::try_parse(configuration).map_err(|_| ())?.into(),
            position: position.parse().map_err(|_| ())?,
        })
    }
}

fn limit(request: Option<&PaginationRequest>) -> u32 {
    match u32::try_from(request.map_or(0, |request| request.page_size)) {
        Ok(0) | Err(_) => DEFAULT_PAGE_SIZE,
        Ok(size) => size,
    }
}

fn token<T: FromStr>(request: Option<&PaginationRequest>) -> Result<Option<T>, Violation> {
    let token = request.map(|request| request.token.as_str()).unwrap_or_default();
    if token.is_empty() {
        return Ok(None);
    }
    let refused = "must be the next_token of an earlier page, or empty";
    token.parse().map(Some).map_err(|_| Violation::new("pagination.token", refused))
}
