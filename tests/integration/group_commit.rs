//! Users of one tenant that are made and changed at the same time: PostgreSQL makes
//! them so by one statement, and none of the requests may notice.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;
use scimd::model::DatabaseUrl;
use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::directory::World;
use crate::harness::locked::{ARRIVAL, Locked, held_up};
use crate::harness::{Process, TestServer, on_both_engines};
use crate::scim::client::{Answer, ScimClient};

/// Longer than a change takes that nothing is in the way of.
const SOON: Duration = Duration::from_secs(10);

fn post(client: &ScimClient, user: Value) -> JoinHandle<Answer> {
    let client = client.clone();
    tokio::spawn(async move { client.post("/Users", user).await })
}

fn patch(client: &ScimClient, user: &str, operations: Value) -> JoinHandle<Answer> {
    let client = client.clone();
    let path = format!("/Users/{user}");
    tokio::spawn(async move { client.patch(&path, operations).await })
}

fn retitle(client: &ScimClient, user: &str, title: &str) -> JoinHandle<Answer> {
    patch(client, user, json!([{ "op": "replace", "path": "title", "value": title }]))
}

fn make(client: &ScimClient, name: &str) -> JoinHandle<Answer> {
    let email = format!("{name}@example.com");
    let body = json!({
        "userName": name, "title": "new", "externalId": if name.ends_with('3') { Value::Null } else { json!(name) },
        "emails": [{ "value": email, "primary": true }, { "value": format!("{name}@home.example.net") }],
    });
    post(client, body)
}

async fn statuses(answers: Vec<JoinHandle<Answer>>) -> Vec<u16> {
    join_all(answers).await.into_iter().map(|answer| answer.unwrap().status).collect()
}

/// How often PostgreSQL has gone through the tables of users and accounts.
#[derive(Debug)]
struct Scans {
    /// From the first row to the last; to make an index counts as well.
    tables: i64,
    /// From a key.
    indexes: i64,
}

/// Counts them, on PostgreSQL. A connection tells what it read when it ends, or else at
/// some later time: so all are ended first.
async fn scans(server: &TestServer) -> Option<Scans> {
    let DatabaseUrl::Postgres(url) = &server.database.url else { return None };
    let connection = Database::connect(url.as_str()).await.unwrap();
    let first = async |query: &str| {
        let query = Statement::from_string(DbBackend::Postgres, query);
        connection.query_one_raw(query).await.unwrap().unwrap()
    };
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
            AND backend_type = 'client backend'";
    while first(end).await.try_get_by_index::<i64>(0).unwrap() > 0 {
        sleep(Duration::from_millis(5)).await;
    }
    let read = "SELECT SUM(seq_scan)::bigint, SUM(idx_scan)::bigint FROM pg_stat_user_tables
        WHERE relname IN ('scim_users', 'scim_accounts')";
    let read = first(read).await;
    let count = |place| read.try_get_by_index(place).unwrap();
    Some(Scans { tables: count(0), indexes: count(1) })
}

/// Every event of the organization, once it is certain that their numbers have no gap,
/// and that each user's are its versions up to the one that it has.
async fn told(world: &World) -> Vec<Value> {
    let mut events = Vec::new();
    loop {
        let more = json!({ "after": events.len().to_string(), "limit": 100 });
        let page = world.ask("ListEvents", more).await.ok();
        let page = page["events"].as_array().cloned().unwrap_or_default();
        if page.is_empty() {
            break;
        }
        events.extend(page);
    }
    let mut versions: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (place, event) in events.iter().enumerate() {
        assert_eq!(event["number"], json!((place + 1).to_string()));
        if let Some(id) = event["user"]["id"].as_str() {
            versions.entry(id.to_owned()).or_default().push(event["user"].clone());
        }
    }
    for (id, told) in versions {
        for (place, told) in told.iter().enumerate() {
            assert_eq!(told["version"], json!((place + 1).to_string()));
        }
        let user = world.tenant.scim.read(&format!("/Users/{id}")).await;
        let last = told.last().unwrap();
        assert_eq!(user["meta"]["version"], json!(format!("W/\"{}\"", told.len())));
        for attribute in ["title", "userName", "active", "emails"] {
            assert_eq!(last["resource"][attribute], user[attribute], "{last}");
        }
    }
    events
}

