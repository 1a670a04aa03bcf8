//! Who is in which group.

use std::time::Duration;

use scimd::settings::UnknownMembers;
use serde_json::{Value, json};

use super::{GROUP, NOBODY, ScimClient, USER, change_members, group, id, ids, members, set};
use crate::harness::{TestServer, on_both_engines};

on_both_engines! {
    async fn adding_who_is_there_and_removing_who_is_not_changes_nothing(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let (ann, bob) = (client.make_user("ann").await, client.make_user("bob").await);
        let made = client.make_group("G", &[&ann]).await;
        let path = format!("/Groups/{made}");
        let before = client.read(&path).await;
        server.advance(Duration::from_mins(1));
        for operations in [
            change_members("add", &[&ann]),
            change_members("add", &[&ann, &ann]),
            change_members("remove", &[&bob]),
            change_members("remove", &[NOBODY]),
            change_members("replace", &[&ann]),
            json!([{ "op": "remove", "path": format!("members[value eq \"{bob}\"]") }]),
            json!([{ "op": "add", "value": { "members": [{ "value": ann }] } }]),
        ] {
            assert_eq!(client.patch(&path, operations.clone()).await.ok(), before, "{operations}");
        }
    }

    async fn members_are_removed_by_filter_by_list_and_altogether(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let users = client.make_users(4).await;
        let users: Vec<_> = users.iter().map(String::as_str).collect();
        let made = client.make_group("G", &users).await;
        let path = format!("/Groups/{made}");
        let filtered = format!("members[value eq \"{}\"]", users[0]);
        client.patch(&path, json!([{ "op": "remove", "path": filtered }])).await.ok();
        assert_eq!(client.members(&made).await, set(&users[1..]));
        client.patch(&path, change_members("remove", &users[1..2])).await.ok();
        assert_eq!(client.members(&made).await, set(&users[2..]));
        // An empty list is nobody, and no list is all.
        client.patch(&path, change_members("remove", &[])).await.ok();
        assert_eq!(client.members(&made).await, set(&users[2..]));
        client.patch(&path, json!([{ "op": "remove", "path": "members" }])).await.ok();
        assert_eq!(client.members(&made).await, set(&[]));
    }

    async fn members_are_removed_by_what_else_a_filter_says(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let (ann, inner) = (client.make_user("ann").await, client.make_group("inner", &[]).await);
        let made = client.make_group("G", &[&ann, &inner]).await;
        let remove = json!([{ "op": "remove", "path": "members[type eq \"Group\"]" }]);
        client.patch(&format!("/Groups/{made}"), remove).await.ok();
        assert_eq!(client.members(&made).await, set(&[&ann]));
    }

    async fn a_filter_sees_the_members_that_earlier_operations_left(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let users = client.make_users(4).await;
        let inner = client.make_group("inner", &[]).await;
        let path = format!("/Groups/{}", client.make_group("G", &[&users[0]]).await);
        let some = |ids: &[&String]| ids.iter().map(|id| json!({ "value": id })).collect::<Value>();
        let operation = |op: &str, ids: &[&String]| json!({ "op": op, "path": "members", "value": some(ids) });
        let remove = |filter: &str| json!({ "op": "remove", "path": format!("members[{filter}]") });
        let is_group = "type eq \"Group\"";
        for (operations, left) in [
            (json!([operation("add", &[&inner, &users[1]]), remove(is_group)]), set(&[&users[0], &users[1]])),
            (json!([operation("remove", &[&users[0]]), remove("type eq \"User\""), operation("add", &[&users[2]])]), set(&[&users[2]])),
            (json!([operation("replace", &[&users[3], &inner]), remove("type eq \"User\"")]), set(&[&inner])),
            (json!([{ "op": "remove", "path": "members" }, operation("add", &[&users[0]]), remove("value pr")]), set(&[])),
        ] {
            let answer = client.patch(&path, operations.clone()).await.ok();
            assert_eq!(members(&answer), left, "{operations}");
        }
    }

    async fn a_path_names_the_member_that_is_added_and_its_value_names_no_other(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let users = client.make_users(2).await;
        let (ann, bob) = (users[0].as_str(), users[1].as_str());
        let made = client.make_group("G", &[ann]).await;
        let path = format!("/Groups/{made}");
        let one = |op: &str, id: &str, value: Value| {
            json!([{ "op": op, "path": format!("members[value eq \"{id}\"]"), "value": value }])
        };
        for op in ["add", "replace"] {
            let refused = client.patch(&path, one(op, ann, json!({ "value": bob }))).await;
            assert_eq!(refused.fault(), (400, "mutability"), "{op}");
            let refused = client.patch(&path, one(op, "nonsense", json!({ "value": "nonsense" }))).await;
            assert_eq!(refused.fault(), (400, "invalidValue"), "{op}");
            assert_eq!(client.members(&made).await, set(&[ann]));
            client.patch(&path, one(op, bob, json!({ "value": bob, "display": "B" }))).await.ok();
            assert_eq!(client.members(&made).await, set(&[ann, bob]));
            client.patch(&path, one("replace", bob, json!(null))).await.ok();
            assert_eq!(client.members(&made).await, set(&[ann]));
        }
    }

    async fn operations_on_members_are_done_in_order(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let users = client.make_users(3).await;
        let made = client.make_group("G", &[&users[0]]).await;
        let operations = [
            change_members("add", &[&users[1]]), change_members("remove", &[&users[0]]), change_members("remove", &[&users[1]]),
            change_members("add", &[&users[0]]), change_members("replace", &[&users[2]]), change_members("add", &[&users[1]]),
        ];
        let operations = operations.iter().flat_map(|each| each.as_array().unwrap().clone()).collect();
        client.patch(&format!("/Groups/{made}"), Value::Array(operations)).await.ok();
        assert_eq!(client.members(&made).await, set(&[&users[1], &users[2]]));
    }

    async fn of_a_patch_with_an_unknown_member_nothing_is_kept(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let (ann, bob) = (client.make_user("ann").await, client.make_user("bob").await);
        let path = format!("/Groups/{}", client.make_group("G", &[&ann]).await);
        let before = client.read(&path).await;
        server.advance(Duration::from_mins(1));
        for operations in [
            change_members("add", &[&bob, NOBODY]),
            change_members("replace", &[&bob, NOBODY]),
            json!([
                { "op": "replace", "path": "displayName", "value": "changed" },
                { "op": "add", "path": "members", "value": [{ "value": bob }] },
                { "op": "add", "path": "members", "value": [{ "value": NOBODY }] },
            ]),
        ] {
            let refused = client.patch(&path, operations.clone()).await;
            assert_eq!(refused.fault(), (400, "invalidValue"), "{operations}");
            assert!(refused.detail().contains(NOBODY), "{refused:?}");
            assert_eq!(client.read(&path).await, before, "{operations}");
        }
        assert_eq!(client.put(&path, group("changed", &[NOBODY])).await.fault(), (400, "invalidValue"));
        assert_eq!(client.read(&path).await, before);
    }

    async fn where_unknown_members_are_ignored_the_rest_is_done(server: TestServer) {
        let lenient = server.replica_with(|server| server.scim_unknown_members = UnknownMembers::Ignore).await;
        let client = ScimClient::new(&server).await.at_replica(&server, &lenient);
        let other = ScimClient::new(&server).await.make_user("theirs").await;
        let (ann, bob) = (client.make_user("ann").await, client.make_user("bob").await);
        let strangers = [NOBODY, "fake-member-id", "", &*other];
        let some = |known| [&strangers[..], &[known]].concat();

        let made = client.post("/Groups", group("G", &some(&ann))).await.created();
        assert_eq!(members(&made), set(&[&ann]));
        let path = format!("/Groups/{}", id(&made));
        let added = client.patch(&path, change_members("add", &some(&bob))).await.ok();
        assert_eq!(members(&added), set(&[&ann, &bob]));
        let rename = json!([
            { "op": "replace", "path": "displayName", "value": "G2" },
            { "op": "add", "value": { "members": [{ "value": NOBODY }, "fake-member-id"] } },
            { "op": "add", "path": "members[value eq \"fake-member-id\"]" , "value": {} },
        ]);
        let renamed = client.patch(&path, rename).await.ok();
        assert_eq!((&renamed["displayName"], members(&renamed)), (&json!("G2"), set(&[&ann, &bob])));
        let removed = client.patch(&path, change_members("remove", &some(&bob))).await.ok();
        assert_eq!(members(&removed), set(&[&ann]));
        let replaced = client.patch(&path, change_members("replace", &some(&bob))).await.ok();
        assert_eq!(members(&replaced), set(&[&bob]));
        assert_eq!(members(&client.put(&path, group("G", &some(&ann))).await.ok()), set(&[&ann]));
        // Nobody new is no change.
        let before = client.read(&path).await;
        server.advance(Duration::from_mins(1));
        assert_eq!(client.patch(&path, change_members("add", &strangers)).await.ok(), before);
        assert_eq!(members(&client.put(&path, group("G", &strangers)).await.ok()), set(&[]));
        // What names nobody at all is still wrong.
        for members in [json!([{ "display": "x" }]), json!(5)] {
            let body = json!({ "schemas": [GROUP], "displayName": "H", "members": members });
            assert_eq!(client.post("/Groups", body).await.fault(), (400, "invalidValue"));
        }
        let circle = change_members("add", &[&id(&made)]);
        assert_eq!(client.patch(&path, circle).await.fault(), (400, "invalidValue"));
    }

    async fn groups_may_be_in_groups_but_never_in_themselves(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let inner = client.make_group("inner", &[]).await;
        let middle = client.make_group("middle", &[&inner]).await;
        let outer = client.make_group("outer", &[&middle]).await;
        let read = client.read(&format!("/Groups/{outer}")).await;
        assert_eq!(read["members"], json!([{
            "value": middle,
            "$ref": format!("{}/Groups/{middle}", client.base),
            "type": "Group",
        }]));
        let path = format!("/Groups/{inner}");
        for member in [&inner, &middle, &outer] {
            assert_eq!(client.patch(&path, change_members("add", &[member])).await.fault(), (400, "invalidValue"));
            assert_eq!(client.put(&path, group("inner", &[member])).await.fault(), (400, "invalidValue"));
        }
        assert_eq!(client.members(&inner).await, set(&[]));
        // Twice inside is no circle.
        client.patch(&format!("/Groups/{outer}"), change_members("add", &[&inner])).await.ok();
        client.delete(&format!("/Groups/{middle}")).await.gone();
        assert_eq!(client.members(&outer).await, set(&[&inner]));
    }

    async fn what_a_member_is_called_follows_the_member(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let ann = client.make_user("ann").await;
        let path = format!("/Groups/{}", client.make_group("G", &[]).await);
        let lie = json!([{ "value": ann, "display": "Bob", "type": "Group", "$ref": "http://x/Users/1" }]);
        client.patch(&path, json!([{ "op": "add", "path": "members", "value": lie }])).await.ok();
        let with_names = format!("{path}?attributes=members");
        let member = async || client.read(&with_names).await["members"][0].clone();
        let seen = member().await;
        assert_eq!((&seen["display"], &seen["type"]), (&json!("ann"), &json!("User")));
        assert_eq!(seen["$ref"], format!("{}/Users/{ann}", client.base));
        let rename = json!([{ "op": "add", "path": "displayName", "value": "Ann Lee" }]);
        client.patch(&format!("/Users/{ann}"), rename).await.ok();
        assert_eq!(member().await["display"], "Ann Lee");
    }

    async fn the_groups_of_a_user_follow_from_the_groups(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let ann = client.make_user("ann").await;
        let made = client.make_group("G", &[&ann]).await;
        let path = format!("/Users/{ann}");
        let read = client.read(&path).await;
        assert_eq!(read["groups"], json!([{
            "value": made,
            "$ref": format!("{}/Groups/{made}", client.base),
            "display": "G",
            "type": "direct",
        }]));
        assert_eq!(ids(&client.find("/Users", &format!(r#"groups.value eq "{made}""#)).await), [ann]);
        assert_eq!(client.list("/Users").await["Resources"][0]["groups"], read["groups"]);
        // It is read-only: ignored in what comes as a whole, refused by name.
        let whole = json!({ "schemas": [USER], "userName": "ann", "groups": [] });
        assert_eq!(client.put(&path, whole).await.ok()["groups"], read["groups"]);
        let remove = json!([{ "op": "remove", "path": "groups" }]);
        assert_eq!(client.patch(&path, remove).await.fault(), (400, "mutability"));
        client.delete(&format!("/Groups/{made}")).await.gone();
        assert_eq!(client.read(&path).await.get("groups"), None);
    }
}
