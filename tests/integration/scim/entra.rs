//! What Microsoft Entra ID sends. Each test is a row of the table.

use futures::future::join_all;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::{
    ENTERPRISE, GROUP, ScimClient, USER, answer, encoded, has_null, id, ids, listed, members, set,
};
use crate::harness::{TestServer, on_both_engines};

async fn entra(server: &TestServer) -> ScimClient {
    ScimClient::new(server).await.speaking("Entra", "application/scim+json; charset=utf-8")
}

fn user(name: &str) -> Value {
    json!({
        "schemas": [USER, ENTERPRISE],
        "externalId": name,
        "userName": format!("{name}@testuser.com"),
        "active": true,
        "emails": [{ "primary": true, "type": "work", "value": format!("{name}@testuser.com") }],
        "meta": { "resourceType": "User" },
        "name": { "formatted": "givenName familyName", "familyName": "familyName", "givenName": "givenName" },
        "roles": [],
    })
}

/// The path of a new user.
async fn made(client: &ScimClient, name: &str) -> String {
    format!("/Users/{}", id(&client.post("/Users", user(name)).await.created()))
}

on_both_engines! {
    async fn e1_test_connection(server: TestServer) {
        let client = ScimClient::new(&server).await;
        for attribute in ["userName", "externalId"] {
            let guid = "%227d420df3-9995-4b9b-8b9e-6a4a1a4b1a51%22";
            let list = client.list(&format!("/Users?filter={attribute}+eq+{guid}")).await;
            assert_eq!(list["totalResults"], 0);
            assert_eq!(list["Resources"], json!([]));
        }
    }

    async fn e2_match_by_each_attribute(server: TestServer) {
        let client = entra(&server).await;
        let jyoung = id(&client.post("/Users", user("jyoung")).await.created());
        made(&client, "other").await;
        for filter in [
            r#"userName eq "jyoung@testuser.com""#,
            r#"userName eq "JYoung@TestUser.com""#,
            r#"externalId eq "jyoung""#,
            "externalId eq jyoung",
            r#"emails[type eq "work"].value eq "jyoung@testuser.com""#,
            r#"userName eq "jyoung@testuser.com" and active eq true"#,
        ] {
            assert_eq!(ids(&client.find("/Users", filter).await), [&*jyoung], "{filter}");
        }
        for filter in [r#"externalId eq "JYOUNG""#, r#"emails[type eq "home"].value eq "jyoung@testuser.com""#] {
            assert_eq!(client.find("/Users", filter).await["totalResults"], 0, "{filter}");
        }
    }

    async fn e3_create_with_extensions_and_nulls(server: TestServer) {
        let client = entra(&server).await;
        let custom = "urn:ietf:params:scim:schemas:extension:CustomExtensionName:2.0:User";
        let mut body = user("jyoung");
        for unset in ["addresses", "phoneNumbers", "title"] {
            body[unset] = Value::Null;
        }
        body[ENTERPRISE] = json!({ "department": "Sales", "employeeNumber": "7" });
        // Not among the schemas.
        body[custom] = json!({ "CustomAttribute": "kept" });
        let made = client.post("/Users", body.clone()).await.created();
        for attribute in ["externalId", "userName", "active", "emails", "name", ENTERPRISE, custom] {
            assert_eq!(made[attribute], body[attribute], "{attribute}");
        }
        assert!(!has_null(&made), "{made}");
        assert!(made["schemas"].as_array().unwrap().contains(&json!(ENTERPRISE)));
        assert_eq!(client.read(&format!("/Users/{}", id(&made))).await, made);
    }

    async fn e4_one_capitalised_operation_per_attribute(server: TestServer) {
        let client = entra(&server).await;
        let path = made(&client, "jyoung").await;
        let number = format!("{ENTERPRISE}:employeeNumber");
        let updated = client.patch(&path, json!([
            { "op": "Replace", "path": "emails[type eq \"work\"].value", "value": "n@x" },
            { "op": "Replace", "path": "name.familyName", "value": "Young" },
            { "op": "Add", "path": number, "value": "701984" },
            // Taken for absent, though it is there.
            { "op": "Add", "path": "name.givenName", "value": "J" },
            // There is none to replace.
            { "op": "Replace", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "+41 44" },
            { "op": "Add", "path": "addresses[type eq \"work\"].country", "value": "CH" },
        ])).await.ok();
        assert_eq!(updated["emails"], json!([{ "primary": true, "type": "work", "value": "n@x" }]));
        assert_eq!(updated["name"]["familyName"], "Young");
        assert_eq!(updated["name"]["givenName"], "J");
        assert_eq!(updated[ENTERPRISE]["employeeNumber"], "701984");
        assert_eq!(updated["phoneNumbers"], json!([{ "type": "mobile", "value": "+41 44" }]));
        assert_eq!(updated["addresses"], json!([{ "type": "work", "country": "CH" }]));
        let removed = client.patch(&path, json!([
            { "op": "Remove", "path": "phoneNumbers[type eq \"mobile\"].value" },
            { "op": "Remove", "path": number },
        ])).await.ok();
        assert_eq!(removed.get(ENTERPRISE), None);
        assert!(!removed.to_string().contains("+41 44"), "{removed}");
        assert_eq!(client.read(&path).await, removed);
    }

    async fn e5_disable_by_a_text(server: TestServer) {
        let client = entra(&server).await;
        let path = made(&client, "jyoung").await;
        for (text, active) in [("False", false), ("True", true), ("false", false), ("true", true)] {
            let operations = json!([{ "op": "Replace", "path": "active", "value": text }]);
            assert_eq!(client.patch(&path, operations).await.ok()["active"], active, "{text}");
            assert_eq!(client.read(&path).await["active"], active, "{text}");
        }
    }

    async fn e6_several_attributes_in_one_path_less_operation(server: TestServer) {
        let client = entra(&server).await;
        let path = made(&client, "jyoung").await;
        let number = format!("{ENTERPRISE}:employeeNumber");
        let updated = client.patch(&format!("{path}?aadOptscim062020"), json!([{
            "op": "replace",
            "value": { "displayName": "B", "name.givenName": "K", "name.familyName": "U", number: "A" },
        }])).await.ok();
        assert_eq!(updated["displayName"], "B");
        assert_eq!(updated["name"]["givenName"], "K");
        assert_eq!(updated["name"]["familyName"], "U");
        assert_eq!(updated["name"]["formatted"], "givenName familyName");
        assert_eq!(updated[ENTERPRISE]["employeeNumber"], "A");
        assert!(!updated.as_object().unwrap().contains_key("name.givenName"));
        let off = client.patch(&path, json!([{ "op": "replace", "path": "active", "value": false }])).await;
        assert_eq!(off.ok()["active"], false);
        let found = client.list("/Users?aadOptscim062020&filter=externalId+eq+%22jyoung%22").await;
        assert_eq!(found["totalResults"], 1);
    }

    async fn e7_manager_in_every_form(server: TestServer) {
        let client = entra(&server).await;
        let path = made(&client, "jyoung").await;
        let a = path.trim_start_matches("/Users/").to_owned();
        let b = client.make_user("boss").await;
        let check = async || {
            let filter = encoded(&format!(r#"id eq "{a}" and manager eq "{b}""#));
            client.list(&format!("/Users?filter={filter}&attributes=id")).await["totalResults"].clone()
        };
        let reference = format!("{}/Users/{b}", client.base);
        let urn = format!("{ENTERPRISE}:manager");
        for (target, value) in [
            ("manager", json!([{ "$ref": reference, "value": b }])),
            (&*urn, json!(b)),
            (&*urn, json!({ "value": b })),
            (&*urn, json!([{ "value": b }])),
        ] {
            assert_eq!(check().await, 0, "{target} {value}");
            let operations = json!([{ "op": "Add", "path": target, "value": value }]);
            let updated = client.patch(&path, operations).await.ok();
            assert_eq!(updated[ENTERPRISE]["manager"]["value"], json!(b), "{target} {value}");
            assert_eq!(check().await, 1, "{target} {value}");
            client.patch(&path, json!([{ "op": "Remove", "path": target }])).await.ok();
        }
    }

    async fn e8_disabled_users_are_shown_until_they_are_deleted(server: TestServer) {
        let client = entra(&server).await;
        let path = made(&client, "jyoung").await;
        client.patch(&path, json!([{ "op": "Replace", "path": "active", "value": "False" }])).await.ok();
        assert_eq!(client.read(&path).await["active"], false);
        let found = client.find("/Users", r#"externalId eq "jyoung""#).await;
        assert_eq!(found["Resources"][0]["active"], false);
        client.delete(&path).await.gone();
        assert_eq!(client.get(&path).await.status, 404);
    }

    async fn e9_group_create_with_an_unknown_schema(server: TestServer) {
        let client = entra(&server).await;
        let unknown = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group";
        let made = client.post("/Groups", json!({
            "schemas": [GROUP, unknown],
            "externalId": "8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159",
            "displayName": "G",
            "meta": { "resourceType": "Group" },
        })).await.created();
        assert_eq!(made["displayName"], "G");
        assert_eq!(made["externalId"], "8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159");
        assert_eq!(members(&made), set(&[]));
    }

    async fn e10_group_read_without_members(server: TestServer) {
        let client = entra(&server).await;
        let member = client.make_user("u").await;
        let group = client.make_group("G", &[&member]).await;
        let read = client.read(&format!("/Groups/{group}?excludedAttributes=members")).await;
        assert_eq!(read.get("members"), None);
        assert_eq!(read["displayName"], "G");
        let found = client.list("/Groups?excludedAttributes=members&filter=displayName+eq+%22G%22").await;
        assert_eq!(found["Resources"], json!([read]));
        assert_eq!(client.members(&group).await, set(&[&member]));
        // It matches by the name and fails where there are two.
        let twin = json!({ "schemas": [GROUP], "displayName": "g", "externalId": "another" });
        assert_eq!(client.post("/Groups", twin).await.fault(), (409, "uniqueness"));
    }

    async fn e11_member_check(server: TestServer) {
        let client = entra(&server).await;
        let (one, two) = (client.make_user("one").await, client.make_user("two").await);
        let group = client.make_group("G", &[&one]).await;
        client.make_group("other", &[&one, &two]).await;
        for (member, found) in [(&one, vec![group.clone()]), (&two, Vec::new())] {
            let filter = encoded(&format!(r#"id eq "{group}" and members eq "{member}""#));
            let list = client.list(&format!("/Groups?attributes=id&filter={filter}")).await;
            assert_eq!(ids(&list), found);
        }
    }

    async fn e12_members_add_is_idempotent(server: TestServer) {
        let client = entra(&server).await;
        let member = client.make_user("u").await;
        let group = client.make_group("G", &[]).await;
        let path = format!("/Groups/{group}");
        let add = json!([{ "op": "Add", "path": "members", "value": [{ "$ref": null, "value": member }] }]);
        let once = client.patch(&path, add.clone()).await.ok();
        assert_eq!(members(&once), set(&[&member]));
        assert_eq!(client.patch(&path, add).await.ok(), once);
    }

    async fn e13_members_remove_with_a_value_removes_only_these(server: TestServer) {
        let client = entra(&server).await;
        let users = client.make_users(3).await;
        let group = client.make_group("G", &[&users[0], &users[1], &users[2]]).await;
        let path = format!("/Groups/{group}");
        let value = json!([{ "$ref": null, "value": users[0] }]);
        client.patch(&path, json!([{ "op": "Remove", "path": "members", "value": value }])).await.ok();
        assert_eq!(client.members(&group).await, set(&[&users[1], &users[2]]));
        let filtered = format!("members[value eq \"{}\"]", users[1]);
        client.patch(&path, json!([{ "op": "Remove", "path": filtered }])).await.ok();
        assert_eq!(client.members(&group).await, set(&[&users[2]]));
    }

    async fn e14_validator_payload(server: TestServer) {
        let client = entra(&server).await;
        let mut body = user("jyoung");
        body["emails"][0]["primary"] = json!("True");
        body["roles"] = json!([{ "primary": "True", "display": "R", "value": "r", "type": "t" }]);
        body["phoneNumbers"] = json!([{ "primary": "true", "type": "work", "value": "44-206-4170" }]);
        body[ENTERPRISE] = json!({ "manager": "P9C2" });
        let made = client.post("/Users", body.clone()).await.created();
        for attribute in ["emails", "roles", "phoneNumbers"] {
            assert_eq!(made[attribute][0]["primary"], true, "{attribute}");
        }
        assert_eq!(made["phoneNumbers"][0]["value"], "44-206-4170");
        assert_eq!(made[ENTERPRISE]["manager"]["value"], "P9C2");
        body[ENTERPRISE] = json!({ "manager": { "value": "P9C3" } });
        let put = client.put(&format!("/Users/{}", id(&made)), body).await.ok();
        assert_eq!(put[ENTERPRISE]["manager"]["value"], "P9C3");
    }

    async fn e15_schemas_without_nulls(server: TestServer) {
        let list = entra(&server).await.list("/Schemas").await;
        assert!(!has_null(&list));
        for schema in list["Resources"].as_array().unwrap() {
            for attribute in schema["attributes"].as_array().unwrap() {
                for (property, values) in [
                    ("type", &["string", "boolean", "decimal", "integer", "dateTime", "reference", "binary", "complex"][..]),
                    ("mutability", &["readOnly", "readWrite", "immutable", "writeOnly"]),
                    ("returned", &["always", "never", "default", "request"]),
                    ("uniqueness", &["none", "server", "global"]),
                ] {
                    assert!(values.contains(&attribute[property].as_str().unwrap()), "{attribute}");
                }
            }
        }
    }

    async fn e16_many_requests_and_many_memberships_in_one(server: TestServer) {
        let client = entra(&server).await;
        let users = client.make_users(50).await;
        let group = client.make_group("G", &[]).await;
        let add = |id: &String| json!({ "op": "Add", "path": "members", "value": [{ "value": id }] });
        let operations = users.iter().map(add).collect();
        client.patch(&format!("/Groups/{group}"), Value::Array(operations)).await.ok();
        assert_eq!(client.members(&group).await, users.iter().cloned().collect());
        let read = async |id: &String| client.read(&format!("/Users/{id}")).await;
        assert_eq!(join_all(users.iter().map(read)).await.len(), 50);
    }

    async fn e17_what_else_microsofts_tests_send(server: TestServer) {
        let client = entra(&server).await;
        let mut body = user("jyoung");
        body["active"] = json!("True");
        body["name"]["familyName"] = json!("Employee");
        let made = client.post("/Users", body.clone()).await.created();
        assert_eq!(made["active"], true);
        for filter in [
            r#"(ActiVe eq true) and meta.lastmodified ge "2019-10-10T14:38:21.8617979Z""#,
            "name.FamilyName eq Employee",
        ] {
            assert_eq!(ids(&client.find("/Users", filter).await), [id(&made)], "{filter}");
        }
        let group = client.make_group("G", &[]).await;
        let add = json!([{ "op": "add", "path": "members", "value": id(&made) }]);
        client.patch(&format!("/Groups/{group}"), add).await.ok();
        assert_eq!(client.members(&group).await, set(&[&id(&made)]));
        assert_eq!(client.post("/Users", body).await.fault(), (409, "uniqueness"));
        let junk = client.request(Method::POST, "/Users").header(CONTENT_TYPE, client.content_type);
        assert_eq!(answer(junk.body("{ junk")).await.status, 400);
        listed(client.get("/Users").await);
    }
}
