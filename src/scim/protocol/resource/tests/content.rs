//! What a resource must be to be stored, and what it is searched by.

use serde_json::{Value, json};

use super::super::super::schema::USER;
use super::super::super::testing::object;
use super::super::{NotOurs, attributes, display_name, group_content, incoming, user_content};
use crate::model::UserContent;

fn content(body: &Value) -> UserContent {
    user_content(incoming(body, &USER).expect("a user").document).expect("a user")
}

#[track_caller]
fn refused(body: Value, words: &str) {
    let fault = user_content(object(body)).expect_err("refused");
    assert!(fault.detail.contains(words), "{fault}");
}

#[test]
fn a_user_is_searched_by_folded_names_and_emails_and_by_an_exact_external_id() {
    let content = content(&json!({
        "userName": "Ann@X", "externalId": "aB", "displayName": "ÄNN", "active": "False",
        "emails": ["B@x", { "value": "b@X", "type": "home" }, "a@x", { "type": "other" }],
    }));
    assert_eq!(content.user_name_key, "ann@x");
    assert_eq!(content.external_id.as_deref(), Some("aB"));
    assert_eq!(content.display_name_key.as_deref(), Some("änn"));
    assert_eq!(content.email_keys, ["a@x", "b@x"]);
    assert!(!content.active);
}

#[test]
fn of_whom_it_is_not_said_is_not_active() {
    // The default is for who is created; an attribute that is removed is gone.
    assert!(content(&json!({ "userName": "u", "active": "True" })).active);
    for body in [json!({ "userName": "u" }), json!({ "userName": "u", "active": null })] {
        let stored = content(&body);
        assert!(!stored.active);
        assert_eq!(attributes(&stored.document), Ok(object(json!({ "userName": "u" }))));
    }
}

#[test]
fn a_user_has_a_user_name_and_a_group_a_display_name() {
    for body in [json!({}), json!({ "userName": "" }), json!({ "userName": " \t" })] {
        refused(body, "`userName` is required");
    }
    assert!(group_content(object(json!({ "displayName": " " }))).is_err());
    let group =
        group_content(object(json!({ "displayName": "G", "externalId": "E" }))).expect("ok");
    assert_eq!((group.display_name_key.as_str(), group.external_id.as_deref()), ("g", Some("E")));
}

#[test]
fn what_no_database_could_index_is_refused() {
    for name in ["userName", "externalId", "displayName"] {
        let with = |text: &str| {
            let mut body = json!({ "userName": "u" });
            body[name] = json!(text);
            body
        };
        refused(with("a\0b"), &format!("`{name}` must not contain a NUL"));
        refused(with(&"é".repeat(1_001)), &format!("`{name}` is longer than 2000 bytes"));
        assert!(user_content(object(with(&"é".repeat(1_000)))).is_ok());
    }
    refused(json!({ "userName": "u", "emails": [{ "value": "\0" }] }), "`emails.value`");
    // What is indexed is in lower case, where some letters are longer.
    let grows = "Ⱥ".repeat(700);
    assert_eq!((grows.len(), grows.to_lowercase().len()), (1_400, 2_100));
    refused(json!({ "userName": grows }), "`userName` is longer than 2000 bytes");
    assert!(user_content(object(json!({ "userName": "u", "externalId": grows }))).is_ok());
    // Elsewhere it is nobody's business.
    assert!(user_content(object(json!({ "userName": "u", "title": "a\0b" }))).is_ok());
}

#[test]
fn a_resource_does_not_grow_without_end() {
    refused(json!({ "userName": "u", "foo": "x".repeat(1024 * 1024) }), "larger than");
}

#[test]
fn a_person_is_called_by_the_best_name_there_is() {
    for (body, name) in [
        (json!({ "userName": "u", "displayName": "D", "name": { "formatted": "F" } }), "D"),
        (json!({ "userName": "u", "name": { "formatted": "F" } }), "F"),
        (json!({ "userName": "u", "name": { "givenName": "G" } }), "u"),
        // What the table of attributes does not know of a type is kept as it came.
        (json!({ "displayName": "D", "name": "N" }), "D"),
        (json!({ "userName": "u", "name": "N" }), "u"),
        (json!({ "userName": "u", "name": { "formatted": 1 }, "displayName": null }), "u"),
    ] {
        assert_eq!(display_name(&body.to_string()), Ok(Some(name.to_owned())));
    }
    assert_eq!(display_name("{}"), Ok(None));
    assert_eq!(display_name("[]x"), Err(NotOurs));
}
