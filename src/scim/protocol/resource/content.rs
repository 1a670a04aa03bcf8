//! What is stored of a resource beside its document, to search by.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::fault::Fault;
use super::super::schema::{GROUP, ResourceType, USER};
use super::super::value::{self, Object};
use super::NotOurs;
use super::document::document;
use crate::model::{Document, GroupContent, PrimaryEmail, UserContent};

/// Larger resources, in bytes, are refused: a PATCH can only add so much, but
/// there may be many of them.
const MAX_DOCUMENT: usize = 1024 * 1024;
/// Objects and arrays that are nested deeper are refused. The change feed tells a
/// resource as `google.protobuf.Struct`, which takes three messages for an object
/// within another, and readers of protobuf give up at a depth of 100.
const MAX_DEPTH: usize = 20;
/// Longer texts, in bytes, are refused where they are searched by: PostgreSQL
/// has no index entry for them.
pub const MAX_KEY: usize = 2_000;

/// What is stored and searched of a user, once it is as a user must be.
///
/// RFC 7644 3.5.2.2: a removed attribute "SHALL be considered unassigned". So a
/// user may have no `active`; who has none is not active.
pub fn user_content(document: Object) -> Result<UserContent, Fault> {
    let active = document.get("active") == Some(&Value::Bool(true));
    let emails = document.get("emails").and_then(Value::as_array).map(Vec::as_slice);
    let mut email_keys = emails
        .unwrap_or_default()
        .iter()
        .filter_map(|email| email.get("value")?.as_str())
        .map(|email| folded("emails.value", email))
        .collect::<Result<Vec<_>, _>>()?;
    email_keys.sort();
    email_keys.dedup();
    Ok(UserContent {
        user_name_key: folded("userName", required_text(&document, "userName")?)?,
        external_id: external_id(&document)?,
        display_name_key: text(&document, "displayName")
            .map(|name| folded("displayName", name))
            .transpose()?,
        active,
        email_keys,
        primary_email: PrimaryEmail::of(&document),
        document: written(document, &USER)?,
    })
}

/// What is stored and searched of a group, once it is as a group must be.
pub fn group_content(document: Object) -> Result<GroupContent, Fault> {
    Ok(GroupContent {
        display_name_key: folded("displayName", required_text(&document, "displayName")?)?,
        external_id: external_id(&document)?,
        document: written(document, &GROUP)?,
    })
}

fn written(attributes: Object, of: &ResourceType) -> Result<Document, Fault> {
    if attributes.values().any(|value| is_deeper_than(MAX_DEPTH - 1, value)) {
        return Err(Fault::value(format!("The resource is nested deeper than {MAX_DEPTH}.")));
    }
    let document = document(attributes, of);
    if document.len() > MAX_DOCUMENT {
        return Err(Fault::value(format!("The resource is larger than {MAX_DOCUMENT} bytes.")));
    }
    Ok(document)
}

/// Whether more objects and arrays than this are within each other.
fn is_deeper_than(most: usize, value: &Value) -> bool {
    let mut inner: Box<dyn Iterator<Item = &Value>> = match value {
        Value::Object(entries) => Box::new(entries.values()),
        Value::Array(items) => Box::new(items.iter()),
        _ => return false,
    };
    most == 0 || inner.any(|value| is_deeper_than(most - 1, value))
}

fn required_text<'a>(document: &'a Object, name: &str) -> Result<&'a str, Fault> {
    match text(document, name) {
        Some(text) if !text.trim().is_empty() => Ok(text),
        _ => Err(Fault::value(format!("`{name}` is required and must not be empty."))),
    }
}

fn external_id(document: &Object) -> Result<Option<String>, Fault> {
    let id = text(document, "externalId").map(str::to_owned);
    id.map(|id| searchable("externalId", id)).transpose()
}

/// The form in which a text is compared without regard to case, which may be
/// longer than the text.
fn folded(name: &str, text: &str) -> Result<String, Fault> {
    searchable(name, value::fold(text))
}

/// The key, if it can be searched by.
fn searchable(name: &str, key: String) -> Result<String, Fault> {
    if key.len() > MAX_KEY {
        return Err(Fault::value(format!("`{name}` is longer than {MAX_KEY} bytes.")));
    }
    // PostgreSQL stores no such text.
    if key.contains('\0') {
        return Err(Fault::value(format!("`{name}` must not contain a NUL character.")));
    }
    Ok(key)
}

fn text<'a>(document: &'a Object, name: &str) -> Option<&'a str> {
    document.get(name).and_then(Value::as_str)
}

/// What a person or group is called where it is a member or has members, by a
/// document of which nothing else is read.
pub fn display_name(document: &str) -> Result<Option<String>, NotOurs> {
    /// As written: a client may have sent anything as `name` of a group.
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Names<'a> {
        #[serde(borrow)]
        display_name: Option<&'a RawValue>,
        #[serde(borrow)]
        name: Option<&'a RawValue>,
        #[serde(borrow)]
        user_name: Option<&'a RawValue>,
    }

    #[derive(Deserialize)]
    struct Name {
        formatted: Option<String>,
    }

    fn read<T: DeserializeOwned>(json: &RawValue) -> Option<T> {
        serde_json::from_str(json.get()).ok()
    }

    let Names { display_name, name, user_name } = serde_json::from_str(document)?;
    let formatted = || name.and_then(read::<Name>)?.formatted;
    Ok(display_name.and_then(read).or_else(formatted).or_else(|| user_name.and_then(read)))
}
