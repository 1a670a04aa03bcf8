//! Requests that ask the same at the same time, of other ids: PostgreSQL is asked for
//! them together, and none of them may notice.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use reqwest::Method;
use scimd::clock::{SystemClock, SystemRandom};
use scimd::model::{DatabaseUrl, ResourceKind};
use scimd::repository::Repository;
use serde_json::{Value, json};
use tokio::runtime::Builder;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::harness::locked::{Locked, held_up};
use crate::harness::{Client, Process, TestServer, on_both_engines};
use crate::scim::client::{Answer, ScimClient, Tenant, answer};

/// A tenant with a user.
struct Asker {
    tenant: Tenant,
    /// Of the server that is asked.
    url: String,
    name: String,
    user: String,
    /// That the user is in.
    group: String,
}

impl Asker {
    /// The same, who asks another server on the same database.
    fn at(self, server: &TestServer, url: &str) -> Self {
        let scim = self.tenant.scim.at_url(server, url);
        let rpc = Client::new(url, self.tenant.rpc.key.as_deref());
        Self { tenant: Tenant { scim, rpc, ..self.tenant }, url: url.to_owned(), ..self }
    }
}

async fn askers(server: &TestServer, number: usize) -> Vec<Asker> {
    let mut askers = Vec::new();
    for place in 0..number {
        let tenant = Tenant::new(server, server.organization()).await;
        let name = format!("user-{place}");
        let user = json!({ "userName": name, "externalId": "x" });
        let user = id(&tenant.scim.post("/Users", user).await.body);
        let group = json!({ "displayName": name, "members": [{ "value": user }] });
        let group = id(&tenant.scim.post("/Groups", group).await.body);
        askers.push(Asker { tenant, url: server.url.clone(), name, user, group });
    }
    askers
}

