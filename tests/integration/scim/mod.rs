//! The SCIM server as an identity provider has it before it: a base URL, a
//! token, and nothing else.

#![allow(clippy::needless_pass_by_value, reason = "a body is written where it is sent")]

mod access;
mod bulk;
pub mod client;
mod concurrency;
mod cursors;
mod discovery;
mod entra;
mod filters;
mod google;
mod groups;
mod jumpcloud;
mod limits;
mod lists;
mod members;
mod okta;
mod onelogin;
mod random_filters;
mod sorting;
mod tenants;
mod user_changes;
mod users;
mod walk;

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use self::client::{Answer, ScimClient, Tenant, answer, listed};
use crate::harness::TestServer;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

const SCIM_JSON: &str = "application/scim+json";
/// An id that nothing has.
const NOBODY: &str = "0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee";

/// A user with nothing but what must be said.
fn user(name: &str) -> Value {
    json!({ "schemas": [USER], "userName": name })
}

/// A user that has something of everything.
fn ann() -> Value {
    json!({
        "schemas": [USER, ENTERPRISE],
        "userName": "Ann@Example.com",
        "externalId": "a-1",
        "name": { "familyName": "Lee", "givenName": "Ann" },
        "displayName": "Ann Lee",
        "emails": [
            { "value": "ann@example.com", "type": "work", "primary": true },
            { "value": "ann@home.example", "type": "home" },
        ],
        ENTERPRISE: { "department": "Sales" },
    })
}

/// The path of a new Ann.
async fn make_ann(client: &ScimClient) -> String {
    format!("/Users/{}", id(&client.post("/Users", ann()).await.created()))
}

/// Four users, a second apart: Dora was made first.
async fn people(server: &TestServer) -> ScimClient {
    let client = ScimClient::new(server).await;
    for body in [
        json!({
            "schemas": [USER], "userName": "Dora@x", "externalId": "d", "displayName": "Dora \"D\" Ä",
            "name": { "familyName": "Zuse" }, "active": false, "nickName": "50%_\\",
        }),
        json!({
            "schemas": [USER], "userName": "ann@x", "externalId": "A", "displayName": "Ann",
            "name": { "familyName": "Lee" }, "title": "CEO",
            "emails": [{ "value": "Ann@Work.x", "type": "work", "primary": true }, { "value": "ann@home.y", "type": "home" }],
        }),
        json!({
            "schemas": [USER], "userName": "Bob@x", "externalId": "a", "displayName": "Bob",
            "emails": [{ "value": "bob@home.x", "type": "home" }, { "value": "bob@work.y", "type": "work" }],
            ENTERPRISE: { "department": "Sales", "employeeNumber": "7" },
        }),
        json!({ "schemas": [USER], "userName": "carl@x", "name": { "familyName": "adams" }, "active": true }),
    ] {
        client.post("/Users", body).await.created();
        server.advance(Duration::from_secs(1));
    }
    client
}

fn group(name: &str, members: &[&str]) -> Value {
    let members: Vec<_> = members.iter().map(|id| json!({ "value": id })).collect();
    json!({ "schemas": [GROUP], "displayName": name, "members": members })
}

fn patch(operations: Value) -> Value {
    json!({ "schemas": [PATCH_OP], "Operations": operations })
}

/// Operations that add, remove or replace members.
fn change_members(op: &str, ids: &[&str]) -> Value {
    let value: Vec<_> = ids.iter().map(|id| json!({ "value": id })).collect();
    json!([{ "op": op, "path": "members", "value": value }])
}

fn search_request(mut parameters: Value) -> Value {
    parameters["schemas"] = json!([SEARCH]);
    parameters
}

fn bulk(operations: Vec<Value>) -> Value {
    let schema = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
    json!({ "schemas": [schema], "Operations": operations })
}

/// For a query.
fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[track_caller]
fn id(resource: &Value) -> String {
    resource["id"].as_str().unwrap_or_else(|| panic!("no id: {resource}")).to_owned()
}

fn ids(list: &Value) -> Vec<String> {
    list["Resources"].as_array().unwrap().iter().map(id).collect()
}

/// What the resources of a list say of an attribute, in their order.
fn texts(list: &Value, attribute: &str) -> Vec<String> {
    let text = |resource: &Value| resource[attribute].as_str().unwrap_or_default().to_owned();
    list["Resources"].as_array().unwrap().iter().map(text).collect()
}

fn members(group: &Value) -> BTreeSet<String> {
    let members = group["members"].as_array().cloned().unwrap_or_default();
    members.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect()
}

fn set(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

/// Whether there is a null anywhere in it.
fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(entries) => entries.values().any(has_null),
        _ => false,
    }
}

/// Every route, to a certain user and group.
fn routes(user: &str, group: &str) -> Vec<(Method, String)> {
    let mut routes = Vec::new();
    for path in [
        "",
        "/",
        "/ServiceProviderConfig",
        "/ResourceTypes",
        "/ResourceTypes/User",
        "/Schemas",
        "/Me",
    ] {
        routes.push((Method::GET, path.to_owned()));
    }
    routes.push((Method::GET, format!("/Schemas/{USER}")));
    for path in ["/.search", "/Users/.search", "/Groups/.search", "/Bulk"] {
        routes.push((Method::POST, path.to_owned()));
    }
    for (endpoint, id) in [("/Users", user), ("/Groups", group)] {
        routes.push((Method::GET, endpoint.to_owned()));
        routes.push((Method::POST, endpoint.to_owned()));
        for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
            routes.push((method, format!("{endpoint}/{id}")));
        }
    }
    routes
}
