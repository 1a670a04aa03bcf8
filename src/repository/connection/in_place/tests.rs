//! Statements in place, and what becomes of those that cannot be read there.

use sea_orm::{DbBackend, Value};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::clock::{SystemClock, SystemRandom};
use crate::model::DatabaseUrl;
use crate::repository::connection::{Reader, Rows, from_row};
use crate::repository::{Error, Repository, Write};

/// A store in a file, which stays for as long as the directory.
async fn store() -> (TempDir, Repository) {
    let directory = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::SqliteFile(directory.path().join("a ?%file.db"));
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    let repository = Repository::open(&url, clock, random).await.unwrap();
    repository.migrate().await.unwrap();
    (directory, repository)
}

fn statement(sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
    Statement::from_sql_and_values(DbBackend::Sqlite, sql, values)
}

fn in_place(reader: &Reader) -> &InPlace {
    let Reader::Sqlite { in_place, .. } = reader else { unreachable!("it is SQLite") };
    in_place
}

async fn execute(tx: &Write, sql: &str) {
    tx.execute(sql, []).await.unwrap();
}

#[derive(Debug, PartialEq)]
struct Everything {
    id: Uuid,
    no_id: Option<Uuid>,
    yes: bool,
    no: Option<bool>,
    number: i64,
    no_number: Option<i64>,
    text: String,
    no_text: Option<String>,
    bytes: Vec<u8>,
}

from_row!(Everything { id, no_id, yes, no, number, no_number, text, no_text, bytes });

#[tokio::test]
async fn values_are_the_same_in_place_and_through_sqlx() {
    let (_directory, repository) = store().await;
    let file = repository.read().connection;
    let Reader::Sqlite { pool, .. } = &file else { unreachable!("it is a file") };
    let expected = Everything {
        id: Uuid::from_u128(0x0123_4567_89ab_cdef),
        no_id: None,
        yes: true,
        no: Some(false),
        number: i64::MIN,
        no_number: None,
        text: "a\0ü\u{1f600}".to_owned(),
        no_text: None,
        bytes: vec![0, 255],
    };
    let values = || -> [Value; 9] {
        [
            expected.id.into(),
            expected.no_id.into(),
            expected.yes.into(),
            expected.no.into(),
            expected.number.into(),
            expected.no_number.into(),
            expected.text.as_str().into(),
            expected.no_text.clone().into(),
            expected.bytes.clone().into(),
        ]
    };
    for sql in ["SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?", "SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9"] {
        let here = in_place(&file).rows::<Everything>(&statement(sql, values())).await.unwrap();
        let there = pool.lease().await.unwrap().rows(statement(sql, values())).await.unwrap();
        assert_eq!(here, there);
        assert_eq!(here[0], expected);
    }
    let limit = statement("SELECT 1 LIMIT ?", [1_u64.into()]);
    assert_eq!(in_place(&file).rows::<i64>(&limit).await.unwrap(), [1]);
}

#[tokio::test]
async fn a_parameter_has_the_value_of_its_number() {
    let (_directory, repository) = store().await;
    let reader = repository.read().connection;
    for (sql, expected) in [
        ("SELECT $2 - $1", 9),
        ("SELECT $1 - $2", -9),
        ("SELECT $2 - $1 + $2", 19),
        ("SELECT ?2 - ?1", 9),
        ("SELECT ? - ?", -9),
    ] {
        let statement = statement(sql, [1_i64.into(), 10_i64.into()]);
        let rows = in_place(&reader).rows::<i64>(&statement).await.unwrap();
        assert_eq!(rows, [expected], "{sql}");
    }
    // And without one, it is not answered with something else.
    let too_few = statement("SELECT $1 + $2", [1_i64.into()]);
    assert!(in_place(&reader).rows::<i64>(&too_few).await.is_none());
}

#[tokio::test]
async fn what_takes_long_is_read_by_sqlx() {
    const COUNT: &str = "WITH RECURSIVE up (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up \
         WHERE n < $1) SELECT COUNT(*) FROM up";
    let (_directory, repository) = store().await;
    let reader = repository.read().connection;
    let (short, long) = (10_i64, 1_000_000_i64);
    for _ in 0..3 {
        let statement = |n: i64| statement(COUNT, [n.into()]);
        assert!(in_place(&reader).rows::<i64>(&statement(long)).await.is_none());
        assert_eq!(reader.row(statement(long)).await.unwrap(), Some(long));
        // Nothing of it is left in the way of the next one.
        let rows = in_place(&reader).rows::<i64>(&statement(short)).await;
        assert_eq!(rows.unwrap(), [short]);
    }
}

