//! What testers of other people's making say of the running server, and that `docs/conformance.md` is what they said.
//!
//! `SCIMD_TEST_WRITE=1 cargo test --test integration conformance` writes the page from its run; without the variable each run
//! is compared with the page.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use scimd::settings::UnknownMembers;
use serde_json::Value;

use crate::clients;
use crate::harness::{self, Engine, Replica, TestServer};

const SCIM2_TESTER: &str = "scim2-tester";
const SCIM_SANITY: &str = "scim-sanity";

/// The testers, and the settings of the server that they try.
const RUNS: [(&str, UnknownMembers); 3] = [
    (SCIM2_TESTER, UnknownMembers::Refuse),
    (SCIM_SANITY, UnknownMembers::Refuse),
    (SCIM_SANITY, UnknownMembers::Ignore),
];

/// What may not pass, and why: tester, with which setting if not with all, check, reason. All else must pass, and these must
/// not: a reason without its failure is out of date.
const EXPLAINED: &[(&str, Option<UnknownMembers>, &str, &str)] = &[
    (
        SCIM_SANITY,
        Some(UnknownMembers::Refuse),
        "PATCH /Groups/{id} add member",
        "The tester adds a member `fake-member-id`, an id that scimd never gave to anything, and wants 200. scimd answers 400 \
         `invalidValue` and names the id. RFC 7643, 2.3.7: \"A SCIM service provider MAY choose to enforce referential \
         integrity for reference types referring to SCIM resources.\" Ids are the server's, so no client can know one before \
         there is what it names; a member that is accepted and then is not there would be an error that nobody sees. The \
         tester knows the same of Microsoft's own SCIM server (`scim-sanity profiles entra`), and takes it for mended where \
         it is documented: create users first, then put them into groups. With `scim_unknown_members = \"ignore\"`, for \
         operators who would rather have it so, scimd leaves such a member out, and the check passes.",
    ),
    (SCIM_SANITY, None, "Agent CRUD Lifecycle", AGENTS),
    (SCIM_SANITY, None, "AgenticApplication CRUD Lifecycle", AGENTS),
    (SCIM_SANITY, None, "Agent Rapid Lifecycle", AGENTS),
];
const AGENTS: &str = "Resource types of an Internet-Draft (draft-abbey-scim-agent-extension), which scimd does not have and \
                      `/ResourceTypes` does not name.";

mod the_testers_find_no_fault_that_is_not_explained {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn on_sqlite() {
        judge(Engine::Sqlite).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn on_postgres() {
        judge(Engine::Postgres).await;
    }
}

#[test]
fn the_page_is_of_the_versions_that_are_installed() {
    if is_written() {
        return;
    }
    let page = fs::read_to_string(page()).unwrap();
    for (tester, _) in RUNS {
        let row = format!("| {tester} | {} |", pinned(tester));
        assert!(page.contains(&row), "docs/conformance.md has no row {row}: {WRITE}");
    }
}

/// Whether this run makes the page.
fn is_written() -> bool {
    std::env::var_os("SCIMD_TEST_WRITE").is_some()
}

const WRITE: &str = "write it with SCIMD_TEST_WRITE=1 cargo test --test integration conformance";

async fn judge(engine: Engine) {
    let programs = match clients::scim_testers() {
        Ok(programs) => programs,
        Err(reason) => return harness::skip(&reason.to_string()),
    };
    // The testers want to see time move.
    let Some(server) = TestServer::start_in_real_time(engine).await else { return };
    let mut checks = Vec::new();
    for (tester, setting) in RUNS {
        let replica = server.replica_with(|server| server.scim_unknown_members = setting).await;
        let tenant = configuration(&server, &replica).await;
        // Fewer than that, and hardly anything was tested.
        let (run, fewest) = match tester {
            SCIM2_TESTER => (scim2_tester(&programs, tenant).await, 100),
            _ => (scim_sanity(&programs, tenant).await, 20),
        };
        assert!(run.iter().filter(|check| check.passed()).count() > fewest, "{run:?}");
        checks.extend(run.into_iter().map(|check| Check { setting, ..check }));
    }
    for check in checks.iter().filter(|check| !check.passed()) {
        assert!(check.explained().is_some(), "{check:?}");
    }
    for (tester, setting, name, _) in EXPLAINED {
        let failed = |check: &&Check| {
            !check.passed() && check.is_of(tester, *setting) && check.name == *name
        };
        assert!(checks.iter().any(|check| failed(&check)), "{tester} passes {name}");
    }

    let told = tell(&checks);
    match engine {
        Engine::Sqlite if is_written() => fs::write(page(), told).unwrap(),
        Engine::Postgres if is_written() => {}
        _ => assert_eq!(fs::read_to_string(page()).unwrap(), told, "docs/conformance.md: {WRITE}"),
    }
}

/// One thing that a tester looked at.
#[derive(Clone, Debug)]
struct Check {
    tester: &'static str,
    setting: UnknownMembers,
    name: String,
    outcome: Outcome,
    /// What the tester said, without what is different in each run.
    said: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    Skipped,
}

impl Check {
    fn passed(&self) -> bool {
        self.outcome == Outcome::Passed
    }

