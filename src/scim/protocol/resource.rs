//! Resources on their way in and out: from what a client sent to what is
//! stored, and from what is stored to what a client sees.

mod content;
mod document;
mod outgoing;
mod reference;
#[cfg(test)]
mod tests;
mod whole;

use serde_json::{Value, json};
use uuid::Uuid;

use super::fault::{Fault, ScimType};
use super::schema::{Attribute, Kind, Mutability, ResourceType, Schema};
use super::value::{self, Object};

pub use content::{MAX_KEY, display_name, group_content, user_content};
pub use document::{attributes, is_same};
pub use outgoing::{Meta, NotOurs, etag, location, outgoing, write};
pub use reference::Reference;
pub use whole::OURS;

/// More names in one object are refused: each is looked for among the others,
/// without regard to case.
const MAX_NAMES: usize = 1_000;
/// More values of one attribute are refused: filters of paths go through them.
pub const MAX_VALUES: usize = 1_000;

/// What a client sent, as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Incoming {
    /// The attributes that a client may write, with canonical names and types,
    /// and all that the table does not know as it came.
    pub document: Object,
    /// The members of a group, when it names any.
    pub members: Option<Vec<Uuid>>,
    /// What is wrong with a member that goes by no id of this server, and so is
    /// not among the others.
    pub stray: Option<Fault>,
}

/// Brings the body of a POST or PUT into the form that is stored.
///
/// What a client cannot write is left out without complaint: clients send back
/// what they read (RFC 7644 3.5.1: "Any values provided SHALL be ignored"). So
/// is the password, which nothing here could use.
pub fn incoming(body: &Value, of: &ResourceType) -> Result<Incoming, Fault> {
    let Value::Object(body) = body else {
        return Err(Fault::new(ScimType::InvalidSyntax, "The body must be a JSON object."));
    };
    let mut incoming = Incoming { document: Object::new(), members: None, stray: None };
    for (name, value) in body {
        match value {
            // Qualified with the URN of the core schema (RFC 7644 3.10).
            Value::Object(_) if name.eq_ignore_ascii_case(of.schema.id) => {
                let Incoming { document, members, stray } = self::incoming(value, of)?;
                incoming.document.extend(document);
                incoming.members = members.or(incoming.members);
                incoming.stray = stray.or(incoming.stray);
            }
            _ if name.eq_ignore_ascii_case("members") && of.attribute("members").is_some() => {
                let (ids, stray) = member_ids(value)?;
                incoming.members = Some(ids);
                incoming.stray = stray.or(incoming.stray);
            }
            _ => insert(&mut incoming.document, name, value, of)?,
        }
    }
    Ok(incoming)
}

/// Adds one entry of a body.
fn insert(
    document: &mut Object,
    name: &str,
    value: &Value,
    of: &ResourceType,
) -> Result<(), Fault> {
    if let Some(schema) = of.extension(name) {
        let Some(extension) = extension(value, schema)? else { return Ok(()) };
        // One that comes under two names, or two spellings, is one.
        match document.get_mut(schema.id) {
            Some(Value::Object(present)) => present.extend(extension),
            _ => drop(document.insert(schema.id.to_owned(), Value::Object(extension))),
        }
        return Ok(());
    }
    match of.attribute(name) {
        // `schemas` follows from what is there.
        Some(attribute) if attribute.name == "schemas" || !is_stored(attribute) => {}
        Some(attribute) => {
            if let Some(value) = coerce(attribute, value)? {
                document.insert(attribute.name.to_owned(), value);
            }
        }
        None => keep(document, name, value)?,
    }
    Ok(())
}

/// Keeps an entry that the table does not know, as it came, if it says anything.
/// Its name, too, is compared without regard to case (RFC 7643 2.1).
pub fn keep(object: &mut Object, name: &str, value: &Value) -> Result<(), Fault> {
    if value::is_unassigned(value) {
        return Ok(());
    }
    put(object, name, value::assigned(value))
}

/// Stores an entry that the table does not know.
pub fn put(object: &mut Object, name: &str, value: Value) -> Result<(), Fault> {
    let key = value::key(object, name);
    let is_new = !object.contains_key(&key);
    let names = value.as_object().map_or(0, Object::len).max(object.len() + usize::from(is_new));
    if names > MAX_NAMES {
        return Err(Fault::value(format!("An object may have at most {MAX_NAMES} attributes.")));
    }
    object.insert(key, value);
    Ok(())
}

/// The attributes of an extension, or `None` where there are none.
fn extension(value: &Value, schema: &Schema) -> Result<Option<Object>, Fault> {
    if value::is_none(value) {
        return Ok(None);
    }
    let Value::Object(entries) = value else {
        return Err(Fault::value(format!("`{}` must be an object.", schema.id)));
    };
    let mut extension = Object::new();
    for (name, value) in entries {
        match schema.attribute(name) {
            Some(attribute) => {
                if let Some(value) = coerce(attribute, value)? {
                    extension.insert(attribute.name.to_owned(), value);
                }
            }
            None => keep(&mut extension, name, value)?,
        }
    }
    Ok(Some(extension).filter(|extension| !extension.is_empty()))
}

