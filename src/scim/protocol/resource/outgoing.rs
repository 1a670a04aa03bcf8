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
    fn attribute<'a>(&self, of: &ResourceType) -> Attribute<'a> {
        Attribute {
            resource_type: of.name,
            created: self.created.to_string(),
            last_modified: self.last_modified.to_string(),
            location: self.location(of),
            version: etag(self.version),
        }
    }
}

/// RFC 7643 3.1.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Attribute<'a> {
    resource_type: &'a str,
    created: String,
    last_modified: String,
    location: String,
    version: String,
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

/// The same as the text of an answer, as far as `projection` shows it. Of the
/// document only the names at the top are read; its values go out as they stand,
/// where all of them is shown. So does `derived`, which is an array in JSON, or
/// empty.
///
/// Fails where either is not one that we wrote.
pub fn text(
    document: &str,
    meta: &Meta<'_>,
    derived: (&str, &str),
    of: &ResourceType,
    projection: &Projection,
) -> serde_json::Result<String> {
    let Entries(entries) = serde_json::from_str(document)?;
    let is_extension =
        |(name, value): &&(Cow<'_, str>, &RawValue)| name.contains(':') && is_object(value);
    let extensions = entries.iter().filter(is_extension).map(|(name, _)| name.as_ref());
    let schemas: Vec<_> = std::iter::once(of.schema.id).chain(extensions).collect();

    let mut text = Text::new(document.len() + derived.1.len(), of, projection);
    text.add("schemas", &schemas)?;
    text.add("id", &meta.id)?;
    for (name, value) in entries {
        text.add_json(&name, value.get())?;
    }
    if !derived.1.is_empty() {
        text.add_json(derived.0, derived.1)?;
    }
    text.add("meta", &meta.attribute(of))?;
    Ok(text.end())
}

/// A resource that is being written.
struct Text<'a> {
    json: Vec<u8>,
    of: &'a ResourceType,
    projection: &'a Projection,
}

impl<'a> Text<'a> {
    fn new(given: usize, of: &'a ResourceType, projection: &'a Projection) -> Self {
        /// About what is added to what is given.
        const OURS: usize = 512;
        let mut json = Vec::with_capacity(given + OURS);
        json.push(b'{');
        Self { json, of, projection }
    }

    /// Adds what is shown of an attribute.
    fn add(&mut self, name: &str, value: &impl Serialize) -> serde_json::Result<()> {
        let part = self.projection.part(name, self.of);
        if part.is_whole() {
            self.write_name(name)?;
            serde_json::to_writer(&mut self.json, value)
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
        serde_json::to_writer(&mut self.json, &value)
    }

    fn write_name(&mut self, name: &str) -> serde_json::Result<()> {
        if self.json.len() > 1 {
            self.json.push(b',');
        }
        serde_json::to_writer(&mut self.json, name)?;
        self.json.push(b':');
        Ok(())
    }

    fn end(mut self) -> String {
        self.json.push(b'}');
        String::from_utf8(self.json).expect("JSON is written as UTF-8")
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
