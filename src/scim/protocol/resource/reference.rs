//! Resources within others: elements of `groups` and `members`.

use serde_json::{Value, json};
use uuid::Uuid;

use super::super::schema::ResourceType;
use super::super::value::Object;
use super::outgoing::location;
use super::whole::{escaped, plain, write_location};

/// A resource as an element of `groups` of a user or of `members` of a group (RFC 7643
/// 4.1.2, 4.2).
#[derive(Clone, Debug)]
pub struct Reference<'a> {
    /// See `value`.
    pub id: Uuid,
    /// Of which type it is.
    pub of: &'a ResourceType,
    /// The base URL of the configuration.
    pub base_url: &'a str,
    /// See `display`.
    pub display: Option<String>,
    /// See `type`.
    pub kind: &'static str,
}

impl Reference<'_> {
    /// Writes it as JSON. Nearly nothing of it has anything to escape, and a page may
    /// have hundreds.
    pub fn write(&self, json: &mut Vec<u8>) {
        let mut id = Uuid::encode_buffer();
        let id = self.id.as_hyphenated().encode_lower(&mut id);
        json.extend_from_slice(b"{\"value\":");
        plain(json, id);
        json.extend_from_slice(b",\"$ref\":\"");
        write_location(json, self.base_url, self.of, id);
        if let Some(display) = &self.display {
            json.extend_from_slice(b"\",\"display\":\"");
            escaped(json, display);
        }
        json.extend_from_slice(b"\",\"type\":");
        plain(json, self.kind);
        json.push(b'}');
    }

    /// The same as a value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut value = Object::new();
        value.insert("value".to_owned(), json!(self.id));
        value.insert("$ref".to_owned(), json!(location(self.base_url, self.of, self.id)));
        if let Some(display) = &self.display {
            value.insert("display".to_owned(), json!(display));
        }
        value.insert("type".to_owned(), json!(self.kind));
        Value::Object(value)
    }
}