/// Whether what a client sends for the attribute is kept.
#[must_use]
pub fn is_stored(attribute: &Attribute) -> bool {
    matches!(attribute.mutability, Mutability::ReadWrite | Mutability::Immutable)
}

/// A value in the type of its attribute; `None` where it comes to no value.
///
/// Lenient where identity providers are known to deviate: booleans and numbers
/// as texts and the other way round, one value for a list and a list of one for
/// a value, a text for a complex value, and values in a list that say nothing.
pub fn coerce(attribute: &Attribute, value: &Value) -> Result<Option<Value>, Fault> {
    if value::is_none(value) {
        return Ok(None);
    }
    if !attribute.multi_valued {
        return match value {
            Value::Array(items) if items.len() == 1 => coerce_one(attribute, &items[0]),
            one => coerce_one(attribute, one),
        };
    }
    let items = value::items(value).map(|item| coerce_one(attribute, item));
    let mut items = items.filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()?;
    check_count(attribute, items.len())?;
    keep_one_primary(&mut items);
    Ok(Some(items).filter(|items| !items.is_empty()).map(Value::Array))
}

/// Refuses more values than an attribute may have.
pub fn check_count(attribute: &Attribute, count: usize) -> Result<(), Fault> {
    if count <= MAX_VALUES {
        return Ok(());
    }
    let detail = format!("`{}` may have at most {MAX_VALUES} values.", attribute.name);
    Err(Fault::value(detail))
}

/// RFC 7643 2.4: "The primary attribute value "true" MUST appear no more than
/// once." The first one is believed.
fn keep_one_primary(items: &mut [Value]) {
    let mut seen = false;
    for item in items.iter_mut().filter_map(Value::as_object_mut) {
        if item.get("primary") == Some(&Value::Bool(true)) {
            if seen {
                item.insert("primary".to_owned(), Value::Bool(false));
            }
            seen = true;
        }
    }
}

/// One value; `None` for null, and for an object in which nothing is said.
fn coerce_one(attribute: &Attribute, value: &Value) -> Result<Option<Value>, Fault> {
    let wrong = |expected: &str| {
        let found = value::excerpt(value);
        Fault::value(format!("`{}` must be {expected}, not {found}.", attribute.name))
    };
    let one = match (attribute.kind, value) {
        (_, Value::Null) => return Ok(None),
        (Kind::String | Kind::Reference | Kind::Binary, Value::String(_)) => value.clone(),
        (Kind::String, Value::Number(_) | Value::Bool(_)) => value.to_string().into(),
        (Kind::String, _) => return Err(wrong("a text")),
        (Kind::Reference, _) => return Err(wrong("a URI")),
        (Kind::Binary, _) => return Err(wrong("a text in base64")),
        (Kind::Boolean, _) => {
            value::boolean(value).map(Value::Bool).ok_or_else(|| wrong("true or false"))?
        }
        (Kind::DateTime, Value::String(text)) if value::instant(text).is_some() => value.clone(),
        (Kind::DateTime, _) => return Err(wrong("a time such as 2026-11-23T20:15:00Z")),
        (Kind::Complex, Value::Object(entries)) => {
            return complex(attribute, entries)
                .map(|object| Some(object).filter(|object| !value::is_unassigned(object)));
        }
        (Kind::Complex, Value::String(_)) => match attribute.default_sub_attribute() {
            Some(sub) => json!({ sub.name: value }),
            None => return Err(wrong("an object")),
        },
        (Kind::Complex, _) => return Err(wrong("an object")),
    };
    Ok(Some(one))
}

fn complex(attribute: &Attribute, entries: &Object) -> Result<Value, Fault> {
    let mut object = Object::new();
    for (name, value) in entries {
        match attribute.sub_attribute(name) {
            Some(sub) if !is_stored(sub) => {}
            Some(sub) => {
                if let Some(value) = coerce(sub, value)? {
                    object.insert(sub.name.to_owned(), value);
                }
            }
            None => keep(&mut object, name, value)?,
        }
    }
    Ok(Value::Object(object))
}

/// The ids in a value of `members`, and what is wrong with what is none.
pub fn member_ids(value: &Value) -> Result<(Vec<Uuid>, Option<Fault>), Fault> {
    let (mut ids, mut stray) = (Vec::new(), None);
    for item in member_items(value) {
        match Uuid::try_parse(member_id(item)?) {
            Ok(id) => ids.push(id),
            Err(_) => stray = stray.or_else(|| Some(no_member(item))),
        }
    }
    Ok((ids, stray))
}

/// The members that a value lists. One that names nobody is not passed over: as
/// a list that lists nobody it would empty the group.
pub fn member_items(value: &Value) -> impl Iterator<Item = &Value> {
    value::items(value).filter(|_| !value.is_null())
}

/// The id that a member goes by: of an object, its `value`; or bare.
pub fn member_id(item: &Value) -> Result<&str, Fault> {
    let id = match item {
        Value::Object(member) => value::get(member, "value").and_then(Value::as_str),
        plain => plain.as_str(),
    };
    id.ok_or_else(|| no_member(item))
}

fn no_member(item: &Value) -> Fault {
    Fault::value(format!(
        "`members` must hold ids of users or groups of this server, not {}.",
        value::excerpt(item)
    ))
}