fn id(body: &Value) -> String {
    body["id"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned()
}

fn get(client: &ScimClient, path: &str) -> JoinHandle<Answer> {
    let request = client.request(Method::GET, path);
    tokio::spawn(answer(request))
}

/// What must come of it.
enum Expected {
    /// This user in this group.
    User(String, String),
    Listed(Vec<String>),
    Status(u16),
}

impl Expected {
    fn assert(&self, answer: &Answer) {
        match self {
            Self::User(user, group) => {
                assert_eq!(answer.body["id"], json!(user), "{answer:?}");
                assert_eq!(answer.body["groups"][0]["value"], json!(group), "{answer:?}");
                assert_eq!(answer.body["groups"].as_array().map(Vec::len), Some(1), "{answer:?}");
            }
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
            (
                get(mine, &format!("/Users/{}", asker.user)),
                Expected::User(asker.user.clone(), asker.group.clone()),
            ),
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

/// Questions of the control plane, each with the configuration that is the answer.
fn calls(askers: &[Asker]) -> Vec<(JoinHandle<Value>, Option<&str>)> {
    let mut calls = Vec::new();
    for (place, asker) in askers.iter().enumerate() {
        let next = &askers[(place + 1) % askers.len()];
        let mut call = |key: Option<&str>, id: &str, expected| {
            let (client, id) = (Client::new(&asker.url, key), id.to_owned());
            calls.push((tokio::spawn(async move { client.get(&id).await.body }), expected));
        };
        let (key, own) = (asker.tenant.rpc.key.as_deref(), asker.tenant.configuration.as_str());
        call(key, own, Some(own));
        call(key, &next.tenant.configuration, None);
        call(Some("scimd_unknown"), own, None);
    }
    calls
}

async fn assert_called(calls: Vec<(JoinHandle<Value>, Option<&str>)>) {
    for (body, expected) in calls {
        let body = body.await.unwrap();
        assert_eq!(body["scimConfiguration"]["id"].as_str(), expected, "{body}");
    }
}

on_both_engines! {
    async fn each_of_many_identity_providers_is_answered_with_its_own(server: TestServer) {
        let askers = askers(&server, 12).await;
        for table in ["scim_configurations", "scim_users", "scim_group_members"] {
            assert_answered(held_up(&server, table, || questions(&askers)).await).await;
        }
    }

    async fn each_of_many_callers_is_answered_with_its_own(server: TestServer) {
        let askers = askers(&server, 12).await;
        for table in ["api_keys", "scim_configurations"] {
            assert_called(held_up(&server, table, || calls(&askers)).await).await;
        }
    }

    async fn on_postgres_each_statement_is_one_for_several(server: TestServer) {
        let process = Process::serve(&server.database).await;
        let askers = askers(&server, 12).await;
        let askers: Vec<_> = askers.into_iter().map(|asker| asker.at(&server, &process.url)).collect();
        for table in ["api_keys", "scim_configurations", "scim_users", "scim_group_members"] {
            let ask = || (questions(&askers), calls(&askers));
            let (questions, calls) = held_up(&server, table, ask).await;
            assert_answered(questions).await;
            assert_called(calls).await;
        }
        let log = process.log();
        let is_postgres = matches!(server.database.url, DatabaseUrl::Postgres(_));
        for (table, condition) in [
            ("api_keys", "hash ="),
            ("scim_configurations", "token_hash ="),
            ("scim_configurations", "organization_id ="),
            ("scim_users", "AND id ="),
            ("scim_users", "user_name_key ="),
            ("scim_users", "external_id ="),
            ("scim_group_members", "held.member_id ="),
        ] {
            let is_it = |line: &str| {
                ["question.place", &format!("FROM {table}"), condition].iter().all(|part| line.contains(part))
            };
            assert_eq!(log.lines().any(is_it), is_postgres, "{table}, {condition}");
        }
        assert!(!log.contains("in vain, each"));
    }

    async fn who_gives_up_takes_nobody_along(server: TestServer) {
        let askers = askers(&server, 8).await;
        for table in ["scim_configurations", "scim_users"] {
            let locked = Locked::table(&server, table).await;
            // In turn, so that some of those who stay are asked for by those who do not.
            let mut staying = Vec::new();
            let mut given_up = Vec::new();
            for (place, question) in askers.iter().flat_map(|_| questions(&askers)).enumerate() {
                if place % 2 == 0 { given_up.push(question.0) } else { staying.push(question) }
            }
            locked.release_without(given_up).await;
            assert_answered(staying).await;
        }
        assert_answered(questions(&askers)).await;
    }

    async fn who_gives_up_leaves_no_connection_behind(server: TestServer) {
        let asker = &askers(&server, 1).await[0];
        let locked = Locked::table(&server, "scim_users").await;
        // More statements than there are connections, each begun for the second of two.
        for _ in 0..24 {
            let path = format!("/Users/{}", asker.user);
            let requests = [get(&asker.tenant.scim, &path), get(&asker.tenant.scim, &path)];
            sleep(Duration::from_millis(40)).await;
            for request in &requests {
                request.abort();
            }
            drop(join_all(requests).await);
        }
        let others = asker.tenant.rpc.get(&asker.tenant.configuration);
        let others = timeout(Duration::from_secs(5), others).await.unwrap();
        assert_eq!(others.id(), asker.tenant.configuration);
        locked.release().await;
    }

    async fn a_runtime_that_ends_has_nobody_asked_for_again_and_again(server: TestServer) {
        let asker = &askers(&server, 1).await[0];
        let configuration = asker.tenant.configuration.parse().unwrap();
        let user: Uuid = asker.user.parse().unwrap();
        let locked = Locked::table(&server, "scim_users").await;
        let url = server.database.url.clone();
        let ended = spawn_blocking(move || {
            let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
                let repository = Repository::open(&url, clock, random).await.unwrap();
                for _ in 0..100 {
                    let repository = repository.clone();
                    tokio::spawn(async move {
                        repository.read().resource(ResourceKind::User, configuration, user).await
                    });
                    sleep(Duration::from_millis(1)).await;
                }
            });
        });
        timeout(Duration::from_secs(20), ended).await.unwrap().unwrap();
        locked.release().await;
        assert_answered(questions(&askers(&server, 2).await)).await;
    }

    async fn nobody_waits_for_a_statement_that_is_held_up(server: TestServer) {
        let askers = askers(&server, 4).await;
        let locked = Locked::table(&server, "scim_users").await;
        let ask = |asker: &Asker| get(&asker.tenant.scim, &format!("/Users/{}", asker.user));
        let mut asked = vec![ask(&askers[0])];
        if let Some(waiting) = locked.waiting().await {
            assert_eq!(waiting, 1);
        }
        // Who comes now waits for that only for a moment.
        asked.extend(askers[1..].iter().map(ask));
        if let Some(waiting) = locked.waiting().await {
            assert!(waiting >= 2, "{waiting}");
        }
        locked.release().await;
        for answer in join_all(asked).await {
            assert_eq!(answer.unwrap().status, 200);
        }
    }

    async fn a_connection_that_is_lost_is_nothing_to_those_who_wait(server: TestServer) {
        let askers = askers(&server, 12).await;
        let locked = Locked::table(&server, "scim_users").await;
        let asked = askers.iter().flat_map(|asker| {
            let path = format!("/Users/{}", asker.user);
            [get(&asker.tenant.scim, &path), get(&asker.tenant.scim, &path)]
        });
        let asked: Vec<_> = asked.collect();
        let ended = locked.end_who_waits().await;
        let statuses = join_all(asked).await;
        let failed = statuses.iter().filter(|answer| answer.as_ref().unwrap().status != 200).count();
        assert!(ended.is_none_or(|ended| ended > 0));
        // Each asks once more for itself.
        assert_eq!(failed, 0);
        assert_answered(questions(&askers)).await;
    }
}
