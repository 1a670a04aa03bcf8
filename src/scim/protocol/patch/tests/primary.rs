//! RFC 7644 3.5.2: one value is the primary one, and the newest wins.

use serde_json::{Value, json};

use super::patched;

fn user() -> Value {
    json!({ "userName": "u", "emails": [
        { "value": "a@x", "type": "work", "primary": true },
        { "value": "b@x", "type": "home" },
    ] })
}

/// The addresses that are primary afterwards.
fn primaries(operation: &Value) -> Vec<String> {
    let patched = patched(&user(), &json!([operation]));
    let emails = patched["emails"].as_array().expect("emails").clone();
    let primary = emails.iter().filter(|email| email["primary"] == json!(true));
    primary.map(|email| email["value"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_value_that_becomes_primary_takes_it_from_the_one_that_was() {
    for operation in [
        json!({ "op": "add", "path": "emails", "value": [{ "value": "c@x", "primary": true }] }),
        json!({ "op": "add", "path": "emails[type eq \"other\"]", "value": { "value": "c@x", "primary": "True" } }),
        json!({ "op": "add", "value": { "emails": { "value": "c@x", "primary": true } } }),
    ] {
        assert_eq!(primaries(&operation), ["c@x"], "{operation}");
    }
    for operation in [
        json!({ "op": "replace", "path": "emails[type eq \"home\"].primary", "value": true }),
        json!({ "op": "add", "path": "emails[value eq \"b@x\"]", "value": { "primary": true } }),
        json!({ "op": "add", "path": "emails", "value": [{ "value": "B@X", "primary": true }] }),
        // The one that was is named too, but not as primary.
        json!({ "op": "add", "path": "emails", "value": [
            { "value": "b@x", "primary": true }, { "value": "a@x", "display": "A" },
        ] }),
    ] {
        assert!(primaries(&operation)[0].eq_ignore_ascii_case("b@x"), "{operation}");
        assert_eq!(primaries(&operation).len(), 1, "{operation}");
    }
}

#[test]
fn what_does_not_set_primary_leaves_it_where_it_is() {
    for operation in [
        json!({ "op": "add", "path": "emails", "value": [{ "value": "c@x" }] }),
        json!({ "op": "replace", "path": "emails[type eq \"home\"].value", "value": "c@x" }),
        json!({ "op": "remove", "path": "emails[type eq \"home\"]" }),
    ] {
        assert_eq!(primaries(&operation), ["a@x"], "{operation}");
    }
    let removed = json!({ "op": "remove", "path": "emails[primary eq true]" });
    assert_eq!(primaries(&removed), [""; 0]);
}

#[test]
fn of_several_primary_values_in_one_list_one_stays() {
    let value = json!([
        { "value": "c@x", "primary": true }, { "value": "d@x", "primary": "true" },
    ]);
    for op in ["add", "replace"] {
        assert_eq!(primaries(&json!({ "op": op, "path": "emails", "value": value })).len(), 1);
    }
    let all = json!({ "op": "replace", "path": "emails.primary", "value": true });
    assert_eq!(primaries(&all), ["a@x"]);
}
