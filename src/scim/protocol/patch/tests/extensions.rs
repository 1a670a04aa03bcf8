//! Extensions, and what the table does not know.

use serde_json::{Value, json};

use super::super::super::fault::ScimType;
use super::super::super::testing::ENTERPRISE;
use super::{patched, refused};

const CUSTOM: &str = "urn:ietf:params:scim:schemas:extension:Custom:2.0:User";

fn user() -> Value {
    json!({ "userName": "u", ENTERPRISE: {
        "department": "D", "costCenter": "C", "manager": { "value": "m", "displayName": "M" },
    } })
}

#[test]
fn of_an_extension_only_what_is_named_changes() {
    let expected = json!({ "userName": "u", ENTERPRISE: {
        "department": "E", "costCenter": "C", "manager": { "value": "m", "displayName": "M" },
    } });
    for list in [
        json!([{ "op": "replace", "path": ENTERPRISE, "value": { "DEPARTMENT": "E" } }]),
        json!([{ "op": "add", "value": { ENTERPRISE: { "department": "E" } } }]),
        json!([{ "op": "replace", "value": { ENTERPRISE.to_uppercase(): { "department": "E" } } }]),
        json!([{ "op": "replace", "path": format!("{ENTERPRISE}:department"), "value": "E" }]),
        json!([{ "op": "replace", "path": "department", "value": "E" }]),
        json!([{ "op": "add", "value": { "urn:scim:schemas:extension:enterprise:2.0": { "department": "E" } } }]),
    ] {
        assert_eq!(patched(&user(), &list), expected, "{list}");
    }
    let list = json!([{ "op": "replace", "value": { ENTERPRISE: { "department": null } } }]);
    let left = patched(&user(), &list);
    assert_eq!(left[ENTERPRISE]["costCenter"], "C");
    assert_eq!(left[ENTERPRISE].get("department"), None);
}

#[test]
fn what_only_looks_like_nothing_removes_nothing_unknown() {
    let mut user = user();
    user["custom"] = json!({ "a": 1, "tags": ["x"] });
    user[CUSTOM] = json!({ "k": "v" });
    for value in [json!([{}]), json!([null]), json!([{ "x": null }]), json!([[]])] {
        for (op, path) in [
            ("replace", "custom".to_owned()),
            ("add", "custom".to_owned()),
            ("replace", "custom.a".to_owned()),
            ("replace", format!("{CUSTOM}:k")),
        ] {
            let list = json!([{ "op": op, "path": path, "value": value }]);
            refused(&user, &list, ScimType::InvalidValue);
        }
        refused(
            &user,
            &json!([{ "op": "replace", "value": { "custom": value } }]),
            ScimType::InvalidValue,
        );
    }
    for value in [json!({}), json!({ "a": {} }), json!({ "tags": {} })] {
        let list = json!([{ "op": "replace", "path": "custom", "value": value }]);
        assert_eq!(patched(&user, &list), user, "{value}");
    }
}

#[test]
fn a_value_names_what_is_removed_of_an_extension() {
    let list = json!([{ "op": "remove", "path": ENTERPRISE, "value": { "department": "D" } }]);
    let manager = json!({ "value": "m", "displayName": "M" });
    let left = json!({ "userName": "u", ENTERPRISE: { "costCenter": "C", "manager": manager } });
    assert_eq!(patched(&user(), &list), left);
    let list = json!([{ "op": "remove", "path": ENTERPRISE, "value": {} }]);
    assert_eq!(patched(&user(), &list), user());
    for value in [json!(null), json!([])] {
        let list = json!([{ "op": "remove", "path": ENTERPRISE, "value": value }]);
        assert_eq!(patched(&user(), &list), json!({ "userName": "u" }));
    }
}

#[test]
fn sub_attributes_of_extensions_are_removed_one_by_one_and_with_the_last_the_extension() {
    let path = |name: &str| json!({ "op": "remove", "path": format!("{ENTERPRISE}:{name}") });
    let left = patched(&user(), &json!([path("manager.displayName")]));
    assert_eq!(left[ENTERPRISE]["manager"], json!({ "value": "m" }));
    let all = json!([
        path("manager.value"),
        path("manager.displayName"),
        path("department"),
        path("costCenter"),
    ]);
    assert_eq!(patched(&user(), &all), json!({ "userName": "u" }));
    let whole = json!([{ "op": "remove", "path": ENTERPRISE }]);
    assert_eq!(patched(&user(), &whole), json!({ "userName": "u" }));
    // Also where there is none.
    assert_eq!(patched(&json!({ "userName": "u" }), &all), json!({ "userName": "u" }));
}

