//! What README.md and the pages in `docs/` say is so: the examples run as printed, and the tables agree with the code.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use prost_reflect::DescriptorPool;
use regex::Regex;
use scimd::model::{Role, Scope};
use scimd::settings::{Flags, Settings};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;

use crate::clients::{self, Skip};
use crate::harness::{self, Engine, TestServer, finished, scimd_alone};

#[tokio::test]
async fn the_request_in_curl_works_as_printed() {
    match std::process::Command::new("curl").arg("--version").output() {
        Ok(_) => creates("curl", shell(&example("sh", "curl "))).await,
        Err(_) => harness::skip("no curl"),
    }
}

#[tokio::test]
async fn the_request_in_buf_curl_works_as_printed() {
    match clients::buf() {
        Ok(buf) => {
            let mut command = shell(&example("sh", "buf curl "));
            command.env("PATH", with_first(buf.parent().expect("a binary is in a folder")));
            creates("buf", command).await;
        }
        Err(reason) => skip(&reason),
    }
}

#[tokio::test]
async fn the_request_in_go_works_as_printed() {
    // Builds the Go client, and with it what this program needs of the standard library.
    match clients::go() {
        Ok(_) => {
            let (_folder, file) = saved("create.go", &example("go", "package main"));
            let mut command = Command::new("go");
            command.arg("run").arg(file).envs(clients::GO_ENVIRONMENT);
            creates("Go", command).await;
        }
        Err(reason) => skip(&reason),
    }
}

#[tokio::test]
async fn the_request_in_python_works_as_printed() {
    match clients::python_sdk_1() {
        Ok(python) => {
            let (_folder, file) = saved("create.py", &example("python", "import os"));
            let mut command = Command::new(python);
            command.arg(file);
            creates("Python", command).await;
        }
        Err(reason) => skip(&reason),
    }
}

#[tokio::test]
async fn the_request_in_typescript_works_as_printed() {
    match clients::node() {
        Ok(_) => {
            let (_folder, file) = saved("create.mjs", &example("typescript", "const {"));
            let mut command = Command::new("node");
            command.arg(file);
            creates("TypeScript", command).await;
        }
        Err(reason) => skip(&reason),
    }
}

/// Runs an example against a server of its own: it must make the configuration `Made with <name>` and show it.
async fn creates(name: &str, mut command: Command) {
    let Some(server) = TestServer::start_in_real_time(Engine::Sqlite).await else { return };
    let organization = server.organization();
    let key = server.key(Scope::Organization(organization), Role::Admin, None).await;
    command
        .env("SCIMD_URL", &server.url)
        .env("SCIMD_API_KEY", &key)
        .env("SCIMD_ORGANIZATION", organization.to_string())
        .envs([("NO_PROXY", "127.0.0.1"), ("no_proxy", "127.0.0.1")])
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let printed = finished(command).await.ok();

    let listed = server.client(&key).call("ListSCIMConfigurations", json!({})).await.ok();
    let made = listed["scimConfigurations"].as_array().map(Vec::as_slice).unwrap_or_default();
    let [made] = made else { panic!("made {made:?} and printed {printed}") };
    assert_eq!(made["name"], format!("Made with {name}"));
    for shown in ["id", "name"] {
        let shown = made[shown].as_str().unwrap();
        assert!(printed.contains(shown), "printed no {shown}: {printed}");
    }
    assert!(printed.contains("scimd_scim_"), "printed no token: {printed}");
}

#[test]
fn the_settings_table_names_every_setting_with_its_default() {
    let table = settings_table();
    let defaults = defaults();
    let keys: BTreeSet<_> = table.iter().filter_map(|row| code(&row.key)).collect();
    assert_eq!(keys, defaults.iter().map(|(key, _)| (*key).to_owned()).collect());

    for (key, default) in defaults {
        let row = table.iter().find(|row| code(&row.key).as_deref() == Some(key)).unwrap();
        let variable = format!("SCIMD_{}", key.to_ascii_uppercase());
        assert_eq!(code(&row.variable).as_ref(), Some(&variable));
        match code(&row.default) {
            // What the table says must mean what the program does without it.
            Some(text) => {
                let set = Settings::from_sources(&Flags::default(), vec![(variable, text)]);
                let set = values(&set.unwrap());
                assert!(set.contains(&(key, default)), "the default of {key} in {set:?}");
            }
            // Said in words, because it is no value that could be set.
            None => assert!(["None", "[]"].contains(&&*default), "{key} is {default} by default"),
        }
    }
}

