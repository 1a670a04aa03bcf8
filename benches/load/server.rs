//! The server that is measured: the program itself, with its default settings
//! but one: there is no limit on the requests of a configuration.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use axum::body::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::driver::{Connection, Target};
use crate::generate::rows::SPARE_NAME;

/// How long the server may take to come up.
const PATIENCE: Duration = Duration::from_mins(1);

/// What is asked of the log.
pub enum Log<'a> {
    /// The default, `info`, thrown away.
    Default,
    /// Every statement, in this file.
    Statements(&'a Path),
}

/// A running server. Dropped, it is killed.
pub struct Server {
    child: Child,
    pub address: String,
}

impl Server {
    pub async fn start(database_url: &str, log: Log<'_>) -> anyhow::Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let mut command = scimd(database_url);
        // Requests are counted, and none is refused.
        command.env("SCIMD_SCIM_RATE_LIMIT", "1000000000");
        command.args(["serve", "--listen", &address]).stdout(Stdio::null()).stderr(Stdio::null());
        if let Log::Statements(path) = log {
            command
                .env("SCIMD_LOG", "off,scimd::repository::statement=trace")
                .env("SCIMD_LOG_FORMAT", "json")
                .stderr(File::create(path)?);
        }
        let mut server = Self { child: command.spawn()?, address };
        let begun = Instant::now();
        while !server.is_ready().await {
            if let Some(status) = server.child.try_wait()? {
                bail!("the server ended with {status}; run it by hand on {database_url}");
            }
            ensure!(begun.elapsed() < PATIENCE, "the server does not come up on {database_url}");
            sleep(Duration::from_millis(20)).await;
        }
        Ok(server)
    }

    async fn is_ready(&self) -> bool {
        let Ok(mut connection) = Connection::open(&self.address, false).await else { return false };
        let request = Request::get("/readyz").header("host", &self.address);
        let request = request.body(Full::default()).expect("a literal request");
        connection.send(request, false).await.is_ok_and(|answer| answer.status == StatusCode::OK)
    }

    pub fn process(&self) -> u32 {
        self.child.id().expect("it is not waited for before it is dropped")
    }

    /// To be loaded, with the database server that stands behind it.
    pub fn target(&self, database: Option<u32>) -> Target {
        let address = self.address.clone();
        Target { address, process: self.process(), database, is_constant: false }
    }

    pub async fn stop(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Makes a configuration as the product would: its id and its token.
    pub async fn create_configuration(
        &self,
        key: &str,
        organization: Uuid,
    ) -> anyhow::Result<(Uuid, String)> {
        let body = json!({
            "organizationId": organization,
            "ssoConfigurationId": organization,
            "name": SPARE_NAME,
        });
        let request = Request::builder()
            .method(Method::POST)
            .uri("/gitpod.v1.OrganizationService/CreateSCIMConfiguration")
            .header("host", &self.address)
            .header("authorization", format!("Bearer {key}"))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body.to_string())))?;
        let mut connection = Connection::open(&self.address, false).await?;
        let answer = connection.send(request, true).await?;
        ensure!(answer.status == StatusCode::OK, "{answer:?}");
        let answer: Value = serde_json::from_slice(&answer.body)?;
        let text = |value: &Value| value.as_str().map(str::to_owned).context("a text");
        let id = text(&answer["scimConfiguration"]["id"])?.parse()?;
        Ok((id, text(&answer["token"])?))
    }
}

/// Makes an API key as an operator would.
pub async fn create_key(database_url: &str, organization: Uuid) -> anyhow::Result<String> {
    let organization = organization.to_string();
    let arguments = ["api-key", "create", "--organization", &organization];
    let output = scimd(database_url).args(arguments).output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// `scimd`, with none of the machine's own settings.
fn scimd(database_url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scimd"));
    command
        .env_clear()
        .current_dir(home())
        .args(["--database-url", database_url])
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Where the benchmark keeps what it makes.
pub fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench")
}