#[tokio::test]
async fn what_fails_is_told_as_sqlx_tells_it() {
    let (_directory, repository) = store().await;
    let reader = repository.read().connection;
    let missing = || statement("SELECT * FROM missing", []);
    assert!(in_place(&reader).rows::<i64>(&missing()).await.is_none());
    let error = Error::from(reader.rows::<i64>(missing()).await.unwrap_err());
    assert!(error.chain().contains("no such table: missing"), "{}", error.chain());
    let null = || statement("SELECT NULL", []);
    assert!(in_place(&reader).rows::<i64>(&null()).await.is_none());
    assert!(reader.rows::<i64>(null()).await.is_err());
}

#[tokio::test]
async fn what_is_committed_is_seen_by_the_next_read() {
    let (_directory, repository) = store().await;
    let reader = repository.read().connection;
    let tx = repository.write().await.unwrap();
    execute(&tx, "CREATE TABLE written (n INTEGER)").await;
    tx.commit().await.unwrap();
    let all = || statement("SELECT n FROM written ORDER BY n", []);
    for n in 0..50 {
        let tx = repository.write().await.unwrap();
        execute(&tx, &format!("INSERT INTO written VALUES ({n})")).await;
        let before = in_place(&reader).rows::<i64>(&all()).await.unwrap();
        assert_eq!(before, (0..n).collect::<Vec<_>>(), "not before it is committed");
        tx.commit().await.unwrap();
        let after = in_place(&reader).rows::<i64>(&all()).await.unwrap();
        assert_eq!(after, (0..=n).collect::<Vec<_>>());
    }
    // Also when the table is another one.
    let tx = repository.write().await.unwrap();
    execute(&tx, "DROP TABLE written").await;
    execute(&tx, "CREATE TABLE written (more TEXT, n INTEGER)").await;
    execute(&tx, "INSERT INTO written VALUES ('a', 7)").await;
    tx.commit().await.unwrap();
    assert_eq!(in_place(&reader).rows::<i64>(&all()).await.unwrap(), [7]);
}

#[tokio::test]
async fn nothing_is_written_in_place() {
    let (_directory, repository) = store().await;
    let reader = repository.read().connection;
    let delete = statement("DELETE FROM scim_feeds RETURNING newest", []);
    assert!(in_place(&reader).rows::<i64>(&delete).await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_are_no_more_connections_than_threads() {
    let (_directory, repository) = store().await;
    let reader = repository.read().connection;
    let tasks = (0..100).map(|n: i64| {
        let reader = reader.clone();
        tokio::spawn(async move {
            for _ in 0..20 {
                let rows = in_place(&reader).rows::<i64>(&statement("SELECT ?", [n.into()])).await;
                assert_eq!(rows.unwrap(), [n]);
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let opened = in_place(&reader).idle().len();
    assert!((1..=2).contains(&opened), "{opened}");
}

/// A request that reads much lets others have their turns.
#[tokio::test]
async fn others_are_answered_between_statements() {
    let (_directory, repository) = store().await;
    let reader = repository.read().connection;
    let other = tokio::spawn(async {});
    for _ in 0..1_000 {
        in_place(&reader).rows::<i64>(&statement("SELECT 1", [])).await.unwrap();
    }
    assert!(other.is_finished());
}

#[tokio::test]
async fn a_database_in_memory_is_like_a_file() {
    let open = || {
        Repository::open(&DatabaseUrl::SqliteMemory, Arc::new(SystemClock), Arc::new(SystemRandom))
    };
    let (one, other) = (open().await.unwrap(), open().await.unwrap());
    for repository in [&one, &other] {
        let tx = repository.write().await.unwrap();
        // Each has its own.
        execute(&tx, "CREATE TABLE written (n INTEGER)").await;
        execute(&tx, "INSERT INTO written VALUES (1)").await;
        tx.commit().await.unwrap();
        let all = statement("SELECT n FROM written", []);
        let reader = repository.read().connection;
        assert_eq!(in_place(&reader).rows::<i64>(&all).await.unwrap(), [1]);
        let Reader::Sqlite { pool, .. } = &reader else { unreachable!("it is SQLite") };
        assert_eq!(pool.lease().await.unwrap().rows::<i64>(all).await.unwrap(), [1]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_memory_who_writes_waits_for_a_snapshot_and_nobody_else_does() {
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    let repository = Repository::open(&DatabaseUrl::SqliteMemory, clock, random).await.unwrap();
    repository.migrate().await.unwrap();
    let mut snapshot = repository.snapshot(Uuid::nil().into()).await.unwrap();
    let writer = repository.clone();
    let written = tokio::spawn(async move {
        let tx = writer.write().await.unwrap();
        execute(&tx, "CREATE TABLE written (n INTEGER)").await;
        tx.commit().await.unwrap();
    });
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let read = repository.read().event_bounds(Uuid::nil().into()).await;
        assert_eq!(read.unwrap().newest, 0);
    }
    assert!(!written.is_finished());
    while snapshot.next().await.unwrap().is_some() {}
    drop(snapshot);
    tokio::time::timeout(Duration::from_secs(5), written).await.unwrap().unwrap();
}
