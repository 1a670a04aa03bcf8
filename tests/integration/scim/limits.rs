//! What is answered when there is too much to do.

use std::time::Duration;

use reqwest::Method;
use scimd::model::DatabaseUrl;
use sea_orm::sqlx::{
    AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection, raw_sql,
};
use serde_json::json;

use super::{ScimClient, Tenant, answer, bulk, change_members, routes, set, user};
use crate::harness::{Engine, Process, Replica, TestServer, on_both_engines, scimd};

/// A server that takes so many requests a second, and a client of it.
async fn limited(server: &TestServer, limit: u32) -> (ScimClient, Replica) {
    let replica = server.replica_with(|server| server.scim_rate_limit = limit).await;
    (ScimClient::new(server).await.at_replica(server, &replica), replica)
}

/// How many requests are taken before one is refused.
async fn taken(client: &ScimClient) -> usize {
    let mut taken = 0;
    while client.get("/ServiceProviderConfig").await.status != 429 {
        taken += 1;
    }
    taken
}

on_both_engines! {
    async fn a_second_has_room_for_what_the_limit_says_and_fills_evenly(server: TestServer) {
        let (client, _replica) = limited(&server, 4).await;
        assert_eq!(taken(&client).await, 4);
        // A refused request costs nothing.
        assert_eq!(taken(&client).await, 0);
        server.advance(Duration::from_millis(250));
        assert_eq!(taken(&client).await, 1);
        server.advance(Duration::from_millis(500));
        assert_eq!(taken(&client).await, 2);
        // What is not used is not saved.
        server.advance(Duration::from_mins(1));
        assert_eq!(taken(&client).await, 4);
    }

    async fn each_configuration_has_a_limit_of_its_own(server: TestServer) {
        let (one, replica) = limited(&server, 2).await;
        let other = ScimClient::new(&server).await.at_replica(&server, &replica);
        assert_eq!(taken(&one).await, 2);
        assert_eq!(taken(&other).await, 2);
    }

    async fn whoever_is_not_let_in_takes_nothing_from_who_is(server: TestServer) {
        let (client, replica) = limited(&server, 2).await;
        let mut stranger = ScimClient::new(&server).await.at_replica(&server, &replica);
        stranger.base = client.base.clone();
        for _ in 0..8 {
            assert_eq!(stranger.get("/Users").await.status, 401);
            assert_eq!(answer(client.anonymous(Method::GET, "/Users")).await.status, 401);
        }
        assert_eq!(taken(&client).await, 2);
        // And is not told that there is a limit, nor whether it is reached.
        assert_eq!(stranger.get("/Users").await.status, 401);
    }

    async fn beyond_the_limit_every_route_is_refused_and_nothing_is_done(server: TestServer) {
        let (client, _replica) = limited(&server, 2).await;
        let ann = client.make_user("ann").await;
        assert_eq!(taken(&client).await, 1);
        for (method, path) in routes(&ann, &ann) {
            let refused = client.send(method.clone(), &path, user("bob")).await;
            assert_eq!(refused.status, 429, "{method} {path}");
            assert_eq!(refused.header("retry-after"), "1", "{method} {path}");
            assert!(refused.detail().contains("limited to 2 requests a second"), "{refused:?}");
        }
        server.advance(Duration::from_secs(1));
        assert_eq!(client.list("/Users").await["totalResults"], 1);
    }

    async fn without_a_limit_nothing_is_refused(server: TestServer) {
        let (client, _replica) = limited(&server, 0).await;
        for _ in 0..300 {
            client.read("/ServiceProviderConfig").await;
        }
    }

    async fn the_program_takes_the_limit_from_its_settings(server: TestServer) {
        let tenant = Tenant::new(&server, server.organization()).await;
        for (limit, status) in [("1", 429), ("0", 200)] {
            let mut command = scimd(&server.database, &["serve"]);
            command.env("SCIMD_SCIM_RATE_LIMIT", limit);
            let process = Process::start(command).await;
            let client = tenant.scim.at_url(&server, &process.url);
            // The clock is the machine's: one of many comes too soon.
            let mut last = 200;
            for _ in 0..20 {
                last = last.max(client.get("/ServiceProviderConfig").await.status);
            }
            assert_eq!(last, status, "{limit}");
        }
    }

    async fn a_busy_database_is_said_to_be_busy_and_for_how_long(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let ann = client.make_user("ann").await;
        let held = hold(&server.database.url).await;
        let refused = client.post("/Users", user("bob")).await;
        assert_eq!(refused.status, 503);
        let seconds: u64 = refused.header("retry-after").parse().unwrap();
        assert!((1..60).contains(&seconds), "{seconds}");
        release(held).await;
        assert_eq!(client.list("/Users").await["totalResults"], 1);
        let rename = json!([{ "op": "replace", "path": "userName", "value": "bob" }]);
        client.patch(&format!("/Users/{ann}"), rename).await.ok();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_is_ended_for_another_is_made_again_on_postgres() {
    let Some(server) = TestServer::start(Engine::Postgres).await else { return };
    let client = ScimClient::new(&server).await;
    let group = client.make_group("G", &[]).await;
    let mut admin = PgConnection::connect(&server.database.text()).await.unwrap();
    // A user is made at once, and in a transaction if that fails: each time it is tried.
    for (failures, status) in [(1, 201), (2, 201), (6, 503)] {
        // A sequence goes on when its transaction is undone.
        let trigger = format!(
            "DROP SEQUENCE IF EXISTS tries; CREATE SEQUENCE tries;
             CREATE OR REPLACE FUNCTION deadlock() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN
                 IF nextval(''tries'') <= {failures} THEN
                     RAISE EXCEPTION ''for another'' USING ERRCODE = ''40P01'';
                 END IF;
                 RETURN NEW;
             END';
             CREATE OR REPLACE TRIGGER deadlock BEFORE INSERT OR UPDATE ON scim_users
                 FOR EACH ROW EXECUTE FUNCTION deadlock();
             CREATE OR REPLACE TRIGGER deadlock BEFORE UPDATE ON scim_groups
                 FOR EACH ROW EXECUTE FUNCTION deadlock()"
        );
        run(&mut admin, trigger).await;
        let name = format!("user{failures}");
        assert_eq!(client.post("/Users", user(&name)).await.status, status, "{failures}");
        admin.execute("ALTER SEQUENCE tries RESTART").await.unwrap();
        let rename = json!([{ "op": "replace", "path": "displayName", "value": name }]);
        let renamed = client.patch(&format!("/Groups/{group}"), rename).await.status;
        assert_eq!(renamed, if status == 201 { 200 } else { status }, "{failures}");
        admin.execute("ALTER SEQUENCE tries RESTART").await.unwrap();
        let post = json!({
            "method": "POST", "path": "/Users", "bulkId": "1", "data": user(&format!("bulk{failures}")),
        });
        let done = client.post("/Bulk", bulk(vec![post])).await.ok();
        assert_eq!(done["Operations"][0]["status"], status.to_string(), "{failures}");
    }
    admin.execute("DROP TRIGGER deadlock ON scim_users").await.unwrap();
    assert_eq!(client.list("/Users").await["totalResults"], 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_that_wait_for_each_other_both_are_done_on_postgres() {
    let Some(server) = TestServer::start(Engine::Postgres).await else { return };
    let client = ScimClient::new(&server).await;
    let (ann, group) = (client.make_user("ann").await, client.make_group("G", &[]).await);
    let mut other = PgConnection::connect(&server.database.text()).await.unwrap();
    // Whoever looks first whether somebody waits in a circle gives way.
    let lock = format!(
        "SET deadlock_timeout = '1h'; BEGIN; SELECT 1 FROM scim_users WHERE id = '{ann}' FOR UPDATE"
    );
    run(&mut other, lock).await;
    let adding = async {
        let added = client.patch(&format!("/Groups/{group}"), change_members("add", &[&ann])).await;
        assert_eq!(added.status, 200, "{added:?}");
    };
    let closing = async {
        let mut admin = PgConnection::connect(&server.database.text()).await.unwrap();
        let waits = "SELECT 1 FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while admin.execute(waits).await.unwrap().rows_affected() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let update = format!("UPDATE scim_groups SET version = version WHERE id = '{group}'");
        run(&mut other, update).await;
        other.execute("COMMIT").await.unwrap();
    };
    futures::join!(adding, closing);
    assert_eq!(client.members(&group).await, set(&[&ann]));
}

async fn run(connection: &mut PgConnection, statements: String) {
    raw_sql(AssertSqlSafe(statements)).execute(connection).await.unwrap();
}

/// What keeps the database from taking a user.
enum Held {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Another process has SQLite's one lock for longer than anybody waits;
/// PostgreSQL ends each transaction that writes for the sake of another.
async fn hold(url: &DatabaseUrl) -> Held {
    match url {
        DatabaseUrl::Postgres(url) => {
            let mut connection = PgConnection::connect(url).await.unwrap();
            connection
                .execute(
                    "CREATE FUNCTION deadlock() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN
                         RAISE EXCEPTION ''for another'' USING ERRCODE = ''40P01'';
                     END';
                     CREATE TRIGGER deadlock BEFORE INSERT ON scim_users
                         FOR EACH ROW EXECUTE FUNCTION deadlock()",
                )
                .await
                .unwrap();
            Held::Postgres(connection)
        }
        DatabaseUrl::SqliteFile(path) => {
            let url = format!("sqlite:{}", path.display());
            let mut connection = SqliteConnection::connect(&url).await.unwrap();
            connection.execute("BEGIN IMMEDIATE").await.unwrap();
            Held::Sqlite(connection)
        }
        DatabaseUrl::SqliteMemory => unreachable!("tests have files"),
    }
}

async fn release(held: Held) {
    match held {
        Held::Sqlite(mut connection) => {
            connection.execute("ROLLBACK").await.unwrap();
        }
        Held::Postgres(mut connection) => {
            connection.execute("DROP TRIGGER deadlock ON scim_users").await.unwrap();
        }
    }
}
