//! Transactions that are flushed together, and what becomes of the others when
//! one of them fails or is given up.

use std::time::Duration;

use futures::future::join_all;
use sea_orm::DbBackend;
use tempfile::TempDir;

use super::*;

/// A file with a table of numbers, each of which can be there once.
async fn numbers() -> (Arc<Queue>, Sqlite, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("numbers.db");
    let made = rusqlite::Connection::open(&file).unwrap();
    made.pragma_update(None, "journal_mode", "WAL").unwrap();
    let location = Location::file(file);
    let queue = Queue::open(&location).unwrap();
    let turn = queue.begin().await.unwrap();
    run(&turn, "CREATE TABLE numbers (n INTEGER NOT NULL UNIQUE)").await.unwrap();
    turn.commit().await.unwrap();
    (queue, Sqlite::read_only(&location).unwrap(), directory)
}

fn statement(sql: &str) -> Statement {
    Statement::from_string(DbBackend::Sqlite, sql)
}

async fn run(turn: &Turn, sql: &str) -> Result<(), Failure> {
    turn.execute(statement(sql)).await.map(drop)
}

async fn insert(turn: &Turn, number: usize) -> Result<(), Failure> {
    run(turn, &format!("INSERT INTO numbers VALUES ({number})")).await
}

/// What others see.
fn seen(reader: &Sqlite) -> Vec<i64> {
    reader.rows(&statement("SELECT n FROM numbers ORDER BY n")).unwrap()
}

/// Begins transactions behind one that has the turn, in this order.
async fn in_line(
    queue: &Arc<Queue>,
    length: usize,
) -> Vec<tokio::task::JoinHandle<Result<Turn, Failure>>> {
    let mut line = Vec::new();
    for place in 0..length {
        let queue_of_task = Arc::clone(queue);
        line.push(tokio::spawn(async move { queue_of_task.begin().await }));
        while queue.line().waiting.len() <= place {
            tokio::task::yield_now().await;
        }
    }
    line
}

#[tokio::test]
async fn those_in_line_are_flushed_together_and_answered_then() {
    let (queue, reader, _directory) = numbers().await;
    let first = queue.begin().await.unwrap();
    insert(&first, 1).await.unwrap();
    let mut line = in_line(&queue, 1).await;
    let first = tokio::spawn(first.commit());
    let second = line.remove(0).await.unwrap().unwrap();
    insert(&second, 2).await.unwrap();
    // The first one is done and not yet durable: nobody hears or sees of it.
    assert!(!first.is_finished());
    assert_eq!(seen(&reader), [] as [i64; 0]);
    second.commit().await.unwrap();
    first.await.unwrap().unwrap();
    assert_eq!(seen(&reader), [1, 2]);
}

#[tokio::test]
async fn one_that_is_given_up_takes_back_its_own_changes_alone() {
    let (queue, reader, _directory) = numbers().await;
    let first = queue.begin().await.unwrap();
    insert(&first, 1).await.unwrap();
    let mut line = in_line(&queue, 2).await;
    let first = tokio::spawn(first.commit());
    let second = line.remove(0).await.unwrap().unwrap();
    insert(&second, 2).await.unwrap();
    drop(second);
    let third = line.remove(0).await.unwrap().unwrap();
    insert(&third, 3).await.unwrap();
    third.commit().await.unwrap();
    first.await.unwrap().unwrap();
    assert_eq!(seen(&reader), [1, 3]);
}

#[tokio::test]
async fn the_last_one_given_up_still_has_the_others_flushed() {
    let (queue, reader, _directory) = numbers().await;
    let first = queue.begin().await.unwrap();
    insert(&first, 1).await.unwrap();
    let mut line = in_line(&queue, 1).await;
    let first = tokio::spawn(first.commit());
    drop(line.remove(0).await.unwrap().unwrap());
    first.await.unwrap().unwrap();
    assert_eq!(seen(&reader), [1]);
}

