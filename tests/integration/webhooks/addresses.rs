//! Where nothing is sent, whatever was allowed when the endpoint was made.

use serde_json::json;

use super::receiver::{Manner, Receiver};
use super::{Webhook, call};
use crate::harness::{Client, Engine, Process, TestDatabase, WEBHOOK_KEY, finished, scimd};

const ORGANIZATION: &str = "0195f2a3-0f5c-7cc3-a1b2-4c5d6e7f8092";

async fn served(database: &TestDatabase, allowed: &[&str]) -> Process {
    let mut command = scimd(database, &["serve"]);
    command.env("SCIMD_WEBHOOK_SECRET_KEY", WEBHOOK_KEY);
    for setting in allowed {
        command.env(format!("SCIMD_WEBHOOK_ALLOW_{setting}"), "true");
    }
    Process::start(command).await
}

async fn nothing_goes_where_it_is_no_longer_allowed(engine: Engine) {
    let Some(database) = TestDatabase::create(engine).await else { return };
    let create_key = ["api-key", "create", "--organization", ORGANIZATION];
    let key = finished(scimd(&database, &create_key)).await.ok().trim_end().to_owned();
    let receiver = Receiver::new(Manner::Takes).await;
    // By address and by name, which stands for it in this machine's own list.
    let urls = [receiver.url.clone(), receiver.url.replace("127.0.0.1", "localhost")];
    let lax = served(&database, &["HTTP", "PRIVATE"]).await;
    let mut webhooks: Vec<Webhook> = Vec::new();
    for url in urls {
        let client = Client::new(&lax.url, Some(&key));
        webhooks.push(super::create(&client, ORGANIZATION.parse().unwrap(), &url).await);
    }
    lax.kill().await;
    for (allowed, kind) in [(&["HTTP"][..], "ADDRESS"), (&["PRIVATE"], "URL")] {
        let strict = served(&database, allowed).await;
        let client = Client::new(&strict.url, Some(&key));
        client.create(ORGANIZATION).await.ok();
        for webhook in &webhooks {
            webhook.call(&client, "ResumeWebhookEndpoint", json!({})).await.ok();
            let kind = format!("WEBHOOK_FAILURE_KIND_{kind}");
            webhook.delivery(&client, |delivery| delivery["lastFailure"]["kind"] == kind).await;
        }
        strict.kill().await;
    }
    assert_eq!(receiver.received().len(), 0);
    // Nothing is sent without the key, which is said, and all of it once it is back.
    let mut without = scimd(&database, &["serve"]);
    without.env("SCIMD_WEBHOOK_ALLOW_HTTP", "true").env("SCIMD_WEBHOOK_ALLOW_PRIVATE", "true");
    let mut without = Process::start(without).await;
    without
        .logged("there are webhook endpoints, to which nothing is sent: SCIMD_WEBHOOK_SECRET_KEY is not set")
        .await;
    let client = Client::new(&without.url, Some(&key));
    let listed = json!({ "organizationId": ORGANIZATION });
    let listed = call(&client, "ListWebhookEndpoints", listed).await.ok();
    assert_eq!(listed["webhookEndpoints"].as_array().unwrap().len(), 2);
    without.kill().await;
    let again = served(&database, &["HTTP", "PRIVATE"]).await;
    let client = Client::new(&again.url, Some(&key));
    for webhook in &webhooks {
        webhook.call(&client, "ResumeWebhookEndpoint", json!({})).await.ok();
        webhook.delivery(&client, |delivery| delivery["deliveredNumber"] == "2").await;
    }
    assert_eq!(receiver.taken().len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_goes_where_it_is_no_longer_allowed_on_sqlite() {
    nothing_goes_where_it_is_no_longer_allowed(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_goes_where_it_is_no_longer_allowed_on_postgres() {
    nothing_goes_where_it_is_no_longer_allowed(Engine::Postgres).await;
}
