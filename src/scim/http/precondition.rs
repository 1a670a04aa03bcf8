//! Conditional requests (RFC 9110 13.1), by the entity tags of RFC 7644 3.14.

use axum::http::HeaderMap;
use axum::http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};

use super::error::Error;

/// Refuses to change a resource that is not the one that the client knows.
///
/// SCIM's tags are weak and used for this all the same (RFC 7644 3.14).
pub fn check_if_match(headers: &HeaderMap, etag: &str) -> Result<(), Error> {
    match names(headers, &IF_MATCH, etag) {
        Some(false) => Err(Error::PreconditionFailed),
        Some(true) | None => Ok(()),
    }
}

/// Whether the client has this very version already.
pub fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    names(headers, &IF_NONE_MATCH, etag) == Some(true)
}

/// Whether the header names the tag; `None` where there is no header.
fn names(headers: &HeaderMap, name: &HeaderName, etag: &str) -> Option<bool> {
    fn opaque(tag: &str) -> &str {
        let tag = tag.trim();
        tag.strip_prefix("W/").unwrap_or(tag)
    }
    headers.get(name)?;
    // RFC 9110 5.3: lines of one name are one list.
    let lines = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or_default());
    let mut tags = lines.flat_map(|line| line.split(','));
    Some(tags.any(|tag| tag.trim() == "*" || opaque(tag) == opaque(etag)))
}
