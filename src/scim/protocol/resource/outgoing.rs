//! Resources on their way out.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::projection::{Part, Projection};
use super::super::schema::ResourceType;
use super::super::value::Object;
use super::document::{names, says_schemas, schemas};
use super::whole;
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

/// The URI of a resource.
#[must_use]
pub fn location(base_url: &str, of: &ResourceType, id: Uuid) -> String {
    let mut text = Uuid::encode_buffer();
    location_parts(base_url, of, id.as_hyphenated().encode_lower(&mut text)).concat()
}

/// The same in parts; `id` as text.
pub fn location_parts<'a>(base_url: &'a str, of: &ResourceType, id: &'a str) -> [&'a str; 4] {
    [base_url, of.endpoint, "/", id]
}

impl Meta<'_> {
    /// The URI of the resource.
    #[must_use]
    pub fn location(&self, of: &ResourceType) -> String {
        location(self.base_url, of, self.id)
    }
}

/// A resource as a client sees it, with all there is to see, of the attributes that are
/// stored; `derived` are those that follow from elsewhere (`members`, `groups`).
#[must_use]
pub fn outgoing(
    attributes: Object,
    meta: &Meta<'_>,
    derived: Option<(&str, Vec<Value>)>,
    of: &ResourceType,
) -> Object {
    let mut resource = Object::new();
    resource.insert("id".to_owned(), json!(meta.id.to_string()));
    resource.insert("schemas".to_owned(), json!(schemas(names(&attributes), of)));
    resource.extend(attributes);
    if let Some((name, values)) = derived.filter(|(_, values)| !values.is_empty()) {
        resource.insert(name.to_owned(), Value::Array(values));
    }
    let meta = serde_json::from_str(&whole::meta(meta, of)).expect("JSON that we wrote");
    resource.insert("meta".to_owned(), meta);
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
    let says_schemas = says_schemas(document);
    if projection.is_whole() && says_schemas {
        return whole::write(json, document, meta, derived, of);
    }
    let Entries(entries) = serde_json::from_str(document)?;

    let mut shown = Shown { json, is_first: true, of, projection };
    shown.json.push(b'{');
    shown.add("id", &meta.id)?;
    if !says_schemas {
        let names = entries.iter().map(|(name, value)| (name.as_ref(), is_object(value)));
        shown.add("schemas", &schemas(names, of))?;
    }
    for (name, value) in entries {
        shown.add_json(&name, value.get())?;
    }
    if !derived.1.is_empty() {
        shown.add_json(derived.0, derived.1)?;
    }
    shown.add_json("meta", &whole::meta(meta, of))?;
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
