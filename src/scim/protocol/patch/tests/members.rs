//! Members are never touched by more than what an operation names.

use serde_json::json;
use uuid::Uuid;

use super::super::super::fault::ScimType;
use super::{MemberOperation, on_group};

const U: &str = "019a0000-0000-7000-8000-00000000000a";

fn u() -> Vec<Uuid> {
    vec![U.parse().expect("an id")]
}

#[test]
fn members_are_changed_in_the_order_of_the_operations_with_or_without_a_path() {
    let (document, changes) = on_group(&json!([
        { "op": "add", "value": { "MEMBERS": [{ "value": U }], "displayName": "H" } },
        { "op": "remove", "path": format!("members[value eq \"{U}\" or value eq \"none\"]") },
        { "op": "replace", "value": { "members": null } },
        { "op": "add", "path": "members.value", "value": U },
    ]))
    .expect("a patch");
    assert_eq!(document["displayName"], "H");
    assert!(!document.contains_key("members"));
    assert_eq!(
        changes,
        [
            MemberOperation::Add(u()),
            MemberOperation::Remove(u()),
            MemberOperation::Replace(Vec::new()),
            MemberOperation::Add(u()),
        ]
    );
}

#[test]
fn removing_an_empty_list_removes_nobody() {
    let list = json!([{ "op": "remove", "path": "members", "value": [] }]);
    let (_, changes) = on_group(&list).expect("ok");
    assert_eq!(changes, [MemberOperation::Remove(Vec::new())]);
}

#[test]
fn a_member_that_names_nobody_is_no_way_to_empty_a_group() {
    for value in [
        json!({}),
        json!([{}]),
        json!([null]),
        json!([{ "display": "A" }]),
        json!([{ "value": U }, {}]),
    ] {
        for op in ["add", "replace", "remove"] {
            let fault =
                on_group(&json!([{ "op": op, "path": "members", "value": value }])).expect_err(op);
            assert_eq!(fault.scim_type, ScimType::InvalidValue, "{op} {value}");
        }
    }
}

#[test]
fn removing_what_is_no_id_removes_nobody_but_adding_it_is_told() {
    let value = json!([{ "value": "not an id" }, { "value": U }]);
    let (_, changes) =
        on_group(&json!([{ "op": "remove", "path": "members", "value": value }])).expect("ok");
    assert_eq!(changes, [MemberOperation::Remove(u())]);
    for (op, others) in
        [("add", MemberOperation::Add(u())), ("replace", MemberOperation::Replace(u()))]
    {
        let (_, changes) =
            on_group(&json!([{ "op": op, "path": "members", "value": value }])).expect(op);
        let [MemberOperation::Stray(fault), rest] = changes.as_slice() else {
            panic!("{changes:?}")
        };
        assert_eq!((fault.scim_type, rest), (ScimType::InvalidValue, &others));
        assert!(fault.detail.contains("not an id"), "{fault}");
    }
}

#[test]
fn what_a_member_is_called_cannot_be_changed_through_the_group() {
    for path in ["members.display", "members.type", &format!("members[value eq \"{U}\"].display")] {
        let fault = on_group(&json!([{ "op": "replace", "path": path, "value": "x" }]))
            .expect_err("refused");
        assert_eq!(fault.scim_type, ScimType::Mutability, "{path}");
    }
}

#[test]
fn a_group_keeps_its_name() {
    let fault = on_group(&json!([{ "op": "remove", "path": "displayName" }])).expect_err("refused");
    assert_eq!(fault.scim_type, ScimType::Mutability);
}
