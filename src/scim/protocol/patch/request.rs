//! The body of a PATCH request (RFC 7644 3.5.2), read.

use serde_json::Value;

use super::super::fault::{Fault, ScimType};
use super::super::filter::Filter;
use super::super::path::AttributePath;
use super::super::schema::{Attribute, Kind, ResourceType};
use super::super::value;
use super::{Action, Operation, Target};

/// More operations in one request are refused.
const MAX_OPERATIONS: usize = 1_000;
/// Longer paths, in bytes, are refused.
const MAX_PATH: usize = 8 * 1024;

/// The operations of a body, on a resource of this type.
pub fn operations(body: &Value, of: &ResourceType) -> Result<Vec<Operation>, Fault> {
    let syntax = |detail: &str| Fault::new(ScimType::InvalidSyntax, detail);
    // The figure of RFC 7644 3.7.3 gives a bulk request the bare array.
    let operations = body.as_object().map_or(Some(body), |body| value::get(body, "Operations"));
    let operations = operations
        .and_then(Value::as_array)
        .ok_or_else(|| syntax("The body must be an object with an array `Operations`."))?;
    if operations.is_empty() {
        return Err(syntax("`Operations` must hold at least one operation."));
    }
    if operations.len() > MAX_OPERATIONS {
        let detail = format!("One request may hold at most {MAX_OPERATIONS} operations.");
        return Err(Fault::new(ScimType::TooMany, detail));
    }
    operations.iter().map(|operation| self::operation(operation, of)).collect()
}

fn operation(operation: &Value, of: &ResourceType) -> Result<Operation, Fault> {
    let Value::Object(operation) = operation else {
        return Err(Fault::new(ScimType::InvalidSyntax, "An operation must be an object."));
    };
    // RFC 7644 says lower case; Entra ID sends `Add`, `Replace`, `Remove`.
    let name = value::get(operation, "op").and_then(Value::as_str).unwrap_or_default();
    let action = match name.to_ascii_lowercase().as_str() {
        "add" => Action::Add,
        "replace" => Action::Replace,
        "remove" => Action::Remove,
        _ => {
            let detail = format!("`op` must be add, replace or remove, not {name:?}.");
            return Err(Fault::new(ScimType::InvalidSyntax, detail));
        }
    };
    let target = match value::get(operation, "path") {
        None | Some(Value::Null) => Target::Resource,
        Some(Value::String(path)) if path.is_empty() => Target::Resource,
        Some(Value::String(path)) => target(path, of)?,
        Some(_) => return Err(Fault::new(ScimType::InvalidPath, "`path` must be a text.")),
    };
    let value = match value::get(operation, "value") {
        Some(value) => value.clone(),
        None if action == Action::Remove => Value::Null,
        None => return Err(Fault::value("`add` and `replace` need a `value`.")),
    };
    Ok(Operation { action, target, value })
}

/// What a path names (RFC 7644, figure 7).
pub fn target(path: &str, of: &ResourceType) -> Result<Target, Fault> {
    let invalid = |detail: String| {
        Fault::new(ScimType::InvalidPath, format!("The path {path:?} is not valid: {detail}."))
    };
    if path.len() > MAX_PATH {
        let detail = format!("A path may have at most {MAX_PATH} bytes.");
        return Err(Fault::new(ScimType::InvalidPath, detail));
    }
    let path_text = path.trim();
    if let Some(schema) = of.extension(path_text) {
        return Ok(Target::Extension(schema));
    }
    if path_text.eq_ignore_ascii_case(of.schema.id) {
        return Ok(Target::Resource);
    }
    let Some((head, rest)) = path_text.split_once('[') else {
        return AttributePath::parse(path_text, of).map(Target::Attribute).map_err(invalid);
    };
    let attribute = AttributePath::parse(head, of).map_err(invalid)?;
    let has_values = |known: &&Attribute| known.kind == Kind::Complex && attribute.sub.is_none();
    let Some(known) = attribute.attribute.filter(has_values) else {
        return Err(invalid(format!("`{attribute}` has no values to filter")));
    };
    // The last bracket: a text in the filter may hold others.
    let (filter, tail) =
        rest.rsplit_once(']').ok_or_else(|| invalid("`[` is not closed".to_owned()))?;
    let filter = Filter::parse_element(filter, known)
        .map_err(|fault| invalid(fault.detail.trim_end_matches('.').to_owned()))?;
    let sub = match tail.strip_prefix('.') {
        None if tail.is_empty() => None,
        Some(sub) if known.sub_attribute(sub).is_some() => {
            known.sub_attribute(sub).map(|sub| sub.name.to_owned())
        }
        _ => return Err(invalid(format!("{tail:?} behind the filter is no sub-attribute"))),
    };
    Ok(Target::Elements(attribute, filter, sub))
}
