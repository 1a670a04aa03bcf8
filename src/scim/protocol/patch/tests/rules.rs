//! The rules of the design, one by one.

use serde_json::{Value, json};

use super::super::super::fault::ScimType;
use super::{patched, refused};

fn user() -> Value {
    json!({
        "userName": "u",
        "title": "T",
        "name": { "givenName": "G", "familyName": "F" },
        "emails": [{ "value": "a@x", "type": "work" }, { "value": "b@x", "type": "home" }],
    })
}

#[track_caller]
fn one(operation: &Value) -> Value {
    patched(&user(), &json!([operation]))
}

/// The user with some attributes otherwise; `null` are gone.
fn with(changes: &Value) -> Value {
    let mut expected = user();
    for (name, value) in changes.as_object().expect("an object") {
        match value {
            Value::Null => drop(expected.as_object_mut().expect("an object").remove(name)),
            value => expected[name] = value.clone(),
        }
    }
    expected
}

#[test]
fn operations_and_their_members_are_named_in_any_case() {
    for op in ["replace", "Replace", "REPLACE", "add", "ADD"] {
        assert_eq!(
            one(&json!({ "OP": op, "Path": "TITLE", "VALUE": "N" })),
            with(&json!({ "title": "N" }))
        );
    }
}

#[test]
fn null_replaces_by_nothing_and_adds_nothing() {
    // RFC 7643 2.5: "Unassigned attributes, the null value, and an empty array
    // [...] SHALL be considered to be equivalent".
    for value in [json!(null), json!([])] {
        assert_eq!(one(&json!({ "op": "add", "path": "emails", "value": value })), user());
        assert_eq!(one(&json!({ "op": "add", "path": "title", "value": value })), user());
        assert_eq!(one(&json!({ "op": "add", "path": "name.givenName", "value": value })), user());
        assert_eq!(
            one(&json!({ "op": "add", "path": "emails[type eq \"work\"]", "value": value })),
            user()
        );
        let gone = one(&json!({ "op": "replace", "path": "emails", "value": value }));
        assert_eq!(gone, with(&json!({ "emails": null })));
    }
    let gone = one(&json!({ "op": "replace", "value": { "title": null } }));
    assert_eq!(gone, with(&json!({ "title": null })));
}

#[test]
fn what_only_looks_like_nothing_removes_nothing() {
    for value in [json!([null]), json!({}), json!([{}]), json!([[]]), json!(5), json!([5])] {
        for (op, path) in [
            ("add", "emails"),
            ("replace", "emails"),
            ("remove", "emails"),
            ("replace", "emails[type eq \"work\"]"),
            ("add", "emails[type eq \"work\"]"),
        ] {
            let operation = json!({ "op": op, "path": path, "value": value });
            refused(&user(), &json!([operation]), ScimType::InvalidValue);
        }
        let operation = json!({ "op": "replace", "value": { "emails": value } });
        refused(&user(), &json!([operation]), ScimType::InvalidValue);
    }
    for value in [json!([null]), json!({}), json!([{}]), json!([[]])] {
        for path in ["title", "name.givenName", "emails.value", "emails[type eq \"work\"].value"] {
            let operation = json!({ "op": "replace", "path": path, "value": value });
            refused(&user(), &json!([operation]), ScimType::InvalidValue);
        }
    }
}

#[test]
fn an_address_is_marked_as_verified_by_path_also_with_its_value() {
    let emails = |verified: Value| {
        json!([{ "value": "n@x", "type": "work", "verified": verified },
               { "value": "b@x", "type": "home" }])
    };
    let value =
        json!({ "op": "replace", "path": "emails[type eq \"work\"].value", "value": "n@x" });
    for mark in [json!(true), json!("True")] {
        let path = "emails[type eq \"work\"].verified";
        let mark = json!({ "op": "add", "path": path, "value": mark });
        let marked = patched(&user(), &json!([value, mark]));
        assert_eq!(marked["emails"], emails(json!(true)));
        // Whoever vouched for the one did not see the other.
        let other =
            json!({ "op": "replace", "path": "emails[type eq \"work\"].value", "value": "c@x" });
        assert_eq!(patched(&marked, &json!([other]))["emails"][0].get("verified"), None);
        let off = json!({ "op": "replace", "path": path, "value": "False" });
        assert_eq!(patched(&marked, &json!([off]))["emails"], emails(json!(false)));
    }
}

#[test]
fn a_value_names_what_is_removed_of_a_name() {
    let removed = one(&json!({ "op": "remove", "path": "name", "value": { "givenName": "G" } }));
    assert_eq!(removed, with(&json!({ "name": { "familyName": "F" } })));
    assert_eq!(one(&json!({ "op": "remove", "path": "name", "value": {} })), user());
    assert_eq!(one(&json!({ "op": "remove", "path": "name" })), with(&json!({ "name": null })));
}