    fn is_of(&self, tester: &str, setting: Option<UnknownMembers>) -> bool {
        self.tester == tester && setting.is_none_or(|setting| setting == self.setting)
    }

    fn explained(&self) -> Option<&'static str> {
        let reasons = EXPLAINED.iter();
        let mut reasons = reasons.filter(|(tester, setting, name, _)| {
            self.is_of(tester, *setting) && *name == self.name
        });
        reasons.next().map(|(.., reason)| *reason)
    }
}

/// A new configuration: base URL at the replica, and token.
async fn configuration(server: &TestServer, replica: &Replica) -> (String, String) {
    let organization = server.organization();
    let created = server.admin(organization).await.create(organization).await;
    (format!("{}/scim/v2/{}", replica.url, created.id()), created.token())
}

/// It prints a line `STATUS check` for each, and below it what there is to say.
async fn scim2_tester(programs: &Path, (url, token): (String, String)) -> Vec<Check> {
    let headers = ("SCIM_CLI_HEADERS".to_owned(), format!("Authorization: Bearer {token}"));
    let run = clients::ended(&programs.join("scim"), ["-u", &url, "test"], vec![headers]).await;
    let printed = String::from_utf8(run.stdout).unwrap();
    let beginning = Regex::new("^([A-Z]+) ([a-z0-9_]+)$").unwrap();
    let mut checks: Vec<Check> = Vec::new();
    for line in printed.lines() {
        if let Some(parts) = beginning.captures(line) {
            let outcome = match &parts[1] {
                "SUCCESS" => Outcome::Passed,
                "SKIPPED" => Outcome::Skipped,
                _ => Outcome::Failed,
            };
            let (name, said) = (parts[2].to_owned(), String::new());
            checks.push(Check {
                tester: SCIM2_TESTER,
                setting: UnknownMembers::Refuse,
                name,
                outcome,
                said,
            });
        } else if let Some(check) = checks.last_mut() {
            check.said = format!("{} {}", check.said, lasting(line)).trim().to_owned();
        }
    }
    let all_passed = checks.iter().all(|check| check.passed());
    let complaint = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.success(), all_passed, "{printed}\n{complaint}");
    checks
}

/// It prints JSON.
async fn scim_sanity(programs: &Path, (url, token): (String, String)) -> Vec<Check> {
    let arguments = ["probe", &url, "--token", &token, "--i-accept-side-effects", "--json-output"];
    let run = clients::ended(&programs.join("scim-sanity"), arguments, Vec::new()).await;
    let complaint = String::from_utf8_lossy(&run.stderr);
    let printed: Value =
        serde_json::from_slice(&run.stdout).unwrap_or_else(|_| panic!("{complaint}"));
    assert_eq!(printed["scim_sanity_version"], pinned(SCIM_SANITY));
    let results = printed["results"].as_array().unwrap_or_else(|| panic!("{printed}"));
    assert_eq!(printed["summary"]["total"], results.len());
    let text = |result: &Value, name: &str| result[name].as_str().unwrap_or_default().to_owned();
    let check = |result| Check {
        tester: SCIM_SANITY,
        setting: UnknownMembers::Refuse,
        name: text(result, "name"),
        outcome: match result["status"].as_str() {
            Some("pass") => Outcome::Passed,
            Some("skip") => Outcome::Skipped,
            _ => Outcome::Failed,
        },
        said: lasting(&text(result, "message")),
    };
    results.iter().map(check).collect()
}

