//! The order in which a list is sorted (RFC 7644 3.4.2.3).

#[cfg(test)]
mod tests;

use serde_json::Value;

use super::filter::values;
use super::path::AttributePath;
use super::schema::{Kind, ResourceType};
use super::value::{self, Object};

/// A value in the form in which it is sorted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortKey {
    /// A boolean: false before true.
    Boolean(bool),
    /// A point in time.
    Instant(i128),
    /// A text, folded unless it is exact about case.
    Text(String),
}

impl SortKey {
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

    /// The key of a resource, if it has a value. "If it's a multi-valued
    /// attribute, use the primary value, if any, or else the first value".
    #[must_use]
    pub fn of(resource: &Object, path: &AttributePath) -> Option<Self> {
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
            (Kind::Boolean, value) => value::boolean(value).map(Self::Boolean),
            (Kind::DateTime, Value::String(text)) => value::instant(text).map(Self::Instant),
            (_, Value::String(text)) if target.case_exact => Some(Self::Text(text.clone())),
            (_, Value::String(text)) => Some(Self::Text(value::fold(text))),
            _ => None,
        }
    }
}
