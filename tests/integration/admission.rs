//! Who was let in before: what they ask for is looked for while they are checked again, on
//! PostgreSQL at the same time, and they see it only if they are let in again.

use reqwest::Method;
use scimd::model::DatabaseUrl;
use sea_orm::{ConnectionTrait, Database};
use tokio::task::JoinHandle;

use crate::harness::locked::Locked;
use crate::harness::{Client, TestServer, on_both_engines};
use crate::scim::client::{Answer, Tenant, answer};

/// How statements are told apart: who calls, and what is asked for.
const KEY: &str = "FROM api_keys WHERE hash =";
const CONFIGURATION: &str = "AND organization_id =";
const TOKEN: &str = "AND token_hash =";
const USER: &str = "FROM scim_users";
const GROUPS: &str = "held.member_id";

const EVERYTHING: &str = "LOCK TABLE api_keys, scim_configurations, scim_users, scim_group_members \
     IN ACCESS EXCLUSIVE MODE";

/// Which of these statements wait for one another's tables.
async fn waiting(locked: &Locked) -> Option<Vec<&'static str>> {
    let statements = locked.statements().await?;
    let all = [KEY, CONFIGURATION, TOKEN, USER, GROUPS];
    Some(all.into_iter().filter(|part| statements.contains(part)).collect())
}

fn call(rpc: &Client, configuration: &str) -> JoinHandle<crate::harness::Answer> {
    let (rpc, configuration) =
        (Client::new(&rpc.url, rpc.key.as_deref()), configuration.to_owned());
    tokio::spawn(async move { rpc.get(&configuration).await })
}

fn get(tenant: &Tenant, user: &str) -> JoinHandle<Answer> {
    tokio::spawn(answer(tenant.scim.request(Method::GET, &format!("/Users/{user}"))))
}

/// Changes all that is in a table. On PostgreSQL nobody reads it meanwhile; on SQLite it is
/// done, because there is nobody who could have been let in already.
async fn withdraw(server: &TestServer, table: &str, change: &str) -> Locked {
    let update = format!("UPDATE {table} SET {change}");
    if let DatabaseUrl::SqliteFile(_) = server.database.url {
        let connection = Database::connect(server.database.text()).await.unwrap();
        connection.execute_unprepared(&update).await.unwrap();
    }
    Locked::by(server, &format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; {update}")).await
}

on_both_engines! {
    async fn who_was_let_in_before_waits_for_one_answer_instead_of_two(server: TestServer) {
        let tenant = Tenant::new(&server, server.organization()).await;
        let user = tenant.scim.make_user("ada").await;
        let first = [vec![KEY], vec![TOKEN]];
        let later = [vec![KEY, CONFIGURATION], vec![TOKEN, USER, GROUPS]];
        // A server that has let nobody in yet.
        let replica = server.replica().await;
        let scim = tenant.scim.at_replica(&server, &replica);
        let rpc = Client::new(&replica.url, tenant.rpc.key.as_deref());
        let tenant = Tenant { scim, rpc, ..tenant };
        for [by_key, by_token] in [first, later] {
            let locked = Locked::by(&server, EVERYTHING).await;
            let called = call(&tenant.rpc, &tenant.configuration);
            let statements = waiting(&locked).await;
            locked.release().await;
            assert_eq!(called.await.unwrap().id(), tenant.configuration);
            assert_eq!(statements.unwrap_or_else(|| by_key.clone()), by_key);

            let locked = Locked::by(&server, EVERYTHING).await;
            let got = get(&tenant, &user);
            let statements = waiting(&locked).await;
            locked.release().await;
            assert_eq!(got.await.unwrap().ok()["id"], user.as_str());
            assert_eq!(statements.unwrap_or_else(|| by_token.clone()), by_token);
        }
    }

    async fn a_change_waits_for_the_check(server: TestServer) {
        let tenant = Tenant::new(&server, server.organization()).await;
        let user = tenant.scim.make_user("ada").await;
        tenant.scim.read(&format!("/Users/{user}")).await;
        let locked = Locked::by(&server, EVERYTHING).await;
        let path = format!("/Users/{user}");
        let deleted = tokio::spawn(answer(tenant.scim.request(Method::DELETE, &path)));
        let statements = waiting(&locked).await;
        locked.release().await;
        deleted.await.unwrap().gone();
        assert_eq!(statements.unwrap_or_else(|| vec![TOKEN]), [TOKEN]);
    }

    async fn who_is_not_let_in_any_more_sees_nothing(server: TestServer) {
        for (change, status) in [
            // First: no two configurations may have one.
            ("token_hash = (SELECT hash FROM api_keys LIMIT 1)", 401),
            ("enabled = FALSE", 403),
            ("token_expires_at = 1", 401),
        ] {
            let tenant = Tenant::new(&server, server.organization()).await;
            let user = tenant.scim.make_user("ada").await;
            tenant.scim.read(&format!("/Users/{user}")).await;
            let locked = withdraw(&server, "scim_configurations", change).await;
            let (read, made_up) = (get(&tenant, &user), get(&tenant, "no-such-user"));
            assert_eq!(waiting(&locked).await.unwrap_or_else(|| vec![TOKEN]), [TOKEN]);
            locked.commit().await;
            // Neither that there is such a user, nor that there is none.
            for answer in [read, made_up] {
                let answer = answer.await.unwrap();
                assert_eq!(answer.fault().0, status, "{answer:?}");
                assert!(!answer.body.to_string().contains("user"), "{answer:?}");
            }
        }
        for change in ["revoked_at = 1", "expires_at = 1"] {
            let tenant = Tenant::new(&server, server.organization()).await;
            call(&tenant.rpc, &tenant.configuration).await.unwrap().id();
            let locked = withdraw(&server, "api_keys", change).await;
            let read = call(&tenant.rpc, &tenant.configuration);
            assert_eq!(waiting(&locked).await.unwrap_or_else(|| vec![KEY]), [KEY]);
            locked.commit().await;
            let answer = read.await.unwrap();
            assert_eq!(answer.code(), "unauthenticated");
            assert!(!answer.body.to_string().contains(&tenant.configuration), "{answer:?}");
        }
        assert_eq!(server.database.open_transactions().await, 0);
    }
}
