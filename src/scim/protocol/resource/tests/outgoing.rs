//! What a client sees, and that it may send it back.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::super::projection::Projection;
use super::super::super::schema::{GROUP, USER};
use super::super::super::testing::{ENTERPRISE, NOON, applied, object, people, person};
use super::super::document::document;
use super::super::{Meta, NotOurs, attributes, incoming, outgoing, user_content, write};
use crate::model::Instant;

/// A choice of attributes.
fn names() -> impl Strategy<Value = String> {
    let all = vec![
        "userName",
        "emails.type",
        "name",
        "groups",
        "meta",
        "active",
        ENTERPRISE,
        "x509Certificates",
    ];
    subsequence(all, 0..4).prop_map(|names| names.join(","))
}

#[test]
fn a_user_is_shown_with_what_the_server_knows() {
    let body = json!({
        "userName": "u", "active": true, ENTERPRISE: { "department": "D" }, "URN:x:y": { "a": 1 },
    });
    let group = Uuid::from_u128(2);
    let shown = person(&body, Uuid::from_u128(1), (NOON, NOON + 1), vec![group]).resource;
    assert_eq!(
        Value::Object(shown),
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE, "URN:x:y"],
            "id": "00000000-0000-0000-0000-000000000001",
            "userName": "u",
            "active": true,
            ENTERPRISE: { "department": "D" },
            "URN:x:y": { "a": 1 },
            "groups": [{ "value": group.to_string(), "type": "direct" }],
            "meta": {
                "resourceType": "User",
                "created": "2026-11-23T20:15:00.000000Z",
                "lastModified": "2026-11-23T20:15:00.000001Z",
                "location": "https://scim.test/scim/v2/1/Users/00000000-0000-0000-0000-000000000001",
                "version": "W/\"1\"",
            },
        })
    );
}

#[test]
fn an_empty_list_is_not_shown_and_only_objects_under_uris_are_schemas() {
    let meta = meta(Uuid::from_u128(1), "https://scim.test");
    let document = object(json!({ "displayName": "G", "urn:x:y": "text", "urnal": { "a": 1 } }));
    let shown = outgoing(document, &meta, Some(("members", Vec::new())), &GROUP);
    assert_eq!(shown["schemas"], json!(["urn:ietf:params:scim:schemas:core:2.0:Group"]));
    assert_eq!(shown.get("members"), None);
    assert_eq!(shown["meta"]["version"], "W/\"7\"");
}

#[test]
fn schemas_are_stored_and_follow_from_what_is_stored() {
    let body = json!({
        "schemas": ["urn:x"], "URN:z": "text", "a:b": { "c": { "d:e": { "f": 1 } } }, "userName": "u",
        "nested": { "f:g": { "h": 1 } }, ENTERPRISE: { "department": "D" }, "userType": "urn:y\":{",
    });
    let stored = incoming(&body, &USER).expect("a user").document;
    let document = user_content(stored.clone()).expect("a user").document;
    let schemas = format!(r#"["{}","a:b","{ENTERPRISE}"]"#, USER.schema.id);
    let beginning = format!(r#"{{"schemas":{schemas},"URN:z":"text","a:b":{{"c":"#);
    assert!(document.starts_with(&beginning), "{document}");
    assert_eq!(attributes(&document), Ok(stored));
}

#[test]
fn extensions_are_found_wherever_they_stand_and_nothing_else_is_taken_for_one() {
    for attributes in [
        json!({}),
        json!({ "a": { "b": {} } }),
        json!({ "a": ":{", "urn:x": {} }),
        json!({ "a": [",", ":{", "urn:x\":{"], "urn:y": { "urn:x": {} } }),
        json!({ "a": "\\\":{urn:x\":{", "urn:y": {} }),
        json!({ "a": { "urn:x": {} } }),
        json!({ "a": { "urn:x": {} }, "urn:y": {}, "b": true, "urn:z": { "c": "}" } }),
        json!({ "urn:x": {}, "urn:y": "text", "urn:z": [{ "urn:a": {} }] }),
        json!({ "urn:\"x": {}, "urn:y\\": {}, ":": {}, ",:": {} }),
        json!({ "a": [{}, [{ "urn:x": {} }]], "": {}, "\u{e9}:x": {} }),
    ] {
        let meta = meta(Uuid::nil(), "https://scim.test");
        let expected = Value::Object(outgoing(object(attributes.clone()), &meta, None, &USER));
        // As earlier servers stored it, and as it is now.
        for document in [attributes.to_string().into(), document(object(attributes), &USER)] {
            let mut json = Vec::new();
            let all = Projection::default();
            write(&mut json, &document, &meta, ("groups", ""), &USER, &all).expect("ours");
            assert_eq!(String::from_utf8(json).expect("UTF-8"), expected.to_string());
        }
    }
}

#[test]
fn a_document_that_is_none_of_ours_is_not_written_out() {
    for wrong in [
        "",
        "[]",
        "{",
        "{}x",
        "null",
        "{]",
        r#"{"a"#,
        "[}",
        "{}]",
        "}",
        r#"{"urn:x":{}"#,
        r#"{"urn:x":{"}"#,
        r#"{"urn:x":{}}}"#,
        r#"{"schemas":["urn:x"]"#,
        r#"{"schemas":["urn:x"]},"#,
    ] {
        let all = Projection::default();
        let meta = meta(Uuid::nil(), "https://scim.test");
        let written = write(&mut Vec::new(), wrong, &meta, ("groups", ""), &USER, &all);
        assert_eq!(written, Err(NotOurs), "{wrong}");
    }
}

fn meta(id: Uuid, base_url: &str) -> Meta<'_> {
    let at = Instant::from_micros(NOON);
    Meta { id, version: 7, created: at, last_modified: at, base_url }
}

proptest! {
    #[test]
    fn the_text_of_an_answer_is_that_of_what_is_shown(
        person in people(),
        included in proptest::option::of(names()),
        excluded in proptest::option::of(names()),
        extra in select(vec!["", "a\"b", "nick\u{e9}", "urn:x:y"]),
    ) {
        let projection = Projection::parse(included.as_deref(), excluded.as_deref(), &USER);
        let mut attributes = attributes(&person.content.document).expect("ours");
        if !extra.is_empty() {
            attributes.insert(extra.to_owned(), json!({ "x": ["\"", 1.5, null] }));
        }
        let meta = meta(person.id, "https://scim.test/\"quoted\"");
        let groups = vec![json!({ "value": "g", "type": "direct" })];
        let derived = json!(groups).to_string();
        let whole = outgoing(attributes.clone(), &meta, Some(("groups", groups)), &USER);
        let expected = Value::Object(applied(&projection, whole, &USER)).to_string();
        let earlier = Value::Object(attributes.clone()).to_string();
        // As servers stored it that did not store `schemas`, and as it is now.
        for document in [earlier.into(), document(attributes, &USER)] {
            let (mut json, groups) = (b"before ".to_vec(), ("groups", derived.as_str()));
            write(&mut json, &document, &meta, groups, &USER, &projection).expect("ours");
            prop_assert_eq!(String::from_utf8(json).expect("UTF-8"), format!("before {expected}"));
        }
    }

    #[test]
    fn what_a_client_reads_and_puts_back_changes_nothing(person in people()) {
        let read = Value::Object(person.resource);
        let stored = incoming(&read, &USER).expect("our own resource").document;
        prop_assert_eq!(user_content(stored), Ok(person.content));
    }
}
