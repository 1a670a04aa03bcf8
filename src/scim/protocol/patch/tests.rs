//! RFC 7644 3.5.2, and what identity providers make of it.

mod extensions;
mod faults;
mod identity_providers;
mod members;
mod model;
mod primary;
mod properties;
mod rfc;
mod rules;

use serde_json::{Value, json};

use super::super::fault::{Fault, ScimType};
use super::super::resource;
use super::super::schema::{GROUP, USER};
use super::super::testing::object;
use super::super::value::Object;
use super::{MemberOperation, apply, operations};

/// A user as it is stored.
fn stored(body: &Value) -> Object {
    resource::incoming(body, &USER).expect("a user").document
}

/// What becomes of a stored user.
fn patch(document: &Object, list: &Value) -> Result<Object, Fault> {
    let mut document = document.clone();
    let body = json!({ "Operations": list });
    let changes = apply(&mut document, &operations(&body, &USER)?, &USER)?;
    assert!(changes.is_empty(), "users have no members");
    Ok(document)
}

/// The same as JSON, without what says nothing; and the patch done again
/// changes nothing, not even the order of names.
#[track_caller]
fn patched(body: &Value, list: &Value) -> Value {
    let once = patch(&stored(body), list).unwrap_or_else(|fault| panic!("{list}: {fault}"));
    let twice = patch(&once, list).unwrap_or_else(|fault| panic!("{list} again: {fault}"));
    assert_eq!(text(&twice), text(&once), "{list} is not the same the second time");
    Value::Object(once)
}

fn text(document: &Object) -> String {
    Value::Object(document.clone()).to_string()
}

#[track_caller]
fn refused(body: &Value, list: &Value, scim_type: ScimType) -> String {
    let fault = patch(&stored(body), list).expect_err(&list.to_string());
    assert_eq!(fault.scim_type, scim_type, "{list}: {fault}");
    fault.detail
}

/// What becomes of a group and of its members.
fn on_group(list: &Value) -> Result<(Object, Vec<MemberOperation>), Fault> {
    let mut document = object(json!({ "displayName": "G" }));
    let body = json!({ "Operations": list });
    let changes = apply(&mut document, &operations(&body, &GROUP)?, &GROUP)?;
    Ok((document, changes))
}
