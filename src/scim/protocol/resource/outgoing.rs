//! Resources on their way out.

use serde_json::{Value, json};
use uuid::Uuid;

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

impl Meta<'_> {
    /// The entity tag (RFC 9110 8.8.3). Weak, because `members` and `groups`
    /// show names that change with what they name.
    #[must_use]
    pub fn etag(&self) -> String {
        format!("W/\"{}\"", self.version)
    }

    /// The URI of the resource.
    #[must_use]
    pub fn location(&self, of: &ResourceType) -> String {
        format!("{}{}/{}", self.base_url, of.endpoint, self.id)
    }
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
    let json = json!({
        "resourceType": of.name,
        "created": meta.created.to_string(),
        "lastModified": meta.last_modified.to_string(),
        "location": meta.location(of),
        "version": meta.etag(),
    });
    resource.insert("meta".to_owned(), json);
    resource
}
