//! RFC 7644 3.9.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use super::super::schema::{GROUP, USER};
use super::super::testing::{ENTERPRISE, NOON, applied, object, people, person};
use super::Projection;

const CUSTOM: &str = "urn:x:custom:2.0:User";
const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

fn user() -> Value {
    json!({
        "schemas": [CORE], "id": "1", "userName": "u",
        "name": { "givenName": "G", "familyName": "F" },
        "emails": [{ "value": "a", "type": "work" }, { "value": "b" }],
        ENTERPRISE: { "department": "D", "manager": { "value": "m", "displayName": "M" } },
        CUSTOM: { "tag": 1, "other": 2 }, "foo": { "bar": 1, "baz": 2 },
        "meta": { "resourceType": "User", "version": "1" },
    })
}

fn shown(attributes: Option<&str>, excluded: Option<&str>) -> Value {
    Value::Object(applied(&Projection::parse(attributes, excluded, &USER), object(user()), &USER))
}

/// The user with what is always returned, and some of the rest.
fn only(rest: &Value) -> Value {
    let mut expected = json!({ "schemas": [CORE], "id": "1" });
    for (name, value) in rest.as_object().expect("an object") {
        expected[name] = value.clone();
    }
    expected
}

#[test]
fn everything_is_shown_unless_something_is_chosen() {
    for (attributes, excluded) in [(None, None), (Some(""), Some("")), (Some(" , "), Some(","))] {
        assert_eq!(shown(attributes, excluded), user());
    }
}

#[test]
fn only_what_is_asked_for_is_shown_and_what_is_always_returned() {
    let department = json!({ "department": "D" });
    let unqualified = "department";
    let qualified = format!("{ENTERPRISE}:department");
    for (attributes, rest) in [
        ("userName", json!({ "userName": "u" })),
        (" USERNAME ,id,schemas", json!({ "userName": "u" })),
        ("urn:ietf:params:scim:schemas:core:2.0:User:userName", json!({ "userName": "u" })),
        ("name.familyName", json!({ "name": { "familyName": "F" } })),
        ("name.familyName,NAME.GIVENNAME", json!({ "name": user()["name"] })),
        ("name.familyName,name", json!({ "name": user()["name"] })),
        ("name,name.familyName", json!({ "name": user()["name"] })),
        ("emails.value", json!({ "emails": [{ "value": "a" }, { "value": "b" }] })),
        ("emails.type", json!({ "emails": [{ "type": "work" }] })),
        ("emails.type,emails.value", json!({ "emails": user()["emails"] })),
        ("emails.display", json!({})),
        (qualified.as_str(), json!({ ENTERPRISE: department })),
        (unqualified, json!({ ENTERPRISE: department })),
        ("manager.value", json!({ ENTERPRISE: { "manager": { "value": "m" } } })),
        (ENTERPRISE, json!({ ENTERPRISE: user()[ENTERPRISE] })),
        ("URN:SCIM:schemas:extension:enterprise:2.0", json!({ ENTERPRISE: user()[ENTERPRISE] })),
        (CUSTOM, json!({ CUSTOM: { "tag": 1, "other": 2 } })),
        ("urn:x:CUSTOM:2.0:User:TAG", json!({ CUSTOM: { "tag": 1 } })),
        ("foo", json!({ "foo": { "bar": 1, "baz": 2 } })),
        ("FOO.BAR", json!({ "foo": { "bar": 1 } })),
        ("meta.version", json!({ "meta": { "version": "1" } })),
        // Names that mean nothing select nothing.
        ("no such name", json!({})),
        ("nickName,urn:nobody:knows:this", json!({})),
    ] {
        assert_eq!(shown(Some(attributes), None), only(&rest), "{attributes}");
    }
}

#[test]
fn the_urn_of_the_core_schema_means_all_its_attributes() {
    let mut core = user();
    for name in [ENTERPRISE, CUSTOM] {
        core.as_object_mut().expect("an object").remove(name);
    }
    assert_eq!(shown(Some(CORE), None), core);
    let rest = json!({ ENTERPRISE: user()[ENTERPRISE], CUSTOM: user()[CUSTOM] });
    assert_eq!(shown(None, Some(CORE)), only(&rest));
}

