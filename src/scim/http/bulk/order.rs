//! In which order the operations of a bulk request are done: those first that
//! others refer to (RFC 7644 3.7.1 and 3.7.2).

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use uuid::Uuid;

use super::Operation;
use crate::scim::protocol::value::Object;

/// How another operation of the request is referred to.
pub const REFERENCE: &str = "bulkId:";

/// What is known of the resources that a request makes, by their bulkIds.
pub struct Order {
    /// The ids that they get. They are given out before anything is done, so that
    /// also those can be named that are not there yet.
    ids: HashMap<String, Uuid>,
    /// Those that are there.
    made: HashSet<String>,
    /// Users that are part of a circle, or needed by one.
    promised: HashSet<String>,
    /// Whether it was found out which ones those are.
    has_promised: bool,
}

impl Order {
    pub fn of(operations: &[Operation], mut new_id: impl FnMut() -> Uuid) -> Self {
        let new = operations.iter().filter(|operation| operation.is_post());
        let ids = new.filter_map(|operation| Some((operation.bulk_id.clone()?, new_id())));
        Self {
            ids: ids.collect(),
            made: HashSet::new(),
            promised: HashSet::new(),
            has_promised: false,
        }
    }

    /// The place in `waiting` of one that can be done now; `None`: what is left
    /// refers to nothing, or to what has failed.
    pub fn next(&mut self, waiting: &[&Operation]) -> Option<usize> {
        self.ready(waiting).or_else(|| {
            self.promise(waiting);
            self.ready(waiting)
        })
    }

    fn ready(&self, waiting: &[&Operation]) -> Option<usize> {
        waiting.iter().position(|operation| self.open(operation).next().is_none())
    }

    /// To what an operation refers that keeps it waiting. A user may be made with
    /// the id of another who is still to come, such as its manager, and keeps it
    /// where that one fails, as it would if that one were deleted; a group needs its
    /// members.
    fn open<'a>(&'a self, operation: &'a Operation) -> impl Iterator<Item = &'a String> {
        let waits = move |reference: &&String| {
            let is_promised = operation.is_new_user() && self.promised.contains(*reference);
            !is_promised && !self.made.contains(*reference)
        };
        operation.references.iter().filter(waits)
    }

    /// RFC 7644 3.7.1: "The service provider MUST try to resolve circular
    /// cross-references between resources in a single bulk job". Finds the users
    /// who refer to nobody but users who are there or can be made as well.
    fn promise(&mut self, waiting: &[&Operation]) {
        if std::mem::replace(&mut self.has_promised, true) {
            return;
        }
        let mut users: Vec<_> =
            waiting.iter().filter(|operation| operation.is_new_user()).collect();
        // Without those who wait for something else, others wait for something else.
        loop {
            self.promised = users.iter().filter_map(|user| user.bulk_id.clone()).collect();
            let before = users.len();
            users.retain(|user| self.open(user).next().is_none());
            if users.len() == before {
                return;
            }
        }
    }

    /// Takes note of what an operation came to.
    pub fn done(&mut self, operation: &Operation, is_made: bool) {
        let Some(bulk_id) = operation.bulk_id.as_ref().filter(|_| operation.is_post()) else {
            return;
        };
        if is_made {
            self.made.insert(bulk_id.clone());
        }
        self.promised.remove(bulk_id);
    }

    /// The reference for which an operation cannot be done.
    pub fn missing<'a>(&'a self, operation: &'a Operation) -> Option<&'a str> {
        self.open(operation).next().map(String::as_str)
    }

    /// The id that the resource with this bulkId has, or will have.
    pub fn id(&self, bulk_id: &str) -> Option<Uuid> {
        self.ids.get(bulk_id).copied()
    }

    /// The data with ids in the place of references.
    pub fn resolved(&self, data: &Value) -> Value {
        self.resolved_in("", data)
    }

    fn resolved_in(&self, name: &str, data: &Value) -> Value {
        match data {
            Value::String(text) => {
                let id = reference(name, text).and_then(|reference| self.id(reference));
                id.map_or_else(|| data.clone(), |id| json!(id.to_string()))
            }
            Value::Array(items) => items.iter().map(|item| self.resolved_in(name, item)).collect(),
            Value::Object(entries) => {
                let entries = entries.iter();
                let entries =
                    entries.map(|(name, value)| (name.clone(), self.resolved_in(name, value)));
                Value::Object(entries.collect::<Object>())
            }
            other => other.clone(),
        }
    }
}

/// The bulkIds that some data refers to, which stands behind this name.
pub fn references(name: &str, data: &Value, found: &mut Vec<String>) {
    match data {
        Value::String(text) => found.extend(reference(name, text).map(str::to_owned)),
        Value::Array(items) => items.iter().for_each(|item| references(name, item, found)),
        Value::Object(entries) => {
            entries.iter().for_each(|(name, value)| references(name, value, found));
        }
        _ => {}
    }
}

/// The bulkId that a text refers to, where it is the value of an attribute that
/// refers to resources: elsewhere it is a text like others.
fn reference<'a>(name: &str, text: &'a str) -> Option<&'a str> {
    // `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager`
    let name = name.rsplit(':').next().unwrap_or(name);
    let refers = ["value", "$ref", "members", "manager"];
    let refers = refers.iter().any(|attribute| name.eq_ignore_ascii_case(attribute));
    text.strip_prefix(REFERENCE).filter(|_| refers)
}
