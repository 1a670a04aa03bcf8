//! Names, types, and values that are none.

use serde_json::{Value, json};

use super::super::super::fault::ScimType;
use super::super::super::schema::USER;
use super::super::super::testing::ENTERPRISE;
use super::super::incoming;
use super::{group, refused, user};

#[test]
fn names_are_stored_as_the_table_has_them_and_values_as_they_came() {
    let body = json!({
        "USERNAME": "Ann", "Name": { "GIVENNAME": "A" }, "EMAILS": [{ "VALUE": "A@X", "Type": "Work" }],
        ENTERPRISE.to_uppercase(): { "DEPARTMENT": "D", "MANAGER": { "VALUE": "m" } },
    });
    assert_eq!(
        user(&body),
        json!({
            "userName": "Ann", "name": { "givenName": "A" }, "emails": [{ "value": "A@X", "type": "Work" }],
            ENTERPRISE: { "department": "D", "manager": { "value": "m" } },
        })
    );
}

#[test]
fn one_attribute_under_two_spellings_is_one_and_the_last_is_believed() {
    let body: Value = serde_json::from_str(
        r#"{ "userName": "a", "USERNAME": "b", "foo": 1, "FOO": 2,
             "name": { "givenName": "a", "GivenName": "b", "nick": 1, "NICK": 2 } }"#,
    )
    .expect("JSON");
    assert_eq!(
        user(&body),
        json!({
            "userName": "b", "foo": 2, "name": { "givenName": "b", "nick": 2 },
        })
    );
    // An extension under its name and under another is put together.
    let body = json!({ "userName": "u",
        ENTERPRISE: { "department": "D" },
        "urn:scim:schemas:extension:enterprise:2.0": { "costCenter": "C" },
    });
    assert_eq!(user(&body)[ENTERPRISE], json!({ "department": "D", "costCenter": "C" }));
}

#[test]
fn null_and_empty_lists_are_no_values() {
    let body = json!({
        "userName": "u", "title": null, "emails": null, "phoneNumbers": [], "photos": [{}], "ims": [null],
        "name": { "givenName": null }, "addresses": [{ "type": "work", "region": null }], "foo": null,
        ENTERPRISE: { "department": null, "x": [] }, "urn:x:y": null, "bar": [], "baz": { "a": {} },
    });
    assert_eq!(user(&body), json!({ "userName": "u", "addresses": [{ "type": "work" }] }));
    let empty = json!({ "userName": "u", "title": "" });
    assert_eq!(user(&empty), empty);
}

#[test]
fn what_the_client_may_not_write_is_left_out_and_so_is_the_password() {
    let body = json!({
        "schemas": ["urn:x"], "id": "x", "meta": { "version": 5 }, "groups": "any", "userName": "u",
        "password": "secret", "PassWord": { "x": "secret" },
    });
    assert_eq!(user(&body), json!({ "userName": "u" }));
}

#[test]
fn what_the_table_does_not_know_is_kept_as_it_came() {
    let body = json!({
        "userName": "u", "foo": { "a": [1, null, {}] }, "http://x/y": { "a": 1 }, "a b": "",
        "emails": [{ "value": "a", "custom": { "x": 1 } }], "urn:okta:x:1.0:user": { "a": { "b": 1.5e3 } },
        "name": { "nick": "N" }, ENTERPRISE: { "floor": 3 }, "members": ["u"], "name.givenName": "x",
    });
    assert_eq!(user(&body), body);
}

#[test]
fn values_come_in_the_type_of_their_attribute() {
    let body = json!({
        "userName": 5, "active": "FALSE", "title": ["T"], "nickName": true, "roles": "admin",
        "entitlements": ["a", { "value": 1, "primary": "true" }], "photos": { "value": "http://x" },
        "name": [{ "givenName": 1 }], ENTERPRISE: { "manager": "m", "employeeNumber": 701_984 },
        "x509Certificates": [{ "value": "MII" }],
    });
    assert_eq!(
        user(&body),
        json!({
            "userName": "5", "active": false, "title": "T", "nickName": "true", "roles": [{ "value": "admin" }],
            "entitlements": [{ "value": "a" }, { "value": "1", "primary": true }],
            "photos": [{ "value": "http://x" }], "name": { "givenName": "1" },
            ENTERPRISE: { "manager": { "value": "m" }, "employeeNumber": "701984" },
            "x509Certificates": [{ "value": "MII" }],
        })
    );
}

