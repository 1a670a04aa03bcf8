//! The change feed: how fast it is read from its beginning, and what is recorded
//! of the statements that write it.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use axum::body::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use prost::Message as _;
use rusqlite::types::Value;
use rusqlite::{Connection, params};
use scimd::proto::scimd::v1::{StreamEventsRequest, StreamEventsResponse};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::timeout;
use uuid::Uuid;

use crate::driver;
use crate::measure::peak_memory;
use crate::options::Options;
use crate::record::{Recorded, Recording};
use crate::results::Replay;
use crate::server::{Log, Server, create_key, home};

const EVENTS: u32 = 1_000_000;
const EVENTS_IF_QUICK: u32 = 20_000;
/// How many events the server looks for at once: src/service/feed.rs.
const AT_ONCE: u32 = 100;
/// How long a stream may say nothing.
const PATIENCE: Duration = Duration::from_secs(30);
const ORGANIZATION: Uuid = Uuid::from_u128(0x5e0b_0c3f_7d0e_4b0a_8a50_0e8c_1c0b_7a12);
/// Connect's streams: a byte of flags and four of length before each message.
const PREFIX: usize = 5;

/// The name under which the statements of an operation are recorded without
/// those that tell of it.
pub fn without_events(name: &str) -> String {
    format!("{name}, untold")
}

/// Adds to what was recorded the same without the statements that write events.
pub fn add_without_events(recording: &mut Recording) {
    let untold = |(name, recorded): (&String, &Recorded)| {
        let mut recorded = recorded.clone();
        for statements in &mut recorded.statements {
            statements.retain_mut(|sql| {
                let is_one_of_several = sql.starts_with("WITH change AS");
                !INSERTED.iter().any(|insert| {
                    if is_one_of_several {
                        leave_out(sql, insert);
                    }
                    sql.contains(insert)
                })
            });
        }
        (without_events(name), recorded)
    };
    let untold: Vec<_> = recording.iter().map(untold).collect();
    recording.extend(untold);
}

/// What writes an event: its number, and itself.
const INSERTED: [&str; 2] = ["INSERT INTO scim_feeds", "INSERT INTO scim_events"];

/// Leaves out of a statement `, name AS (insert ...)`, which nothing else reads.
fn leave_out(sql: &mut String, insert: &str) {
    let Some(open) = sql.find(&format!("({insert}")) else { return };
    let begin = sql[..open].rfind(", ").unwrap_or(open);
    let mut depth = 0_usize;
    for (at, character) in sql[open..].char_indices() {
        match character {
            '(' => depth += 1,
            ')' if depth == 1 => {
                sql.replace_range(begin..=open + at, "");
                return;
            }
            ')' => depth -= 1,
            _ => {}
        }
    }
}

/// Reads a long feed from its beginning, on SQLite, as a consumer does that
/// begins anew: a stream of all that happened, decoded message by message.
pub async fn replay(options: &Options) -> anyhow::Result<Replay> {
    let events = if options.quick { EVENTS_IF_QUICK } else { EVENTS };
    let file = home().join("replay.db");
    for end in ["", "-wal", "-shm"] {
        let file = format!("{}{end}", file.display());
        if Path::new(&file).exists() {
            fs::remove_file(file)?;
        }
    }
    let url = format!("sqlite:{}", file.display());
    let key = create_key(&url, ORGANIZATION).await?;
    let server = Server::start(&url, Log::Default).await?;
    let (configuration, token) = server.create_configuration(&key, ORGANIZATION).await?;
    create_user(&server, configuration, &token).await?;
    server.stop().await?;
    multiply(&file, events)?;

    let alone = read_alone(&file, events)?;
    let server = Server::start(&url, Log::Default).await?;
    let begun = Instant::now();
    follow(&server.address, &key, events).await?;
    let took = begun.elapsed();
    let peak = peak_memory(server.process())?;
    server.stop().await?;
    for end in ["", "-wal", "-shm"] {
        // What is left of a log went with the last connection.
        let _ = fs::remove_file(format!("{}{end}", file.display()));
    }
    Ok(Replay { events, took, alone, peak })
}

