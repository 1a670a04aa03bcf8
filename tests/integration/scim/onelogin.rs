//! What `OneLogin` sends. Each test is a row of the table.

use reqwest::Method;
use serde_json::{Value, json};

use super::{ENTERPRISE, GROUP, ScimClient, id, ids, set};
use crate::harness::{TestServer, on_both_engines};

const SCHEMAS: [&str; 2] =
    ["urn:scim:schemas:core:2.0", "urn:scim:schemas:extension:enterprise:2.0"];

async fn onelogin(server: &TestServer) -> ScimClient {
    ScimClient::new(server).await.speaking("application/json", "application/json")
}

fn user(name: &str) -> Value {
    json!({
        "schemas": SCHEMAS,
        "userName": name,
        "name": { "givenName": "Test", "familyName": "User" },
        "emails": [{ "value": name, "type": "work", "primary": true }],
        SCHEMAS[1]: { "department": "Sales" },
    })
}

on_both_engines! {
    async fn l1_plus_for_spaces_and_a_trailing_ampersand(server: TestServer) {
        let client = onelogin(&server).await;
        assert_eq!(client.list("/Users?filter=userName+eq+%22u%22&").await["totalResults"], 0);
        let made = id(&client.post("/Users", user("u")).await.created());
        assert_eq!(ids(&client.list("/Users?filter=userName+eq+%22u%22&").await), [made]);
    }

    async fn l2_put_with_a_trailing_question_mark_and_other_urns(server: TestServer) {
        let client = onelogin(&server).await;
        let made = client.post("/Users", user("u")).await.created();
        assert_eq!(made[ENTERPRISE]["department"], "Sales");
        let mut body = user("u");
        body["name"]["givenName"] = json!("Another");
        body[SCHEMAS[1]]["department"] = json!("Support");
        let put = client.put(&format!("/Users/{}?", id(&made)), body).await.ok();
        assert_eq!(put["name"]["givenName"], "Another");
        assert_eq!(put[ENTERPRISE]["department"], "Support");
        assert_eq!(put["id"], made["id"]);
    }

    async fn l3_groups_by_post_and_patch(server: TestServer) {
        let client = onelogin(&server).await;
        let users = client.make_users(2).await;
        let body = json!({ "schemas": [GROUP], "displayName": "G", "members": [{ "value": users[0] }] });
        let group = id(&client.post("/Groups", body).await.created());
        let path = format!("/Groups/{group}");
        let add = json!([{ "op": "add", "path": "members", "value": [{ "value": users[1] }] }]);
        client.patch(&path, add).await.ok();
        assert_eq!(client.members(&group).await, set(&[&users[0], &users[1]]));
        let filtered = format!("members[value eq \"{}\"]", users[0]);
        client.patch(&path, json!([{ "op": "remove", "path": filtered }])).await.ok();
        assert_eq!(client.members(&group).await, set(&[&users[1]]));
    }

    async fn l4_whatever_the_template_says(server: TestServer) {
        let client = onelogin(&server).await;
        let templates = [
            json!({ "schemas": ["urn:scim:schemas:core:1.0"], "userName": "a", "displayName": "A" }),
            json!({ "userName": "b", "companyCode": { "region": ["emea", 4] }, "costLevel": 7 }),
            json!({ "schemas": SCHEMAS, "USERNAME": "c", "Active": "true", "title": "" }),
        ];
        for template in templates {
            let made = client.post("/Users", template.clone()).await.created();
            for own in ["displayName", "companyCode", "costLevel"] {
                assert_eq!(made.get(own), template.get(own), "{template}");
            }
            let path = format!("/Users/{}", id(&made));
            let put = client.send(Method::PUT, &path, template).await.ok();
            assert_eq!(put["userName"], made["userName"]);
        }
    }

    async fn l5_one_email_that_is_no_list(server: TestServer) {
        let client = onelogin(&server).await;
        let mut body = user("u");
        body["emails"] = json!({ "value": "u@x", "type": "work" });
        let made = client.post("/Users", body).await.created();
        assert_eq!(made["emails"], json!([{ "value": "u@x", "type": "work" }]));
        assert_eq!(ids(&client.find("/Users", r#"emails.value eq "u@x""#).await), [id(&made)]);
    }
}
