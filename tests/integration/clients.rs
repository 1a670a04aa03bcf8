//! The real clients of `tests/clients`: installs what they need, and runs them.
//!
//! Each is installed once per machine, in `target/clients/<name>`, and again only when its inputs change: a second run of
//! the tests asks no registry. What the programs check stays in `tests/clients`; which server they meet, in `real_clients`.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_mins(3);

/// A toolchain of the proxy's instead of this machine's would be another test than the one asked for.
pub const GO_ENVIRONMENT: [(&str, &str); 2] = [("GOTOOLCHAIN", "local"), ("CGO_ENABLED", "0")];

/// Why a client cannot run on this machine: a toolchain that is missing or too old.
#[derive(Clone, Debug)]
pub struct Skip(String);

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The interpreter that has gitpod-sdk 1.2.0, the Connect generation.
pub fn python_sdk_1() -> Result<PathBuf, Skip> {
    static MADE: OnceLock<Result<PathBuf, Skip>> = OnceLock::new();
    MADE.get_or_init(|| python("python_connect")).clone()
}

/// The interpreter that has gitpod-sdk 0.11.0, the JSON generation.
pub fn python_sdk_0() -> Result<PathBuf, Skip> {
    static MADE: OnceLock<Result<PathBuf, Skip>> = OnceLock::new();
    MADE.get_or_init(|| python("python_rest")).clone()
}

/// The interpreter that has grpcio.
pub fn python_grpc() -> Result<PathBuf, Skip> {
    static MADE: OnceLock<Result<PathBuf, Skip>> = OnceLock::new();
    MADE.get_or_init(|| python("python_grpc")).clone()
}

/// The interpreter that has the reference library of Standard Webhooks.
pub fn standard_webhooks() -> Result<PathBuf, Skip> {
    static MADE: OnceLock<Result<PathBuf, Skip>> = OnceLock::new();
    MADE.get_or_init(|| python("webhooks")).clone()
}

/// The folder with the programs `scim`, of scim2-cli, and `scim-sanity`.
pub fn scim_testers() -> Result<PathBuf, Skip> {
    static MADE: OnceLock<Result<PathBuf, Skip>> = OnceLock::new();
    let folder = |python: PathBuf| python.parent().expect("it is in a folder").to_owned();
    MADE.get_or_init(|| python("scim_testers").map(folder)).clone()
}

/// The interpreter for a program that needs nothing but Python itself.
pub fn plain_python() -> Result<PathBuf, Skip> {
    toolchain("python3", "--version", (3, 11)).map(|_| PathBuf::from("python3"))
}

/// The folder with the node program and its packages: packages are found beside the program, so it is copied there.
pub fn node() -> Result<PathBuf, Skip> {
    static MADE: OnceLock<Result<PathBuf, Skip>> = OnceLock::new();
    MADE.get_or_init(|| npm("node")).clone()
}

/// The buf binary itself: the script that npm links to it costs each call a start of node.
pub fn buf() -> Result<PathBuf, Skip> {
    static MADE: OnceLock<Result<PathBuf, Skip>> = OnceLock::new();
    let find = |home: PathBuf| {
        fs::read_dir(home.join("node_modules/@bufbuild"))
            .expect("npm has installed @bufbuild/buf")
            .filter_map(Result::ok)
            .map(|package| package.path().join("bin/buf"))
            .find(|binary| binary.is_file() && !binary.ends_with("buf/bin/buf"))
            .expect("the package of this platform has the binary")
    };
    MADE.get_or_init(|| npm("buf").map(find)).clone()
}

/// The compiled Go program.
pub fn go() -> Result<PathBuf, Skip> {
    static MADE: OnceLock<Result<PathBuf, Skip>> = OnceLock::new();
    let build = || {
        let version = toolchain("go", "version", (1, 26))?;
        let home = prepared("go", &version, &files(&programs().join("go")), |home| {
            install(
                Command::new("go")
                    .args(["build", "-mod=readonly", "-o"])
                    .arg(home.join("client"))
                    .arg(".")
                    .envs(GO_ENVIRONMENT)
                    .current_dir(programs().join("go")),
            );
        });
        Ok(home.join("client"))
    };
    MADE.get_or_init(build).clone()
}

/// Where the programs are.
pub fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// Runs a program to its end and gives the lines it printed. Panics with all of them unless every check has passed.
pub async fn run(
    program: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    environment: Vec<(String, String)>,
) -> Vec<String> {
    let mut child = command(program, arguments, environment)
        .spawn()
        .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()));
    let mut stdout = child.stdout.take().expect("standard output is piped");
    let mut stderr = child.stderr.take().expect("standard error is piped");
    let (mut printed, mut complained) = (Vec::new(), Vec::new());
    let end = timeout(LIMIT, async {
        let (_, _, status) = tokio::join!(
            stdout.read_to_end(&mut printed),
            stderr.read_to_end(&mut complained),
            child.wait()
        );
        status
    })
    .await;

    let printed = String::from_utf8_lossy(&printed);
    let complained = String::from_utf8_lossy(&complained);
    let failure = match end {
        Err(_) => Some(format!("was still running after {} s", LIMIT.as_secs())),
        Ok(Err(error)) => Some(format!("could not be waited for: {error}")),
        Ok(Ok(status)) if !status.success() => Some(format!("ended with {status}")),
        Ok(Ok(_)) if !printed.lines().any(all_passed) => {
            Some("did not say that all passed".to_owned())
        }
        Ok(Ok(_)) => None,
    };
    if let Some(failure) = failure {
        panic!("{} {failure}\n{printed}\n{complained}", program.display());
    }
    printed.lines().map(str::to_owned).collect()
}

