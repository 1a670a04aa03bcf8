//! The PATCH rows of the table of what identity providers send.

use serde_json::{Value, json};
use uuid::Uuid;

use super::super::super::testing::ENTERPRISE;
use super::{MemberOperation, on_group, patched};

const U: &str = "019a0000-0000-7000-8000-00000000000a";
const V: &str = "019a0000-0000-7000-8000-00000000000b";

fn ids(texts: &[&str]) -> Vec<Uuid> {
    texts.iter().map(|text| text.parse().expect("an id")).collect()
}

#[track_caller]
fn members(operation: &Value) -> MemberOperation {
    let (document, mut changes) = on_group(&json!([operation])).expect("a patch");
    assert_eq!(Value::Object(document), json!({ "displayName": "G" }));
    assert_eq!(changes.len(), 1, "{operation}");
    changes.remove(0)
}

#[test]
fn o4_okta_deactivates_without_a_path_and_its_password_is_thrown_away() {
    let user = json!({ "userName": "u", "active": true });
    let off = json!([{ "op": "replace", "value": { "active": false } }]);
    assert_eq!(patched(&user, &off), json!({ "userName": "u", "active": false }));
    for password in [
        json!({ "op": "replace", "value": { "password": "1mz050nq" } }),
        json!({ "op": "replace", "path": "password", "value": "1mz050nq" }),
        json!({ "op": "add", "path": "urn:ietf:params:scim:schemas:core:2.0:User:Password", "value": "p" }),
        json!({ "op": "remove", "path": "password" }),
    ] {
        assert_eq!(patched(&user, &json!([password])), user, "{password}");
    }
}

#[test]
fn o9_okta_renames_a_group_with_its_id_in_the_value() {
    let value = json!({ "id": V, "displayName": "G2", "schemas": ["x"], "meta": {} });
    let (document, changes) =
        on_group(&json!([{ "op": "replace", "value": value }])).expect("a patch");
    assert_eq!(Value::Object(document), json!({ "displayName": "G2" }));
    assert_eq!(changes, []);
}

#[test]
fn o10_okta_removes_by_filter_and_adds_with_display() {
    let path = format!("members[value eq \"{U}\"]");
    let remove = json!({ "op": "remove", "path": path });
    assert_eq!(members(&remove), MemberOperation::Remove(ids(&[U])));
    let value = json!([{ "value": U, "display": "u@x" }]);
    let add = json!({ "op": "add", "path": "members", "value": value });
    assert_eq!(members(&add), MemberOperation::Add(ids(&[U])));
}

#[test]
fn o11_okta_pushes_all_members_and_empties_a_group_with_an_empty_list() {
    let all =
        json!({ "op": "replace", "path": "members", "value": [{ "value": U }, { "value": V }] });
    assert_eq!(members(&all), MemberOperation::Replace(ids(&[U, V])));
    let none = json!({ "op": "replace", "path": "members", "value": [] });
    assert_eq!(members(&none), MemberOperation::Replace(Vec::new()));
}

#[test]
fn e4_entra_capitalises_and_patches_attribute_by_attribute() {
    let user = json!({ "userName": "u", "name": { "givenName": "G" } });
    let list = json!([
        { "op": "Replace", "path": "emails[type eq \"work\"].value", "value": "n@x" },
        { "op": "Replace", "path": "name.familyName", "value": "F" },
        { "op": "Add", "path": format!("{ENTERPRISE}:employeeNumber"), "value": "A1" },
        { "op": "Add", "path": "title", "value": "T" },
        { "op": "Add", "path": "roles[primary eq \"True\"].value", "value": "admin" },
    ]);
    assert_eq!(
        patched(&user, &list),
        json!({
            "userName": "u",
            "name": { "givenName": "G", "familyName": "F" },
            "emails": [{ "type": "work", "value": "n@x" }],
            ENTERPRISE: { "employeeNumber": "A1" },
            "title": "T",
            "roles": [{ "primary": true, "value": "admin" }],
        })
    );
    // `Add` comes for values that are there, too.
    let list = json!([{ "op": "Add", "path": "emails[type eq \"work\"].value", "value": "m@x" }]);
    let user = json!({ "userName": "u", "emails": [{ "type": "work", "value": "n@x" }] });
    assert_eq!(
        patched(&user, &list),
        json!({ "userName": "u", "emails": [{ "type": "work", "value": "m@x" }] })
    );
}