#[test]
fn what_is_excluded_is_not_shown_but_what_is_always_returned_is() {
    for (excluded, gone) in [
        ("userName", "/userName"),
        ("NAME.GivenName", "/name/givenName"),
        (ENTERPRISE, &format!("/{ENTERPRISE}")),
        ("manager.displayName", &format!("/{ENTERPRISE}/manager/displayName")),
        (CUSTOM, &format!("/{CUSTOM}")),
        ("urn:x:custom:2.0:User:tag", &format!("/{CUSTOM}/tag")),
        ("meta", "/meta"),
        ("foo.bar", "/foo/bar"),
    ] {
        let mut expected = user();
        let (at, name) = gone.rsplit_once('/').expect("a place");
        let holder = expected.pointer_mut(at).and_then(Value::as_object_mut).expect(gone);
        assert!(holder.remove(name).is_some());
        assert_eq!(shown(None, Some(excluded)), expected, "{excluded}");
    }
    assert_eq!(shown(None, Some("id, SCHEMAS,nickName,no such name")), user());
    let left = shown(None, Some("emails.value,name.givenName,name.familyName"));
    assert_eq!(left["emails"], json!([{ "type": "work" }]));
    assert_eq!(left.get("name"), None);
}

#[test]
fn what_is_asked_for_wins_over_what_is_excluded() {
    assert_eq!(shown(Some("userName"), Some("userName")), only(&json!({ "userName": "u" })));
}

#[test]
fn what_would_not_be_shown_need_not_be_read() {
    let shows =
        |attributes, excluded| Projection::parse(attributes, excluded, &GROUP).shows("members");
    for attributes in [
        None,
        Some("members"),
        Some("displayName,MEMBERS.value"),
        Some(""),
        Some("urn:ietf:params:scim:schemas:core:2.0:Group"),
    ] {
        assert!(shows(attributes, None), "{attributes:?}");
    }
    // E10, E11
    assert!(!shows(Some("id"), None));
    assert!(!shows(None, Some("members")));
    assert!(!shows(None, Some("displayName, Members")));
    assert!(!shows(None, Some("urn:ietf:params:scim:schemas:core:2.0:Group")));
    assert!(shows(None, Some("members.display")));
}

#[test]
fn a_group_is_shown_without_its_members_when_they_are_excluded() {
    let group = json!({ "id": "1", "displayName": "G", "members": [{ "value": "m" }] });
    let projection = Projection::parse(None, Some("members"), &GROUP);
    let shown = Value::Object(applied(&projection, object(group), &GROUP));
    assert_eq!(shown, json!({ "id": "1", "displayName": "G" }));
}

const NAMES: &[&str] = &[
    "userName",
    "name",
    "emails",
    "displayName",
    "externalId",
    "title",
    "active",
    "meta",
    "groups",
];

proptest! {
    #[test]
    fn a_choice_shows_what_it_names_and_what_is_always_returned_and_excluding_it_the_rest(
        person in people(),
        names in subsequence(NAMES, 1..NAMES.len()),
    ) {
        let list = names.join(",");
        let all = person.resource;
        let chosen = applied(&Projection::parse(Some(&list), None, &USER), all.clone(), &USER);
        let rest = applied(&Projection::parse(None, Some(&list), &USER), all.clone(), &USER);
        let always = |name: &str| ["id", "schemas"].contains(&name);
        for (name, value) in &all {
            let named = names.contains(&name.as_str());
            prop_assert_eq!(chosen.get(name), Some(value).filter(|_| named || always(name)));
            prop_assert_eq!(rest.get(name), Some(value).filter(|_| !named || always(name)));
        }
        prop_assert!(chosen.keys().chain(rest.keys()).all(|name| all.contains_key(name)));
    }

    #[test]
    fn no_list_makes_a_projection_panic_or_show_what_is_not_there(
        pieces in proptest::collection::vec(
            select(vec![",", ".", ":", "urn:", "id", "emails", "value", " ", "é", "[", "\"", CORE, ENTERPRISE, "$ref"]),
            0..12,
        ),
    ) {
        let list = pieces.concat();
        let all = person(&user(), uuid::Uuid::nil(), (NOON, NOON), Vec::new()).resource;
        for projection in [
            Projection::parse(Some(&list), None, &USER),
            Projection::parse(None, Some(&list), &USER),
        ] {
            let shown = applied(&projection, all.clone(), &USER);
            prop_assert!(shown.contains_key("id") && shown.contains_key("schemas"));
            prop_assert!(shown.keys().all(|name| all.contains_key(name)));
        }
    }
}
