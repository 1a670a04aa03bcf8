//! Resources on their way out.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::projection::{Part, Projection};
use super::super::schema::ResourceType;
use super::super::value::Object;
use crate::model::Instant;

/// What the server knows of a resource, and no document says.
#[derive(Clone, Debug)]
pub struct Meta<'a> {
    /// The resource's id.
    pub id: Uuid,
    /// See `meta.version`.
    pub version: u64,
    /// See `meta.created`.
    pub created: Instant,
    /// See `meta.lastModified`.
    pub last_modified: Instant,
    /// The base URL of the configuration.
    pub base_url: &'a str,
}

/// The entity tag of a version (RFC 9110 8.8.3). Weak, because `members` and
/// `groups` show names that change with what they name.
#[must_use]
pub fn etag(version: u64) -> String {
    format!("W/\"{version}\"")
}

impl Meta<'_> {
    /// The URI of the resource.
    #[must_use]
    pub fn location(&self, of: &ResourceType) -> String {
        format!("{}{}/{}", self.base_url, of.endpoint, self.id)
    }

    /// The attribute `meta`.
    fn attribute(&self, of: &ResourceType) -> Attribute {
        Attribute {
            resource_type: of.name,
            created: self.created,
            last_modified: self.last_modified,
            location: self.location(of),
            version: etag(self.version),
        }
    }
}

/// RFC 7643 3.1.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Attribute {
    resource_type: &'static str,
    #[serde(serialize_with = "as_text")]
    created: Instant,
    #[serde(serialize_with = "as_text")]
    last_modified: Instant,
    location: String,
    version: String,
}

fn as_text<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// A stored document as a client sees it, with all there is to see; `derived`
/// are attributes that follow from elsewhere (`members`, `groups`).
#[must_use]
pub fn outgoing(
    document: Object,
    meta: &Meta<'_>,
    derived: Option<(&str, Vec<Value>)>,
    of: &ResourceType,
) -> Object {
    // Names of attributes have no colons: what has some is the URI of a schema.
    let extensions = document.iter().filter(|(key, value)| key.contains(':') && value.is_object());
    let schemas: Vec<_> =
        std::iter::once(of.schema.id).chain(extensions.map(|(key, _)| key.as_str())).collect();
    let mut resource = Object::new();
    resource.insert("schemas".to_owned(), json!(schemas));
    resource.insert("id".to_owned(), json!(meta.id.to_string()));
    resource.extend(document);
    if let Some((name, values)) = derived.filter(|(_, values)| !values.is_empty()) {
        resource.insert(name.to_owned(), Value::Array(values));
    }
    resource.insert("meta".to_owned(), json!(meta.attribute(of)));
    resource
}

