//! The programs in `examples/` that follow the feed: generated, built and run by the commands of docs/clients.md.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio::time::{sleep, timeout};

use crate::clients::{self, Skip};
use crate::harness::{self, Client, Engine, Process, TestDatabase, finished, scimd};
use crate::readme;
use crate::scim::client::ScimClient;

const ORGANIZATION: &str = "0195f2a3-0f5c-7cc3-a1b2-4c5d6e7f8091";
const EXAMPLES: [&str; 3] = ["go", "python", "typescript"];
/// Longer than an example takes to print what happened, with its pauses.
const PATIENCE: Duration = Duration::from_mins(1);
/// The server gives a sign of life every 15 seconds.
const PAST_A_SIGN_OF_LIFE: Duration = Duration::from_secs(17);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_miss_nothing_while_the_server_is_killed_on_sqlite() {
    they_miss_nothing(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_miss_nothing_while_the_server_is_killed_on_postgres() {
    they_miss_nothing(Engine::Postgres).await;
}

async fn they_miss_nothing(engine: Engine) {
    let home = match built() {
        Ok(home) => home,
        Err(reason) => return harness::skip(&reason.to_string()),
    };
    let Some(database) = TestDatabase::create(engine).await else { return };
    let mut server = served(&database, "127.0.0.1:0").await;
    let url = server.url.clone();
    let address = url.strip_prefix("http://").unwrap();
    let admin = Client::new(&url, Some(&key(&database, "admin").await));
    let viewer = key(&database, "viewer").await;
    let follow = |example, after| Follower::start(&home, example, &url, &viewer, after);
    let mut followers = EXAMPLES.map(|example| follow(example, None));

    let created = admin.create(ORGANIZATION).await;
    let base = format!("{url}/scim/v2/{}", created.id());
    let scim = ScimClient::at(&base, &created.token());
    let user = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ann@example.com" });
    let user = scim.post("/Users", user).await.created()["id"].as_str().unwrap().to_owned();
    all_print(&mut followers, 2).await;

    sleep(PAST_A_SIGN_OF_LIFE).await;
    let user_path = format!("/Users/{user}");
    let inactive = json!([{ "op": "replace", "path": "active", "value": false }]);
    scim.patch(&user_path, inactive).await.ok();
    all_print(&mut followers, 3).await;
    for follower in &followers {
        assert_eq!(follower.complaints(), "", "{} lost a stream that lived", follower.example);
    }

    server.kill().await;
    server = served(&database, address).await;
    let group = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": "Sales",
        "members": [{ "value": user }],
    });
    let group = scim.post("/Groups", group).await.created()["id"].as_str().unwrap().to_owned();
    all_print(&mut followers, 5).await;

    server.signal("TERM").await;
    assert!(server.ended().await.success());
    server = served(&database, address).await;
    assert_eq!(scim.delete(&user_path).await.status, 204);
    assert_eq!(scim.delete(&format!("/Groups/{group}")).await.status, 204);
    let events = events(&admin).await;
    all_print(&mut followers, events.len()).await;

    let numbers: Vec<_> = events.iter().map(|line| line.split(' ').next().unwrap()).collect();
    let wanted: Vec<_> = (1..=events.len()).map(|number| number.to_string()).collect();
    assert_eq!(numbers, wanted);
    for follower in followers {
        let complaints = follower.complaints();
        assert!(complaints.contains("goes on behind 3"), "it saw the kill: {complaints}");
        assert!(complaints.contains("the server stops"), "it saw the stop: {complaints}");
        follower.printed_exactly(&events).await;
    }

    let known = events.len() - 2;
    let mut late = EXAMPLES.map(|example| follow(example, Some(known)));
    all_print(&mut late, 2).await;
    for follower in late {
        follower.printed_exactly(&events[known..]).await;
    }
    for example in EXAMPLES {
        let mut follower = follow(example, Some(events.len() + 1));
        let status = timeout(PATIENCE, follower.child.wait()).await.expect("it ends").unwrap();
        assert_eq!(status.code(), Some(1), "{example}");
        let complaints = follower.complaints();
        assert!(complaints.contains("take GetSnapshot"), "{example}: {complaints}");
    }
    server.kill().await;
}

async fn served(database: &TestDatabase, address: &str) -> Process {
    let mut command = scimd(database, &["serve"]);
    command.env("SCIMD_LISTEN", address).env("SCIMD_SHUTDOWN_DELAY", "0s");
    Process::start(command).await
}

async fn key(database: &TestDatabase, role: &str) -> String {
    let create = ["api-key", "create", "--organization", ORGANIZATION, "--role", role];
    finished(scimd(database, &create)).await.ok().trim_end().to_owned()
}

/// The whole feed in the words of the examples.
async fn events(client: &Client) -> Vec<String> {
    let body = json!({ "organizationId": ORGANIZATION, "limit": 1000 });
    let answer = client.post("/scimd.v1.DirectoryService/ListEvents", body).await.ok();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let line = |event: &Value| {
        let kind = text(&event["kind"]);
        let kind = kind.strip_prefix("EVENT_KIND_").unwrap();
        format!("{} {kind} {}", text(&event["number"]), text(&event["subjectId"]))
    };
    answer["events"].as_array().unwrap().iter().map(line).collect()
}