#[test]
fn a_path_that_is_malformed_is_no_new_attribute() {
    for name in ["emails[type eq \"work\" and].value", "name[givenName", "emails[type", "emails[]"]
    {
        for value in [json!("n@x"), json!([{ "value": "n@x" }])] {
            let operation = json!({ "op": "replace", "value": { name: value } });
            refused(&user(), &json!([operation]), ScimType::InvalidPath);
        }
    }
    // Not of ours.
    let kept = one(&json!({ "op": "replace", "value": { "custom[0]": "x" } }));
    assert_eq!(kept["custom[0]"], "x");
}

#[test]
fn of_a_complex_attribute_only_what_is_named_changes() {
    let name = json!({ "givenName": "K", "familyName": "F" });
    for operation in [
        json!({ "op": "add", "path": "name", "value": [{ "givenName": "K" }] }),
        json!({ "op": "replace", "value": { "name": [{ "givenName": "K" }] } }),
        json!({ "op": "replace", "path": "name", "value": { "GIVENNAME": "K" } }),
        json!({ "op": "add", "path": "name", "value": { "givenName": "K" } }),
        json!({ "op": "replace", "value": { "name": { "givenName": "K" } } }),
        json!({ "op": "replace", "value": { "name.givenName": "K" } }),
        json!({ "op": "replace", "path": "name.givenName", "value": "K" }),
    ] {
        assert_eq!(one(&operation), with(&json!({ "name": name })));
    }
    // A sub-attribute that is null is gone, and no other with it.
    for operation in [
        json!({ "op": "replace", "path": "name", "value": { "givenName": null } }),
        json!({ "op": "replace", "value": { "name": { "givenName": null } } }),
        json!({ "op": "remove", "path": "name.givenName" }),
        json!({ "op": "replace", "path": "name.givenName", "value": null }),
    ] {
        assert_eq!(one(&operation), with(&json!({ "name": { "familyName": "F" } })));
    }
    assert_eq!(one(&json!({ "op": "replace", "path": "name", "value": {} })), user());
}

#[test]
fn an_attribute_with_nothing_left_is_gone() {
    let list = json!([
        { "op": "remove", "path": "name.givenName" },
        { "op": "replace", "path": "name", "value": { "familyName": null } },
        { "op": "remove", "path": "emails[value co \"@\"]" },
    ]);
    assert_eq!(patched(&user(), &list), json!({ "userName": "u", "title": "T" }));
    for path in ["name", "emails", "emails[type pr]"] {
        let gone = one(&json!({ "op": "remove", "path": path }));
        assert_eq!(gone, with(&json!({ &path[..path.find('[').unwrap_or(path.len())]: null })));
    }
}

#[test]
fn removing_what_is_not_there_is_no_fault() {
    for path in [
        "nickName",
        "manager",
        "phoneNumbers",
        "phoneNumbers[type eq \"x\"]",
        "ims.value",
        "emails[type eq \"x\"]",
        "emails[type eq \"x\"].value",
        "name.middleName",
    ] {
        assert_eq!(one(&json!({ "op": "remove", "path": path })), user(), "{path}");
    }
}

#[test]
fn adding_a_value_that_is_there_adds_no_second_one() {
    for value in [
        json!([{ "value": "a@x", "type": "work" }]),
        json!([{ "value": "A@X" }, { "value": "b@x", "type": "HOME" }]),
        json!({ "value": "a@x" }),
        json!("a@x"),
    ] {
        let emails =
            one(&json!({ "op": "add", "path": "emails", "value": value }))["emails"].clone();
        assert_eq!(emails.as_array().map(Vec::len), Some(2), "{value}");
    }
    // The same address for another purpose is another value (RFC 7643 2.4).
    let other = json!([{ "value": "a@x", "type": "other" }]);
    let emails = one(&json!({ "op": "add", "path": "emails", "value": other }))["emails"].clone();
    assert_eq!(emails.as_array().map(Vec::len), Some(3));
    // Twice in one list is once.
    let twice = json!([{ "value": "p", "type": "x" }, { "value": "p", "type": "x" }]);
    let phones = one(&json!({ "op": "add", "path": "phoneNumbers", "value": twice }));
    assert_eq!(phones["phoneNumbers"], json!([{ "value": "p", "type": "x" }]));
    // Addresses have no `value`: equal ones are the same.
    let address = json!({ "type": "work", "locality": "L" });
    let list = json!([
        { "op": "add", "path": "addresses", "value": [address] },
        { "op": "add", "path": "addresses", "value": [{ "locality": "L", "type": "work" }] },
    ]);
    assert_eq!(patched(&user(), &list)["addresses"], json!([address]));
}