/// Runs a program to its end, however that is.
pub async fn ended(
    program: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    environment: Vec<(String, String)>,
) -> Output {
    let end = timeout(LIMIT, command(program, arguments, environment).output()).await;
    let output = end.unwrap_or_else(|_| panic!("{} was still running", program.display()));
    output.unwrap_or_else(|error| panic!("{} does not run: {error}", program.display()))
}

/// A program that may talk to the servers of the tests, with its output piped.
pub fn command(
    program: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    environment: Vec<(String, String)>,
) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(program);
    command
        .args(arguments)
        .envs(environment)
        // The server is on this machine: no client may take a way around.
        .envs([("NO_PROXY", "127.0.0.1,localhost"), ("no_proxy", "127.0.0.1,localhost")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Whether a line says `N passed, 0 failed`, with N above 0: a program that checked nothing has proved nothing.
fn all_passed(line: &str) -> bool {
    line.strip_suffix(" passed, 0 failed")
        .and_then(|count| count.parse::<u32>().ok())
        .is_some_and(|count| count > 0)
}

fn python(name: &str) -> Result<PathBuf, Skip> {
    let version = toolchain("python3", "--version", (3, 11))?;
    let requirements = programs().join(name).join("requirements.txt");
    let home = prepared(name, &version, &[requirements.as_path()], |home| {
        install(Command::new("python3").args(["-m", "venv"]).arg(home));
        install(
            Command::new(home.join("bin/python"))
                // Every package is pinned: one that a pin brings along unasked would be a different client.
                .args(["-m", "pip", "install", "--quiet", "--no-deps", "--requirement"])
                .arg(&requirements),
        );
    });
    Ok(home.join("bin/python"))
}

fn npm(name: &str) -> Result<PathBuf, Skip> {
    let version = toolchain("node", "--version", (20, 0))?;
    toolchain("npm", "--version", (7, 0))?;
    let files = files(&programs().join(name));
    Ok(prepared(name, &version, &files, |home| {
        for file in &files {
            let file_name = file.file_name().expect("it was found in a folder");
            fs::copy(file, home.join(file_name))
                .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        }
        install(
            Command::new("npm")
                .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
                .current_dir(home),
        );
    }))
}

/// The version line of a tool, or why it does not serve.
pub fn toolchain(tool: &str, asked: &str, at_least: (u32, u32)) -> Result<String, Skip> {
    let missing = |_| Skip(format!("no {tool}"));
    let answer = Command::new(tool).arg(asked).output().map_err(missing)?;
    let line = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    // "Python 3.11.7", "v20.20.2", "go version go1.26.8 linux/amd64"
    let mut numbers =
        line.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) >= at_least => Ok(line),
        _ => Err(Skip(format!("no {tool} {}.{} or later, but {line:?}", at_least.0, at_least.1))),
    }
}

/// The files of a folder, in a fixed order, without those of its folders.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}

/// The folder `target/clients/<name>`, made anew if it was not made by just this toolchain from just these files.
pub fn prepared(
    name: &str,
    version: &str,
    inputs: &[impl AsRef<Path>],
    make: impl FnOnce(&Path),
) -> PathBuf {
    let clients = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("the folder for temporary files is below the target folder")
        .join("clients");
    fs::create_dir_all(&clients).expect("the target folder can be written");
    // Another test process may want the same. The lock goes with the file, also when this process is killed.
    let lock = File::create(clients.join(format!("{name}.lock")))
        .expect("the target folder can be written");
    lock.lock().expect("the file system has locks");

    let mut wanted = version.as_bytes().to_vec();
    for input in inputs {
        let input = input.as_ref();
        wanted
            .extend(fs::read(input).unwrap_or_else(|error| panic!("{}: {error}", input.display())));
    }
    let home = clients.join(name);
    let stamp = clients.join(format!("{name}.stamp"));
    if fs::read(&stamp).is_ok_and(|made_from| made_from == wanted) {
        return home;
    }
    // The stamp goes first and comes last: a process that dies in between leaves nothing that looks complete.
    let _ = fs::remove_file(&stamp);
    let _ = fs::remove_dir_all(&home);
    fs::create_dir_all(&home).expect("the target folder can be written");
    make(&home);
    fs::write(&stamp, wanted).expect("the target folder can be written");
    home
}

/// A failing installation is no skip: the toolchain is there, so something is wrong that somebody should read.
pub fn install(command: &mut Command) {
    let finished = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    assert!(
        finished.status.success(),
        "{command:?} ended with {}\n{}\n{}",
        finished.status,
        String::from_utf8_lossy(&finished.stdout),
        String::from_utf8_lossy(&finished.stderr)
    );
}
