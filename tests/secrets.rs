//! After the run of `integration`: neither what the servers logged, at the most
//! verbose level, nor what they stored holds a token in plain, and the log not
//! even the hash of one.
//!
//! A text is looked for in every form that a careless line would give it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use regex::bytes::Regex;
use scimd::clock::SeededRandom;
use scimd::signing::{self, SigningSecret};
use scimd::token::{Kind, PATTERN, PlainToken};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DbBackend, Statement};
use secrecy::ExposeSecret;

type Hash = [u8; 32];

#[tokio::test]
async fn neither_logs_nor_databases_hold_a_token_and_logs_not_even_a_hash() {
    let databases = of_the_run(&["db", "db-wal"]);
    assert!(databases.iter().any(|file| file.metadata().unwrap().len() > 0), "{UNRUN}");
    let scanner = Scanner::new(HashSet::new());
    for database in databases {
        assert_eq!(leaks(&database, &scanner), Vec::<String>::new(), "{}", database.display());
    }

    let logs = of_the_run(&["log"]);
    let trace = logs.iter().find(|log| log.ends_with("trace.log")).expect(UNRUN);
    assert!(trace.metadata().unwrap().len() > 0, "{UNRUN}");
    // Only now: to open a database moves what is in its write-ahead log.
    let scanner = Scanner::new(stored_hashes().await);
    for log in logs {
        assert_eq!(leaks(&log, &scanner), Vec::<String>::new(), "{}", log.display());
    }
}

const UNRUN: &str = "the test binary `integration` has left nothing to look at; \
    run both, by `cargo test`";

/// The files that the last run of `integration` left behind.
fn of_the_run(extensions: &[&str]) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("run");
    let files = std::fs::read_dir(&directory).unwrap_or_else(|_| panic!("{UNRUN}"));
    files
        .map(|file| file.unwrap().path())
        .filter(|file| extensions.iter().any(|each| file.extension().is_some_and(|it| it == *each)))
        .collect()
}

/// Every hash in every SQLite file of the run. The servers on PostgreSQL made
/// the same tokens: their randomness has the same seed.
async fn stored_hashes() -> HashSet<Hash> {
    let mut hashes = HashSet::new();
    for file in of_the_run(&["db"]) {
        let mut options = ConnectOptions::new(format!("sqlite:{}", file.display()));
        options.max_connections(1).sqlx_logging(false);
        let connection = Database::connect(options).await.unwrap();
        for query in ["SELECT token_hash FROM scim_configurations", "SELECT hash FROM api_keys"] {
            let query = Statement::from_string(DbBackend::Sqlite, query);
            // A test may have left a database without tables.
            for row in connection.query_all_raw(query).await.unwrap_or_default() {
                let hash: Vec<u8> = row.try_get_by_index(0).unwrap();
                hashes.insert(hash.try_into().expect("a SHA-256 has 32 bytes"));
            }
        }
        connection.close().await.unwrap();
    }
    assert!(hashes.len() > 1, "{UNRUN}");
    hashes
}

/// Around what is found, for whoever has to find out where it comes from.
const CONTEXT: usize = 120;
const CHUNK: usize = 4 << 20;
/// Longer than any form of a secret: what lies across two chunks is seen whole
/// in the second.
const OVERLAP: usize = 1 << 10;

/// What `scanner` finds in a file.
fn leaks(file: &Path, scanner: &Scanner) -> Vec<String> {
    let mut file = File::open(file).unwrap();
    let mut found = Vec::new();
    let mut text = Vec::new();
    loop {
        let read = (&mut file).take(CHUNK as u64).read_to_end(&mut text).unwrap();
        if read == 0 {
            return found;
        }
        found.extend(scanner.scan(&text));
        text.drain(..text.len().saturating_sub(OVERLAP));
    }
}

struct Scanner {
    token: Regex,
    hashes: HashSet<Hash>,
    /// The hashes as words: in hexadecimal and in base64, without the sign of
    /// equality that it ends in.
    words: HashSet<Vec<u8>>,
}

const HEX_LEN: usize = 64;
const BASE64_LEN: usize = 43;

impl Scanner {
    fn new(hashes: HashSet<Hash>) -> Self {
        let words = hashes.iter().flat_map(|hash| {
            let hex = hash.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
            let base64 = [STANDARD_NO_PAD.encode(hash), URL_SAFE_NO_PAD.encode(hash)];
            base64.into_iter().chain([hex.to_uppercase(), hex]).map(String::into_bytes)
        });
        let token = Regex::new(&format!("{PATTERN}|{}", signing::PATTERN)).unwrap();
        Self { token, words: words.collect(), hashes }
    }

