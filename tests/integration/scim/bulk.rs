//! Many operations in one request (RFC 7644 3.7).

use serde_json::{Value, json};

use super::{ENTERPRISE, NOBODY, ScimClient, USER, bulk, group, id, patch, set, user};
use crate::harness::{TestServer, on_both_engines};

fn post(path: &str, bulk_id: &str, data: Value) -> Value {
    json!({ "method": "POST", "path": path, "bulkId": bulk_id, "data": data })
}

/// The results of operations.
async fn run(client: &ScimClient, operations: Vec<Value>) -> Vec<Value> {
    results(client.post("/Bulk", bulk(operations)).await.ok())
}

fn results(body: Value) -> Vec<Value> {
    assert_eq!(body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:BulkResponse"]));
    body["Operations"].as_array().unwrap().clone()
}

fn statuses(results: &[Value]) -> Vec<&str> {
    results.iter().map(|result| result["status"].as_str().unwrap()).collect()
}

fn made(result: &Value) -> String {
    assert_eq!(result["status"], "201", "{result}");
    result["location"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
}

/// Whether it is an error, and says so in `response`.
fn failed(result: &Value) -> bool {
    let failed = result["status"].as_str().unwrap().starts_with('4');
    if failed {
        assert_eq!(result["response"]["status"], result["status"], "{result}");
        assert!(result["response"]["detail"].is_string(), "{result}");
    }
    failed
}

on_both_engines! {
    async fn each_operation_answers_for_itself(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let [one, two, three] = [1, 2, 3].map(|number| format!("u{number}"));
        let (one, two, three) = (client.make_user(&one).await, client.make_user(&two).await, client.make_user(&three).await);
        let change = patch(json!([{ "op": "replace", "path": "active", "value": false }]));
        let done = run(&client, vec![
            post("/Users", "new", user("u4")),
            json!({ "method": "PUT", "path": format!("/Users/{one}"), "data": user("u1-renamed") }),
            json!({ "method": "patch", "path": format!("/Users/{two}"), "data": change }),
            json!({ "method": "DELETE", "path": format!("/Users/{three}") }),
            post("/Users", "taken", user("U4")),
            json!({ "method": "DELETE", "path": format!("/Users/{NOBODY}") }),
            json!({ "method": "POST", "path": "/Nothing", "bulkId": "x", "data": {} }),
            json!({ "method": "PURGE", "path": "/Users" }),
        ]).await;
        assert_eq!(statuses(&done)[..6], ["201", "200", "200", "204", "409", "404"]);
        assert!(done[4..].iter().all(failed), "{done:?}");
        assert_eq!((&done[0]["bulkId"], &done[0]["method"]), (&json!("new"), &json!("POST")));
        assert_eq!(done[4]["bulkId"], "taken");
        assert_eq!(done[4]["response"]["scimType"], "uniqueness");
        for (result, id) in done[..3].iter().zip([&made(&done[0]), &one, &two]) {
            let now = client.read(&format!("/Users/{id}")).await;
            assert_eq!((&result["location"], &result["version"]), (&now["meta"]["location"], &now["meta"]["version"]));
        }
        assert_eq!(client.read(&format!("/Users/{one}")).await["userName"], "u1-renamed");
        assert_eq!(client.read(&format!("/Users/{two}")).await["active"], false);
        assert_eq!(client.get(&format!("/Users/{three}")).await.status, 404);
        assert_eq!(client.list("/Users").await["totalResults"], 3);
    }

    async fn a_patch_may_be_given_by_its_operations_alone(server: TestServer) {
        // As in the figure of RFC 7644 3.7.3.
        let client = ScimClient::new(&server).await;
        let path = format!("/Users/{}", client.make_user("ann").await);
        let data = json!([{ "op": "add", "path": "nickName", "value": "A" }]);
        let done = run(&client, vec![json!({ "method": "PATCH", "path": path, "data": data })]).await;
        assert_eq!(statuses(&done), ["200"]);
        assert_eq!(client.read(&path).await["nickName"], "A");
    }

    async fn references_are_resolved_in_any_order(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let done = run(&client, vec![
            post("/Groups", "outer", group("outer", &["bulkId:inner", "bulkId:ann"])),
            post("/Groups", "inner", group("inner", &["bulkId:bob"])),
            post("/Users", "ann", user("ann")),
            post("/Users", "bob", user("bob")),
        ]).await;
        let [outer, inner, ann, bob] = [0, 1, 2, 3].map(|place| made(&done[place]));
        assert_eq!(client.members(&outer).await, set(&[&inner, &ann]));
        assert_eq!(client.members(&inner).await, set(&[&bob]));
        let add = patch(json!([{ "op": "add", "path": "members", "value": [{ "value": "bulkId:carl" }] }]));
        let done = run(&client, vec![
            json!({ "method": "PATCH", "path": format!("/Groups/{inner}"), "data": add }),
            post("/Users", "carl", user("carl")),
        ]).await;
        assert_eq!(statuses(&done), ["200", "201"]);
        assert_eq!(client.members(&inner).await, set(&[&bob, &made(&done[1])]));
    }

    async fn a_reference_to_nothing_fails_its_operation(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let done = run(&client, vec![
            post("/Groups", "g", group("G", &["bulkId:nobody"])),
            post("/Users", "taken", json!({ "schemas": [USER] })),
            post("/Groups", "h", group("H", &["bulkId:taken"])),
            post("/Users", "ann", user("ann")),
        ]).await;
        assert!(done[..3].iter().all(failed), "{done:?}");
        assert_eq!(done[3]["status"], "201");
        assert_eq!(client.list("/Groups").await["totalResults"], 0);
    }

    async fn references_in_a_circle_are_resolved_or_refused(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let done = run(&client, vec![
            post("/Groups", "a", group("A", &["bulkId:b"])),
            post("/Groups", "b", group("B", &["bulkId:a"])),
            post("/Users", "ann", user("ann")),
        ]).await;
        assert!(done[..2].iter().any(failed), "{done:?}");
        assert_eq!(done[2]["status"], "201");
        assert!(!client.list("/Groups").await.to_string().contains("bulkId"));
    }

    async fn users_in_a_circle_are_each_others_managers(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let managed = |name: &str, manager: &str| {
            let mut user = user(name);
            user["schemas"] = json!([USER, ENTERPRISE]);
            user[ENTERPRISE] = json!({ "manager": { "value": format!("bulkId:{manager}") } });
            user
        };
        let done = run(&client, vec![
            post("/Groups", "g", group("G", &["bulkId:a", "bulkId:c"])),
            post("/Users", "a", managed("ann", "b")),
            post("/Users", "b", managed("bob", "a")),
            post("/Users", "c", managed("cat", "c")),
            // Who waits for them, and who waits for nobody's.
            post("/Users", "d", managed("dan", "a")),
            post("/Users", "e", managed("eve", "f")),
            post("/Users", "f", managed("fay", "nobody")),
        ]).await;
        let [group, ann, bob, cat, dan] = [0, 1, 2, 3, 4].map(|place| made(&done[place]));
        assert!(done[5..].iter().all(failed), "{done:?}");
        assert_eq!(done[6]["response"]["scimType"], "invalidValue");
        for (user, manager) in [(&ann, &bob), (&bob, &ann), (&cat, &cat), (&dan, &ann)] {
            let user = client.read(&format!("/Users/{user}")).await;
            assert_eq!(user[ENTERPRISE]["manager"]["value"], json!(manager));
        }
        assert_eq!(client.members(&group).await, set(&[&ann, &cat]));
        assert_eq!(client.list("/Users").await["totalResults"], 4);
    }

    async fn who_refers_to_a_user_of_a_circle_that_failed_fails(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let manager = |bulk_id: &str| json!({ "manager": format!("bulkId:{bulk_id}") });
        let mut ann = user("ann");
        ann[ENTERPRISE] = manager("b");
        // Without a name.
        let bob = json!({ "schemas": [USER, ENTERPRISE], ENTERPRISE: manager("a") });
        let done = run(&client, vec![
            post("/Users", "b", bob),
            post("/Users", "a", ann),
            post("/Groups", "g", group("G", &["bulkId:b"])),
        ]).await;
        assert!(done.iter().all(failed), "{done:?}");
        assert_eq!(client.list("/Users").await["totalResults"], 0);
    }

    async fn a_bulk_id_names_one_operation(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let twice = bulk(vec![post("/Users", "a", user("ann")), post("/Users", "a", user("bob"))]);
        assert_eq!(client.post("/Bulk", twice).await.fault(), (400, "invalidValue"));
        assert_eq!(client.list("/Users").await["totalResults"], 0);
    }

    async fn names_that_are_taken_fail_their_operations(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let done = run(&client, vec![
            post("/Groups", "a", group("A", &[])),
            post("/Groups", "b", group("a", &[])),
            post("/Groups", "c", group("C", &[])),
        ]).await;
        assert_eq!(statuses(&done), ["201", "409", "201"]);
        assert_eq!(done[1]["response"]["scimType"], "uniqueness");
    }

    async fn it_stops_after_as_many_errors_as_it_is_told(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let operations = || vec![
            post("/Users", "1", user("a")),
            post("/Users", "2", user("A")),
            post("/Users", "3", user("b")),
            post("/Users", "4", user("B")),
            post("/Users", "5", user("c")),
        ];
        let mut body = bulk(operations());
        body["failOnErrors"] = json!(2);
        let done = results(client.post("/Bulk", body).await.ok());
        assert_eq!(statuses(&done), ["201", "409", "201", "409"]);
        assert_eq!(client.list("/Users").await["totalResults"], 2);
        let done = run(&client, operations()).await;
        assert_eq!(statuses(&done), ["409", "409", "409", "409", "201"]);
    }

    async fn an_operation_may_name_a_version(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let made = client.post("/Users", user("ann")).await.created();
        let put = |version: &Value, title: &str| {
            let mut data = user("ann");
            data["title"] = json!(title);
            json!({ "method": "PUT", "path": format!("/Users/{}", id(&made)), "version": version, "data": data })
        };
        let version = &made["meta"]["version"];
        let done = run(&client, vec![put(version, "first"), put(version, "second")]).await;
        assert_eq!(statuses(&done), ["200", "412"]);
        assert_eq!(client.read(&format!("/Users/{}", id(&made))).await["title"], "first");
    }

    async fn a_version_that_is_none_is_no_leave_to_change_any(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let ann = client.make_user("ann").await;
        for version in [json!(99), json!(1), json!(["W/\"1\""]), json!({}), json!("\u{0}"), json!("W/\"1\"\n")] {
            let delete = json!({ "method": "DELETE", "path": format!("/Users/{ann}"), "version": version });
            let done = run(&client, vec![delete]).await;
            assert_eq!((statuses(&done), &done[0]["response"]["scimType"]), (vec!["400"], &json!("invalidSyntax")));
        }
        let delete = json!({ "method": "DELETE", "path": format!("/Users/{ann}"), "version": null });
        assert_eq!(statuses(&run(&client, vec![delete]).await), ["204"]);
    }

    async fn a_text_that_begins_like_a_reference_is_a_text(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let mut ann = user("ann");
        ann["title"] = json!("bulkId:a");
        ann["nickName"] = json!("bulkId:nobody");
        let made = made(&run(&client, vec![post("/Users", "a", ann)]).await[0]);
        let ann = client.read(&format!("/Users/{made}")).await;
        assert_eq!((&ann["title"], &ann["nickName"]), (&json!("bulkId:a"), &json!("bulkId:nobody")));
    }

    async fn a_thousand_operations_are_taken_and_no_more(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let operations = |count: usize| {
            bulk((0..count).map(|number| post("/Users", &number.to_string(), user(&format!("u{number}")))).collect())
        };
        assert_eq!(client.post("/Bulk", operations(1001)).await.status, 413);
        assert_eq!(client.list("/Users").await["totalResults"], 0);
        let done = results(client.post("/Bulk", operations(1000)).await.ok());
        assert!(statuses(&done).iter().all(|status| *status == "201"));
        assert_eq!(client.list("/Users?count=0").await["totalResults"], 1000);
    }

    async fn a_megabyte_is_taken_and_no_more(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let config = client.read("/ServiceProviderConfig").await;
        let limit = usize::try_from(config["bulk"]["maxPayloadSize"].as_u64().unwrap()).unwrap();
        let sized = |size: usize| {
            let body = |fill: usize| {
                let mut data = user("ann");
                data["nickName"] = json!("x".repeat(fill));
                bulk(vec![post("/Users", "1", data)])
            };
            body(size - body(0).to_string().len())
        };
        assert_eq!(sized(limit).to_string().len(), limit);
        let refused = client.post("/Bulk", sized(limit + 1)).await;
        assert_eq!(refused.status, 413);
        let done = results(client.post("/Bulk", sized(limit)).await.ok());
        assert_eq!(statuses(&done), ["201"]);
    }

    async fn a_request_that_is_no_bulk_is_refused(server: TestServer) {
        let client = ScimClient::new(&server).await;
        for body in [json!({}), json!([]), json!({ "Operations": {} }), json!({ "Operations": "x" })] {
            assert_eq!(client.post("/Bulk", body.clone()).await.fault(), (400, "invalidSyntax"), "{body}");
        }
        for limit in [json!(0), json!(-1), json!(1.5), json!("x")] {
            let mut body = bulk(vec![post("/Users", "1", user("a"))]);
            body["failOnErrors"] = limit.clone();
            assert_eq!(client.post("/Bulk", body).await.fault(), (400, "invalidValue"), "{limit}");
        }
        assert_eq!(client.list("/Users").await["totalResults"], 0);
    }
}
