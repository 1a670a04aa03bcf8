//! The examples of `docs/directory.md` work as they are printed.

use std::process::Stdio;
use std::time::Duration;

use regex::Regex;
use scimd::model::Scope;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use super::World;
use crate::clients;
use crate::harness::{TestServer, finished, on_both_engines, skip};

/// The one block of the page in `language`.
fn example(language: &str) -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/directory.md");
    let page = std::fs::read_to_string(page).unwrap();
    let fence = Regex::new(&format!(r"(?ms)^```{language}\n(.*?)^```$")).unwrap();
    fence.captures(&page).unwrap()[1].to_owned()
}

async fn told(command: &mut Command, server: &TestServer, world: &World) {
    let scope = Scope::Organization(world.organization);
    let key = server.key(scope, scimd::model::Role::Viewer, None).await;
    command
        .env("SCIMD_URL", &server.url)
        .env("SCIMD_API_KEY", key)
        .env("SCIMD_ORGANIZATION", world.organization.to_string());
}

on_both_engines! {
    async fn the_request_in_curl_tells_what_happened(server: TestServer) {
        if std::process::Command::new("curl").arg("--version").output().is_err() {
            return skip("no curl");
        }
        let world = World::new(&server).await;
        let mut command = Command::new("sh");
        command.args(["-eu", "-c", &example("sh")]);
        told(&mut command, &server, &world).await;
        let answer: Value = serde_json::from_str(&finished(command).await.ok()).unwrap();
        assert_eq!(answer["events"][0]["kind"], "EVENT_KIND_CONFIGURATION_CREATED");
        assert_eq!(answer["events"][0]["subjectId"], json!(world.tenant.configuration));
    }

    async fn the_program_in_python_tells_what_happens(server: TestServer) {
        let python = match clients::python_sdk_1() {
            Ok(python) => python,
            Err(reason) => return skip(&reason.to_string()),
        };
        let world = World::new(&server).await;
        let mut command = Command::new(python);
        command.args(["-c", &example("python")]).stdout(Stdio::piped()).kill_on_drop(true);
        told(&mut command, &server, &world).await;
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut line = async || {
            timeout(Duration::from_secs(30), lines.next_line()).await.unwrap().unwrap().unwrap()
        };
        let configuration = &world.tenant.configuration;
        assert_eq!(line().await, format!("1 EVENT_KIND_CONFIGURATION_CREATED {configuration}"));
        let made = world.tenant.scim.post("/Users", json!({ "userName": "ann" })).await;
        let id = made.body["id"].as_str().unwrap();
        assert_eq!(line().await, format!("2 EVENT_KIND_USER_CREATED {id}"));
    }
}