/// A running example. Killed when dropped.
struct Follower {
    example: &'static str,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    printed: Vec<String>,
    /// With what it says on standard error.
    folder: TempDir,
}

impl Follower {
    /// Starts an example, behind a number or at the beginning.
    fn start(
        home: &Path,
        example: &'static str,
        url: &str,
        key: &str,
        after: Option<usize>,
    ) -> Self {
        let mut environment = vec![
            ("SCIMD_URL".to_owned(), url.to_owned()),
            ("SCIMD_API_KEY".to_owned(), key.to_owned()),
            ("SCIMD_ORGANIZATION".to_owned(), ORGANIZATION.to_owned()),
        ];
        environment.extend(after.map(|after| ("SCIMD_AFTER".to_owned(), after.to_string())));
        let commands = commands("Follow the feed");
        let folder = format!("examples/{example}/");
        let command = commands.lines().find(|line| line.contains(&folder)).unwrap();
        let mut words = command.split(' ');
        let program = words.next().unwrap();
        // The commands are for the root of the repository; a program on the search path has no folder.
        let program = if program.contains('/') { home.join(program) } else { program.into() };
        let folder = tempfile::tempdir().unwrap();
        let mut child = clients::command(&program, words, environment)
            .current_dir(home)
            .stderr(File::create(folder.path().join("stderr")).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("{command} does not start: {error}"));
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Self { example, child, lines, printed: Vec::new(), folder }
    }

    /// Waits until it has printed so many lines.
    async fn prints(&mut self, count: usize) {
        let print = async {
            while self.printed.len() < count {
                match self.lines.next_line().await.unwrap() {
                    Some(line) => self.printed.push(line),
                    None => return,
                }
            }
        };
        let _ = timeout(PATIENCE, print).await;
        let Self { example, printed, .. } = &self;
        assert!(printed.len() >= count, "{example}: {printed:#?}\n{}", self.complaints());
    }

    /// What it said on standard error.
    fn complaints(&self) -> String {
        fs::read_to_string(self.folder.path().join("stderr")).unwrap()
    }

    /// Ends it, and compares all that it ever printed.
    async fn printed_exactly(mut self, lines: &[String]) {
        self.child.kill().await.unwrap();
        let mut rest = String::new();
        self.lines.into_inner().read_to_string(&mut rest).await.unwrap();
        self.printed.extend(rest.lines().map(str::to_owned));
        assert_eq!(self.printed, lines, "{}", self.example);
    }
}

async fn all_print(followers: &mut [Follower], count: usize) {
    for follower in followers {
        follower.prints(count).await;
    }
}

/// Where the commands of docs/clients.md have run: a copy of what they read, so that nothing is left in the work tree.
fn built() -> Result<PathBuf, Skip> {
    static MADE: OnceLock<Result<PathBuf, Skip>> = OnceLock::new();
    MADE.get_or_init(|| {
        let buf = clients::buf()?;
        let versions = [
            clients::toolchain("go", "version", (1, 26))?,
            clients::toolchain("python3", "--version", (3, 11))?,
            clients::toolchain("node", "--version", (20, 0))?,
        ];
        let inputs = inputs();
        Ok(clients::prepared("examples", &versions.join("\n"), &inputs, |home| {
            for input in &inputs {
                let copy = home.join(input.strip_prefix(readme::root()).unwrap());
                fs::create_dir_all(copy.parent().unwrap()).unwrap();
                fs::copy(input, copy).unwrap();
            }
            clients::install(
                Command::new("sh")
                    .args(["-eu", "-c", &commands("Generate them")])
                    .env("PATH", readme::with_first(buf.parent().unwrap()))
                    .envs(clients::GO_ENVIRONMENT)
                    .current_dir(home),
            );
        }))
    })
    .clone()
}

/// The files that the commands read.
fn inputs() -> Vec<PathBuf> {
    let root = readme::root();
    let mut inputs: Vec<_> =
        ["buf.yaml", "buf.gen.yaml", "docs/clients.md"].map(|file| root.join(file)).into();
    // Folders in there are what somebody has made by these commands.
    inputs.extend(
        EXAMPLES.iter().flat_map(|example| clients::files(&root.join("examples").join(example))),
    );
    let mut folders = vec![root.join("proto")];
    while let Some(folder) = folders.pop() {
        inputs.extend(clients::files(&folder));
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        folders.extend(entries.filter(|path| path.is_dir()));
    }
    inputs
}

/// The commands in a section of docs/clients.md.
fn commands(section: &str) -> String {
    let page = readme::read("docs/clients.md");
    let (_, text) = page.split_once(&format!("\n## {section}\n")).expect("the section is there");
    let (language, commands) = readme::blocks(text).remove(0);
    assert_eq!(language, "sh");
    commands
}
