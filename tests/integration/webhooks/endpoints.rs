//! Endpoints and secrets, as their organization makes and changes them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use scimd::model::WebhookPolicy;
use sea_orm::{ConnectionTrait, Database, Statement};
use serde_json::{Value, json};

use super::{Webhook, call, make_users};
use crate::directory::World;
use crate::harness::{Client, TestServer, on_both_engines};

/// Nobody is there.
const NOWHERE: &str = "http://127.0.0.1:9/";

on_both_engines! {
    async fn an_endpoint_is_made_read_listed_changed_and_deleted(server: TestServer) {
        let world = World::new(&server).await;
        let body = json!({ "organizationId": world.organization.to_string(), "url": "HTTP://127.0.0.1:9", "description": "CRM" });
        let made = call(&world.product, "CreateWebhookEndpoint", body).await.ok();
        assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
        let endpoint = &made["webhookEndpoint"];
        assert_eq!(endpoint["url"], NOWHERE);
        assert_eq!(endpoint["description"], "CRM");
        assert_eq!(endpoint["organizationId"], world.organization.to_string());
        assert_eq!(endpoint["delivery"], json!({ "deliveredNumber": "1", "newestNumber": "1" }), "from now on");
        assert_eq!(endpoint["secrets"].as_array().unwrap().len(), 1);

        let id = json!({ "webhookEndpointId": endpoint["id"] });
        let read = call(&world.product, "GetWebhookEndpoint", id.clone()).await.ok();
        assert_eq!(read, json!({ "webhookEndpoint": endpoint }), "and no secret");
        let second = Webhook::new(&world, NOWHERE).await;
        let mut listed = Vec::new();
        let mut token = json!("");
        for _ in 0..2 {
            let page = world.product.post("/scimd.v1.WebhookService/ListWebhookEndpoints", json!({
                "organizationId": world.organization.to_string(), "pagination": { "pageSize": 1, "token": token },
            })).await.ok();
            listed.push(page["webhookEndpoints"][0].clone());
            token = page["pagination"]["nextToken"].clone();
        }
        assert_eq!((&listed[0]["id"], &token), (&endpoint["id"], &Value::Null));
        assert_eq!(listed[0]["secrets"], endpoint["secrets"]);
        assert_eq!(listed[1]["secrets"][0]["id"], second.secret_id);

        server.advance(std::time::Duration::from_secs(1));
        let body = json!({ "webhookEndpointId": endpoint["id"], "url": "http://127.0.0.1:9/other" });
        let changed = call(&world.product, "UpdateWebhookEndpoint", body).await.ok();
        assert_eq!(changed["webhookEndpoint"]["url"], "http://127.0.0.1:9/other");
        assert_eq!(changed["webhookEndpoint"]["description"], "CRM");
        assert_ne!(changed["webhookEndpoint"]["updatedAt"], endpoint["updatedAt"]);

        call(&world.product, "DeleteWebhookEndpoint", id.clone()).await.ok();
        for method in ["GetWebhookEndpoint", "DeleteWebhookEndpoint"] {
            let gone = call(&world.product, method, id.clone()).await;
            assert_eq!((gone.code(), gone.reason().as_str()), ("not_found", "WEBHOOK_ENDPOINT_NOT_FOUND"));
        }
    }

    async fn a_url_or_description_that_cannot_be_is_named(server: TestServer) {
        let world = World::new(&server).await;
        let strict = server.replica_with(|server| server.webhooks.policy = WebhookPolicy::default()).await;
        let strict = Client::new(&strict.url, world.product.key.as_deref());
        let refused = async |client: &Client, url: &str| {
            let body = json!({ "organizationId": world.organization.to_string(), "url": url });
            call(client, "CreateWebhookEndpoint", body).await.violations()["url"].clone()
        };
        assert_eq!(refused(&world.product, "").await, "must be set");
        assert!(refused(&world.product, &format!("http://a/{}", "a".repeat(2_000))).await.contains("2000"));
        assert_eq!(refused(&world.product, "ftp://app.example.com").await, "must begin with https:// or http://");
        assert!(refused(&world.product, "https://me@app.example.com").await.starts_with("must be a URL such as"));
        assert_eq!(refused(&strict, "http://app.example.com").await, "must begin with https://");
        assert_eq!(refused(&strict, "https://169.254.169.254/").await, "must not point to this machine or to a private network");

        let webhook = Webhook::new(&world, NOWHERE).await;
        let changed = webhook.call(&strict, "UpdateWebhookEndpoint", json!({ "url": NOWHERE, "description": "a\0b" })).await;
        assert_eq!(changed.violations().into_keys().collect::<Vec<_>>(), ["url"]);
        let changed = webhook.call(&world.product, "UpdateWebhookEndpoint", json!({ "description": "a\0b" })).await;
        assert_eq!(changed.violations()["description"], "must not contain the character U+0000");
        let added = webhook.call(&world.product, "AddWebhookSecret", json!({ "othersExpireIn": "2592001s" })).await;
        assert!(added.violations().contains_key("others_expire_in"));
    }

    async fn without_a_key_to_keep_secrets_with_there_are_no_webhooks(server: TestServer) {
        let world = World::new(&server).await;
        let webhook = Webhook::new(&world, NOWHERE).await;
        let without = server.replica_with(|server| server.webhooks.keys = None).await;
        let without = Client::new(&without.url, world.product.key.as_deref());
        let body = json!({ "organizationId": world.organization.to_string(), "url": NOWHERE });
        for refused in [
            call(&without, "CreateWebhookEndpoint", body).await,
            webhook.call(&without, "AddWebhookSecret", json!({})).await,
        ] {
            assert_eq!((refused.code(), refused.reason().as_str()), ("failed_precondition", "WEBHOOKS_NOT_CONFIGURED"));
            assert!(refused.body["message"].as_str().unwrap().contains("SCIMD_WEBHOOK_SECRET_KEY"));
        }
    }

    async fn endpoints_and_secrets_are_limited_and_one_secret_must_last(server: TestServer) {
        let world = World::new(&server).await;
        let webhook = Webhook::new(&world, NOWHERE).await;
        for _ in 1..20 {
            Webhook::new(&world, NOWHERE).await;
        }
        let body = json!({ "organizationId": world.organization.to_string(), "url": NOWHERE });
        let refused = call(&world.product, "CreateWebhookEndpoint", body).await;
        assert_eq!((refused.code(), refused.reason().as_str()), ("resource_exhausted", "WEBHOOK_ENDPOINTS_EXHAUSTED"));

        let unknown = json!({ "secretId": uuid::Uuid::new_v4().to_string() });
        let refused = webhook.call(&world.product, "RemoveWebhookSecret", unknown).await;
        assert_eq!((refused.code(), refused.reason().as_str()), ("not_found", "WEBHOOK_SECRET_NOT_FOUND"));
        let own = json!({ "secretId": webhook.secret_id });
        let refused = webhook.call(&world.product, "RemoveWebhookSecret", own.clone()).await;
        assert_eq!((refused.code(), refused.reason().as_str()), ("failed_precondition", "WEBHOOK_SECRET_REQUIRED"));
        for _ in 1..5 {
            webhook.call(&world.product, "AddWebhookSecret", json!({})).await.ok();
        }
        let refused = webhook.call(&world.product, "AddWebhookSecret", json!({})).await;
        assert_eq!((refused.code(), refused.reason().as_str()), ("resource_exhausted", "WEBHOOK_SECRETS_EXHAUSTED"));
        let left = webhook.call(&world.product, "RemoveWebhookSecret", own).await.ok();
        assert_eq!(left["webhookEndpoint"]["secrets"].as_array().unwrap().len(), 4);
        // What has ended makes room.
        let added = webhook.call(&world.product, "AddWebhookSecret", json!({ "othersExpireIn": "0s" })).await.ok();
        assert_eq!(added["webhookEndpoint"]["secrets"].as_array().unwrap().len(), 1);
        assert_eq!(added["webhookEndpoint"]["secrets"][0]["id"], added["secretId"]);
    }

    async fn anothers_endpoint_is_answered_like_one_that_never_was(server: TestServer) {
        let (world, other) = (World::new(&server).await, World::new(&server).await);
        let webhook = Webhook::new(&other, NOWHERE).await;
        let before = webhook.get(&other.product).await;
        for method in [
            "GetWebhookEndpoint", "UpdateWebhookEndpoint", "DeleteWebhookEndpoint", "PauseWebhookEndpoint",
            "ResumeWebhookEndpoint", "AddWebhookSecret", "RemoveWebhookSecret",
        ] {
            let ask = async |id: &str| {
                let body = json!({ "webhookEndpointId": id, "secretId": webhook.secret_id, "description": "taken over" });
                let mut answer = call(&world.product, method, body).await;
                assert_eq!(answer.code(), "not_found", "{method}");
                answer.body["message"] = answer.body["message"].as_str().unwrap().replace(id, "").into();
                answer
            };
            assert_eq!(ask(&webhook.id).await, ask(&uuid::Uuid::new_v4().to_string()).await, "{method}");
        }
        // Delivery fails meanwhile, which is not theirs.
        let after = webhook.get(&other.product).await;
        for field in ["url", "description", "updatedAt", "secrets"] {
            assert_eq!(before[field], after[field]);
        }
        let listed = call(&world.product, "ListWebhookEndpoints", json!({ "organizationId": world.organization.to_string() })).await.ok();
        assert_eq!(listed, json!({ "pagination": {} }));
    }

    async fn it_begins_and_goes_on_only_where_the_feed_has_something(server: TestServer) {
        let world = World::new(&server).await;
        make_users(&world, "a", 3).await;
        let begin = async |after: &str| {
            let body = json!({ "organizationId": world.organization.to_string(), "url": NOWHERE, "after": after });
            call(&world.product, "CreateWebhookEndpoint", body).await
        };
        assert_eq!(begin("4").await.ok()["webhookEndpoint"]["delivery"]["deliveredNumber"], "4");
        assert_eq!(begin("5").await.reason(), "EVENT_NUMBER_UNKNOWN");
        let webhook = Webhook::new(&world, NOWHERE).await;
        let resume = async |after: &str| webhook.call(&world.product, "ResumeWebhookEndpoint", json!({ "after": after })).await;
        assert_eq!(resume("5").await.reason(), "EVENT_NUMBER_UNKNOWN");
        assert_eq!(resume("2").await.ok()["webhookEndpoint"]["delivery"]["deliveredNumber"], "2");
    }

    async fn the_database_holds_no_secret_in_plain(server: TestServer) {
        let world = World::new(&server).await;
        let webhook = Webhook::new(&world, NOWHERE).await;
        let connection = Database::connect(server.database.text()).await.unwrap();
        let query = Statement::from_string(connection.get_database_backend(), "SELECT sealed FROM scim_webhook_secrets");
        let rows = connection.query_all_raw(query).await.unwrap();
        assert_eq!(rows.len(), 1);
        let sealed: Vec<u8> = rows[0].try_get_by_index(0).unwrap();
        let secret = STANDARD.decode(webhook.secret.strip_prefix("whsec_").unwrap()).unwrap();
        assert_eq!((secret.len(), sealed.len()), (32, 1 + 24 + 32 + 16));
        assert!(!sealed.windows(4).any(|part| secret.windows(4).any(|own| own == part)));
    }
}
