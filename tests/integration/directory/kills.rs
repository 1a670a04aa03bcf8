//! A consumer of the feed, and the writers whose changes it follows, while the
//! servers are killed under them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use scimd::proto::scimd::v1::{ListEventsRequest, StreamEventsRequest};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::copy::Copy;
use super::{accounts, grpc, try_grpc};
use crate::harness::{Client, Engine, Process, TestDatabase, finished, scimd};

const ORGANIZATION: &str = "0195f2a3-0f5c-7cc3-a1b2-4c5d6e7f8091";
const ACCOUNTS: &str = "/scimd.v1.AccountService";
const RESTARTS: usize = 50;
const WRITERS: usize = 16;
/// How many changes are answered before each kill, at least.
const CHANGES_OF_A_ROUND: usize = 5;
/// How many accounts the application tells of.
const IMPORTED: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_has_exactly_the_directory_after_50_kills_on_sqlite() {
    kills(Engine::Sqlite, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_has_exactly_the_directory_after_50_kills_on_postgres() {
    kills(Engine::Postgres, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_has_exactly_the_directory_after_50_kills_of_two_replicas() {
    kills(Engine::Postgres, 2).await;
}

/// What the tasks of a run have in common.
struct Run {
    /// Where each replica is now.
    urls: Mutex<Vec<String>>,
    done: AtomicBool,
    /// How many changes were answered.
    made: AtomicUsize,
    key: String,
    configuration: String,
    token: String,
}

impl Run {
    fn url(&self, of: usize) -> String {
        let urls = self.urls.lock().unwrap();
        urls[of % urls.len()].clone()
    }

    fn is_done(&self) -> bool {
        self.done.load(Ordering::Relaxed)
    }
}

async fn kills(engine: Engine, replicas: usize) {
    let Some(database) = TestDatabase::create(engine).await else { return };
    let create_key = ["api-key", "create", "--organization", ORGANIZATION];
    let key = finished(scimd(&database, &create_key)).await.ok().trim_end().to_owned();
    let mut processes = Vec::new();
    for _ in 0..replicas {
        processes.push(served(&database).await);
    }
    let created = Client::new(&processes[0].url, Some(&key)).create(ORGANIZATION).await;
    let run = Arc::new(Run {
        urls: Mutex::new(processes.iter().map(|process| process.url.clone()).collect()),
        done: AtomicBool::new(false),
        made: AtomicUsize::new(0),
        key: key.clone(),
        configuration: created.id(),
        token: created.token(),
    });
    let consumer = tokio::spawn(consume(Arc::clone(&run)));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(write(Arc::clone(&run), writer));
    }
    writers.spawn(import(Arc::clone(&run)));
    for round in 0..RESTARTS {
        let pause = u64::try_from(uuid::Uuid::new_v4().as_u128() % 600).unwrap();
        sleep(Duration::from_millis(50 + pause)).await;
        // On a slow machine a server may have done nothing yet.
        let enough = CHANGES_OF_A_ROUND * (round + 1);
        let some_done = async {
            while run.made.load(Ordering::Relaxed) < enough {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(10), some_done).await.expect("changes are answered");
        let victim = round % replicas;
        processes.remove(victim).kill().await;
        let process = served(&database).await;
        run.urls.lock().unwrap()[victim].clone_from(&process.url);
        processes.insert(victim, process);
    }
    run.done.store(true, Ordering::Relaxed);
    while let Some(writer) = writers.join_next().await {
        writer.unwrap();
    }
    let copy = consumer.await.unwrap();
    let (mut client, mut accounts) =
        (grpc(&run.url(0), &key).await, accounts(&run.url(0), &key).await);
    let there = Copy::of_lists(&mut client, &mut accounts, ORGANIZATION).await;
    copy.assert_same(there);
}

async fn served(database: &TestDatabase) -> Process {
    let mut command = scimd(database, &["serve"]);
    command.env("SCIMD_LOG", "warn,scimd=info");
    Process::start(command).await
}

/// Follows the feed, through both calls in turns, until all is done and nothing
/// is left.
async fn consume(run: Arc<Run>) -> Copy {
    let mut copy = Copy::default();
    for turn in 0.. {
        let Ok(mut client) = try_grpc(&run.url(turn), &run.key).await else {
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        let organization_id = ORGANIZATION.to_owned();
        if turn % 2 == 0 && !run.is_done() {
            let request = StreamEventsRequest { organization_id, after: copy.number };
            let Ok(stream) = client.stream_events(request).await else { continue };
            let mut stream = stream.into_inner();
            while let Ok(Ok(Some(told))) = timeout(Duration::from_secs(2), stream.message()).await {
                for event in told.events {
                    copy.apply(event);
                }
            }
        } else {
            let was_done = run.is_done();
            let request = ListEventsRequest { organization_id, after: copy.number, limit: 50 };
            let Ok(answer) = client.list_events(request).await else { continue };
            let answer = answer.into_inner();
            let is_end = copy.number == answer.newest_number;
            for event in answer.events {
                copy.apply(event);
            }
            if was_done && is_end {
                return copy;
            }
        }
    }
    unreachable!("turns do not end")
}

/// Tells of accounts and removes some of them, whatever becomes of it.
async fn import(run: Arc<Run>) {
    for round in 0.. {
        if run.is_done() {
            return;
        }
        let client = Client::new(&run.url(round), Some(&run.key));
        let account = |number: usize| {
            json!({
                "clientId": number.to_string(),
                "email": format!("user{number}@example.com"),
                "emailVerified": !(round + number).is_multiple_of(7),
            })
        };
        let accounts: Vec<_> = (0..IMPORTED).map(account).collect();
        let body = json!({ "organizationId": ORGANIZATION, "accounts": accounts });
        let imported = client.try_post(&format!("{ACCOUNTS}/ImportAccounts"), body).await;
        let doomed = imported.and_then(|answer| {
            answer["imports"][round % IMPORTED]["accountId"].as_str().map(str::to_owned)
        });
        if let Some(id) = doomed {
            let body = json!({ "organizationId": ORGANIZATION, "accountId": id });
            client.try_post(&format!("{ACCOUNTS}/DeleteAccount"), body).await;
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Changes users, groups and members, whatever becomes of it.
async fn write(run: Arc<Run>, writer: usize) {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
    let send = async |method: Method, path: &str, body: Value| {
        let url = format!("{}/scim/v2/{}{path}", run.url(writer), run.configuration);
        let request = http.request(method, url).bearer_auth(&run.token).json(&body);
        let answer = request.send().await.ok()?.json::<Value>().await.ok()?;
        let id = answer["id"].as_str()?.to_owned();
        run.made.fetch_add(1, Ordering::Relaxed);
        Some(id)
    };
    let operations = |operation: Value| json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation] });
    let mut group = None;
    for round in 0.. {
        if run.is_done() {
            return;
        }
        let name = format!("user{writer}-{round}");
        // Some of them have an account that is imported, removed and made anew.
        let email = format!("user{}@example.com", (round + writer) % IMPORTED);
        let emails =
            if round % 3 == 0 { json!([]) } else { json!([{ "value": email, "verified": true }]) };
        let body = json!({ "userName": name, "emails": emails });
        let Some(user) = send(Method::POST, "/Users", body).await else {
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        let path = format!("/Users/{user}");
        let active = json!({ "op": "replace", "path": "active", "value": round % 2 == 0 });
        send(Method::PATCH, &path, operations(active)).await;
        if round % 4 == 1 {
            let email = json!([{ "value": format!("{name}@example.com") }]);
            let moved = json!({ "op": "replace", "path": "emails", "value": email });
            send(Method::PATCH, &path, operations(moved)).await;
        }
        if group.is_none() {
            let name = format!("group{writer}-{round}");
            group = send(Method::POST, "/Groups", json!({ "displayName": name })).await;
        }
        let Some(id) = &group else { continue };
        let group_path = format!("/Groups/{id}");
        let add = json!({ "op": "add", "path": "members", "value": [{ "value": user }] });
        send(Method::PATCH, &group_path, operations(add)).await;
        match round % 5 {
            0 => {
                let path = format!("members[value eq \"{user}\"]");
                let remove = json!({ "op": "remove", "path": path });
                send(Method::PATCH, &group_path, operations(remove)).await;
            }
            1 => drop(send(Method::DELETE, &path, Value::Null).await),
            2 => {
                let rename = json!({ "op": "replace", "path": "displayName", "value": name });
                send(Method::PATCH, &group_path, operations(rename)).await;
            }
            3 if round % 4 == 3 => {
                send(Method::DELETE, &group_path, Value::Null).await;
                group = None;
            }
            _ => {}
        }
    }
}
