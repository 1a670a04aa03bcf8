//! Page tokens: a position in a list, as text that a client hands back.
//!
//! A token holds nothing secret and grants nothing: whoever makes one up gets a
//! page of what the credential may see anyway.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::rules::Violation;
use crate::model::{Instant, Page, Position};
use crate::proto::gitpod::v1::{PaginationRequest, PaginationResponse};

/// What `page_size` 0, or none at all, stands for.
const DEFAULT_PAGE_SIZE: u32 = 25;

/// The first byte of each token, so that a later form can be told apart.
const VERSION: u8 = 1;

/// The page that a request asks for.
pub fn page(request: Option<&PaginationRequest>) -> Result<Page, Violation> {
    let request = request.cloned().unwrap_or_default();
    let limit = match u32::try_from(request.page_size) {
        Ok(0) | Err(_) => DEFAULT_PAGE_SIZE,
        Ok(size) => size,
    };
    let after = match request.token.as_str() {
        "" => None,
        token => Some(decode(token).ok_or_else(|| {
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
    PaginationResponse { next_token: next.map(encode).unwrap_or_default() }
}

fn encode(position: Position) -> String {
    let mut bytes = [VERSION; 25];
    bytes[1..9].copy_from_slice(&position.created_at.as_micros().to_be_bytes());
    bytes[9..].copy_from_slice(position.id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(token: &str) -> Option<Position> {
    let bytes: [u8; 25] = URL_SAFE_NO_PAD.decode(token).ok()?.try_into().ok()?;
    let (version, rest) = bytes.split_first()?;
    let (micros, id) = rest.split_first_chunk()?;
    (*version == VERSION).then_some(Position {
        created_at: Instant::from_micros(i64::from_be_bytes(*micros)),
        id: Uuid::from_slice(id).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_position_survives_its_token(micros: i64, id: u128) {
            let position =
                Position { created_at: Instant::from_micros(micros), id: Uuid::from_u128(id) };
            prop_assert_eq!(decode(&encode(position)), Some(position));
        }

        #[test]
        fn a_text_that_is_no_token_is_refused_without_panic(text in "[A-Za-z0-9_-]{0,40}|.*") {
            if let Some(position) = decode(&text) {
                prop_assert_eq!(encode(position), text);
            }
        }
    }
}