#[test]
fn a_value_of_another_type_is_refused_by_the_name_of_its_attribute() {
    refused(&json!({ "userName": { "a": 1 } }), "`userName` must be a text, not {\"a\":1}");
    refused(&json!({ "title": ["a", "b"] }), "`title` must be a text");
    refused(&json!({ "active": "yes" }), "`active` must be true or false, not \"yes\"");
    refused(&json!({ "active": 1 }), "`active`");
    refused(&json!({ "name": "Ann" }), "`name` must be an object");
    refused(&json!({ "emails": ["a@x", true] }), "`emails` must be an object, not true");
    refused(&json!({ "emails": 5 }), "`emails` must be an object, not 5");
    refused(&json!({ "emails": [[]] }), "`emails` must be an object, not []");
    refused(&json!({ "title": {} }), "`title` must be a text, not {}");
    refused(&json!({ ENTERPRISE: [null] }), "enterprise:2.0:User` must be an object");
    refused(&json!({ "emails": [{ "primary": "x" }] }), "`primary` must be true or false");
    refused(&json!({ "addresses": ["Hill"] }), "`addresses` must be an object");
    refused(&json!({ "profileUrl": 5 }), "`profileUrl` must be a URI");
    refused(&json!({ "x509Certificates": [{ "value": 5 }] }), "`value` must be a text in base64");
    refused(&json!({ ENTERPRISE: "x" }), "enterprise:2.0:User` must be an object");
    refused(&json!({ ENTERPRISE: { "manager": true } }), "`manager` must be an object");
    // However long the value is, the fault is not.
    let long = incoming(&json!({ "title": ["é".repeat(100_000), "b"] }), &USER).expect_err("long");
    assert!(long.detail.len() < 400);
}

#[test]
fn a_body_that_is_no_object_is_invalid_syntax() {
    for body in [json!([]), json!("x"), json!(null), json!(5)] {
        let fault = incoming(&body, &USER).expect_err("no object");
        assert_eq!(fault.scim_type, ScimType::InvalidSyntax, "{body}");
    }
}

#[test]
fn at_most_one_value_is_primary() {
    let emails = json!([
        { "value": "a" }, { "value": "b", "primary": "True" }, { "value": "c", "primary": true },
    ]);
    assert_eq!(
        user(&json!({ "emails": emails }))["emails"],
        json!([
            { "value": "a" }, { "value": "b", "primary": true }, { "value": "c", "primary": false },
        ])
    );
}

#[test]
fn attributes_under_the_urn_of_the_core_schema_are_the_resources_own() {
    let body =
        json!({ "urn:ietf:params:scim:schemas:core:2.0:User": { "userName": "u" }, "title": "T" });
    assert_eq!(user(&body), json!({ "userName": "u", "title": "T" }));
}

#[test]
fn objects_and_lists_without_end_are_refused() {
    let names: serde_json::Map<_, _> = (0..1_001).map(|n| (format!("a{n}"), json!(1))).collect();
    refused(&json!(names), "at most 1000 attributes");
    refused(&json!({ "name": names }), "at most 1000 attributes");
    refused(&json!({ "urn:x:y": names }), "at most 1000 attributes");
    refused(&json!({ ENTERPRISE: names }), "at most 1000 attributes");
    refused(&json!({ "emails": vec!["a"; 1_001] }), "`emails` may have at most 1000 values");
    assert!(incoming(&json!({ "emails": vec!["a"; 1_000] }), &USER).is_ok());
}

#[test]
fn members_are_read_apart_from_the_document() {
    let id = "019a0000-0000-7000-8000-00000000000a";
    let ids = Some(vec![id.parse().expect("an id")]);
    for members in [
        json!([{ "value": id, "display": "x", "type": "User", "$ref": null }]),
        json!([id]),
        json!({ "VALUE": id }),
        json!(id.to_uppercase()),
    ] {
        let stored = group(&json!({ "displayName": "G", "Members": members }));
        assert_eq!(stored.members, ids, "{members}");
        assert_eq!(json!(stored.document), json!({ "displayName": "G" }));
    }
    for none in [json!([]), json!(null)] {
        assert_eq!(group(&json!({ "displayName": "G", "members": none })).members, Some(vec![]));
    }
    assert_eq!(group(&json!({ "displayName": "G" })).members, None);
    for members in [
        json!([{ "display": id }]),
        json!(5),
        json!([[id]]),
        json!({}),
        json!([null]),
        json!([{}]),
        json!([id, {}]),
    ] {
        let body = json!({ "displayName": "G", "members": members });
        let fault = incoming(&body, &super::GROUP).expect_err("no ids");
        assert_eq!(fault.scim_type, ScimType::InvalidValue, "{members}");
    }
    // What is no id is told apart: who takes it may be asked.
    for members in [json!(["x", id]), json!([id, { "value": "x" }, { "value": "y" }])] {
        let stored = group(&json!({ "displayName": "G", "members": members }));
        let fault = stored.stray.expect("a stray");
        assert_eq!((fault.scim_type, &stored.members), (ScimType::InvalidValue, &ids));
        assert!(fault.detail.contains("\"x\""), "{fault}");
    }
}