#[tokio::test]
async fn the_first_one_given_up_leaves_the_line_in_order() {
    let (queue, reader, _directory) = numbers().await;
    let first = queue.begin().await.unwrap();
    insert(&first, 1).await.unwrap();
    let line = in_line(&queue, 2).await;
    drop(first);
    for (number, turn) in line.into_iter().enumerate() {
        let turn = turn.await.unwrap().unwrap();
        insert(&turn, 2 + number).await.unwrap();
        tokio::spawn(turn.commit());
    }
    // Whoever comes last is answered after all before.
    queue.begin().await.unwrap().commit().await.unwrap();
    assert_eq!(seen(&reader), [2, 3]);
}

#[tokio::test]
async fn whoever_gives_up_waiting_is_passed_over() {
    let (queue, reader, _directory) = numbers().await;
    let first = queue.begin().await.unwrap();
    insert(&first, 1).await.unwrap();
    let mut line = in_line(&queue, 3).await;
    for gone in [2, 0] {
        let gone = line.remove(gone);
        gone.abort();
        assert!(gone.await.is_err());
    }
    let first = tokio::spawn(first.commit());
    let second = line.remove(0).await.unwrap().unwrap();
    insert(&second, 2).await.unwrap();
    second.commit().await.unwrap();
    first.await.unwrap().unwrap();
    assert_eq!(seen(&reader), [1, 2]);
    assert!(!queue.line().taken);
}

#[tokio::test]
async fn a_statement_that_fails_costs_the_others_nothing() {
    let (queue, reader, _directory) = numbers().await;
    let first = queue.begin().await.unwrap();
    insert(&first, 1).await.unwrap();
    let mut line = in_line(&queue, 1).await;
    let first = tokio::spawn(first.commit());
    let second = line.remove(0).await.unwrap().unwrap();
    insert(&second, 2).await.unwrap();
    assert!(insert(&second, 1).await.is_err());
    insert(&second, 3).await.unwrap();
    second.commit().await.unwrap();
    first.await.unwrap().unwrap();
    assert_eq!(seen(&reader), [1, 2, 3]);
}

#[tokio::test]
async fn where_the_database_ends_the_transaction_nobody_hears_of_success() {
    let (queue, reader, _directory) = numbers().await;
    let first = queue.begin().await.unwrap();
    insert(&first, 1).await.unwrap();
    let mut line = in_line(&queue, 1).await;
    let first = tokio::spawn(first.commit());
    let second = line.remove(0).await.unwrap().unwrap();
    insert(&second, 2).await.unwrap();
    // As SQLite does by itself when the disk is full.
    run(&second, "ROLLBACK").await.unwrap();
    assert!(second.commit().await.is_err());
    assert!(first.await.unwrap().is_err());
    // And the next one finds all in order.
    let third = queue.begin().await.unwrap();
    insert(&third, 3).await.unwrap();
    third.commit().await.unwrap();
    assert_eq!(seen(&reader), [3]);
}

#[tokio::test]
async fn where_the_database_ends_the_transaction_the_next_in_line_begins_anew() {
    let (queue, reader, _directory) = numbers().await;
    let first = queue.begin().await.unwrap();
    insert(&first, 1).await.unwrap();
    let mut line = in_line(&queue, 2).await;
    let first = tokio::spawn(first.commit());
    let second = line.remove(0).await.unwrap().unwrap();
    run(&second, "ROLLBACK").await.unwrap();
    let second = tokio::spawn(second.commit());
    let third = line.remove(0).await.unwrap().unwrap();
    assert!(second.await.unwrap().is_err());
    assert!(first.await.unwrap().is_err());
    insert(&third, 3).await.unwrap();
    third.commit().await.unwrap();
    assert_eq!(seen(&reader), [3]);
}

