//! Resources of which all is shown, written as JSON.
//!
//! A page has a hundred of them, so this is most of what a page costs: what is JSON
//! already is copied, and what has nothing to escape is not looked at twice.

use std::io::Write as _;

use uuid::Uuid;

use super::super::schema::ResourceType;
use super::outgoing::{Meta, NotOurs, location_parts};

/// About how many bytes more [`write`] writes of a resource than it is given.
pub const OURS: usize = 512;

/// See [`super::write`].
pub fn write(
    json: &mut Vec<u8>,
    document: &str,
    meta: &Meta<'_>,
    (name, values): (&str, &str),
    of: &ResourceType,
) -> Result<(), NotOurs> {
    json.reserve(document.len() + values.len() + OURS);
    json.extend_from_slice(b"{\"schemas\":[");
    plain(json, of.schema.id);
    for extension in extensions(document)? {
        json.push(b',');
        json.extend_from_slice(extension.as_bytes());
    }
    json.extend_from_slice(b"],\"id\":");
    let mut id = Uuid::encode_buffer();
    let id = meta.id.as_hyphenated().encode_lower(&mut id);
    plain(json, id);
    let attributes = &document[1..document.len() - 1];
    if !attributes.is_empty() {
        json.push(b',');
        json.extend_from_slice(attributes.as_bytes());
    }
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
    display(json, meta.created);
    let created = created..json.len();
    json.extend_from_slice(b"\",\"lastModified\":\"");
    // Most are as they were made.
    if meta.last_modified == meta.created {
        json.extend_from_within(created);
    } else {
        display(json, meta.last_modified);
    }
    json.extend_from_slice(b"\",\"location\":\"");
    let [base_url, path @ ..] = location_parts(meta.base_url, of, id);
    escaped(json, base_url);
    for part in path {
        json.extend_from_slice(part.as_bytes());
    }
    // The entity tag, whose quotes are escaped.
    json.extend_from_slice(b"\",\"version\":\"W/\\\"");
    display(json, meta.version);
    json.extend_from_slice(b"\\\"\"}");
}

/// A text of ours, which has nothing to escape: an id, or a name of a schema.
fn plain(json: &mut Vec<u8>, text: &str) {
    json.push(b'"');
    json.extend_from_slice(text.as_bytes());
    json.push(b'"');
}

/// A text, without quotes. Nearly all have nothing to escape.
fn escaped(json: &mut Vec<u8>, text: &str) {
    let is_escaped = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    // To the end in any case, which is faster than to ask after each byte.
    if text.bytes().fold(false, |found, byte| found | is_escaped(byte)) {
        let text = serde_json::to_string(text).expect("a text has a JSON form");
        json.extend_from_slice(&text.as_bytes()[1..text.len() - 1]);
    } else {
        json.extend_from_slice(text.as_bytes());
    }
}

/// What has nothing to escape, without quotes.
fn display(json: &mut Vec<u8>, value: impl std::fmt::Display) {
    write!(json, "{value}").expect("memory takes all that is written to it");
}

/// The extensions that a document has, each as it is written: a text in JSON. Only
/// where texts, objects and arrays begin and end is looked at, in JSON without white
/// space between them.
fn extensions(document: &str) -> Result<Vec<&str>, NotOurs> {
    let json = document.as_bytes();
    let mut found = Vec::new();
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => {
                let end = end_of_text(json, at).ok_or(NotOurs)?;
                let is_top_name = depth == 1 && json.get(end) == Some(&b':');
                if is_top_name && json.get(end + 1) == Some(&b'{') {
                    // Names of attributes have no colons.
                    found.extend(Some(&document[at..end]).filter(|name| name.contains(':')));
                }
                at = end;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1).ok_or(NotOurs)?,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    let is_object = json.first() == Some(&b'{') && json.last() == Some(&b'}');
    if is_object && depth == 0 && at == json.len() { Ok(found) } else { Err(NotOurs) }
}

/// Behind the quote that ends the text whose first one is at `start`. Eight bytes are
/// looked at together: texts are so short that `memchr` takes twice as long.
fn end_of_text(json: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        let Some(bytes) = json.get(at..at + size_of::<u64>()) else {
            match json.get(at)? {
                b'"' => return Some(at + 1),
                b'\\' => at += 2,
                _ => at += 1,
            }
            continue;
        };
        let word = u64::from_le_bytes(bytes.try_into().expect("a word has so many bytes"));
        let found = first_of(word, b'"') | first_of(word, b'\\');
        if found == 0 {
            at += size_of::<u64>();
            continue;
        }
        at += found.trailing_zeros() as usize / 8;
        if json[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// The highest bit of the first byte of a word that is this one, counted from the
/// lowest place; other bits only above it.
const fn first_of(word: u64, byte: u8) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; size_of::<u64>()]);
    let different = word ^ (ONES * byte as u64);
    // Only a byte of zero borrows from the next one.
    different.wrapping_sub(ONES) & !different & (ONES << 7)
}
