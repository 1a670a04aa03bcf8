//! RFC 7644 3.4.2.3.

use serde_json::{Value, json};

use super::super::schema::USER;
use super::super::testing::{ENTERPRISE, object};
use super::{attribute, beginning, is_key_of};
use crate::model::SortKey;

fn key(sort_by: &str, resource: &Value) -> Option<SortKey> {
    let path = attribute(sort_by, &USER).expect(sort_by);
    super::key(&object(resource.clone()), &path)
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
        assert!(attribute(sort_by, &USER).is_err(), "{sort_by}");
    }
}

#[test]
fn of_long_texts_the_beginning_counts() {
    let long = "ä".repeat(3_000);
    assert_eq!(key("title", &json!({ "title": long })), Some(SortKey::Text("ä".repeat(1_000))));
    assert_eq!(beginning(&format!("a{long}")).len(), 1_999);
}

#[test]
fn a_key_of_another_type_is_none_of_an_attribute() {
    let path = |sort_by| attribute(sort_by, &USER).expect(sort_by);
    let (flag, time, text) =
        (SortKey::Boolean(true), SortKey::Instant(1), SortKey::Text("a".into()));
    for (sort_by, own, others) in [
        ("active", &flag, [&time, &text]),
        ("meta.created", &time, [&flag, &text]),
        ("userName", &text, [&flag, &time]),
        ("emails", &text, [&flag, &time]),
    ] {
        assert!(is_key_of(own, &path(sort_by)), "{sort_by}");
        assert!(others.iter().all(|key| !is_key_of(key, &path(sort_by))), "{sort_by}");
    }
}
