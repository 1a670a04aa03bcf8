//! What a PATCH does to attributes and extensions that the table does not know.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::super::fault::{Fault, ScimType};
use super::super::path::AttributePath;
use super::super::resource::{MAX_VALUES, keep};
use super::super::schema::ResourceType;
use super::super::value::{self, Object};
use super::{Action, no_value, within};

/// Changes what a path names in the object that holds it.
pub fn set(
    object: &mut Object,
    action: Action,
    path: &AttributePath,
    value: &Value,
) -> Result<(), Fault> {
    // An unknown name in the core schema is a typing error, unless the client
    // itself brought it into being.
    if path.extension.is_none() && value::get(object, &path.name).is_none() {
        return Err(Fault::new(ScimType::InvalidPath, format!("There is no attribute `{path}`.")));
    }
    match &path.sub {
        None => change(object, action, &path.name, value),
        Some(sub) => within(object, Some(&path.name), |holder| change(holder, action, sub, value)),
    }
}

/// Changes an entry. Of what type it is, its values tell: an array is one of
/// several values, an object a complex value.
pub fn change(object: &mut Object, action: Action, name: &str, value: &Value) -> Result<(), Fault> {
    let key = value::key(object, name);
    match (action, object.get_mut(&key), value) {
        (Action::Remove, Some(Value::Array(present)), listed) if !listed.is_null() => {
            let listed: HashSet<_> = value::items(listed).map(value::assigned).collect();
            present.retain(|element| !listed.contains(element));
            if present.iter().all(value::is_unassigned) {
                object.shift_remove(&key);
            }
        }
        (Action::Remove, ..) => drop(object.shift_remove(&key)),
        (Action::Add, _, value) if value::is_none(value) => {}
        // No attribute is named, so that none is changed.
        (_, _, Value::Object(named)) if named.is_empty() => {}
        (_, _, value) if is_empty_talk(value) => return Err(no_value(name, value)),
        (Action::Add, Some(Value::Array(present)), added) => {
            let mut known: HashSet<_> = present.iter().cloned().collect();
            let added = value::items(added).map(value::assigned);
            present.extend(added.filter(|one| known.insert(one.clone())));
            if present.len() > MAX_VALUES {
                let detail = format!("`{name}` may have at most {MAX_VALUES} values.");
                return Err(Fault::value(detail));
            }
        }
        // A new one name by name too, so that it comes out as one that was there.
        (_, present, Value::Object(named)) => {
            if let Some(simple) = present.filter(|present| !present.is_object()) {
                *simple = json!({});
            }
            within(object, Some(&key), |present| {
                named.iter().try_for_each(|(name, value)| change(present, action, name, value))
            })?;
        }
        (_, _, value) if value::is_none(value) => drop(object.shift_remove(&key)),
        _ => keep(object, &key, value)?,
    }
    Ok(())
}

/// Whether a list has elements, of which none says anything: no way to remove what
/// is there.
fn is_empty_talk(value: &Value) -> bool {
    value.is_array() && value::is_unassigned(value) && !value::is_none(value)
}

/// The name of the extension that a path is, as a whole. `urn:a:b:c` may be that,
/// or the attribute `c` of the extension `urn:a:b`: what is there tells, or else
/// the value.
pub fn extension(
    document: &Object,
    path: &AttributePath,
    value: &Value,
    of: &ResourceType,
) -> Option<String> {
    let urn = path.extension.as_deref().filter(|urn| of.extension(urn).is_none())?;
    let whole = path.to_string();
    let is_there = |name: &str| value::get(document, name).is_some();
    let is_extension =
        is_there(&whole) || (!is_there(urn) && path.sub.is_none() && value.is_object());
    is_extension.then_some(whole)
}