#[test]
fn e5_entra_disables_with_a_text() {
    for (text, active) in [("False", false), ("false", false), ("True", true)] {
        let list = json!([{ "op": "Replace", "path": "active", "value": text }]);
        let user = json!({ "userName": "u", "active": !active });
        assert_eq!(patched(&user, &list), json!({ "userName": "u", "active": active }));
    }
}

#[test]
fn e6_entra_puts_dotted_and_qualified_names_into_one_value() {
    let list = json!([{ "op": "replace", "value": {
        "displayName": "B",
        "name.givenName": "K",
        "name.familyName": "U",
        format!("{ENTERPRISE}:employeeNumber"): "A",
        format!("{ENTERPRISE}:manager.value"): "M",
        "emails[type eq \"work\"].value": "n@x",
    } }]);
    let user = json!({ "userName": "u", "name": { "givenName": "G", "middleName": "stays" } });
    assert_eq!(
        patched(&user, &list),
        json!({
            "userName": "u",
            "name": { "givenName": "K", "middleName": "stays", "familyName": "U" },
            "displayName": "B",
            ENTERPRISE: { "employeeNumber": "A", "manager": { "value": "M" } },
            "emails": [{ "type": "work", "value": "n@x" }],
        })
    );
}

#[test]
fn e7_a_manager_is_a_text_an_object_or_a_list_of_one() {
    let qualified = format!("{ENTERPRISE}:manager");
    let user = json!({ "userName": "u", ENTERPRISE: { "manager": {
        "value": "A", "displayName": "Ann",
    } } });
    for path in ["manager", "Manager", qualified.as_str()] {
        let list = json!([{ "op": "Add", "path": path, "value": "B" }]);
        // The text is all of the manager: Ann is no more.
        let expected = json!({ "userName": "u", ENTERPRISE: { "manager": { "value": "B" } } });
        assert_eq!(patched(&user, &list), expected);
        let value = json!([{ "$ref": "../Users/B", "value": "B" }]);
        let list = json!([{ "op": "Add", "path": path, "value": value }]);
        let expected = json!({ "value": "B", "$ref": "../Users/B" });
        assert_eq!(patched(&user, &list)[ENTERPRISE]["manager"], expected);
    }
    let list = json!([{ "op": "Remove", "path": qualified }]);
    assert_eq!(patched(&user, &list), json!({ "userName": "u" }));
}

#[test]
fn e12_and_e13_entra_adds_and_removes_members_by_list() {
    let value = json!([{ "$ref": null, "value": U }]);
    let add = json!({ "op": "Add", "path": "members", "value": value });
    assert_eq!(members(&add), MemberOperation::Add(ids(&[U])));
    let remove = json!({ "op": "Remove", "path": "members", "value": value });
    assert_eq!(members(&remove), MemberOperation::Remove(ids(&[U])));
}

#[test]
fn e14_primary_may_be_a_text_in_every_attribute_of_several_values() {
    for name in ["emails", "phoneNumbers", "ims", "photos", "addresses", "entitlements", "roles"] {
        let element = json!({ "primary": "True", "type": "x", "display": "+1 5" });
        let list = json!([{ "op": "add", "path": name, "value": [element] }]);
        let patched = patched(&json!({ "userName": "u" }), &list);
        assert_eq!(patched[name][0]["primary"], json!(true), "{name}");
    }
}

#[test]
fn e17_a_member_may_be_a_bare_id() {
    for value in [json!(U), json!([U]), json!({ "value": U })] {
        let add = json!({ "op": "add", "path": "members", "value": value });
        assert_eq!(members(&add), MemberOperation::Add(ids(&[U])));
    }
}

#[test]
fn j4_jumpcloud_patches_names_and_booleans_by_path() {
    let list = json!([
        { "op": "replace", "path": "name.givenName", "value": "K" },
        { "op": "replace", "path": "active", "value": false },
    ]);
    assert_eq!(
        patched(&json!({ "userName": "u", "active": true }), &list),
        json!({ "userName": "u", "active": false, "name": { "givenName": "K" } })
    );
}

#[test]
fn j5_jumpcloud_names_members_by_value_alone() {
    let value = json!([{ "value": U }]);
    let add = json!({ "op": "add", "path": "members", "value": value });
    assert_eq!(members(&add), MemberOperation::Add(ids(&[U])));
    let remove = json!({ "op": "remove", "path": "members", "value": value });
    assert_eq!(members(&remove), MemberOperation::Remove(ids(&[U])));
}
