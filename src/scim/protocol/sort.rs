//! The order in which a list is sorted (RFC 7644 3.4.2.3).

#[cfg(test)]
mod tests;

use serde_json::Value;

use super::filter::values;
use super::path::AttributePath;
use super::resource::MAX_KEY;
use super::schema::{Kind, ResourceType};
use super::value::{self, Object};
use crate::model::{SortField, SortKey};

/// Texts are sorted by so many bytes of their beginning: keys are kept, and sent
/// to clients as places in a list. What is in an index is not longer.
const MAX_TEXT: usize = MAX_KEY;

/// The attribute that `sortBy` names. "If the attribute is complex, the
/// attribute name must be a path to a sub-attribute"; `value` is understood.
pub fn attribute(sort_by: &str, of: &ResourceType) -> Result<AttributePath, String> {
    let mut path = AttributePath::parse(sort_by.trim(), of)?;
    let Some(target) = path.target().filter(|_| path.is_known()) else {
        return Err(format!("There is no attribute `{path}` to sort by."));
    };
    if target.kind == Kind::Complex {
        let Some(sub) = target.default_sub_attribute() else {
            return Err(format!("`{path}` is complex: sort by one of its sub-attributes."));
        };
        path.sub = Some(sub.name.to_owned());
        path.sub_attribute = Some(sub);
    }
    Ok(path)
}

/// The key of a resource, if it has a value. "If it's a multi-valued attribute,
/// use the primary value, if any, or else the first value".
#[must_use]
pub fn key(resource: &Object, path: &AttributePath) -> Option<SortKey> {
    let whole = AttributePath { sub: None, sub_attribute: None, ..path.clone() };
    let elements: Vec<_> = values(resource, &whole).collect();
    let is_primary = |element: &&&Value| element.get("primary") == Some(&Value::Bool(true));
    let element = elements.iter().find(is_primary).or_else(|| elements.first())?;
    let value = match &path.sub {
        Some(sub) => value::get(element.as_object()?, sub)?,
        None => element,
    };
    let target = path.target()?;
    match (target.kind, value) {
        (Kind::Boolean, value) => value::boolean(value).map(SortKey::Boolean),
        (Kind::DateTime, Value::String(text)) => value::instant(text).map(SortKey::Instant),
        (_, Value::String(text)) if target.case_exact => Some(SortKey::Text(beginning(text))),
        (_, Value::String(text)) => Some(SortKey::Text(beginning(&value::fold(text)))),
        _ => None,
    }
}

/// Whether a key can be one of this attribute.
#[must_use]
pub fn is_key_of(key: &SortKey, path: &AttributePath) -> bool {
    let kind = path.target().map(|target| target.kind);
    match key {
        SortKey::Boolean(_) => kind == Some(Kind::Boolean),
        SortKey::Instant(_) => kind == Some(Kind::DateTime),
        SortKey::Text(_) => !matches!(kind, None | Some(Kind::Boolean | Kind::DateTime)),
    }
}

/// By what the store sorts as [`key`] does, if it can.
#[must_use]
pub fn field(path: &AttributePath) -> Option<SortField> {
    match (path.extension.as_deref(), path.name.as_str(), path.sub.as_deref()) {
        (None, "id", None) => Some(SortField::Id),
        (None, "userName", None) => Some(SortField::UserName),
        (None, "displayName", None) => Some(SortField::DisplayName),
        (None, "externalId", None) => Some(SortField::ExternalId),
        (None, "meta", Some("created")) => Some(SortField::Created),
        (None, "meta", Some("lastModified")) => Some(SortField::LastModified),
        _ => None,
    }
}

fn beginning(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_TEXT)].to_owned()
}