#[tokio::test]
async fn the_settings_table_has_the_flags_of_the_program() {
    let help = finished(scimd_alone(&["serve", "--help"])).await.ok();
    let line = Regex::new(r"(?m)^ +(?:-\w, )?(--[a-z-]+)(.*)$").unwrap();
    let mut flags = BTreeSet::new();
    for parts in line.captures_iter(&help) {
        let (flag, says) = (&parts[1], &parts[2]);
        if ["--help", "--dev"].contains(&flag) {
            continue;
        }
        flags.insert(flag.to_owned());
        let table = settings_table();
        let row = table.iter().find(|row| code(&row.flag).as_deref() == Some(flag));
        let row = row.unwrap_or_else(|| panic!("README.md does not have the flag {flag}"));
        let variable = code(&row.variable).unwrap();
        assert!(says.contains(&format!("[env: {variable}]")), "{flag} is not {variable}: {says}");
        if let Some(default) = code(&row.default) {
            assert!(
                says.contains(&format!("[default: {default}]")),
                "{flag} is not {default}: {says}"
            );
        }
    }
    assert_eq!(flags, settings_table().iter().filter_map(|row| code(&row.flag)).collect());
}

#[test]
fn the_settings_file_in_the_readme_can_be_read() {
    let (_folder, file) = saved("scimd.toml", &example("toml", ""));
    let flags = Flags { config: Some(file), ..Flags::default() };
    let settings = Settings::from_sources(&flags, Vec::new()).unwrap();
    assert_eq!(settings.cors_origins, ["https://app.example.com"]);
}

#[test]
fn the_errors_page_names_every_reason_with_its_code() {
    let page = read("docs/errors.md");
    let pool = DescriptorPool::decode(scimd::proto::FILE_DESCRIPTOR_SET).unwrap();
    let reasons = pool.get_enum_by_name("scimd.v1.ErrorReason").unwrap();
    let source = reasons.parent_file_descriptor_proto().source_code_info.clone().unwrap();
    let mut documented = BTreeSet::new();
    for (index, value) in reasons.values().enumerate().filter(|(_, value)| value.number() != 0) {
        let name = value.name().strip_prefix("ERROR_REASON_").unwrap();
        // The comment in the .proto begins with the code: the one place where each reason has it as text.
        let path = [reasons.path(), &[2, i32::try_from(index).unwrap()]].concat();
        let comment = source.location.iter().find(|location| location.path == path).unwrap();
        let code = comment.leading_comments().trim_start().split(':').next().unwrap();
        let row = format!("| `{name}` | {code} |");
        assert!(page.contains(&row), "docs/errors.md has no row {row}");
        documented.insert(name.to_owned());
    }
    let rows = Regex::new(r"(?m)^\| `([A-Z_]+)` \|").unwrap();
    assert_eq!(
        rows.captures_iter(&page).map(|row| row[1].to_owned()).collect::<BTreeSet<_>>(),
        documented
    );
}