/// What [`outgoing`] gives as JSON behind what `json` has already, as far as
/// `projection` shows it. `derived` is an array in JSON, or empty.
///
/// Neither is read more than need be: where all is shown, both go out as they stand.
/// Fails where they are none that we wrote, as far as was seen; then there is part of
/// it behind `json`.
pub fn write(
    json: &mut Vec<u8>,
    document: &str,
    meta: &Meta<'_>,
    derived: (&str, &str),
    of: &ResourceType,
    projection: &Projection,
) -> Result<(), NotOurs> {
    if projection.is_whole() {
        return write_whole(json, document, meta, derived, of);
    }
    let Entries(entries) = serde_json::from_str(document)?;
    let is_extension =
        |(name, value): &&(Cow<'_, str>, &RawValue)| name.contains(':') && is_object(value);
    let extensions = entries.iter().filter(is_extension).map(|(name, _)| name.as_ref());
    let schemas: Vec<_> = std::iter::once(of.schema.id).chain(extensions).collect();

    let mut shown = Shown { json, is_first: true, of, projection };
    shown.json.push(b'{');
    shown.add("schemas", &schemas)?;
    shown.add("id", &meta.id)?;
    for (name, value) in entries {
        shown.add_json(&name, value.get())?;
    }
    if !derived.1.is_empty() {
        shown.add_json(derived.0, derived.1)?;
    }
    shown.add("meta", &meta.attribute(of))?;
    json.push(b'}');
    Ok(())
}

/// A document that we did not write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a document that is none of ours")]
pub struct NotOurs;

impl From<serde_json::Error> for NotOurs {
    fn from(_: serde_json::Error) -> Self {
        Self
    }
}

/// About how many bytes more [`write`] writes of a resource than it is given.
pub const OURS: usize = 512;

fn write_whole(
    json: &mut Vec<u8>,
    document: &str,
    meta: &Meta<'_>,
    (name, values): (&str, &str),
    of: &ResourceType,
) -> Result<(), NotOurs> {
    json.reserve(document.len() + values.len() + OURS);
    json.extend_from_slice(b"{\"schemas\":[");
    serde_json::to_writer(&mut *json, of.schema.id)?;
    for extension in extensions(document)? {
        json.push(b',');
        json.extend_from_slice(extension.as_bytes());
    }
    json.extend_from_slice(b"],\"id\":");
    serde_json::to_writer(&mut *json, &meta.id)?;
    let attributes = &document[1..document.len() - 1];
    if !attributes.is_empty() {
        json.push(b',');
        json.extend_from_slice(attributes.as_bytes());
    }
    if !values.is_empty() {
        json.push(b',');
        serde_json::to_writer(&mut *json, name)?;
        json.push(b':');
        json.extend_from_slice(values.as_bytes());
    }
    json.extend_from_slice(b",\"meta\":");
    serde_json::to_writer(&mut *json, &meta.attribute(of))?;
    json.push(b'}');
    Ok(())
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

/// Behind the quote that ends the text whose first one is at `start`.
fn end_of_text(json: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', json.get(at..)?)?;
        if json[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// A resource that is being written, of which a part is shown.
struct Shown<'a> {
    json: &'a mut Vec<u8>,
    is_first: bool,
    of: &'a ResourceType,
    projection: &'a Projection,
}

impl Shown<'_> {
    /// Adds what is shown of an attribute.
    fn add(&mut self, name: &str, value: &impl Serialize) -> serde_json::Result<()> {
        let part = self.projection.part(name, self.of);
        if part.is_whole() {
            self.write_name(name)?;
            serde_json::to_writer(&mut *self.json, value)
        } else if part.is_nothing() {
            Ok(())
        } else {
            self.add_some(name, part, serde_json::to_value(value)?)
        }
    }

    /// The same of one whose value is JSON already.
    fn add_json(&mut self, name: &str, value: &str) -> serde_json::Result<()> {
        let part = self.projection.part(name, self.of);
        if part.is_whole() {
            self.write_name(name)?;
            self.json.extend_from_slice(value.as_bytes());
            Ok(())
        } else if part.is_nothing() {
            Ok(())
        } else {
            self.add_some(name, part, serde_json::from_str(value)?)
        }
    }

    fn add_some(&mut self, name: &str, part: Part<'_>, value: Value) -> serde_json::Result<()> {
        let Some(value) = part.of(value) else { return Ok(()) };
        self.write_name(name)?;
        serde_json::to_writer(&mut *self.json, &value)
    }

    fn write_name(&mut self, name: &str) -> serde_json::Result<()> {
        if !std::mem::take(&mut self.is_first) {
            self.json.push(b',');
        }
        serde_json::to_writer(&mut *self.json, name)?;
        self.json.push(b':');
        Ok(())
    }
}

/// The names at the top of an object, each with its value as it is written.
struct Entries<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
                let mut entries = Vec::with_capacity(16);
                while let Some((Name(name), value)) = map.next_entry()? {
                    entries.push((name, value));
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(Reader)
    }
}

fn is_object(value: &RawValue) -> bool {
    value.get().starts_with('{')
}
