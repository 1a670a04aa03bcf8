//! RFC 7644 3.4.2.3.

use serde_json::{Value, json};

use super::super::schema::USER;
use super::super::testing::{ENTERPRISE, object};
use super::SortKey;

fn key(sort_by: &str, resource: &Value) -> Option<SortKey> {
    let path = SortKey::attribute(sort_by, &USER).expect(sort_by);
    SortKey::of(&object(resource.clone()), &path)
}

#[test]
fn texts_are_sorted_by_the_case_exactness_of_their_attribute() {
    assert_eq!(key("USERNAME", &json!({ "userName": "ÄB" })), Some(SortKey::Text("äb".into())));
    assert_eq!(key("externalId", &json!({ "externalId": "Ab" })), Some(SortKey::Text("Ab".into())));
    let user = json!({ "name": { "familyName": "F" }, ENTERPRISE: { "department": "D" } });
    assert_eq!(key("name.familyName", &user), Some(SortKey::Text("f".into())));
    assert_eq!(key(&format!("{ENTERPRISE}:department"), &user), Some(SortKey::Text("d".into())));
    assert_eq!(key("title", &user), None);
}

#[test]
fn times_are_sorted_as_times_and_false_before_true() {
    let at = |text: &str| key("meta.created", &json!({ "meta": { "created": text } }));
    assert!(at("2026-11-23T20:15:00Z") > at("2026-11-23T20:15:00+01:00"));
    assert!(
        key("active", &json!({ "active": false })) < key("active", &json!({ "active": "True" }))
    );
}

#[test]
fn of_several_values_the_primary_one_counts_or_else_the_first() {
    let user = json!({ "emails": [{ "value": "b" }, { "value": "A", "primary": true }] });
    for sort_by in ["emails", "emails.value"] {
        assert_eq!(key(sort_by, &user), Some(SortKey::Text("a".into())));
    }
    let user = json!({ "emails": [{ "value": "b" }, { "value": "a" }] });
    assert_eq!(key("emails", &user), Some(SortKey::Text("b".into())));
    assert_eq!(key("emails", &json!({ "emails": [] })), None);
}

#[test]
fn what_has_no_order_is_refused() {
    for sort_by in ["foo", "name", "addresses", "name.foo", "urn:x:y:z", "", "a b"] {
        assert!(SortKey::attribute(sort_by, &USER).is_err(), "{sort_by}");
    }
}