#[test]
fn the_page_for_identity_providers_has_every_sentence_that_they_can_be_told() {
    let page = read("docs/identity-providers.md");
    let comment = Regex::new(r#"(?m)^\s*//.*$|'"'"#).unwrap();
    let literal = Regex::new(r#""((?:[^"\\]|\\[\s\S])*)""#).unwrap();
    let (continued, differs) = (Regex::new(r"\\\n\s*").unwrap(), Regex::new(r"\{[^}]*\}").unwrap());
    let mut sentences = BTreeSet::new();
    for file in sources(&root().join("src/scim")) {
        let code = fs::read_to_string(&file).unwrap();
        for text in literal.captures_iter(&comment.replace_all(&code, "")) {
            let text = continued.replace_all(&text[1], "").replace("\\\"", "\"");
            // What is said to nobody but programs is no sentence.
            if text.ends_with('.') && text.matches(' ').count() > 1 {
                sentences.insert(text);
            }
        }
    }
    assert!(sentences.len() > 50, "{sentences:?}");
    for sentence in sentences {
        let said: Vec<_> = differs.split(&sentence).map(regex::escape).collect();
        let said = Regex::new(&said.join(r"\{[^}]*\}")).unwrap();
        assert!(said.is_match(&page), "docs/identity-providers.md does not have: {sentence}");
    }
}

#[test]
fn the_test_command_in_the_readme_is_what_ci_runs() {
    let readme = read("README.md");
    let (_, section) = readme.split_once("\n## Test it\n").unwrap();
    let command = &blocks(section)[0].1;
    let ci = read(".ci/run");
    assert!(ci.contains("\nexport CI=true\n"), "CI skips cases");
    assert!(ci.lines().any(|line| line == command.trim_end()), "CI does not run {command}");
}

#[test]
fn every_page_names_only_files_that_exist() {
    let link = Regex::new(r"\]\(([^)#:]+)(?:#[^)]*)?\)").unwrap();
    let named = Regex::new(r"`((?:src|proto|build|tests|docs|examples)/[\w./-]*)`").unwrap();
    for page in [
        "README.md",
        "CONTRIBUTING.md",
        "docs/architecture.md",
        "docs/operations.md",
        "docs/errors.md",
        "docs/conformance.md",
        "docs/identity-providers.md",
        "docs/performance.md",
        "docs/directory.md",
        "docs/webhooks.md",
        "docs/clients.md",
    ] {
        let text = read(page);
        let beside = root().join(page).parent().unwrap().to_owned();
        for target in link.captures_iter(&text) {
            assert!(beside.join(&target[1]).exists(), "{page} links to {}", &target[1]);
        }
        for file in named.captures_iter(&text) {
            assert!(root().join(&file[1]).exists(), "{page} names {}", &file[1]);
        }
    }
}

struct Row {
    flag: String,
    variable: String,
    key: String,
    default: String,
}

/// The table of settings, without its head and without `--config`, which is in no file.
fn settings_table() -> Vec<Row> {
    let readme = read("README.md");
    let (_, section) = readme.split_once("\n## Settings\n").expect("the section of settings");
    let rows = section
        .lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'));
    rows.skip(2)
        .map(|line| {
            let mut cells =
                line.trim_matches('|').splitn(5, '|').map(|cell| cell.trim().to_owned());
            let mut cell = || cells.next().expect("five columns");
            Row { flag: cell(), variable: cell(), key: cell(), default: cell() }
        })
        .collect()
}

/// The one piece of code in a cell.
fn code(cell: &str) -> Option<String> {
    cell.strip_prefix('`')?.strip_suffix('`').map(str::to_owned)
}

fn defaults() -> Vec<(&'static str, String)> {
    values(&Settings::default())
}

/// Every setting with its value. A new field does not compile until it is here, and then wants its row.
fn values(settings: &Settings) -> Vec<(&'static str, String)> {
    let Settings {
        listen,
        threads,
        database_url,
        public_url,
        log,
        log_format,
        migrate,
        shutdown_delay,
        event_retention,
        cors_origins,
        scim_rate_limit,
        scim_unknown_members,
        webhook_secret_key,
        webhook_allow_http,
        webhook_allow_private,
        webhook_connect_timeout,
        webhook_timeout,
    } = settings;
    vec![
        ("listen", format!("{listen:?}")),
        ("threads", format!("{threads:?}")),
        ("database_url", format!("{database_url:?}")),
        ("public_url", format!("{public_url:?}")),
        ("log", format!("{log:?}")),
        ("log_format", format!("{log_format:?}")),
        ("migrate", format!("{migrate:?}")),
        ("shutdown_delay", format!("{shutdown_delay:?}")),
        ("event_retention", format!("{event_retention:?}")),
        ("cors_origins", format!("{cors_origins:?}")),
        ("scim_rate_limit", format!("{scim_rate_limit:?}")),
        ("scim_unknown_members", format!("{scim_unknown_members:?}")),
        ("webhook_secret_key", format!("{webhook_secret_key:?}")),
        ("webhook_allow_http", format!("{webhook_allow_http:?}")),
        ("webhook_allow_private", format!("{webhook_allow_private:?}")),
        ("webhook_connect_timeout", format!("{webhook_connect_timeout:?}")),
        ("webhook_timeout", format!("{webhook_timeout:?}")),
    ]
}

/// The one block of the README in `language` that begins so.
fn example(language: &str, beginning: &str) -> String {
    let mut found: Vec<_> = blocks(&read("README.md"))
        .into_iter()
        .filter(|(of, text)| of == language && text.starts_with(beginning))
        .collect();
    assert_eq!(found.len(), 1, "blocks of {language} that begin with {beginning:?}");
    found.remove(0).1
}

/// The fenced blocks of a page, with their languages.
pub fn blocks(page: &str) -> Vec<(String, String)> {
    let fence = Regex::new(r"(?ms)^```(\w+)\n(.*?)^```$").unwrap();
    fence.captures_iter(page).map(|block| (block[1].to_owned(), block[2].to_owned())).collect()
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-eu", "-c", script]);
    command
}

/// `text` in a file that goes with the folder.
fn saved(name: &str, text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    fs::write(&file, text).unwrap();
    (folder, file)
}

#[expect(clippy::disallowed_methods, reason = "the search path of the test run, not a setting")]
pub fn with_first(folder: &Path) -> String {
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap())
}

fn skip(reason: &Skip) {
    harness::skip(&reason.to_string());
}

/// The files of Rust below a folder, without tests.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_test =
        |path: &PathBuf| path.file_stem().is_some_and(|stem| stem == "tests" || stem == "testing");
    entries
        .filter(|path| !is_test(path))
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .collect()
}

pub fn read(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
