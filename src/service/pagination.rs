//! Pages, between messages and the model.

use super::rules::Violation;
use crate::model::{Page, Position};
use crate::proto::gitpod::v1::{PaginationRequest, PaginationResponse};

/// What `page_size` 0, or none at all, stands for.
const DEFAULT_PAGE_SIZE: u32 = 25;

/// The page that a request asks for.
pub fn page(request: Option<&PaginationRequest>) -> Result<Page, Violation> {
    let request = request.cloned().unwrap_or_default();
    let limit = match u32::try_from(request.page_size) {
        Ok(0) | Err(_) => DEFAULT_PAGE_SIZE,
        Ok(size) => size,
    };
    let after = match request.token.as_str() {
        "" => None,
        token => Some(token.parse().map_err(|_| {
            Violation::new(
                "pagination.token",
                "must be the next_token of an earlier page, or empty",
            )
        })?),
    };
    Ok(Page { after, limit })
}

/// What to say of the page behind this one.
pub fn pagination(next: Option<Position>) -> PaginationResponse {
    PaginationResponse { next_token: next.as_ref().map(Position::to_string).unwrap_or_default() }
}
