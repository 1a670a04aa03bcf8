//! What a client sees, and that it may send it back.

use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::super::schema::{GROUP, USER};
use super::super::super::testing::{ENTERPRISE, NOON, object, people, person};
use super::super::{Meta, incoming, outgoing, user_content};
use crate::model::Instant;

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
    let meta = Meta {
        id: Uuid::from_u128(1),
        version: 7,
        created: Instant::from_micros(NOON),
        last_modified: Instant::from_micros(NOON),
        base_url: "https://scim.test",
    };
    let document = object(json!({ "displayName": "G", "urn:x:y": "text", "urnal": { "a": 1 } }));
    let shown = outgoing(document, &meta, Some(("members", Vec::new())), &GROUP);
    assert_eq!(shown["schemas"], json!(["urn:ietf:params:scim:schemas:core:2.0:Group"]));
    assert_eq!(shown.get("members"), None);
    assert_eq!(shown["meta"]["version"], "W/\"7\"");
}

proptest! {
    #[test]
    fn what_a_client_reads_and_puts_back_changes_nothing(person in people()) {
        let read = Value::Object(person.resource);
        let stored = incoming(&read, &USER).expect("our own resource").document;
        prop_assert_eq!(user_content(stored), Ok(person.content));
    }
}