#[test]
fn remove_with_a_list_removes_just_what_it_lists() {
    let home = json!([{ "value": "b@x", "type": "home" }]);
    for value in
        [json!([{ "value": "A@x" }]), json!({ "value": "a@x", "type": "work" }), json!("a@x")]
    {
        let left = one(&json!({ "op": "remove", "path": "emails", "value": value }));
        assert_eq!(left, with(&json!({ "emails": home })));
    }
    for value in [json!([]), json!([{ "value": "c@x" }]), json!([{ "value": "a@x", "type": "x" }])]
    {
        assert_eq!(one(&json!({ "op": "remove", "path": "emails", "value": value })), user());
    }
}

#[test]
fn a_replace_whose_filter_matches_nothing_is_no_target_but_for_the_common_shape() {
    let new = json!([{ "value": "a@x", "type": "work" }, { "value": "b@x", "type": "home" },
        { "type": "other", "value": "c@x" }]);
    let created =
        one(&json!({ "op": "replace", "path": "emails[type eq \"other\"].value", "value": "c@x" }));
    assert_eq!(created, with(&json!({ "emails": new })));
    for (path, value) in [
        ("emails[type eq \"other\"]", json!({ "value": "c@x" })),
        // It says which value, not what for.
        ("emails[value eq \"c@x\"].type", json!("other")),
        ("emails[type eq \"other\" or type eq \"x\"].value", json!("c@x")),
        ("emails[type sw \"o\"].value", json!("c@x")),
        ("emails[not (type pr)].value", json!("c@x")),
        // What is created would not be what the filter asks for, and would be
        // created again and again.
        ("emails[type eq \"o\" and type eq \"p\"].value", json!("c@x")),
        ("emails[type eq \"o\"].type", json!("p")),
    ] {
        let list = json!([{ "op": "replace", "path": path, "value": value }]);
        refused(&user(), &list, ScimType::NoTarget);
    }
    let list = json!([{ "op": "add", "path": "emails[type eq \"o\"].type", "value": "p" }]);
    refused(&user(), &list, ScimType::NoTarget);
}

#[test]
fn what_a_filter_asks_for_an_element_keeps_when_it_is_replaced() {
    let replaced = one(
        &json!({ "op": "replace", "path": "emails[type eq \"work\"]", "value": { "value": "n@x" } }),
    );
    assert_eq!(replaced["emails"][0], json!({ "type": "work", "value": "n@x" }));
    let replaced =
        one(&json!({ "op": "replace", "path": "emails[type eq \"work\"]", "value": "n@x" }));
    assert_eq!(replaced["emails"][0], json!({ "type": "work", "value": "n@x" }));
    // `add` leaves the rest as it is.
    let added = one(
        &json!({ "op": "add", "path": "emails[type eq \"work\"]", "value": { "display": "D" } }),
    );
    assert_eq!(added["emails"][0], json!({ "value": "a@x", "type": "work", "display": "D" }));
}

#[test]
fn brackets_and_quotation_marks_in_the_text_of_a_filter_are_text() {
    let user = json!({ "userName": "u", "emails": [{ "value": "a]b" }, { "value": "\"[q" }] });
    let list = json!([
        { "op": "replace", "path": "emails[value eq \"a]b\"].type", "value": "work" },
        { "op": "replace", "path": "emails[value eq \"\\\"[q\"].type", "value": "home" },
    ]);
    assert_eq!(
        patched(&user, &list)["emails"],
        json!([
            { "value": "a]b", "type": "work" }, { "value": "\"[q", "type": "home" },
        ])
    );
}

#[test]
fn a_filter_on_a_complex_attribute_of_one_value_leaves_it_one() {
    let path = "name[familyName eq \"F\"].givenName";
    let changed = one(&json!({ "op": "replace", "path": path, "value": "K" }));
    assert_eq!(changed, with(&json!({ "name": { "givenName": "K", "familyName": "F" } })));
    assert_eq!(one(&json!({ "op": "remove", "path": "name[familyName eq \"X\"]" })), user());
    let path = "name[familyName eq \"X\"].givenName";
    refused(&user(), &json!([{ "op": "replace", "path": path, "value": "K" }]), ScimType::NoTarget);
}

#[test]
fn a_sub_attribute_without_a_filter_is_meant_in_every_value() {
    let changed = one(&json!({ "op": "replace", "path": "emails.type", "value": "other" }));
    assert_eq!(changed["emails"][1]["type"], "other");
    let created = one(&json!({ "op": "add", "path": "phoneNumbers.value", "value": "+1" }));
    assert_eq!(created["phoneNumbers"], json!([{ "value": "+1" }]));
    let kept = one(&json!({ "op": "remove", "path": "emails.type" }));
    assert_eq!(kept["emails"], json!([{ "value": "a@x" }, { "value": "b@x" }]));
}
