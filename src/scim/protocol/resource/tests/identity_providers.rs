//! The POST and PUT rows of the table of what identity providers send.

use serde_json::json;

use super::super::super::testing::ENTERPRISE;
use super::{group, user};

#[test]
fn o2_okta_creates_with_read_only_groups_and_a_password() {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "u@x", "name": { "givenName": "G", "familyName": "F" },
        "emails": [{ "primary": true, "value": "u@x", "type": "work" }],
        "displayName": "G F", "locale": "en-US", "externalId": "00u1", "groups": [],
        "password": "1mz050nq", "active": true,
    });
    let stored = user(&body);
    assert!(!stored.to_string().contains("1mz050nq"));
    for gone in ["schemas", "groups", "password"] {
        assert_eq!(stored.get(gone), None, "{gone}");
    }
    assert_eq!(stored["emails"], body["emails"]);
    assert_eq!(stored["externalId"], "00u1");
}

#[test]
fn o3_okta_puts_back_what_it_read() {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "23a35c27", "userName": "u@x",
        "groups": [], "meta": { "resourceType": "User" },
    });
    assert_eq!(user(&body), json!({ "userName": "u@x" }));
}

#[test]
fn o8_and_o12_okta_creates_and_puts_groups_with_members() {
    let id = "019a0000-0000-7000-8000-00000000000a";
    let empty = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "G", "members": [] });
    assert_eq!(group(&empty).members, Some(Vec::new()));
    let full =
        group(&json!({ "displayName": "G", "members": [{ "value": id, "display": "u@x" }] }));
    assert_eq!(full.members.map(|ids| ids.len()), Some(1));
}

#[test]
fn e3_entra_creates_with_nulls_empty_roles_and_an_extension_that_it_does_not_list() {
    let custom = "urn:ietf:params:scim:schemas:extension:Custom:2.0:User";
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
        "externalId": "0a21", "userName": "u@x", "active": true, "addresses": null, "phoneNumbers": null,
        "title": null, "emails": [{ "primary": true, "type": "work", "value": "u@x" }],
        "meta": { "resourceType": "User" }, "roles": [],
        "name": { "formatted": "G F", "familyName": "F", "givenName": "G" },
        ENTERPRISE: { "department": "D" }, custom: { "tag": "a" },
    });
    let stored = user(&body);
    for gone in ["addresses", "phoneNumbers", "title", "meta", "roles"] {
        assert_eq!(stored.get(gone), None, "{gone}");
    }
    assert_eq!(stored[custom], json!({ "tag": "a" }));
    assert_eq!(stored[ENTERPRISE], json!({ "department": "D" }));
}

#[test]
fn e9_entra_creates_groups_of_a_schema_that_nobody_knows() {
    let body = json!({
        "schemas": [
            "urn:ietf:params:scim:schemas:core:2.0:Group",
            "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group",
        ],
        "externalId": "8aa1a0c0", "displayName": "G", "meta": { "resourceType": "Group" },
    });
    let stored = group(&body);
    assert_eq!(json!(stored.document), json!({ "externalId": "8aa1a0c0", "displayName": "G" }));
    assert_eq!(stored.members, None);
}

#[test]
fn e14_entras_validator_sends_primary_as_a_text_and_managers_in_two_forms() {
    for manager in [json!("m"), json!({ "value": "m" }), json!([{ "value": "m" }])] {
        let element = json!([{ "primary": "True", "value": "v", "type": "t", "display": "d" }]);
        let stored = user(&json!({
            "userName": "u", "roles": element, "emails": element, "phoneNumbers": element, "ims": element,
            "photos": element, "entitlements": element, "x509Certificates": element,
            ENTERPRISE: { "manager": manager },
        }));
        assert_eq!(stored[ENTERPRISE]["manager"], json!({ "value": "m" }));
        for name in ["roles", "emails", "phoneNumbers", "ims", "photos", "entitlements"] {
            assert_eq!(stored[name][0]["primary"], json!(true), "{name}");
        }
    }
}

#[test]
fn e17_a_boolean_may_be_a_text() {
    let stored = user(&json!({ "userName": "u", "active": "True" }));
    assert_eq!(stored["active"], json!(true));
}

#[test]
fn g4_and_l2_and_l4_urns_of_scim_1_are_passed_over_and_onelogins_extension_is_ours() {
    let body = json!({
        "schemas": [
            "urn:scim:schemas:core:1.0", "urn:scim:schemas:core:2.0",
            "urn:scim:schemas:extension:enterprise:2.0", "urn:ietf:params:scim:schemas:core:2.0:User",
        ],
        "userName": "u", "urn:scim:schemas:extension:enterprise:2.0": { "department": "D" },
    });
    assert_eq!(user(&body), json!({ "userName": "u", ENTERPRISE: { "department": "D" } }));
}

#[test]
fn l5_onelogin_sends_one_email_without_a_list() {
    let stored = user(&json!({ "userName": "u", "emails": { "value": "u@x", "primary": true } }));
    assert_eq!(stored["emails"], json!([{ "value": "u@x", "primary": true }]));
}

#[test]
fn j2_and_j3_jumpclouds_numbers_stay_as_they_came_and_its_nulls_clear() {
    let number = json!([{ "type": "work", "value": "tel:+1-555-555-5555" }]);
    let stored = user(&json!({
        "userName": "u", "phoneNumbers": number, "locale": "en", "preferredLanguage": "en",
        "externalId": "5e1234567890abcdef012345", "photos": [{ "value": "https://x/y.png" }],
    }));
    assert_eq!(stored["phoneNumbers"], number);
    assert_eq!(stored["photos"], json!([{ "value": "https://x/y.png" }]));
    let cleared =
        user(&json!({ "userName": "u", "addresses": [], "phoneNumbers": [], "emails": null }));
    assert_eq!(cleared, json!({ "userName": "u" }));
}
