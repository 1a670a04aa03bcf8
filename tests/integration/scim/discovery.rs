//! What the server says of itself.

use reqwest::Method;
use serde_json::{Value, json};

use super::{ENTERPRISE, GROUP, ScimClient, USER, has_null, ids};
use crate::harness::{TestServer, on_both_engines};

const ENDPOINTS: [&str; 5] = [
    "/ServiceProviderConfig",
    "/ResourceTypes",
    "/ResourceTypes/User",
    "/Schemas",
    "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User",
];

on_both_engines! {
    async fn the_configuration_says_what_is_true(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let config = client.read("/ServiceProviderConfig").await;
        let schema = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
        assert_eq!(config["schemas"], json!([schema]));
        for (feature, supported) in
            [("patch", true), ("bulk", true), ("filter", true), ("sort", true), ("etag", true), ("changePassword", false)]
        {
            assert_eq!(config[feature]["supported"], supported, "{feature}");
        }
        assert_eq!(config["filter"]["maxResults"], 1000);
        assert_eq!(config["bulk"]["maxOperations"], 1000);
        assert!([1_000_000, 1_048_576].contains(&config["bulk"]["maxPayloadSize"].as_u64().unwrap()));
        // RFC 9865 4.
        assert_eq!((&config["pagination"]["cursor"], &config["pagination"]["index"]), (&json!(true), &json!(true)));
        assert_eq!(config["pagination"]["maxPageSize"], 1000);
        assert_eq!(config["authenticationSchemes"][0]["type"], "oauthbearertoken");
        assert_eq!(config["meta"]["resourceType"], "ServiceProviderConfig");
        assert_eq!(config["meta"]["location"], format!("{}/ServiceProviderConfig", client.base));
        assert!(!has_null(&config), "{config}");
    }

    async fn resource_types_are_listed_and_read(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let list = client.list("/ResourceTypes").await;
        assert_eq!((list["totalResults"].clone(), ids(&list)), (json!(2), vec!["User".to_owned(), "Group".to_owned()]));
        assert!(!has_null(&list), "{list}");
        let [user, group] = ["User", "Group"].map(|name| format!("/ResourceTypes/{name}"));
        let (user, group) = (client.read(&user).await, client.read(&group).await);
        assert_eq!(list["Resources"], json!([user, group]));
        assert_eq!((&user["name"], &user["endpoint"], &user["schema"]), (&json!("User"), &json!("/Users"), &json!(USER)));
        assert_eq!(user["schemaExtensions"], json!([{ "schema": ENTERPRISE, "required": false }]));
        assert_eq!((&group["endpoint"], &group["schema"]), (&json!("/Groups"), &json!(GROUP)));
        assert_eq!(user["schemas"], json!(["urn:ietf:params:scim:schemas:core:2.0:ResourceType"]));
        assert_eq!(user["meta"]["resourceType"], "ResourceType");
        assert_eq!(user["meta"]["location"], format!("{}/ResourceTypes/User", client.base));
        assert_eq!(client.get("/ResourceTypes/Nothing").await.status, 404);
    }

    async fn schemas_are_listed_and_read(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let list = client.list("/Schemas").await;
        assert!(!has_null(&list), "{list}");
        for urn in [USER, ENTERPRISE, GROUP] {
            assert!(ids(&list).contains(&urn.to_owned()), "{urn}");
        }
        for schema in list["Resources"].as_array().unwrap() {
            let urn = schema["id"].as_str().unwrap();
            assert_eq!(client.read(&format!("/Schemas/{urn}")).await, *schema);
            assert_eq!(client.read(&format!("/Schemas/{}", urn.to_lowercase())).await, *schema);
            assert_eq!(schema["meta"]["resourceType"], "Schema");
            assert_eq!(schema["meta"]["location"], format!("{}/Schemas/{urn}", client.base));
        }
        assert_eq!(client.get("/Schemas/urn:nothing").await.status, 404);
    }

    async fn what_is_unique_says_so(server: TestServer) {
        let client = ScimClient::new(&server).await;
        for (urn, names) in [(USER, vec!["userName"]), (GROUP, vec!["displayName"]), (ENTERPRISE, vec![])] {
            let schema = client.read(&format!("/Schemas/{urn}")).await;
            let attributes = schema["attributes"].as_array().unwrap().iter();
            let unique = attributes.filter(|attribute| attribute["uniqueness"] == "server");
            assert_eq!(unique.map(|attribute| attribute["name"].as_str().unwrap()).collect::<Vec<_>>(), names);
        }
    }

    async fn what_is_listed_can_be_patched(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let path = format!("/Users/{}", client.make_user("ann").await);
        for urn in [USER, ENTERPRISE] {
            let schema = client.read(&format!("/Schemas/{urn}")).await;
            for attribute in schema["attributes"].as_array().unwrap() {
                let name = attribute["name"].as_str().unwrap();
                let (target, value) = (format!("{urn}:{name}"), sample(attribute));
                let answer = client.patch(&path, json!([{ "op": "add", "path": target, "value": value }])).await;
                if attribute["mutability"] == "readOnly" {
                    assert_eq!(answer.fault(), (400, "mutability"), "{name}");
                    continue;
                }
                let patched = answer.ok();
                let holder = if urn == USER { &patched } else { &patched[urn] };
                let shown = attribute["returned"] != "never";
                assert_eq!(holder.get(name), shown.then_some(&value), "{name}");
            }
        }
    }

    async fn whatever_else_is_done_to_them_is_refused(server: TestServer) {
        let client = ScimClient::new(&server).await;
        for path in ENDPOINTS {
            for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                let refused = client.send(method.clone(), path, json!({})).await;
                assert_eq!(refused.status, 405, "{method} {path}");
                assert!(refused.header("allow").contains("GET"), "{method} {path}");
            }
        }
    }

    async fn a_filter_on_them_is_forbidden_and_pages_are_ignored(server: TestServer) {
        let client = ScimClient::new(&server).await;
        for path in ENDPOINTS {
            let filtered = client.get(&format!("{path}?filter=id+eq+%22User%22")).await;
            assert_eq!(filtered.status, 403, "{path}");
            let paged = client.read(&format!("{path}?startIndex=2&count=1&sortBy=id")).await;
            assert_eq!(paged, client.read(path).await, "{path}");
        }
    }
}

/// A value for an attribute of a schema.
fn sample(attribute: &Value) -> Value {
    let one = match attribute["type"].as_str().unwrap() {
        "boolean" => json!(true),
        "dateTime" => json!("2026-11-23T20:15:00Z"),
        "binary" => json!("AAAA"),
        "reference" => json!("https://example.com/x"),
        "complex" => {
            let subs = attribute["subAttributes"].as_array().unwrap().iter();
            Value::Object(
                subs.map(|sub| (sub["name"].as_str().unwrap().to_owned(), sample(sub))).collect(),
            )
        }
        _ => json!("x"),
    };
    if attribute["multiValued"] == true { json!([one]) } else { one }
}
