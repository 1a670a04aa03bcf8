//! The rooms of `src/` keep the order that the table in `src/lib.rs` gives
//! them, and libraries stop at the room that is theirs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use regex::Regex;

/// What only some places may name, and which: whole rooms, or single files.
const RESERVED: [(&str, &[&str]); 7] = [
    (r"\b(hyper|hyper_util|hyper_rustls|rustls|webpki_roots)::", &["webhook/"]),
    (r"\b(rusqlite|sea_orm|sea_orm_migration|sea_query|sea_query_sqlx|sqlx)::", &["repository/"]),
    (
        r"\b(prost|prost_types|prost_reflect|tonic|tonic_types|tonic_web|tonic_reflection|connectrpc_axum)::",
        &["service/", "proto.rs"],
    ),
    (r"\btonic_health::", &["service/", "proto.rs", "server.rs"]),
    (
        r"\bSystemTime::now\b|\b(SysRng|OsRng)\b|\brand::rng\b|\bUuid::(new_v4|now_v7)\b",
        &["clock.rs"],
    ),
    (r"\benv::vars?(_os)?\b", &["settings.rs"]),
    (
        r"\b(spawn|spawn_blocking|spawn_local)\(",
        // That of a snapshot ends with the stream that it fills, those of
        // webhooks with the task that sends them.
        &[
            "server.rs",
            "server/threads.rs",
            "repository/connection/",
            "service/snapshot.rs",
            "telemetry.rs",
            "webhook/mod.rs",
        ],
    ),
];

/// A file of `src/`, by its path in there.
struct Source {
    path: String,
    code: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        // What a comment names is no dependency.
        let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
        Self { path: path.to_owned(), code: code.collect::<Vec<_>>().join("\n") }
    }

    fn room(&self) -> &str {
        let first = self.path.split('/').next().unwrap();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// What its paths that begin at the crate's root name first.
    fn named(&self) -> Vec<String> {
        let root = Regex::new(r"\bcrate::|(?:\bsuper::)+").unwrap();
        // `a/b.rs` and `a/b/mod.rs` are both two steps below the root.
        let module = self.path.trim_end_matches("/mod.rs");
        let depth = module.split('/').count();
        root.find_iter(&self.code)
            .filter(|root| root.as_str() == "crate::" || root.as_str().len() / 7 >= depth)
            .flat_map(|root| first_names(&self.code[root.end()..]))
            .collect()
    }
}

/// The first name of a path, or of each path of a group.
fn first_names(path: &str) -> Vec<String> {
    let name = |path: &str| {
        path.trim_start()
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .next()
            .unwrap()
            .to_owned()
    };
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let mut names = vec![name(group)];
    let mut depth = 0;
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(name(&group[at + 1..])),
            _ => {}
        }
    }
    names
}

/// Each room with its rank, by the table in `lib.rs`.
fn ranks(lib: &str) -> BTreeMap<String, u32> {
    let row = Regex::new(r"(?m)^//! \| (\d+) \| \[`(\w+)`\] \|").unwrap();
    row.captures_iter(lib).map(|row| (row[2].to_owned(), row[1].parse().unwrap())).collect()
}

/// Each use of a room that is not lower than the one that uses it.
fn forbidden_edges(sources: &[Source], ranks: &BTreeMap<String, u32>) -> Vec<String> {
    let mut forbidden = Vec::new();
    for source in sources {
        let room = source.room();
        let rank = ranks.get(room).unwrap_or_else(|| panic!("{room} has no rank in src/lib.rs"));
        for named in source.named() {
            if named != room && ranks.get(&named).is_some_and(|other| other >= rank) {
                forbidden.push(format!("src/{}: {room} uses {named}", source.path));
            }
        }
    }
    forbidden
}

/// Each use of something that is reserved for other places.
fn trespasses(sources: &[Source]) -> Vec<String> {
    let mut trespasses = Vec::new();
    for (reserved, places) in RESERVED {
        let reserved = Regex::new(reserved).unwrap();
        for source in sources {
            if places.iter().any(|place| source.path.starts_with(place)) {
                continue;
            }
            for found in reserved.find_iter(&source.code) {
                trespasses.push(format!("src/{}: {}", source.path, found.as_str()));
            }
        }
    }
    trespasses
}

/// Every source but the two roots, which belong to no room.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    let mut directories: Vec<PathBuf> = vec![root.clone()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                if name != "lib.rs" && name != "main.rs" {
                    sources.push(Source::new(&name, &std::fs::read_to_string(&path).unwrap()));
                }
            }
        }
    }
    sources
}

fn lib() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap()
}

#[test]
fn every_room_has_a_rank_and_every_rank_a_room() {
    let lib = lib();
    let module = Regex::new(r"(?m)^(?:pub )?mod (\w+);").unwrap();
    let modules: Vec<_> = module.captures_iter(&lib).map(|module| module[1].to_owned()).collect();
    assert_eq!(ranks(&lib).into_keys().collect::<Vec<_>>(), modules);
}

#[test]
fn a_room_uses_only_rooms_of_a_lower_rank() {
    let forbidden = forbidden_edges(&sources(), &ranks(&lib()));
    assert!(forbidden.is_empty(), "{forbidden:#?}");
}

#[test]
fn libraries_time_randomness_and_environment_stop_at_their_rooms() {
    let trespasses = trespasses(&sources());
    assert!(trespasses.is_empty(), "{trespasses:#?}");
}

#[test]
fn a_planted_edge_is_found_in_each_of_its_forms() {
    let ranks = ranks(
        "//! | 1 | [`low`] | x |\n//! | 2 | [`own`] | x |\n//! | 2 | [`peer`] | x |\n//! | 3 | [`high`] | x |",
    );
    for (path, text, expected) in [
        ("own.rs", "use crate::high::Thing;", "own uses high"),
        ("own/deep/file.rs", "fn f() { crate::peer::call() }", "own uses peer"),
        ("own/mod.rs", "use crate::{\n    low::{self, A},\n    high,\n};", "own uses high"),
        ("own/mod.rs", "use crate::{high::{A, B}, low};", "own uses high"),
        ("own.rs", "use super::high;", "own uses high"),
        ("own/file.rs", "use super::super::high::Thing;", "own uses high"),
        ("own/file.rs", "macro_rules! m { () => { $crate::high::call() } }", "own uses high"),
    ] {
        let found = forbidden_edges(&[Source::new(path, text)], &ranks);
        assert_eq!(found, [format!("src/{path}: {expected}")], "{text}");
    }
    let allowed = "// crate::high\nuse crate::{low, own::high};\nuse super::high;\nuse high::x;";
    let source = Source::new("own/file.rs", allowed);
    assert_eq!(forbidden_edges(&[source], &ranks), Vec::<String>::new());
}

#[test]
fn a_planted_trespass_is_found() {
    for text in [
        "use sea_orm::DbErr;",
        "let _: sea_orm::sqlx::Error;",
        "rusqlite::Connection::open(path)",
        "use tonic::Status;",
        "prost::Message::encode(&m)",
        "tonic_health::server",
        "let now = std::time::SystemTime::now();",
        "use rand::rngs::SysRng;",
        "std::env::var(\"HOME\")",
        "std::env::vars_os()",
        "tokio::spawn(work)",
    ] {
        assert!(!trespasses(&[Source::new("auth.rs", text)]).is_empty(), "{text}");
    }
}