/// The accounts of the users that were made.
fn accounts(events: &[Value]) -> BTreeSet<String> {
    let created = kinds(events, "EVENT_KIND_USER_CREATED").into_iter();
    let account =
        |event: &Value| event["user"]["accountLink"]["accountId"].as_str().map(str::to_owned);
    created.filter_map(account).collect()
}

fn kinds<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["kind"] == kind).collect()
}

on_both_engines! {
    async fn each_of_many_changes_is_made_and_told(server: TestServer) {
        let world = World::new(&server).await;
        let scim = &world.tenant.scim;
        let users = scim.make_users(40).await;
        let changes = held_up(&server, "scim_feeds", || {
            let changed = users.iter().enumerate();
            changed.map(|(place, user)| retitle(scim, user, &format!("title {place}"))).collect::<Vec<_>>()
        }).await;
        for (place, answer) in join_all(changes).await.into_iter().enumerate() {
            let user = answer.unwrap().ok();
            assert_eq!(user["id"], json!(users[place]));
            assert_eq!(user["title"], json!(format!("title {place}")));
            assert_eq!(scim.read(&format!("/Users/{}", users[place])).await, user);
        }
        let events = told(&world).await;
        let updates = kinds(&events, "EVENT_KIND_USER_UPDATED");
        let told: BTreeSet<_> = updates.iter().map(|event| event["user"]["resource"]["title"].to_string()).collect();
        assert_eq!((updates.len(), told.len()), (40, 40));
        assert!(updates.iter().all(|event| event["changedPaths"] == json!(["title"]) && event["endsTransaction"] == json!(true)), "{updates:?}");
    }

    async fn each_of_many_users_is_made_and_told(server: TestServer) {
        let world = World::new(&server).await;
        let scim = &world.tenant.scim;
        scim.make_user("user-7").await;
        let created = held_up(&server, "scim_feeds", || {
            (0..40).map(|number| make(scim, &format!("user-{number}"))).collect::<Vec<_>>()
        }).await;
        let mut made = 0;
        for (number, answer) in join_all(created).await.into_iter().enumerate() {
            let answer = answer.unwrap();
            if number == 7 {
                assert_eq!(answer.fault(), (409, "uniqueness"));
                continue;
            }
            let user = answer.created();
            assert_eq!(scim.read(&format!("/Users/{}", user["id"].as_str().unwrap())).await, user);
            for filter in [
                format!("userName eq \"user-{number}\""),
                format!("emails.value eq \"user-{number}@home.example.net\""),
            ] {
                assert_eq!(scim.find("/Users", &filter).await["Resources"], json!([user]));
            }
            let has_id = number % 10 != 3;
            assert_eq!(user.get("externalId").is_some(), has_id, "{user}");
            made += 1;
        }
        assert_eq!(scim.list("/Users").await["totalResults"], made + 1);
        let events = told(&world).await;
        assert_eq!(kinds(&events, "EVENT_KIND_USER_CREATED").len(), 40);
        assert_eq!(accounts(&events).len(), made);
    }

    async fn of_changes_of_one_user_at_once_none_is_lost(server: TestServer) {
        const ATTRIBUTES: [&str; 8] = ["title", "nickName", "displayName", "userType", "locale", "timezone", "preferredLanguage", "profileUrl"];
        let world = World::new(&server).await;
        let scim = &world.tenant.scim;
        let user = scim.make_user("ann").await;
        let changes = held_up(&server, "scim_feeds", || {
            ATTRIBUTES.map(|attribute| {
                let value = format!("https://x/{attribute}");
                patch(scim, &user, json!([{ "op": "add", "path": attribute, "value": value }]))
            })
        }).await;
        assert_eq!(statuses(changes.into()).await, [200; 8]);
        let user = scim.get(&format!("/Users/{user}")).await;
        assert_eq!(user.header("etag"), "W/\"9\"");
        for attribute in ATTRIBUTES {
            assert_eq!(user.body[attribute], json!(format!("https://x/{attribute}")));
        }
        assert_eq!(kinds(&told(&world).await, "EVENT_KIND_USER_UPDATED").len(), 8);
    }

    async fn users_of_one_email_who_come_at_once_have_one_account(server: TestServer) {
        let world = World::new(&server).await;
        world.tenant.share_emails().await;
        let scim = &world.tenant.scim;
        let created = held_up(&server, "scim_feeds", || {
            let user = |number| json!({ "userName": format!("user-{number}"), "emails": [{ "value": "a@example.com" }] });
            (0..16).map(|number| post(scim, user(number))).collect::<Vec<_>>()
        }).await;
        assert_eq!(statuses(created).await, [201; 16]);
        let events = told(&world).await;
        assert_eq!(accounts(&events).len(), 1);
    }

    async fn on_postgres_many_are_changed_by_one_statement(server: TestServer) {
        let process = Process::serve(&server.database).await;
        let world = World::new(&server).await;
        let scim = &world.tenant.scim;
        let users = scim.make_users(40).await;
        let there = scim.at_url(&server, &process.url);
        let changes = held_up(&server, "scim_feeds", || {
            let changed = users.iter().map(|user| retitle(&there, user, "x"));
            let made = (0..40).map(|number| make(&there, &format!("new-{number}")));
            changed.chain(made).collect::<Vec<_>>()
        }).await;
        assert!(statuses(changes).await.iter().all(|status| matches!(status, 200 | 201)));
        let log = process.log();
        let count = |part: &str| log.lines().filter(|line| line.contains("WITH change AS") && line.contains(part)).count();
        let (updates, creations) = (count("UPDATE scim_users"), count("INSERT INTO scim_users"));
        match server.database.url {
            DatabaseUrl::Postgres(_) => assert!(
                (1..=4).contains(&updates) && (1..=4).contains(&creations), "{updates} {creations}"
            ),
            _ => assert_eq!((updates, creations), (0, 0)),
        }
        told(&world).await;
    }

    async fn whoever_has_a_user_locked_keeps_nobody_else_waiting(server: TestServer) {
        let world = World::new(&server).await;
        let scim = &world.tenant.scim;
        let users = scim.make_users(9).await;
        let locked = Locked::rows(&server, "scim_users", &format!("id = '{}'", users[0])).await;
        let waiting = retitle(scim, &users[0], "x");
        sleep(ARRIVAL).await;
        let others = users[1..].iter().map(|user| retitle(scim, user, "x")).collect();
        assert_eq!(timeout(SOON, statuses(others)).await.unwrap(), [200; 8]);
        assert_eq!(waiting.is_finished(), !matches!(server.database.url, DatabaseUrl::Postgres(_)));
        locked.release().await;
        assert_eq!(waiting.await.unwrap().status, 200);
        told(&world).await;
    }

    async fn whoever_is_about_to_make_an_account_keeps_nobody_else_waiting(server: TestServer) {
        let world = World::new(&server).await;
        let scim = &world.tenant.scim;
        let account = format!(
            "INSERT INTO scim_accounts (organization_id, id, email, email_key, email_verified, created_at, updated_at)
             VALUES ('{}', gen_random_uuid(), 'bob@example.com', 'bob@example.com', FALSE, 0, 0)", world.organization
        );
        let locked = Locked::by(&server, &account).await;
        let waiting = make(scim, "bob");
        sleep(ARRIVAL).await;
        let others = (0..20).map(|number| make(scim, &format!("user-{number}"))).collect();
        assert_eq!(timeout(SOON, statuses(others)).await.unwrap(), [201; 20]);
        assert_eq!(waiting.is_finished(), !matches!(server.database.url, DatabaseUrl::Postgres(_)));
        locked.release().await;
        assert_eq!(waiting.await.unwrap().status, 201);
        assert_eq!(accounts(&told(&world).await).len(), 21);
    }

    async fn of_those_who_come_with_one_name_or_email_the_first_is_made(server: TestServer) {
        let world = World::new(&server).await;
        let scim = &world.tenant.scim;
        let created = held_up(&server, "scim_feeds", || {
            (0..30).map(|number| make(scim, &format!("user-{}", number % 10))).collect::<Vec<_>>()
        }).await;
        let statuses = statuses(created).await;
        let count = |status| statuses.iter().filter(|made| **made == status).count();
        assert_eq!((count(201), count(409)), (10, 20), "{statuses:?}");
        assert_eq!(scim.list("/Users").await["totalResults"], 10);
        assert_eq!(accounts(&told(&world).await).len(), 10);
    }

    async fn no_tenant_waits_for_another(server: TestServer) {
        let worlds = [World::new(&server).await, World::new(&server).await];
        let [held, free] = &worlds;
        let users = [held.tenant.scim.make_user("ann").await, free.tenant.scim.make_user("ann").await];
        let organization = format!("organization_id = '{}'", held.organization);
        let locked = Locked::rows(&server, "scim_feeds", &organization).await;
        let waiting = vec![retitle(&held.tenant.scim, &users[0], "x"), make(&held.tenant.scim, "bob")];
        sleep(ARRIVAL).await;
        let others = vec![retitle(&free.tenant.scim, &users[1], "x"), make(&free.tenant.scim, "bob")];
        assert_eq!(timeout(SOON, statuses(others)).await.unwrap(), [200, 201]);
        locked.release().await;
        assert_eq!(statuses(waiting).await, [200, 201]);
        for world in &worlds {
            assert_eq!(told(world).await.len(), 4);
        }
    }

    async fn nobody_changes_another_tenants_user(server: TestServer) {
        let worlds = [World::new(&server).await, World::new(&server).await];
        let users = [worlds[0].tenant.scim.make_user("ann").await, worlds[1].tenant.scim.make_user("ann").await];
        let changes = held_up(&server, "scim_feeds", || {
            let both = worlds.iter().flat_map(|world| users.iter().map(|user| retitle(&world.tenant.scim, user, "x")));
            both.collect::<Vec<_>>()
        }).await;
        assert_eq!(statuses(changes).await, [200, 404, 404, 200]);
        for world in &worlds {
            told(world).await;
        }
    }

    async fn no_change_reads_a_whole_table(server: TestServer) {
        // Nobody has counted what is in the tables: PostgreSQL takes them for small.
        let scim = World::new(&server).await.tenant.scim;
        let Some(before) = scans(&server).await else { return };
        let process = Process::serve(&server.database).await;
        let there = scim.at_url(&server, &process.url);
        for number in 0..12 {
            let user = make(&there, &format!("user-{number}")).await.unwrap().created();
            let user = user["id"].as_str().unwrap();
            assert_eq!(retitle(&there, user, "x").await.unwrap().status, 200);
        }
        let after = scans(&server).await.unwrap();
        assert_eq!(after.tables, before.tables);
        assert!(after.indexes - before.indexes > 20, "{before:?} {after:?}");
    }

    async fn who_gives_up_takes_nobody_along(server: TestServer) {
        let world = World::new(&server).await;
        let scim = &world.tenant.scim;
        let users = scim.make_users(30).await;
        let locked = Locked::table(&server, "scim_feeds").await;
        // The first of them, too, with whom the others' changes are begun.
        let (mut staying, mut given_up) = (Vec::new(), Vec::new());
        for (place, user) in users.iter().enumerate() {
            let request = retitle(scim, user, "x");
            if place % 2 == 0 { given_up.push(request) } else { staying.push(request) }
            if place == 0 { sleep(ARRIVAL).await }
        }
        locked.release_without(given_up).await;
        assert_eq!(statuses(staying).await, [200; 15]);
        told(&world).await;
    }

    async fn a_connection_that_is_lost_leaves_all_or_nothing(server: TestServer) {
        let world = World::new(&server).await;
        let scim = &world.tenant.scim;
        let users = scim.make_users(30).await;
        let locked = Locked::table(&server, "scim_feeds").await;
        let retitled = users.iter().map(|user| retitle(scim, user, "x")).collect();
        locked.end_who_waits().await;
        let statuses = statuses(retitled).await;
        let mut changed = 0;
        for (user, status) in users.iter().zip(&statuses) {
            let user = scim.read(&format!("/Users/{user}")).await;
            assert_eq!(user["title"] == json!("x"), *status == 200, "{status}");
            changed += usize::from(*status == 200);
        }
        assert!(statuses.iter().all(|status| matches!(status, 200 | 500 | 503)), "{statuses:?}");
        assert_eq!(kinds(&told(&world).await, "EVENT_KIND_USER_UPDATED").len(), changed);
        assert_eq!(retitle(scim, &users[0], "y").await.unwrap().status, 200);
    }
}
