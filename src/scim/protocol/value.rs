//! Values of attributes: how they are found, compared and brought into form.

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde_json::{Map, Value};

/// A resource, or a complex value: names and values in the order given.
pub type Object = Map<String, Value>;

pub use crate::model::{fold, folded};

/// A value as an error shows it: the beginning, where it is long.
#[must_use]
pub fn excerpt(value: &Value) -> String {
    const LONGEST: usize = 100;
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// The instant that an `xsd:dateTime` names, in nanoseconds since 1970.
#[must_use]
pub fn instant(text: &str) -> Option<i128> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_nanosecond)
}

/// The boolean that a client means. Entra ID sends `"True"` and `"False"`.
#[must_use]
pub fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// The entry of this name, compared without regard to case (RFC 7643 2.1).
#[must_use]
pub fn entry<'a>(object: &'a Object, name: &str) -> Option<(&'a String, &'a Value)> {
    // Names in stored documents are canonical, so that this nearly always hits.
    object
        .get_key_value(name)
        .or_else(|| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)))
}

/// The value of this name; see [`entry`].
#[must_use]
pub fn get<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    entry(object, name).map(|(_, value)| value)
}

/// The key under which `object` has this name, or else the name itself.
#[must_use]
pub fn key(object: &Object, name: &str) -> String {
    entry(object, name).map_or_else(|| name.to_owned(), |(key, _)| key.clone())
}

/// Whether a client says that there is no value. RFC 7643 2.5: "Unassigned
/// attributes, the null value, and an empty array (in the case of a multi-valued
/// attribute) SHALL be considered to be equivalent in "state"."
#[must_use]
pub fn is_none(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

/// Whether nothing is said by a value, whatever its form: it [`is_none`], or is
/// made of nothing else.
#[must_use]
pub fn is_unassigned(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().all(is_unassigned),
        Value::Object(object) => object.values().all(is_unassigned),
        _ => false,
    }
}

/// The value without what says nothing in it (RFC 7643 2.5). Lists keep their
/// items.
#[must_use]
pub fn assigned(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let says = object.iter().filter(|(_, value)| !is_unassigned(value));
            Value::Object(says.map(|(name, value)| (name.clone(), assigned(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(assigned).collect()),
        simple => simple.clone(),
    }
}

/// The items of a value: those of an array, or the one value itself.
pub fn items(value: &Value) -> impl Iterator<Item = &Value> {
    let (many, one) = match value {
        Value::Array(items) => (items.as_slice(), None),
        one => ([].as_slice(), Some(one)),
    };
    many.iter().chain(one)
}
