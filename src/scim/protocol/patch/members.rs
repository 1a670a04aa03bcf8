//! What a PATCH does to the members of a group.

use serde_json::{Value, json};
use uuid::Uuid;

use super::super::fault::{Fault, ScimType};
use super::super::filter::{Filter, Operand, Operator};
use super::super::path::AttributePath;
use super::super::resource::{member_id, member_ids, member_items};
use super::super::schema::ResourceType;
use super::super::value;
use super::Action;

/// A change of a group's members, which are no part of its document.
#[derive(Clone, Debug, PartialEq)]
pub enum MemberOperation {
    /// These are in, if they are not yet.
    Add(Vec<Uuid>),
    /// These are out, if they were in.
    Remove(Vec<Uuid>),
    /// Those for which the filter holds are out.
    RemoveMatching(Filter),
    /// These, and no others, are in.
    Replace(Vec<Uuid>),
    /// What goes by no id of this server cannot be in.
    Stray(Fault),
}

/// Whether a path is about the members of a group.
pub fn is_meant(path: &AttributePath, of: &ResourceType) -> bool {
    path.extension.is_none() && path.name == "members" && of.attribute("members").is_some()
}

/// What a path without a filter does.
pub fn listed(
    action: Action,
    path: &AttributePath,
    value: &Value,
) -> Result<Vec<MemberOperation>, Fault> {
    if path.sub.as_deref().is_some_and(|sub| sub != "value") {
        return Err(Fault::new(ScimType::Mutability, format!("`{path}` cannot be changed.")));
    }
    match action {
        Action::Add => entering(value, MemberOperation::Add),
        Action::Replace => entering(value, MemberOperation::Replace),
        // Never the whole list for a list that happens to be empty.
        Action::Remove if value.is_null() => Ok(vec![MemberOperation::Replace(Vec::new())]),
        Action::Remove => {
            let ids = member_items(value).map(member_id).collect::<Result<Vec<_>, _>>()?;
            // An id that is none is nobody's: nobody is removed.
            let ids = ids.into_iter().filter_map(|id| Uuid::try_parse(id).ok());
            Ok(vec![MemberOperation::Remove(ids.collect())])
        }
    }
}

/// Those whom a value names, and what is wrong with what names nobody.
fn entering(
    value: &Value,
    operation: fn(Vec<Uuid>) -> MemberOperation,
) -> Result<Vec<MemberOperation>, Fault> {
    let (ids, stray) = member_ids(value)?;
    let stray = stray.map(MemberOperation::Stray);
    Ok(stray.into_iter().chain([operation(ids)]).collect())
}

/// What a path with a filter does.
pub fn matching(
    action: Action,
    filter: &Filter,
    sub: Option<&str>,
    value: &Value,
) -> Result<Vec<MemberOperation>, Fault> {
    let action = match action {
        Action::Replace if value::is_none(value) => Action::Remove,
        action => action,
    };
    match (action, sub, equal_ids(filter)) {
        (Action::Remove, None, Some(ids)) => {
            // An id that is none is nobody's: nobody is removed.
            let ids = ids.into_iter().filter_map(|id| Uuid::try_parse(id).ok());
            Ok(vec![MemberOperation::Remove(ids.collect())])
        }
        (Action::Remove, None, None) => Ok(vec![MemberOperation::RemoveMatching(filter.clone())]),
        // Who is meant is said twice, or once.
        (Action::Add | Action::Replace, None, Some(ids)) if is_same(value, &ids) => {
            entering(&json!(ids), MemberOperation::Add)
        }
        (Action::Add | Action::Replace, None, None) => {
            let detail = "Name members to add by their ids: `members[value eq \"id\"]`.";
            Err(Fault::new(ScimType::NoTarget, detail))
        }
        _ => {
            let detail = "What a member is and is called cannot be changed through the group.";
            Err(Fault::new(ScimType::Mutability, detail))
        }
    }
}

/// Whether a value names nobody but the one who is named by the path already.
fn is_same(value: &Value, ids: &[&str]) -> bool {
    let mut named = member_items(value).filter_map(|item| match item {
        Value::Object(member) => value::get(member, "value").map(Value::as_str),
        plain => Some(plain.as_str()),
    });
    named.all(|id| id.is_some_and(|id| ids.iter().all(|own| own.eq_ignore_ascii_case(id))))
}

/// The ids of a filter that says nothing but `value eq "id"`, once or with `or`.
fn equal_ids(filter: &Filter) -> Option<Vec<&str>> {
    match filter {
        Filter::Compare(path, Operator::Equal, Operand::Text { text, .. })
            if path.name == "value" =>
        {
            Some(vec![text])
        }
        Filter::Or(parts) => {
            let parts: Option<Vec<_>> = parts.iter().map(equal_ids).collect();
            Some(parts?.concat())
        }
        _ => None,
    }
}
