//! Resources of which all is shown, written as JSON.
//!
//! A page has a hundred of them, so this is most of what a page costs: what is JSON
//! already is copied, and what has nothing to escape is not looked at twice.

use uuid::Uuid;

use super::super::schema::ResourceType;
use super::outgoing::{Meta, NotOurs, location_parts};

/// About how many bytes more [`write`] writes of a resource than it is given.
pub const OURS: usize = 512;

/// See [`super::write`], of a document that says which `schemas` there are.
pub fn write(
    json: &mut Vec<u8>,
    document: &str,
    meta: &Meta<'_>,
    (name, values): (&str, &str),
    of: &ResourceType,
) -> Result<(), NotOurs> {
    let attributes = document.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let attributes = attributes.ok_or(NotOurs)?;
    json.reserve(document.len() + values.len() + OURS);
    json.extend_from_slice(b"{\"id\":");
    let mut id = Uuid::encode_buffer();
    let id = meta.id.as_hyphenated().encode_lower(&mut id);
    plain(json, id);
    json.push(b',');
    json.extend_from_slice(attributes.as_bytes());
    if !values.is_empty() {
        json.push(b',');
        plain(json, name);
        json.push(b':');
        json.extend_from_slice(values.as_bytes());
    }
    json.extend_from_slice(b",\"meta\":");
    write_meta(json, meta, id, of);
    json.push(b'}');
    Ok(())
}

/// The attribute `meta` (RFC 7643 3.1), as JSON.
pub fn meta(meta: &Meta<'_>, of: &ResourceType) -> String {
    let mut json = Vec::new();
    write_meta(&mut json, meta, &meta.id.to_string(), of);
    String::from_utf8(json).expect("JSON is written as UTF-8")
}

/// `id` is the resource's, as text.
fn write_meta(json: &mut Vec<u8>, meta: &Meta<'_>, id: &str, of: &ResourceType) {
    json.extend_from_slice(b"{\"resourceType\":");
    plain(json, of.name);
    json.extend_from_slice(b",\"created\":\"");
    let created = json.len();
    meta.created.write(json);
    let created = created..json.len();
    json.extend_from_slice(b"\",\"lastModified\":\"");
    // Most are as they were made.
    if meta.last_modified == meta.created {
        json.extend_from_within(created);
    } else {
        meta.last_modified.write(json);
    }
    json.extend_from_slice(b"\",\"location\":\"");
    write_location(json, meta.base_url, of, id);
    // The entity tag, whose quotes are escaped.
    json.extend_from_slice(b"\",\"version\":\"W/\\\"");
    serde_json::to_writer(&mut *json, &meta.version).expect("memory takes all digits");
    json.extend_from_slice(b"\\\"\"}");
}

/// The URI of a resource, without quotes.
pub fn write_location(json: &mut Vec<u8>, base_url: &str, of: &ResourceType, id: &str) {
    let [base_url, path @ ..] = location_parts(base_url, of, id);
    escaped(json, base_url);
    for part in path {
        json.extend_from_slice(part.as_bytes());
    }
}

/// A text of ours, which has nothing to escape: an id or a name.
pub fn plain(json: &mut Vec<u8>, text: &str) {
    json.push(b'"');
    json.extend_from_slice(text.as_bytes());
    json.push(b'"');
}

/// A text, without quotes. Nearly all have nothing to escape.
pub fn escaped(json: &mut Vec<u8>, text: &str) {
    let is_escaped = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    // To the end in any case, which is faster than to ask after each byte.
    if text.bytes().fold(false, |found, byte| found | is_escaped(byte)) {
        let text = serde_json::to_string(text).expect("a text has a JSON form");
        json.extend_from_slice(&text.as_bytes()[1..text.len() - 1]);
    } else {
        json.extend_from_slice(text.as_bytes());
    }
}
