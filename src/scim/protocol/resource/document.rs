//! The form in which a resource is stored: what a client sees of it, but for what the
//! server knows beside it.
//!
//! `schemas` follows from the other attributes, and is stored with them all the same:
//! to look for extensions in all documents of a page was a quarter of the work for it.
//! What earlier servers stored says nothing of it, until it is changed.

use serde_json::{Value, json};

use super::super::schema::ResourceType;
use super::super::value::Object;
use super::NotOurs;
use crate::model::Document;

const SCHEMAS: &str = "schemas";
/// How a document begins that says them.
const BEGINNING: &str = "{\"schemas\":[";

/// The document of these attributes.
#[must_use]
pub fn document(mut attributes: Object, of: &ResourceType) -> Document {
    let schemas = json!(schemas(names(&attributes), of));
    attributes.shift_insert(0, SCHEMAS.to_owned(), schemas);
    // Not as a value shows itself, which writes each text through a formatter.
    serde_json::to_string(&attributes).expect("a value has a JSON form").into()
}

/// The attributes of a document, without `schemas`.
pub fn attributes(document: &str) -> Result<Object, NotOurs> {
    let mut attributes: Object = serde_json::from_str(document)?;
    attributes.shift_remove(SCHEMAS);
    Ok(attributes)
}

/// Whether two documents say the same. Attributes in another order do, in a text of
/// the same length, and so may two of which only one says `schemas`.
#[must_use]
pub fn is_same(one: &str, other: &str) -> bool {
    let may_be = one.len() == other.len() || says_schemas(one) != says_schemas(other);
    one == other || (may_be && attributes(one).ok() == attributes(other).ok())
}

/// Whether a document says which `schemas` its resource has.
pub fn says_schemas(document: &str) -> bool {
    document.starts_with(BEGINNING)
}

/// The schemas of a resource that has these attributes, each with whether it is an
/// object.
pub fn schemas<'a>(
    attributes: impl Iterator<Item = (&'a str, bool)>,
    of: &ResourceType,
) -> Vec<&'a str> {
    // Names of attributes have no colons: what has some is the URI of a schema.
    let extensions = attributes.filter(|(name, is_object)| name.contains(':') && *is_object);
    std::iter::once(of.schema.id).chain(extensions.map(|(name, _)| name)).collect()
}

/// For [`schemas`].
pub fn names(attributes: &Object) -> impl Iterator<Item = (&str, bool)> {
    attributes.iter().map(|(name, value)| (name.as_str(), Value::is_object(value)))
}
