//! Resources in and out.

mod content;
mod identity_providers;
mod incoming;
mod outgoing;
mod reference;

use serde_json::{Value, json};

use super::super::fault::ScimType;
use super::super::schema::{GROUP, USER};
use super::{Incoming, incoming};

/// What is stored of a user.
#[track_caller]
fn user(body: &Value) -> Value {
    let stored = incoming(body, &USER).unwrap_or_else(|fault| panic!("{body}: {fault}"));
    assert_eq!(stored.members, None);
    // And of what is stored, the same.
    let document = Value::Object(stored.document);
    assert_eq!(incoming(&document, &USER).map(|it| json!(it.document)), Ok(document.clone()));
    document
}

#[track_caller]
fn group(body: &Value) -> Incoming {
    incoming(body, &GROUP).unwrap_or_else(|fault| panic!("{body}: {fault}"))
}

#[track_caller]
fn refused(body: &Value, words: &str) {
    let fault = incoming(body, &USER).expect_err(&body.to_string());
    assert_eq!(fault.scim_type, ScimType::InvalidValue, "{fault}");
    assert!(fault.detail.contains(words), "{fault}");
}
