//! `scimd.v1.WebhookService`, and what real receivers get.

mod addresses;
mod connections;
mod delivery;
mod endpoints;
mod failures;
mod kills;
mod neighbours;
mod receiver;
mod signatures;

use std::time::Duration;

use scimd::model::OrganizationId;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::directory::World;
use crate::harness::{Answer, Client};

/// Longer than anything takes that is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// An endpoint as its maker knows it.
pub struct Webhook {
    pub id: String,
    pub secret: String,
    pub secret_id: String,
}

/// Calls a method of the service.
pub async fn call(client: &Client, method: &str, body: Value) -> Answer {
    client.post(&format!("/scimd.v1.WebhookService/{method}"), body).await
}

/// An endpoint that gets every event from the first on.
pub async fn create(client: &Client, organization: OrganizationId, url: &str) -> Webhook {
    let body = json!({ "organizationId": organization.to_string(), "url": url, "after": "0" });
    let made = call(client, "CreateWebhookEndpoint", body).await.ok();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Webhook {
        id: text(&made["webhookEndpoint"]["id"]),
        secret: text(&made["secret"]),
        secret_id: text(&made["webhookEndpoint"]["secrets"][0]["id"]),
    }
}

impl Webhook {
    /// An endpoint of `world`.
    async fn new(world: &World, url: &str) -> Self {
        create(&world.product, world.organization, url).await
    }

    /// Calls a method with the endpoint and `fields`.
    pub async fn call(&self, client: &Client, method: &str, mut fields: Value) -> Answer {
        fields["webhookEndpointId"] = json!(self.id);
        call(client, method, fields).await
    }

    /// The endpoint as it is.
    pub async fn get(&self, client: &Client) -> Value {
        self.call(client, "GetWebhookEndpoint", json!({})).await.ok()["webhookEndpoint"].clone()
    }

    /// Its delivery, when that is as it should be.
    async fn delivery(&self, client: &Client, is_so: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let delivery = self.get(client).await["delivery"].clone();
            if is_so(&delivery) {
                return delivery;
            }
            assert!(begun.elapsed() < PATIENCE, "it stays {delivery}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Makes so many users, and with each an event.
async fn make_users(world: &World, names: &str, count: usize) {
    for user in 0..count {
        let body = json!({ "userName": format!("{names}{user}") });
        assert_eq!(world.tenant.scim.post("/Users", body).await.status, 201);
    }
}
