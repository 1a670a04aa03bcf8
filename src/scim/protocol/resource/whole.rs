//! Resources of which all is shown, written as JSON.
//!
//! A page has a hundred of them, so this is most of what a page costs: what is JSON
//! already is copied, and what has nothing to escape is not looked at twice.

use std::io::Write as _;
use std::sync::LazyLock;

use memchr::memmem::Finder;
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
    write_extensions(json, document)?;
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

/// Writes the extensions that a document has, each as it is written there, a text in
/// JSON, and with a comma before it. There is no white space between what is in a
/// document.
fn write_extensions(json: &mut Vec<u8>, document: &str) -> Result<(), NotOurs> {
    if document.len() < 2 || !document.starts_with('{') || !document.ends_with('}') {
        return Err(NotOurs);
    }
    match first_extension(document.as_bytes()) {
        First::None => Ok(()),
        First::At(name) => {
            let before = json.len();
            write_extensions_from(json, document, name, 1).or_else(|NotOurs| {
                // So it was no name at the top.
                json.truncate(before);
                write_extensions_from(json, document, 0, 0)
            })
        }
        First::Unknown => write_extensions_from(json, document, 0, 0),
    }
}

/// What is known of the first extension of a document.
enum First {
    None,
    /// If this name is one at the top of the document, it is the first.
    At(usize),
    Unknown,
}

/// Looks only at names of objects. To read each document from its beginning would be a
/// sixth of what a page takes.
fn first_extension(json: &[u8]) -> First {
    static OBJECT: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"\":{"));
    for end in OBJECT.find_iter(json) {
        // A text that begins with `:{` looks the same, and so does an escaped quote: it
        // is the end of a name where a text begins at the quote before it.
        let Some(start) = json[..end].iter().rposition(|byte| *byte == b'"') else {
            return First::Unknown;
        };
        let is_escaped = start > 0 && json[start - 1] == b'\\';
        let name = &json[start + 1..end];
        let is_text = !matches!(name, [b',' | b':' | b']' | b'}', ..]);
        if is_escaped || !is_text || name.contains(&b'\\') {
            return First::Unknown;
        }
        // Names of attributes have no colons.
        if name.contains(&b':') {
            return First::At(start);
        }
    }
    First::None
}

/// The same as [`write_extensions`] for what begins here, within so many objects and
/// arrays. Only where texts, objects and arrays begin and end is looked at.
fn write_extensions_from(
    json: &mut Vec<u8>,
    document: &str,
    start: usize,
    depth: usize,
) -> Result<(), NotOurs> {
    let (bytes, mut at, mut depth) = (document.as_bytes(), start, depth);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let end = end_of_text(bytes, at).ok_or(NotOurs)?;
                if depth == 1 && bytes[end..].starts_with(b":{") && bytes[at..end].contains(&b':') {
                    json.push(b',');
                    json.extend_from_slice(&bytes[at..end]);
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
    if depth == 0 && at == bytes.len() { Ok(()) } else { Err(NotOurs) }
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
