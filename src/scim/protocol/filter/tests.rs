//! RFC 7644 3.4.2.2, sentence by sentence.

mod examples;
mod faults;
mod grammar;
mod properties;
mod robustness;

use serde_json::Value;

use super::super::schema::USER;
use super::super::testing::object;
use super::Filter;

/// The filter on users that a text is.
fn parse(text: &str) -> Filter {
    Filter::parse(text, &USER).unwrap_or_else(|fault| panic!("{text}: {fault}"))
}

fn holds(text: &str, resource: &Value) -> bool {
    parse(text).matches(&object(resource.clone()))
}
