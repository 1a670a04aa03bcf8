//! The compiled program as a process of its own.
//!
//! What it logs, at the most verbose level unless a test says otherwise, goes
//! to a file of the run, which the test binary `secrets` reads in the end.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::{TestDatabase, program, run_directory};

/// Longer than anything that a process is waited for takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// `scimd <arguments>` with `database` and none of the machine's own settings.
pub fn scimd(database: &TestDatabase, arguments: &[&str]) -> Command {
    let mut command = scimd_alone(arguments);
    command.env("SCIMD_DATABASE_URL", database.text());
    command
}

/// `scimd <arguments>` with no setting that says what to work on.
pub fn scimd_alone(arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command
        .args(arguments)
        .env_clear()
        .env("SCIMD_LISTEN", "127.0.0.1:0")
        .env("SCIMD_LOG", "trace")
        .env("SCIMD_LOG_FORMAT", "json")
        .env("SCIMD_SCIM_RATE_LIMIT", "0")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// A command that ran to its end.
#[derive(Debug)]
pub struct Finished {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a command to its end.
pub async fn finished(mut command: Command) -> Finished {
    let output = timeout(PATIENCE, command.output()).await.expect("it ends").unwrap();
    // For the test binary `secrets`.
    let log = run_directory().join(format!("{}.log", uuid::Uuid::new_v4()));
    std::fs::write(log, &output.stderr).unwrap();
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Finished {
    /// What a command that must succeed printed.
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self.stdout
    }
}

/// A running `scimd serve`. Killed when dropped.
pub struct Process {
    pub url: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Serves `database`.
    pub async fn serve(database: &TestDatabase) -> Self {
        Self::start(scimd(database, &["serve"])).await
    }

    /// Starts a command that serves, and waits until it does.
    pub async fn start(mut command: Command) -> Self {
        let log = run_directory().join(format!("{}.log", uuid::Uuid::new_v4()));
        let child = command.stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
        let mut process = Self { url: String::new(), child, log };
        let listening = process.logged("listening").await;
        process.url = format!("http://{}", listening["address"].as_str().unwrap());
        process
    }

    /// The first line of the log that says `message`, when it is there.
    pub async fn logged(&mut self, message: &str) -> Value {
        let line = async {
            loop {
                // A line that is half written is none yet.
                let said = self.log();
                let mut lines = said.lines().filter_map(|line| serde_json::from_str(line).ok());
                if let Some(line) = lines.find(|line: &Value| line["message"] == message) {
                    return line;
                }
                if let Some(status) = self.child.try_wait().unwrap() {
                    panic!("scimd ended with {status}: {}", self.log());
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, line).await.expect("the line comes")
    }

    /// All that it logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Its standard output, where the command asked for a pipe.
    pub fn stdout(&mut self) -> tokio::process::ChildStdout {
        self.child.stdout.take().expect("a pipe, taken once")
    }

    /// Its id, as long as it was not waited for.
    pub fn id(&self) -> u32 {
        self.child.id().expect("it has not been waited for")
    }

    /// Sends a signal, such as `TERM`.
    pub async fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let mut kill = Command::new("sh");
        kill.args(["-c", r#"kill -s "$1" "$2""#, "sh", name, &id]);
        finished(kill).await.ok();
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        timeout(PATIENCE, self.child.wait()).await.expect("it ends").unwrap()
    }

    /// Kills it, as a loss of power would.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}
