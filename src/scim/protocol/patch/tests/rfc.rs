//! The examples of RFC 7644 3.5.2.1 to 3.5.2.3.

use serde_json::json;
use uuid::Uuid;

use super::super::super::filter::Filter;
use super::super::super::schema::GROUP;
use super::{MemberOperation, on_group, patched};

const BABS: &str = "2819c223-7f76-453a-919d-413861904646";
const JAMES: &str = "08e1d05d-121c-4561-8b96-473d93df9210";

fn id(text: &str) -> Uuid {
    text.parse().expect("an id")
}

#[test]
fn a_member_is_added_by_path() {
    let member = json!({
        "display": "Babs Jensen",
        "$ref": format!("https://example.com/v2/Users/{BABS}"),
        "value": BABS,
    });
    let (_, changes) =
        on_group(&json!([{ "op": "add", "path": "members", "value": [member] }])).expect("a patch");
    assert_eq!(changes, [MemberOperation::Add(vec![id(BABS)])]);
}

#[test]
fn attributes_are_added_without_a_path() {
    let list = json!([{ "op": "add", "value": {
        "emails": [{ "value": "babs@jensen.org", "type": "home" }],
        "nickname": "Babs",
    } }]);
    let work = json!({ "value": "bjensen@example.com", "type": "work" });
    assert_eq!(
        patched(&json!({ "userName": "b", "emails": [work] }), &list),
        json!({
            "userName": "b",
            "emails": [work, { "value": "babs@jensen.org", "type": "home" }],
            "nickName": "Babs",
        })
    );
}

#[test]
fn one_member_all_members_and_some_emails_are_removed() {
    let path = format!("members[value eq \"{BABS}\"]");
    let (_, changes) = on_group(&json!([
        { "op": "remove", "path": path },
        { "op": "remove", "path": "members" },
        { "op": "remove", "path": "members[value eq \"x\" and type eq \"User\"]" },
    ]))
    .expect("a patch");
    let members = GROUP.attribute("members").expect("members");
    let filter =
        Filter::parse_element("value eq \"x\" and type eq \"User\"", members).expect("a filter");
    assert_eq!(
        changes,
        [
            MemberOperation::Remove(vec![id(BABS)]),
            MemberOperation::Replace(Vec::new()),
            MemberOperation::RemoveMatching(filter),
        ]
    );

    let home = json!({ "type": "home", "value": "a@example.com" });
    let elsewhere = json!({ "type": "work", "value": "a@example.org" });
    let user = json!({ "userName": "b", "emails": [
        home, { "type": "work", "value": "a@example.com" }, elsewhere,
    ] });
    let path = "emails[type eq \"work\" and value ew \"example.com\"]";
    assert_eq!(
        patched(&user, &json!([{ "op": "remove", "path": path }])),
        json!({ "userName": "b", "emails": [home, elsewhere] })
    );
}

#[test]
fn a_member_is_removed_and_another_added_in_order() {
    let (_, changes) = on_group(&json!([
        { "op": "remove", "path": format!("members[value eq \"{BABS}\"]") },
        { "op": "add", "path": "members", "value": [{ "value": JAMES }] },
    ]))
    .expect("a patch");
    assert_eq!(
        changes,
        [MemberOperation::Remove(vec![id(BABS)]), MemberOperation::Add(vec![id(JAMES)]),]
    );
}

#[test]
fn all_members_are_replaced() {
    let (_, changes) = on_group(&json!([
        { "op": "replace", "path": "members", "value": [{ "value": BABS }, { "value": JAMES }] },
    ]))
    .expect("a patch");
    assert_eq!(changes, [MemberOperation::Replace(vec![id(BABS), id(JAMES)])]);
}

#[test]
fn the_address_that_a_filter_matches_is_replaced_as_a_whole() {
    // RFC 7644 3.5.2.3: "all matching record values SHALL be replaced".
    let home = json!({ "type": "home", "streetAddress": "1 Hill" });
    let user = json!({ "userName": "b", "addresses": [
        home, { "type": "work", "streetAddress": "Old", "region": "gone" },
    ] });
    let work = json!({
        "type": "work",
        "streetAddress": "911 Universal City Plaza",
        "locality": "Hollywood",
        "primary": true,
    });
    let list = json!([{ "op": "replace", "path": "addresses[type eq \"work\"]", "value": work }]);
    assert_eq!(patched(&user, &list), json!({ "userName": "b", "addresses": [home, work] }));
}

#[test]
fn a_sub_attribute_of_what_a_filter_matches_is_replaced_alone() {
    let user = json!({ "userName": "b", "addresses": [
        { "type": "work", "streetAddress": "Old", "region": "stays" },
        { "type": "home", "streetAddress": "1 Hill" },
    ] });
    let path = "addresses[type eq \"work\"].streetAddress";
    let list = json!([{ "op": "replace", "path": path, "value": "1010 Broadway Ave" }]);
    assert_eq!(
        patched(&user, &list),
        json!({ "userName": "b", "addresses": [
            { "type": "work", "streetAddress": "1010 Broadway Ave", "region": "stays" },
            { "type": "home", "streetAddress": "1 Hill" },
        ] })
    );
}

#[test]
fn attributes_are_replaced_without_a_path() {
    let user = json!({
        "userName": "b", "nickName": "Old", "title": "stays", "emails": [{ "value": "old@x" }],
    });
    let emails = json!([
        { "value": "bjensen@example.com", "type": "work", "primary": true },
        { "value": "babs@jensen.org", "type": "home" },
    ]);
    let list = json!([{ "op": "replace", "value": { "emails": emails, "nickname": "Babs" } }]);
    assert_eq!(
        patched(&user, &list),
        json!({ "userName": "b", "nickName": "Babs", "title": "stays", "emails": emails })
    );
}
