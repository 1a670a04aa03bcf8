//! Operations that cannot be done, and why.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::super::fault::ScimType;
use super::super::super::schema::USER;
use super::super::operations;
use super::{patch, refused, stored};

fn user() -> Value {
    json!({ "userName": "u", "emails": [{ "value": "a@x", "type": "work" }] })
}

#[test]
fn a_body_that_is_no_patch_is_invalid_syntax() {
    for body in [
        json!(null),
        json!([]),
        json!({}),
        json!({ "Operations": null }),
        json!({ "Operations": {} }),
        json!({ "Operations": [] }),
        json!({ "Operations": ["add"] }),
        json!({ "Operations": [{}] }),
        json!({ "Operations": [{ "op": 1 }] }),
        json!({ "Operations": [{ "op": "move", "path": "title" }] }),
    ] {
        let fault = operations(&body, &USER).expect_err(&body.to_string());
        assert_eq!(fault.scim_type, ScimType::InvalidSyntax, "{body}");
    }
    let many = json!({ "operations": vec![json!({ "op": "remove", "path": "title" }); 1_001] });
    assert_eq!(operations(&many, &USER).expect_err("too many").scim_type, ScimType::TooMany);
}

#[test]
fn a_path_that_is_none_is_invalid_path_with_the_place_in_its_filter() {
    for (path, words) in [
        ("1", "`1` is not the name"),
        ("a.b.c", "`b.c` is not the name"),
        ("emails[type eq \"work\"", "`[` is not closed"),
        ("emails[type eq]", "position 8"),
        ("emails[type xx \"work\"].value", "position 6"),
        ("emails[foo eq \"work\"].value", "`foo`"),
        ("emails[type eq \"work\"]value", "no sub-attribute"),
        ("emails[type eq \"work\"].", "no sub-attribute"),
        ("emails[type eq \"work\"].value]", "position 15"),
        ("emails.value[type eq \"work\"]", "no values to filter"),
        ("foo[type eq \"work\"]", "no values to filter"),
        ("title[value eq \"x\"]", "no values to filter"),
        ("[type eq \"work\"]", "is not the name"),
        ("emails[", "not closed"),
        ("emails]", "is not the name"),
    ] {
        let list = json!([{ "op": "replace", "path": path, "value": "x" }]);
        let detail = refused(&user(), &list, ScimType::InvalidPath);
        assert!(detail.contains(words), "{path}: {detail}");
    }
    let list = json!([{ "op": "add", "path": 5, "value": "x" }]);
    refused(&user(), &list, ScimType::InvalidPath);
    let long = json!([{ "op": "add", "path": "a".repeat(100_000), "value": "x" }]);
    assert!(refused(&user(), &long, ScimType::InvalidPath).len() < 200);
}

#[test]
fn a_value_that_is_missing_or_of_another_type_is_invalid_value() {
    for operation in [
        json!({ "op": "add", "path": "title" }),
        json!({ "op": "replace" }),
        json!({ "op": "add", "value": "x" }),
        json!({ "op": "add", "value": [{ "title": "x" }] }),
        json!({ "op": "replace", "path": "title", "value": { "a": 1 } }),
        json!({ "op": "replace", "path": "title", "value": ["a", "b"] }),
        json!({ "op": "replace", "path": "active", "value": "maybe" }),
        json!({ "op": "replace", "path": "name", "value": "Ann" }),
        json!({ "op": "replace", "path": "emails", "value": [true] }),
        json!({ "op": "replace", "path": "emails[type eq \"work\"]", "value": ["a", "b"] }),
        json!({ "op": "replace", "path": "emails[type eq \"work\"].primary", "value": "x" }),
        json!({ "op": "replace", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", "value": "x" }),
    ] {
        refused(&user(), &json!([operation]), ScimType::InvalidValue);
    }
}

#[test]
fn what_is_not_the_clients_to_write_is_refused_where_a_path_names_it() {
    for path in ["id", "meta", "meta.created", "groups", "groups.value", "groups[value eq \"g\"]"] {
        for op in ["add", "replace", "remove"] {
            let list = json!([{ "op": op, "path": path, "value": [{ "value": "x" }] }]);
            refused(&user(), &list, ScimType::Mutability);
        }
    }
    // ...and passed over where a value does: clients send back what they read.
    let list = json!([{ "op": "replace", "value": {
        "id": "x", "groups": [], "meta": { "version": "1" }, "schemas": ["urn:x"], "meta.created": "x",
    } }]);
    assert_eq!(patch(&stored(&user()), &list), Ok(stored(&user())));
    // `schemas` follows from what is there.
    let list = json!([{ "op": "add", "path": "schemas", "value": ["urn:x:y"] }]);
    assert_eq!(patch(&stored(&user()), &list), Ok(stored(&user())));
}

#[test]
fn what_is_required_cannot_be_removed() {
    for operation in [
        json!({ "op": "remove", "path": "userName" }),
        json!({ "op": "replace", "path": "userName", "value": null }),
        json!({ "op": "replace", "value": { "userName": [] } }),
        json!({ "op": "remove", "path": "schemas" }),
    ] {
        refused(&user(), &json!([operation]), ScimType::Mutability);
    }
    // RFC 7644 3.5.2.2.
    refused(&user(), &json!([{ "op": "remove" }]), ScimType::NoTarget);
    refused(&user(), &json!([{ "op": "remove", "value": { "title": 1 } }]), ScimType::NoTarget);
}

#[test]
fn a_patch_may_not_make_an_attribute_or_an_object_endless() {
    let emails: Vec<_> = (0..1_000).map(|number| json!({ "value": number })).collect();
    let full = json!({ "userName": "u", "emails": emails });
    for operation in [
        json!({ "op": "add", "path": "emails", "value": "one more" }),
        json!({ "op": "add", "path": "emails[type eq \"x\"].value", "value": "one more" }),
    ] {
        let detail = refused(&full, &json!([operation]), ScimType::InvalidValue);
        assert!(detail.contains("`emails` may have at most 1000 values"), "{detail}");
    }
    let names: serde_json::Map<_, _> =
        (0..2_000).map(|number| (format!("a{number}"), json!(1))).collect();
    for value in [json!(names), json!({ "urn:x:y": names }), json!({ "name": names })] {
        refused(&user(), &json!([{ "op": "add", "value": value }]), ScimType::InvalidValue);
    }
}

#[test]
fn the_largest_patches_take_no_long_time() {
    // Much of what costs most: values that are looked for among
    // others, filters that go through them, names that are compared with others.
    let emails = |from: usize| -> Vec<Value> {
        (from..from + 999).map(|number| json!({ "value": format!("{number}") })).collect()
    };
    let full = stored(&json!({ "userName": "u", "emails": emails(0) }));
    let filter = format!("emails[value eq \"x\"{}]", " or value eq \"x\"".repeat(50));
    let filters = vec![json!({ "op": "remove", "path": filter }); 10];
    let again = vec![json!({ "op": "add", "path": "emails", "value": emails(0) }); 20];
    let gone = vec![json!({ "op": "remove", "path": "emails", "value": emails(5_000) }); 20];
    let names: serde_json::Map<_, _> =
        (0..20_000).map(|number| (format!("name.{number:05}"), json!(null))).collect();
    let names = vec![json!({ "op": "replace", "value": names })];
    let begun = Instant::now();
    for list in [filters, again, gone, names] {
        let list = Value::Array(list);
        assert_eq!(patch(&full, &list).as_ref(), Ok(&full));
    }
    // A second, unoptimised; machines that do something else meanwhile take more.
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}
