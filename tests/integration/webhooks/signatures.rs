//! What a receiver can verify, with the reference library and with what
//! `docs/webhooks.md` prints.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::receiver::{Manner, Received, Receiver};
use super::{Webhook, make_users};
use crate::clients::{self, Skip};
use crate::directory::World;
use crate::harness::{Engine, TestServer, on_both_engines, skip};

/// Verifies what it is given with the reference library, and that nothing else
/// would be taken.
const REFERENCE: &str = r#"
import json, sys
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

checked = 0
for case in json.load(sys.stdin):
    webhook = Webhook(case["secret"])
    webhook.verify(case["body"], case["headers"])
    for body, headers in [
        (case["body"] + " ", case["headers"]),
        (case["body"], case["headers"] | {"webhook-id": "other"}),
        (case["body"], case["headers"] | {"webhook-timestamp": str(int(case["headers"]["webhook-timestamp"]) + 1)}),
    ]:
        try:
            webhook.verify(body, headers)
            sys.exit("it takes what was not signed")
        except WebhookVerificationError:
            checked += 1
print(f"{checked} passed, 0 failed")
"#;

/// The same with the function of the page.
const PRINTED: &str = r#"
import json, sys

checked = 0
for case in json.load(sys.stdin):
    for secret, body, expected in [
        (case["secret"], case["body"], True),
        (case["secret"], case["body"] + " ", False),
        ("whsec_" + "A" * 43 + "=", case["body"], False),
    ]:
        if verified(secret, case["headers"], body.encode()) is not expected:
            sys.exit(f"it is not {expected}")
        checked += 1
print(f"{checked} passed, 0 failed")
"#;

/// A delivery for `program`, with each of the secrets that must fit.
fn case(received: &Received, secret: &str) -> Value {
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers: Vec<_> = names.iter().map(|name| (*name, received.header(name))).collect();
    json!({
        "secret": secret,
        "body": std::str::from_utf8(&received.body).unwrap(),
        "headers": headers.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
    })
}

async fn verified_by(python: Result<PathBuf, Skip>, program: &str) {
    let python = match python {
        Ok(python) => python,
        Err(reason) => return skip(&reason.to_string()),
    };
    let Some(server) = TestServer::start_in_real_time(Engine::Sqlite).await else { return };
    let world = World::new(&server).await;
    let receiver = Receiver::new(Manner::Takes).await;
    let webhook = Webhook::new(&world, &receiver.url).await;
    receiver.took_all(1).await;
    let added = webhook
        .call(&world.product, "AddWebhookSecret", json!({ "othersExpireIn": "60s" }))
        .await
        .ok();
    make_users(&world, "zoë", 1).await;
    receiver.took_all(2).await;
    let sent = receiver.received();
    let second = added["secret"].as_str().unwrap();
    let cases = json!([
        case(&sent[0], &webhook.secret),
        case(&sent[1], &webhook.secret),
        case(&sent[1], second),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cases.json");
    std::fs::write(&file, cases.to_string()).unwrap();
    let program =
        format!("import sys\nsys.stdin = open({:?}, encoding='utf-8')\n{program}", file.display());
    clients::run(&python, ["-c", &program], Vec::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_reference_library_takes_what_is_sent_and_nothing_else() {
    verified_by(clients::standard_webhooks(), REFERENCE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_function_in_the_documentation_takes_what_is_sent_and_nothing_else() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/webhooks.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, code) = page.split_once("```python\n").unwrap();
    let (code, _) = code.split_once("```").unwrap();
    verified_by(clients::plain_python(), &format!("{code}{PRINTED}")).await;
}

on_both_engines! {
    async fn a_secret_signs_until_it_ends_or_is_removed(server: TestServer) {
        let world = World::new(&server).await;
        let receiver = Receiver::new(Manner::Takes).await;
        let webhook = Webhook::new(&world, &receiver.url).await;
        receiver.took_all(1).await;
        let mut number = 1;
        let mut signatures = async || {
            number += 1;
            make_users(&world, &format!("n{number}-"), 1).await;
            receiver.took_all(number).await;
            let last = receiver.received().pop().unwrap();
            last.header("webhook-signature").split(' ').count()
        };
        assert_eq!(signatures().await, 1);
        let added = webhook.call(&world.product, "AddWebhookSecret", json!({ "othersExpireIn": "60s" })).await.ok();
        for secret in added["webhookEndpoint"]["secrets"].as_array().unwrap() {
            let end = if secret["id"] == added["secretId"] { Value::Null } else { json!("2026-11-23T20:16:00Z") };
            assert_eq!(secret["expiresAt"], end);
        }
        assert_eq!(signatures().await, 2);
        server.advance(Duration::from_mins(1));
        assert_eq!(signatures().await, 1);
        let third = webhook.call(&world.product, "AddWebhookSecret", json!({})).await.ok();
        assert_eq!(signatures().await, 2);
        let secret = json!({ "secretId": third["secretId"] });
        webhook.call(&world.product, "RemoveWebhookSecret", secret).await.ok();
        assert_eq!(signatures().await, 1);
    }
}
