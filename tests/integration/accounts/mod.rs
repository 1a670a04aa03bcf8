//! `scimd.v1.AccountService` and what it means for users, as the application and
//! its identity providers have it.

mod access;
mod addresses;
mod importing;
mod linking;
mod races;
mod refusals;
mod takeovers;

use scimd::model::OrganizationId;
use serde_json::{Value, json};

use crate::harness::{Answer, Client, TestServer};
use crate::scim::client::{Answer as ScimAnswer, Tenant};

/// An organization with two identity providers.
struct World {
    organization: OrganizationId,
    product: Client,
    one: Tenant,
    two: Tenant,
}

impl World {
    async fn new(server: &TestServer) -> Self {
        let organization = server.organization();
        Self {
            organization,
            product: server.admin(organization).await,
            one: Tenant::new(server, organization).await,
            two: Tenant::new(server, organization).await,
        }
    }

    /// Calls a method with the organization and `fields`.
    async fn ask(&self, service: &str, method: &str, fields: Value) -> Answer {
        let mut body = json!({ "organizationId": self.organization.to_string() });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.product.post(&format!("/scimd.v1.{service}/{method}"), body).await
    }

    async fn import(&self, accounts: Value) -> Answer {
        self.ask("AccountService", "ImportAccounts", json!({ "accounts": accounts })).await
    }

    /// Imports one account and gives its id here.
    async fn imported(&self, client_id: &str, email: &str, verified: bool) -> String {
        let answer = self.import(json!([account(client_id, email, verified)])).await.ok();
        answer["imports"][0]["accountId"].as_str().unwrap().to_owned()
    }

    async fn accounts(&self) -> Vec<Value> {
        let answer = self.ask("AccountService", "ListAccounts", json!({})).await.ok();
        answer["accounts"].as_array().cloned().unwrap_or_default()
    }

    /// What a user is linked to: account, decision and reason, without prefixes.
    async fn link(&self, of: &Tenant, user: &str) -> (String, String, String) {
        let request = json!({ "scimConfigurationId": of.configuration, "userId": user });
        let user = self.product.post("/scimd.v1.DirectoryService/GetUser", request).await.ok();
        link_of(&user["user"]["accountLink"])
    }

    /// Kinds of all events behind a number, without prefixes, and the last number.
    async fn events(&self, after: u64) -> (Vec<Value>, u64) {
        let fields = json!({ "after": after.to_string(), "limit": 1_000 });
        let answer = self.ask("DirectoryService", "ListEvents", fields).await.ok();
        let newest = answer["newestNumber"].as_str().unwrap_or("0").parse().unwrap();
        (answer["events"].as_array().cloned().unwrap_or_default(), newest)
    }

    async fn access(&self, fields: Value) -> (String, Value) {
        let answer = self.ask("AccountService", "CheckAccess", fields).await.ok();
        let reason = answer["reason"].as_str().unwrap().replace("ACCESS_REASON_", "");
        assert_eq!(answer["allowed"] == true, reason == "ALLOWED", "{answer}");
        (reason, answer)
    }
}

fn account(client_id: &str, email: &str, verified: bool) -> Value {
    json!({ "clientId": client_id, "email": email, "emailVerified": verified })
}

fn link_of(link: &Value) -> (String, String, String) {
    let text =
        |name: &str, prefix: &str| link[name].as_str().unwrap_or_default().replace(prefix, "");
    (
        text("accountId", ""),
        text("decision", "ACCOUNT_LINK_DECISION_"),
        text("reason", "ACCOUNT_LINK_REASON_"),
    )
}

fn kinds(events: &[Value]) -> Vec<String> {
    let kind = |event: &Value| event["kind"].as_str().unwrap().replace("EVENT_KIND_", "");
    events.iter().map(kind).collect()
}

/// A user with one email, marked as verified or not.
fn person(user_name: &str, email: &str, verified: bool) -> Value {
    let mut email = json!({ "value": email, "type": "work", "primary": true });
    if verified {
        email["verified"] = json!(true);
    }
    json!({ "userName": user_name, "externalId": format!("external {user_name}"), "emails": [email] })
}

async fn provision(at: &Tenant, user_name: &str, email: &str, verified: bool) -> ScimAnswer {
    at.scim.post("/Users", person(user_name, email, verified)).await
}

/// The id of a user that must have been made.
fn id(answer: &ScimAnswer) -> String {
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.body["id"].as_str().unwrap().to_owned()
}

/// Switches `allow_unverified_email_account_linking`.
async fn allow(at: &Tenant, allowed: bool) {
    at.call("UpdateSCIMConfiguration", json!({ "allowUnverifiedEmailAccountLinking": allowed }))
        .await;
}

fn email_patch(email: &str) -> Value {
    json!([{ "op": "replace", "path": "emails", "value": [{ "value": email, "primary": true }] }])
}

/// The same, and marks it as verified.
fn marked_patch(email: &str) -> Value {
    let email = json!({ "value": email, "primary": true, "verified": true });
    json!([{ "op": "replace", "path": "emails", "value": [email] }])
}