async fn create_user(server: &Server, configuration: Uuid, token: &str) -> anyhow::Result<()> {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "ann.miller@example.com",
        "externalId": "00u1a2b3c4d5e6f7g8h9",
        "name": { "formatted": "Ann Miller", "givenName": "Ann", "familyName": "Miller" },
        "displayName": "Ann Miller",
        "title": "Engineer",
        "active": true,
        "emails": [{ "value": "ann.miller@example.com", "type": "work", "primary": true }],
    });
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("/scim/v2/{configuration}/Users"))
        .header("host", &server.address)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/scim+json")
        .body(Full::new(Bytes::from(body.to_string())))?;
    let mut connection = driver::Connection::open(&server.address, false).await?;
    let answer = connection.send(request, true).await?;
    ensure!(answer.status == StatusCode::CREATED, "{answer:?}");
    Ok(())
}

/// Tells the newest event again and again.
fn multiply(file: &Path, events: u32) -> anyhow::Result<()> {
    let database = Connection::open(file)?;
    let newest: u32 = database.query_row("SELECT newest FROM scim_feeds", [], |row| row.get(0))?;
    let columns: Vec<String> = database
        .prepare("SELECT name FROM pragma_table_info('scim_events') WHERE name <> 'number'")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let columns = columns.join(", ");
    let sql = format!(
        "WITH RECURSIVE next (number) AS (SELECT ?1 + 1 UNION ALL SELECT number + 1 FROM next WHERE number < ?2) \
         INSERT INTO scim_events (number, {columns}) \
         SELECT next.number, {columns} FROM scim_events AS event, next WHERE event.number = ?1"
    );
    database.execute(&sql, params![newest, events])?;
    database.execute("UPDATE scim_feeds SET newest = ?1", params![events])?;
    Ok(())
}

/// The same rows through rusqlite, as many at once as the server reads.
fn read_alone(file: &Path, events: u32) -> anyhow::Result<Duration> {
    let database = Connection::open(file)?;
    let mut statement = database.prepare(
        "SELECT * FROM scim_events WHERE organization_id = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
    )?;
    let columns = statement.column_count();
    let begun = Instant::now();
    let mut read = 0_u32;
    while read < events {
        let mut rows = statement.query(params![ORGANIZATION, read, AT_ONCE])?;
        let before = read;
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                std::hint::black_box(row.get::<_, Value>(column)?);
            }
            read += 1;
        }
        ensure!(read > before, "only {read} events");
    }
    Ok(begun.elapsed())
}

/// Follows the feed from its beginning until the last event there is.
async fn follow(address: &str, key: &str, events: u32) -> anyhow::Result<()> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let asked = StreamEventsRequest { organization_id: ORGANIZATION.to_string(), after: 0 };
    let asked = asked.encode_to_vec();
    let mut body = vec![0];
    body.extend(u32::try_from(asked.len())?.to_be_bytes());
    body.extend(asked);
    let request = Request::post("/scimd.v1.DirectoryService/StreamEvents")
        .header("host", address)
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "application/connect+proto")
        .body(Full::new(Bytes::from(body)))?;
    let response = sender.send_request(request).await?;
    ensure!(response.status() == StatusCode::OK, "{response:?}");
    let mut body = response.into_body();
    let (mut buffer, mut last) = (Vec::new(), 0_u64);
    while last < u64::from(events) {
        let frame = timeout(PATIENCE, body.frame()).await?.context("the stream ended")??;
        let Ok(data) = frame.into_data() else { continue };
        buffer.extend_from_slice(&data);
        while let Some((flags, message)) = first_message(&buffer) {
            if flags != 0 {
                bail!("the stream ended with {}", String::from_utf8_lossy(message));
            }
            for event in StreamEventsResponse::decode(message)?.events {
                ensure!(event.number == last + 1, "{} follows {last}", event.number);
                last = event.number;
            }
            let read = PREFIX + message.len();
            buffer.drain(..read);
        }
    }
    Ok(())
}

/// The flags and the message at the beginning, if it is there as a whole.
fn first_message(buffer: &[u8]) -> Option<(u8, &[u8])> {
    let (prefix, rest) = buffer.split_first_chunk::<PREFIX>()?;
    let [flags, length @ ..] = *prefix;
    let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
    Some((flags, rest.get(..length)?))
}