#[tokio::test]
async fn one_that_is_given_up_while_it_begins_takes_back_nothing_of_the_one_before() {
    for polls in 0..8 {
        let (queue, reader, _directory) = numbers().await;
        let first = queue.begin().await.unwrap();
        insert(&first, 1).await.unwrap();
        let mut line = in_line(&queue, 1).await;
        // Begins by itself as soon as it is its turn, and is given up on its way.
        let mut third = Box::pin(queue.begin());
        assert!(futures::poll!(&mut third).is_pending());
        let first = tokio::spawn(first.commit());
        let second = line.remove(0).await.unwrap().unwrap();
        insert(&second, 2).await.unwrap();
        let second = tokio::spawn(second.commit());
        for _ in 0..polls {
            tokio::task::yield_now().await;
            if futures::poll!(&mut third).is_ready() {
                break;
            }
        }
        drop(third);
        let fourth = queue.begin().await.unwrap();
        insert(&fourth, 4).await.unwrap();
        fourth.commit().await.unwrap();
        second.await.unwrap().unwrap();
        first.await.unwrap().unwrap();
        assert_eq!(seen(&reader), [1, 2, 4], "given up after {polls}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_hundreds_given_up_at_any_point_those_answered_are_there_and_no_others() {
    let (queue, reader, _directory) = numbers().await;
    let tasks: Vec<_> = (0..400_usize)
        .map(|number| {
            let queue = Arc::clone(&queue);
            tokio::spawn(async move {
                let work = async {
                    let turn = queue.begin().await?;
                    insert(&turn, number).await?;
                    if number % 5 == 1 {
                        // Answered an error by whoever uses the repository.
                        return Ok(false);
                    }
                    turn.commit().await.map(|()| true)
                };
                // Every third is cancelled somewhere.
                let patience = if number % 3 == 0 { number * 37 % 20_000 } else { 60_000_000 };
                let patience = Duration::from_micros(u64::try_from(patience).unwrap());
                match timeout(patience, work).await {
                    Ok(outcome) => outcome.unwrap().then_some(number),
                    Err(_elapsed) => None,
                }
            })
        })
        .collect();
    let answered: Vec<_> = join_all(tasks).await.into_iter().filter_map(Result::unwrap).collect();
    // Cancelled ones may have been too far to be taken back; all others not.
    queue.begin().await.unwrap().commit().await.unwrap();
    let seen: Vec<_> = seen(&reader).into_iter().map(|n| usize::try_from(n).unwrap()).collect();
    assert!(answered.len() > 150, "{}", answered.len());
    assert!(answered.iter().all(|number| seen.contains(number)));
    assert!(seen.iter().all(|number| answered.contains(number) || number % 3 == 0));
    assert!(seen.iter().all(|number| number % 5 != 1));
}

/// A number that takes some 100 ms to be found.
const SLOW: &str = "INSERT INTO numbers WITH RECURSIVE up (n) AS \
     (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < 1000000) SELECT MAX(n) FROM up";

#[tokio::test]
async fn what_takes_long_keeps_no_thread() {
    let (queue, reader, _directory) = numbers().await;
    let turn = queue.begin().await.unwrap();
    turn.take_long(true);
    let mut slow = Box::pin(run(&turn, SLOW));
    // There is one thread here, and it goes on.
    assert!(futures::poll!(&mut slow).is_pending());
    slow.await.unwrap();
    turn.commit().await.unwrap();
    assert_eq!(seen(&reader), [1_000_000]);
}

#[tokio::test]
async fn one_that_is_given_up_during_a_statement_leaves_nothing_of_it() {
    let (queue, reader, _directory) = numbers().await;
    let first = queue.begin().await.unwrap();
    insert(&first, 1).await.unwrap();
    let mut line = in_line(&queue, 1).await;
    let first = tokio::spawn(first.commit());
    let second = line.remove(0).await.unwrap().unwrap();
    second.take_long(true);
    let mut slow = Box::pin(run(&second, SLOW));
    assert!(futures::poll!(&mut slow).is_pending());
    drop(slow);
    drop(second);
    // Whoever comes next does so behind it.
    let third = queue.begin().await.unwrap();
    insert(&third, 3).await.unwrap();
    third.commit().await.unwrap();
    first.await.unwrap().unwrap();
    assert_eq!(seen(&reader), [1, 3]);
}

#[tokio::test]
async fn another_process_that_writes_is_waited_for() {
    let (queue, reader, directory) = numbers().await;
    let other = Sqlite::writable(&Location::file(directory.path().join("numbers.db"))).unwrap();
    other.run("BEGIN IMMEDIATE").unwrap();
    let mut begun = Box::pin(queue.begin());
    assert!(timeout(Duration::from_millis(50), &mut begun).await.is_err());
    other.run("INSERT INTO numbers VALUES (1)").unwrap();
    other.run("COMMIT").unwrap();
    let turn = begun.await.unwrap();
    insert(&turn, 2).await.unwrap();
    turn.commit().await.unwrap();
    assert_eq!(seen(&reader), [1, 2]);
}