/// What is the same in each run: no ids.
fn lasting(text: &str) -> String {
    let id = Regex::new("( with id )?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").unwrap();
    id.replace_all(
        text.trim(),
        |found: &regex::Captures<'_>| {
            if found.get(1).is_some() { "" } else { "{id}" }
        },
    )
    .into_owned()
}

/// How a tester is run by hand.
fn command(tester: &str) -> String {
    match tester {
        SCIM2_TESTER => format!("`scim -u URL test`, of scim2-cli {}", pinned("scim2-cli")),
        _ => "`scim-sanity probe URL --token TOKEN --i-accept-side-effects`".to_owned(),
    }
}

const fn text(setting: UnknownMembers) -> &'static str {
    match setting {
        UnknownMembers::Refuse => "`refuse`",
        UnknownMembers::Ignore => "`ignore`",
    }
}

/// The page of a run.
fn tell(checks: &[Check]) -> String {
    let mut page = BEGINNING.to_owned();
    let of = |(tester, setting): (&str, UnknownMembers)| -> Vec<&Check> {
        checks.iter().filter(|check| check.is_of(tester, Some(setting))).collect()
    };
    for run in RUNS {
        let count = |outcome| of(run).iter().filter(|check| check.outcome == outcome).count();
        let (passed, failed) = (count(Outcome::Passed), count(Outcome::Failed));
        let (tester, setting) = (run.0, text(run.1));
        let (version, command, skipped) =
            (pinned(tester), command(tester), count(Outcome::Skipped));
        writeln!(
            page,
            "| {tester} | {version} | {setting} | {command} | {passed} | {failed} | {skipped} |"
        )
        .unwrap();
    }
    page += "\n## What did not pass, and why\n\n| tester | with | check | it says | why |\n|---|---|---|---|---|\n";
    for check in checks.iter().filter(|check| !check.passed()) {
        let (Check { tester, name, said, .. }, why) = (check, check.explained().unwrap());
        writeln!(page, "| {tester} | {} | `{name}` | {said} | {why} |", text(check.setting))
            .unwrap();
    }
    for run in RUNS {
        let (tester, setting) = (run.0, text(run.1));
        write!(
            page,
            "\n## What passed: {tester}, with {setting}\n\n| check | times | of what |\n|---|---|---|\n"
        )
        .unwrap();
        let passed: Vec<_> = of(run).into_iter().filter(|check| check.passed()).collect();
        for group in passed.chunk_by(|one, other| one.name == other.name) {
            let (name, times) = (&group[0].name, group.len());
            writeln!(page, "| `{name}` | {times} | {} |", subjects(group)).unwrap();
        }
    }
    page
}

/// What checks of one name were about: what the tester quotes, or else its words.
fn subjects(group: &[&Check]) -> String {
    let quoted = Regex::new("'([^']+)'").unwrap();
    let mut seen = BTreeSet::new();
    let mut subjects = Vec::new();
    for check in group {
        let names: Vec<_> =
            quoted.captures_iter(&check.said).map(|name| format!("`{}`", &name[1])).collect();
        let subject = if names.is_empty() { check.said.clone() } else { names.join(", ") };
        if seen.insert(subject.clone()) {
            subjects.push(subject);
        }
    }
    let is_names = subjects.iter().all(|subject| subject.starts_with('`'));
    subjects.join(if is_names { ", " } else { "; " })
}

/// The version of a package that is installed.
fn pinned(package: &str) -> String {
    let requirements = clients::programs().join("scim_testers/requirements.txt");
    let requirements = fs::read_to_string(requirements).unwrap();
    let version =
        requirements.lines().find_map(|line| line.strip_prefix(package)?.strip_prefix("=="));
    version.unwrap_or_else(|| panic!("no {package} in {requirements}")).to_owned()
}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/conformance.md")
}

const BEGINNING: &str = "\
# Conformance

Two testers of other people's making, unchanged, from PyPI, against a running scimd. They run with every `cargo test`, each on SQLite
and on PostgreSQL with the same result. This page is written from such a run, by

```sh
SCIMD_TEST_WRITE=1 cargo test --test integration conformance
```

and every run without the variable is compared with it: a check that newly fails, newly passes, or is no longer made, fails the
tests (`tests/integration/conformance.rs`). A warning counts as failed. The versions are pinned in
`tests/clients/scim_testers/requirements.txt`.

| tester | version | `scim_unknown_members` | run as | passed | failed | skipped |
|---|---|---|---|---|---|---|
";
