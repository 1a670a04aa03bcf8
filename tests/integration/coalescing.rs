//! Requests that ask the same at the same time, of other ids: PostgreSQL is asked for
//! them together, and none of them may notice.

use std::time::Duration;

use futures::future::join_all;
use reqwest::Method;
use scimd::model::DatabaseUrl;
use sea_orm::{
    ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, TransactionTrait,
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use uuid::Uuid;

use crate::harness::{Client, TestServer, on_both_engines};
use crate::scim::client::{Answer, ScimClient, Tenant, answer};

/// How long requests are given to reach a table that is locked.
const ARRIVAL: Duration = Duration::from_millis(400);

/// A table that nobody reads as long as this lives, on PostgreSQL.
struct Locked {
    held: Option<(DatabaseConnection, DatabaseTransaction)>,
}

impl Locked {
    async fn table(server: &TestServer, name: &str) -> Self {
        let DatabaseUrl::Postgres(url) = &server.database.url else { return Self { held: None } };
        let connection = Database::connect(url.as_str()).await.unwrap();
        let transaction = connection.begin().await.unwrap();
        let lock = format!("LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE");
        transaction.execute_unprepared(&lock).await.unwrap();
        Self { held: Some((connection, transaction)) }
    }

    /// Of requests that came together there are many more than statements, which have
    /// 16 connections. What they ask next they ask one after the other.
    async fn assert_few_wait(&self) {
        let waiting = self.ask("count(*)").await;
        assert!(waiting.is_none_or(|waiting| (1..12).contains(&waiting)), "{waiting:?}");
    }

    /// Ends the connections of those who wait for it, and says how many.
    async fn end_who_waits(&self) -> Option<i64> {
        self.ask("count(pg_terminate_backend(pid))").await
    }

    async fn ask(&self, what: &str) -> Option<i64> {
        let (connection, _) = self.held.as_ref()?;
        let query = format!(
            "SELECT {what} FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'"
        );
        let query = sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, query);
        let row = connection.query_one_raw(query).await.unwrap().unwrap();
        Some(row.try_get_by_index(0).unwrap())
    }

    async fn release(self) {
        if let Some((_, transaction)) = self.held {
            transaction.rollback().await.unwrap();
        }
    }
}

/// A tenant with a user.
struct Asker {
    tenant: Tenant,
    name: String,
    user: String,
}

async fn askers(server: &TestServer, number: usize) -> Vec<Asker> {
    let mut askers = Vec::new();
    for place in 0..number {
        let tenant = Tenant::new(server, server.organization()).await;
        let name = format!("user-{place}");
        let made = tenant.scim.post("/Users", json!({ "userName": name, "externalId": "x" })).await;
        let user = made.body["id"].as_str().unwrap().to_owned();
        askers.push(Asker { tenant, name, user });
    }
    askers
}

fn get(client: &ScimClient, path: &str) -> JoinHandle<Answer> {
    let request = client.request(Method::GET, path);
    tokio::spawn(answer(request))
}

/// What must come of it.
enum Expected {
    User(String),
    Listed(Vec<String>),
    Status(u16),
}

impl Expected {
    fn assert(&self, answer: &Answer) {
        match self {
            Self::User(id) => assert_eq!(answer.body["id"], json!(id), "{answer:?}"),
            Self::Listed(ids) => {
                let found =
                    answer.body["Resources"].as_array().unwrap_or_else(|| panic!("{answer:?}"));
                let found: Vec<_> = found.iter().map(|user| user["id"].clone()).collect();
                assert_eq!(found, ids.iter().map(|id| json!(id)).collect::<Vec<_>>(), "{answer:?}");
            }
            Self::Status(status) => assert_eq!(answer.status, *status, "{answer:?}"),
        }
    }
}

