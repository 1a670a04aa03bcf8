//! PATCH (RFC 7644 3.5.2) as a function: a document and operations in, the
//! changed document out, or the fault of the operation that cannot be done.

mod attribute;
mod elements;
mod members;
mod request;
#[cfg(test)]
mod tests;
mod unknown;

use serde_json::{Value, json};

use super::fault::{Fault, ScimType};
use super::filter::Filter;
use super::path::AttributePath;
use super::resource::{is_stored, put};
use super::schema::{Kind, ResourceType, Schema};
use super::value::{self, Object};

pub use members::MemberOperation;
pub use request::operations;

/// One operation.
#[derive(Clone, Debug)]
pub struct Operation {
    /// What to do.
    pub action: Action,
    /// Where.
    pub target: Target,
    /// With what; `Null` where there is nothing.
    pub value: Value,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `add`
    Add,
    /// `replace`
    Replace,
    /// `remove`
    Remove,
}

/// Where an operation does it.
#[derive(Clone, Debug)]
pub enum Target {
    /// The resource: the value names attributes.
    Resource,
    /// A whole extension.
    Extension(&'static Schema),
    /// An attribute or sub-attribute.
    Attribute(AttributePath),
    /// Those values of a multi-valued attribute for which a filter holds, or a
    /// sub-attribute of each.
    Elements(AttributePath, Filter, Option<String>),
}

/// Does all operations, in order, on a document. What they do to members comes
/// back, in order. After a fault the document must be thrown away.
///
/// Names that stay keep their place, so that a patch that changes nothing gives
/// the same text.
pub fn apply(
    document: &mut Object,
    operations: &[Operation],
    of: &ResourceType,
) -> Result<Vec<MemberOperation>, Fault> {
    let mut members = Vec::new();
    for Operation { action, target, value } in operations {
        one(document, *action, target, value, of, &mut members)?;
    }
    Ok(members)
}

fn one(
    document: &mut Object,
    action: Action,
    target: &Target,
    value: &Value,
    of: &ResourceType,
    members: &mut Vec<MemberOperation>,
) -> Result<(), Fault> {
    match target {
        Target::Resource => on_resource(document, action, value, of, members),
        Target::Extension(schema) => on_extension(document, action, schema, value, of),
        Target::Attribute(path) if members::is_meant(path, of) => {
            members.extend(members::listed(action, path, value)?);
            Ok(())
        }
        Target::Elements(path, filter, sub) if members::is_meant(path, of) => {
            members.extend(members::matching(action, filter, sub.as_deref(), value)?);
            Ok(())
        }
        Target::Attribute(path) => on_attribute(document, action, path, value, of),
        Target::Elements(path, filter, sub) => {
            check_writable(path)?;
            let Some(attribute) = path.attribute.filter(|each| each.kind == Kind::Complex) else {
                let detail = format!("`{path}` takes no filter.");
                return Err(Fault::new(ScimType::InvalidPath, detail));
            };
            within(document, path.extension.as_deref(), |object| {
                elements::change(object, action, attribute, filter, sub.as_deref(), value)
            })
        }
    }
}

/// RFC 7644 3.5.2.1: "If omitted, the target location is assumed to be the
/// resource itself. The "value" parameter contains a set of attributes to be
/// added to the resource." Entra ID puts paths and URNs in their place.
fn on_resource(
    document: &mut Object,
    action: Action,
    value: &Value,
    of: &ResourceType,
    members: &mut Vec<MemberOperation>,
) -> Result<(), Fault> {
    let (Value::Object(entries), false) = (value, action == Action::Remove) else {
        return Err(match action {
            // RFC 7644 3.5.2.2: "If "path" is unspecified, the operation fails
            // with HTTP status code 400 and a "scimType" error code of
            // "noTarget"."
            Action::Remove => Fault::new(ScimType::NoTarget, "`remove` needs a `path`."),
            _ => Fault::value("Without a `path`, `value` must be an object of attributes."),
        });
    };
    for (name, value) in entries {
        match request::target(name, of) {
            Ok(Target::Attribute(path)) if !members::is_meant(&path, of) => {
                on_named(document, action, &path, value, of)?;
            }
            Ok(target) => one(document, action, &target, value, of, members)?,
            // Meant to be a path into an attribute of ours.
            Err(fault) if is_path_into(name, of) => return Err(fault),
            // No attribute of ours, nor a path: kept as it came.
            Err(_) => unknown::change(document, action, name, value)?,
        }
    }
    Ok(())
}

fn is_path_into(name: &str, of: &ResourceType) -> bool {
    let head = name.split_once('[').map(|(head, _)| AttributePath::parse(head.trim(), of));
    matches!(head, Some(Ok(path)) if path.is_known())
}

/// Of an extension, too, the value names attributes.
fn on_extension(
    document: &mut Object,
    action: Action,
    schema: &Schema,
    value: &Value,
    of: &ResourceType,
) -> Result<(), Fault> {
    let entries = match (action, value) {
        // What it names, and never the whole for it.
        (Action::Remove, Value::Object(entries)) => entries,
        (Action::Remove, _) | (Action::Replace, Value::Null) => {
            document.shift_remove(schema.id);
            return Ok(());
        }
        (Action::Add, Value::Null) => return Ok(()),
        (_, Value::Object(entries)) => entries,
        _ => return Err(Fault::value(format!("`{}` must be an object.", schema.id))),
    };
    for (name, value) in entries {
        match AttributePath::parse(&format!("{}:{name}", schema.id), of) {
            Ok(path) => on_named(document, action, &path, value, of)?,
            Err(_) => within(document, Some(schema.id), |extension| {
                unknown::change(extension, action, name, value)
            })?,
        }
    }
    Ok(())
}

/// Changes an attribute that is named in a value, not by a path: as leniently as
/// what a POST names.
fn on_named(
    document: &mut Object,
    action: Action,
    path: &AttributePath,
    value: &Value,
    of: &ResourceType,
) -> Result<(), Fault> {
    match (path.attribute, &path.sub) {
        // Clients send back what they read: what they cannot change is passed
        // over here, and refused only where a path names it.
        _ if !is_writable(path) => Ok(()),
        (None, _) if path.extension.is_none() && value::get(document, &path.name).is_none() => {
            unknown::change(document, action, &path.to_string(), value)
        }
        (Some(attribute), Some(sub)) if path.sub_attribute.is_none() && !attribute.multi_valued => {
            let whole = AttributePath { sub: None, ..path.clone() };
            on_attribute(document, action, &whole, &json!({ sub: value }), of)
        }
        _ => on_attribute(document, action, path, value, of),
    }
}

fn on_attribute(
    document: &mut Object,
    action: Action,
    path: &AttributePath,
    value: &Value,
    of: &ResourceType,
) -> Result<(), Fault> {
    let is = |name: &str| path.extension.is_none() && path.name == name;
    // Taken and thrown away: a password altogether, `schemas` because it follows
    // from what is there.
    if is("password") || (is("schemas") && action != Action::Remove) {
        return Ok(());
    }
    check_writable(path)?;
    if let Some(extension) = unknown::extension(document, path, value, of) {
        return unknown::change(document, action, &extension, value);
    }
    within(document, path.extension.as_deref(), |object| match path.attribute {
        Some(attribute) => attribute::set(object, action, attribute, path, value),
        None => unknown::set(object, action, path, value),
    })
}

/// What is told of a value that says nothing, and does not say that there is none.
fn no_value(name: &str, value: &Value) -> Fault {
    let found = value::excerpt(value);
    Fault::value(format!("`{name}` names no value: {found}. Send null for none."))
}

fn is_writable(path: &AttributePath) -> bool {
    let is_schemas = path.extension.is_none() && path.name == "schemas";
    !is_schemas && [path.attribute, path.sub_attribute].into_iter().flatten().all(is_stored)
}

/// RFC 7644 3.12, "mutability": "The attempted modification is not compatible
/// with the target attribute's mutability".
fn check_writable(path: &AttributePath) -> Result<(), Fault> {
    if is_writable(path) {
        return Ok(());
    }
    Err(Fault::new(ScimType::Mutability, format!("`{path}` cannot be changed.")))
}

/// Changes the object that holds an attribute: an entry of the document, or the
/// document itself. One that has nothing left is removed.
fn within(
    document: &mut Object,
    name: Option<&str>,
    change: impl FnOnce(&mut Object) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let Some(name) = name else { return change(document) };
    let key = value::key(document, name);
    let mut object = match document.get_mut(&key) {
        None => Object::new(),
        Some(Value::Object(object)) => std::mem::take(object),
        Some(_) => {
            let detail = format!("`{name}` is a value and holds no attributes.");
            return Err(Fault::new(ScimType::InvalidPath, detail));
        }
    };
    change(&mut object)?;
    let object = Value::Object(object);
    if value::is_unassigned(&object) {
        document.shift_remove(&key);
        return Ok(());
    }
    put(document, &key, object)
}