    /// Every token and every hash, each with the text around it.
    fn scan(&self, text: &[u8]) -> Vec<String> {
        let tokens = self.token.find_iter(text).map(|token| token.start());
        let found = tokens.chain(self.words_in(text)).chain(self.lists_in(text));
        let around = |at: usize| &text[at.saturating_sub(CONTEXT)..text.len().min(at + CONTEXT)];
        found.map(|at| String::from_utf8_lossy(around(at)).into_owned()).collect()
    }

    fn words_in(&self, text: &[u8]) -> impl Iterator<Item = usize> {
        let in_word = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte);
        stretches(text, BASE64_LEN, in_word).filter_map(|(at, stretch)| {
            let mut words = stretch.windows(HEX_LEN).chain(stretch.windows(BASE64_LEN));
            words.any(|word| self.words.contains(word)).then_some(at)
        })
    }

    /// Lists of numbers, as `Debug` writes bytes.
    fn lists_in(&self, text: &[u8]) -> impl Iterator<Item = usize> {
        let in_list = |byte: u8| byte.is_ascii_digit() || b", ".contains(&byte);
        stretches(text, HEX_LEN, in_list).filter_map(|(at, stretch)| {
            let numbers = str::from_utf8(stretch).expect("digits").split(',');
            let bytes: Vec<Option<u8>> = numbers.map(|number| number.trim().parse().ok()).collect();
            let known = |bytes: &[Option<u8>]| {
                let bytes: Option<Vec<u8>> = bytes.iter().copied().collect();
                bytes.is_some_and(|bytes| self.hashes.contains(bytes.as_slice()))
            };
            bytes.windows(32).any(known).then_some(at)
        })
    }
}

/// Where in `text` at least `length` bytes follow each other that `belong`.
fn stretches(
    text: &[u8],
    length: usize,
    belong: impl Fn(u8) -> bool,
) -> impl Iterator<Item = (usize, &[u8])> {
    // Either the first byte, or the one behind a byte that does not belong.
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            // Searched from its end, so that most bytes are never looked at:
            // logs are long, and their words short.
            let wanted = text.get(at..at + length)?;
            if let Some(gap) = wanted.iter().rposition(|byte| !belong(*byte)) {
                at += gap + 1;
                continue;
            }
            let rest = &text[at..];
            let len = rest.iter().position(|byte| !belong(*byte)).unwrap_or(rest.len());
            let stretch = (at, &rest[..len]);
            at += len;
            return Some(stretch);
        }
    })
}

#[test]
fn a_planted_secret_is_found_in_each_of_its_forms() {
    let token = PlainToken::mint(Kind::Scim, &SeededRandom::new(1));
    let hash = *token.hash().as_bytes();
    let scanner = Scanner::new(HashSet::from([hash]));
    let hex = hash.map(|byte| format!("{byte:02x}")).concat();
    for planted in [
        token.expose().to_owned(),
        format!("Bearer {}", token.expose()),
        format!("x{}x", token.expose()),
        SigningSecret::mint(&SeededRandom::new(1)).to_text().expose_secret().to_owned(),
        hex.to_uppercase(),
        format!("x'{hex}'"),
        format!("00{hex}00"),
        STANDARD_NO_PAD.encode(hash),
        format!("sha256-{}=", URL_SAFE_NO_PAD.encode(hash)),
        format!("{hash:?}"),
        format!("[0, {}]", hash.map(|byte| byte.to_string()).join(",")),
    ] {
        let text = format!("2026-11-23T20:15:00Z TRACE {planted} 1, 2\n");
        assert_eq!(scanner.scan(text.as_bytes()).len(), 1, "{text}");
    }
    let harmless = format!("{:?} {} {:?} {}", [7; 40], "f".repeat(80), token.hash(), &hex[1..]);
    assert_eq!(scanner.scan(harmless.as_bytes()), Vec::<String>::new());
}

#[test]
fn a_secret_that_lies_across_two_chunks_of_a_file_is_found() {
    let token = PlainToken::mint(Kind::ApiKey, &SeededRandom::new(1));
    for before in [CHUNK - 30, CHUNK, 2 * CHUNK - 1] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&vec![b' '; before]).unwrap();
        file.write_all(token.expose().as_bytes()).unwrap();
        let found = leaks(file.path(), &Scanner::new(HashSet::new()));
        assert_eq!(found.len(), 1, "{before}");
    }
}