#[test]
fn a_manager_is_found_by_a_filter_and_stays_one() {
    let path = format!("{ENTERPRISE}:manager[value eq \"m\"].displayName");
    let changed = patched(&user(), &json!([{ "op": "replace", "path": path, "value": "N" }]));
    assert_eq!(changed[ENTERPRISE]["manager"], json!({ "value": "m", "displayName": "N" }));
    let path = format!("{ENTERPRISE}:manager[value eq \"x\"]");
    assert_eq!(patched(&user(), &json!([{ "op": "remove", "path": path }])), user());
    assert_eq!(
        patched(&json!({ "userName": "u" }), &json!([{ "op": "remove", "path": path }])),
        json!({ "userName": "u" })
    );
}

#[test]
fn an_unknown_extension_is_patched_like_a_known_one() {
    // MS-qa2: custom attributes come by path, or as a whole, never listed.
    let created = json!({ "userName": "u", CUSTOM: { "tag": "a" } });
    for list in [
        json!([{ "op": "Add", "path": format!("{CUSTOM}:tag"), "value": "a" }]),
        json!([{ "op": "Add", "path": CUSTOM, "value": { "tag": "a" } }]),
        json!([{ "op": "Add", "value": { CUSTOM: { "tag": "a" } } }]),
        json!([{ "op": "Add", "value": { format!("{CUSTOM}:tag"): "a" } }]),
    ] {
        assert_eq!(patched(&json!({ "userName": "u" }), &list), created, "{list}");
        let other = json!({ "userName": "u", CUSTOM: { "tag": "b", "kept": true } });
        let expected = json!({ "userName": "u", CUSTOM: { "tag": "a", "kept": true } });
        assert_eq!(patched(&other, &list), expected, "{list}");
    }
    for path in [CUSTOM, &format!("{CUSTOM}:tag"), &format!("{}:TAG", CUSTOM.to_uppercase())] {
        let list = json!([{ "op": "remove", "path": path }]);
        assert_eq!(patched(&created, &list), json!({ "userName": "u" }), "{path}");
        assert_eq!(
            patched(&json!({ "userName": "u" }), &list),
            json!({ "userName": "u" }),
            "{path}"
        );
    }
}

#[test]
fn values_and_sub_attributes_of_unknown_attributes_change_alone() {
    let user = json!({ "userName": "u", CUSTOM: { "tags": ["a"], "home": { "x": 1, "y": 2 } } });
    let list = json!([
        { "op": "add", "path": format!("{CUSTOM}:tags"), "value": ["b", "a"] },
        { "op": "replace", "path": format!("{CUSTOM}:home.x"), "value": 3 },
        { "op": "replace", "path": format!("{CUSTOM}:home"), "value": { "z": 4 } },
        { "op": "remove", "path": format!("{CUSTOM}:none.z") },
    ]);
    assert_eq!(
        patched(&user, &list)[CUSTOM],
        json!({ "tags": ["a", "b"], "home": { "x": 3, "y": 2, "z": 4 } })
    );
    let list = json!([
        { "op": "remove", "path": format!("{CUSTOM}:tags"), "value": ["a"] },
        { "op": "remove", "path": format!("{CUSTOM}:home.x") },
        { "op": "remove", "path": format!("{CUSTOM}:home.y") },
    ]);
    assert_eq!(patched(&user, &list), json!({ "userName": "u" }));
}

#[test]
fn what_an_unknown_attribute_holds_is_never_thrown_away_for_a_path_that_does_not_fit() {
    let user = json!({ "userName": "u", "foo": "text", CUSTOM: "text" });
    for path in ["foo.bar", &format!("{CUSTOM}:tag")] {
        let list = json!([{ "op": "add", "path": path, "value": "x" }]);
        refused(&user, &list, ScimType::InvalidPath);
    }
}

#[test]
fn an_unknown_name_in_a_value_is_kept_but_in_a_path_it_is_a_typing_error() {
    let user = json!({ "userName": "u", "name": { "givenName": "G" } });
    let list = json!([{ "op": "add", "value": {
        "foo": 1, "bar": { "a": [1] }, "name.nick": "N", "not a name": true, "none": null,
    } }]);
    assert_eq!(
        patched(&user, &list),
        json!({
            "userName": "u", "name": { "givenName": "G", "nick": "N" }, "foo": 1, "bar": { "a": [1] },
            "not a name": true,
        })
    );
    for path in ["foo", "foo.bar", "name.nick", "emails.nick", "emails[type eq \"work\"].nick"] {
        for op in ["add", "replace", "remove"] {
            let list = json!([{ "op": op, "path": path, "value": "x" }]);
            refused(&user, &list, ScimType::InvalidPath);
        }
    }
    // What the client itself brought into being it may change.
    let user = json!({ "userName": "u", "foo": 1, "name": { "nick": "N" } });
    let list = json!([
        { "op": "replace", "path": "FOO", "value": 2 },
        { "op": "replace", "path": "name.NICK", "value": "M" },
    ]);
    assert_eq!(
        patched(&user, &list),
        json!({ "userName": "u", "foo": 2, "name": { "nick": "M" } })
    );
}
