//! Locks that keep the server's statements waiting, on PostgreSQL.

use std::time::Duration;

use futures::future::join_all;
use scimd::model::DatabaseUrl;
use sea_orm::{
    ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, Statement,
    TransactionTrait, TryGetable,
};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::TestServer;

/// How long requests are given to reach what is locked.
pub const ARRIVAL: Duration = Duration::from_millis(400);

/// What nobody else gets as long as this lives. On SQLite nothing is.
pub struct Locked {
    held: Option<(DatabaseConnection, DatabaseTransaction)>,
}

impl Locked {
    /// A table, which nobody reads.
    pub async fn table(server: &TestServer, name: &str) -> Self {
        Self::by(server, &format!("LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")).await
    }

    /// Rows, by a condition: nobody changes them.
    pub async fn rows(server: &TestServer, table: &str, condition: &str) -> Self {
        Self::by(server, &format!("SELECT 1 FROM {table} WHERE {condition} FOR UPDATE")).await
    }

    /// Whatever a statement keeps others from.
    pub async fn by(server: &TestServer, lock: &str) -> Self {
        let DatabaseUrl::Postgres(url) = &server.database.url else { return Self { held: None } };
        let connection = Database::connect(url.as_str()).await.unwrap();
        let transaction = connection.begin().await.unwrap();
        transaction.execute_unprepared(lock).await.unwrap();
        Self { held: Some((connection, transaction)) }
    }

    /// Lets requests arrive, ends the connections of those who wait, and lets everybody
    /// else go on; says how many it ended.
    pub async fn end_who_waits(self) -> Option<i64> {
        sleep(ARRIVAL).await;
        let ended = self.of_those_who_wait("count(pg_terminate_backend(pid))").await;
        sleep(ARRIVAL).await;
        self.release().await;
        ended
    }

    /// Lets requests arrive, and says how many connections wait then.
    pub async fn waiting(&self) -> Option<i64> {
        sleep(ARRIVAL).await;
        self.of_those_who_wait("count(*)").await
    }

    /// Lets requests arrive, and gives the statements that wait then, a line each.
    pub async fn statements(&self) -> Option<String> {
        sleep(ARRIVAL).await;
        self.of_those_who_wait("coalesce(string_agg(query, E'\n'), '')").await
    }

    async fn of_those_who_wait<T: TryGetable>(&self, aggregate: &str) -> Option<T> {
        let (connection, _) = self.held.as_ref()?;
        let query = format!(
            "SELECT {aggregate} FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'"
        );
        let query = Statement::from_string(DbBackend::Postgres, query);
        let row = connection.query_one_raw(query).await.unwrap().unwrap();
        Some(row.try_get_by_index(0).unwrap())
    }

    /// Lets requests arrive, has some of them given up, and lets everybody else go on.
    pub async fn release_without<T>(self, given_up: Vec<JoinHandle<T>>) {
        sleep(ARRIVAL).await;
        for request in &given_up {
            request.abort();
        }
        drop(join_all(given_up).await);
        sleep(ARRIVAL).await;
        self.release().await;
    }

    /// Lets everybody go on behind what was changed with the lock.
    pub async fn commit(self) {
        if let Some((_, transaction)) = self.held {
            transaction.commit().await.unwrap();
        }
    }

    pub async fn release(self) {
        if let Some((_, transaction)) = self.held {
            transaction.rollback().await.unwrap();
        }
    }
}

/// Asks while a table is locked, and unlocks it when all have reached it.
pub async fn held_up<T>(server: &TestServer, table: &str, ask: impl FnOnce() -> T) -> T {
    let locked = Locked::table(server, table).await;
    let asked = ask();
    sleep(ARRIVAL).await;
    locked.release().await;
    asked
}