/// Questions of all kinds of the data plane, some of which have an answer.
fn questions(askers: &[Asker]) -> Vec<(JoinHandle<Answer>, Expected)> {
    let mut questions = Vec::new();
    for (place, asker) in askers.iter().enumerate() {
        let (mine, next) = (&asker.tenant.scim, &askers[(place + 1) % askers.len()]);
        let intruder = ScimClient::at(&mine.base, &next.tenant.scim.token);
        let own = || Expected::Listed(vec![asker.user.clone()]);
        let filtered = |attribute: &str, value: &str| {
            get(mine, &format!("/Users?filter={attribute}%20eq%20%22{value}%22"))
        };
        questions.extend([
            (get(mine, &format!("/Users/{}", asker.user)), Expected::User(asker.user.clone())),
            (get(mine, &format!("/Users/{}", next.user)), Expected::Status(404)),
            (get(mine, &format!("/Users/{}", Uuid::nil())), Expected::Status(404)),
            (get(&intruder, &format!("/Users/{}", asker.user)), Expected::Status(401)),
            (filtered("userName", &asker.name), own()),
            (filtered("userName", &next.name), Expected::Listed(Vec::new())),
            (filtered("externalId", "x"), own()),
        ]);
    }
    questions
}

async fn assert_answered(questions: Vec<(JoinHandle<Answer>, Expected)>) {
    for (answer, expected) in questions {
        expected.assert(&answer.await.unwrap());
    }
}

on_both_engines! {
    async fn each_of_many_identity_providers_is_answered_with_its_own(server: TestServer) {
        let askers = askers(&server, 12).await;
        for table in ["scim_configurations", "scim_users", "scim_group_members"] {
            let locked = Locked::table(&server, table).await;
            let questions = questions(&askers);
            sleep(ARRIVAL).await;
            if table == "scim_configurations" {
                locked.assert_few_wait().await;
            }
            locked.release().await;
            assert_answered(questions).await;
        }
    }

    async fn each_of_many_callers_is_answered_with_its_own(server: TestServer) {
        let askers = askers(&server, 12).await;
        for table in ["api_keys", "scim_configurations"] {
            let locked = Locked::table(&server, table).await;
            let asked = askers.iter().enumerate().flat_map(|(place, asker)| {
                let next = &askers[(place + 1) % askers.len()];
                let mine = || Client::new(&server.url, asker.tenant.rpc.key.as_deref());
                let get = |client: Client, id: &str| {
                    let id = id.to_owned();
                    tokio::spawn(async move { client.get(&id).await })
                };
                [
                    (get(mine(), &asker.tenant.configuration), Some(&asker.tenant.configuration)),
                    (get(mine(), &next.tenant.configuration), None),
                    (get(Client::new(&server.url, Some("scimd_unknown")), &asker.tenant.configuration), None),
                ]
            });
            let asked: Vec<_> = asked.collect();
            sleep(ARRIVAL).await;
            if table == "api_keys" {
                locked.assert_few_wait().await;
            }
            locked.release().await;
            for (answer, expected) in asked {
                let body: Value = answer.await.unwrap().body;
                assert_eq!(body["scimConfiguration"]["id"].as_str(), expected.map(String::as_str), "{body}");
            }
        }
    }

    async fn who_gives_up_takes_nobody_along(server: TestServer) {
        let askers = askers(&server, 8).await;
        for table in ["scim_configurations", "scim_users"] {
            let locked = Locked::table(&server, table).await;
            // The first of them run the statements that the others wait for.
            let given_up = questions(&askers);
            sleep(ARRIVAL).await;
            let staying = questions(&askers);
            sleep(ARRIVAL).await;
            for (request, _) in &given_up {
                request.abort();
            }
            drop(join_all(given_up.into_iter().map(|(request, _)| request)).await);
            sleep(ARRIVAL).await;
            locked.release().await;
            assert_answered(staying).await;
        }
        assert_answered(questions(&askers)).await;
    }

    async fn a_connection_that_is_lost_is_nothing_to_those_who_wait(server: TestServer) {
        let askers = askers(&server, 12).await;
        let locked = Locked::table(&server, "scim_users").await;
        let asked = askers.iter().flat_map(|asker| {
            let path = format!("/Users/{}", asker.user);
            [get(&asker.tenant.scim, &path), get(&asker.tenant.scim, &path)]
        });
        let asked: Vec<_> = asked.collect();
        sleep(ARRIVAL).await;
        let ended = locked.end_who_waits().await;
        sleep(ARRIVAL).await;
        locked.release().await;
        let statuses = join_all(asked).await;
        let failed = statuses.iter().filter(|answer| answer.as_ref().unwrap().status != 200).count();
        // Whoever asked alone has lost its own statement.
        match ended {
            Some(ended) => assert!(ended > 0 && failed <= usize::try_from(ended).unwrap(), "{failed} of {ended}"),
            None => assert_eq!(failed, 0),
        }
        assert_answered(questions(&askers)).await;
    }
}
