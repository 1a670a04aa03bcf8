//! The whole directory at one moment, and what happened since.

use scimd::proto::scimd::v1::ListEventsRequest;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::copy::Copy;
use super::{GrpcClient, World};
use crate::harness::locked::Locked;
use crate::harness::{Client, TestServer, on_both_engines};
use crate::scim::client::{ScimClient, Tenant};

/// Every second one shares an email with others, which an account has.
fn person(writer: usize, round: usize) -> Value {
    let email = match round % 4 {
        0 => format!("user{writer}-{round}@example.com"),
        1 => format!("shared{}@example.com", round % 3),
        _ => return json!({ "userName": format!("user{writer}-{round}") }),
    };
    let emails = json!([{ "value": email, "verified": true }]);
    json!({ "userName": format!("user{writer}-{round}"), "emails": emails })
}

/// Tells of accounts that users have, and removes one of them each time.
async fn import(product: Client, organization: String, rounds: usize) {
    for round in 0..rounds {
        let account = |number: usize| {
            json!({
                "clientId": number.to_string(),
                "email": format!("shared{}@example.com", (number + round) % 3),
                "emailVerified": true,
            })
        };
        let accounts: Vec<_> = (0..3).map(account).collect();
        let body = json!({ "organizationId": organization, "accounts": accounts });
        let answer = product.post("/scimd.v1.AccountService/ImportAccounts", body).await;
        // A user may have got an account for an email that another had.
        if answer.status != 200 {
            assert_eq!(answer.reason(), "ACCOUNT_CONFLICT");
            continue;
        }
        let id = &answer.body["imports"][round % 3]["accountId"];
        let body = json!({ "organizationId": organization, "accountId": id });
        product.post("/scimd.v1.AccountService/DeleteAccount", body).await.ok();
    }
}

/// Makes, changes and removes users, groups and members; which ones follows
/// from the numbers.
async fn provision(scim: ScimClient, writer: usize, rounds: usize) {
    for round in 0..rounds {
        let made = scim.post("/Users", person(writer, round)).await;
        let user = made.body["id"].as_str().unwrap().to_owned();
        let group = scim.post("/Groups", json!({ "displayName": format!("group{writer}-{round}"), "members": [{ "value": user }] })).await;
        let group = group.body["id"].as_str().unwrap().to_owned();
        let title = json!([{ "op": "replace", "path": "title", "value": "x" }, { "op": "replace", "path": "active", "value": round % 2 == 0 }]);
        scim.patch(&format!("/Users/{user}"), title).await;
        match round % 3 {
            0 => drop(scim.delete(&format!("/Users/{user}")).await),
            1 => drop(scim.delete(&format!("/Groups/{group}")).await),
            _ => {}
        }
    }
}

/// Applies all events there are behind the copy.
async fn follow(copy: &mut Copy, client: &mut GrpcClient, organization: &str) {
    loop {
        let request = ListEventsRequest {
            organization_id: organization.to_owned(),
            after: copy.number,
            limit: 1_000,
        };
        let events = client.list_events(request).await.unwrap().into_inner().events;
        if events.is_empty() {
            return;
        }
        for event in events {
            copy.apply(event);
        }
    }
}

/// Has all of them taken at the same time, each through a connection of its own, while none
/// gets on; how many are then begun.
async fn begun_at_once(server: &TestServer, worlds: &[World], of_each: usize) -> Option<i64> {
    let locked = Locked::table(server, "scim_users").await;
    let mut snapshots = JoinSet::new();
    for world in worlds {
        for _ in 0..of_each {
            let mut client = world.grpc().await;
            let organization = world.organization.to_string();
            snapshots.spawn(async move { Copy::of_snapshot(&mut client, &organization).await });
        }
    }
    let begun = locked.waiting().await;
    locked.release().await;
    for snapshot in snapshots.join_all().await {
        assert_eq!(snapshot.configurations.len(), 1);
    }
    begun
}

on_both_engines! {
    async fn few_snapshots_are_taken_at_once_whatever_threads_serve(server: TestServer) {
        let mut worlds = Vec::new();
        for _ in 0..5 {
            worlds.push(World::new(&server).await);
        }
        let of_one = begun_at_once(&server, &worlds[..1], 4).await;
        assert!(of_one.is_none_or(|begun| begun == 1), "{of_one:?}");
        let of_several = begun_at_once(&server, &worlds, 1).await;
        assert!(of_several.is_none_or(|begun| begun == 3), "{of_several:?}");
    }

    async fn a_snapshot_and_the_events_behind_it_are_the_directory(server: TestServer) {
        let world = World::new(&server).await;
        let doomed = Tenant::new(&server, world.organization).await;
        let organization = world.organization.to_string();
        let mut client = world.grpc().await;
        for number in 0..20 {
            let mut user = person(number, number % 4);
            user["userName"] = json!(format!("doomed{number}"));
            doomed.scim.post("/Users", user).await;
        }
        let mut writers = JoinSet::new();
        for writer in 0..8 {
            writers.spawn(provision(world.tenant.scim.clone(), writer, 12));
        }
        writers.spawn(import(world.product.clone(), organization.clone(), 10));
        let mut copies = Vec::new();
        while !writers.is_empty() {
            copies.push(Copy::of_snapshot(&mut client, &organization).await);
            if copies.len() == 2 {
                doomed.call("DeleteSCIMConfiguration", json!({})).await;
            }
            let _ = tokio::time::timeout(std::time::Duration::from_millis(50), writers.join_next()).await;
        }
        // Until what was deleted with its configuration is gone.
        loop {
            let mut last = Copy::of_snapshot(&mut client, &organization).await;
            follow(&mut last, &mut client, &organization).await;
            if !last.users.values().any(|user| user.user_name.starts_with("doomed")) {
                break;
            }
        }
        let expected = Copy::of_lists(&mut client, &mut world.accounts().await, &organization).await;
        assert!(!expected.users.is_empty() && !expected.members.is_empty());
        assert!(expected.accounts.len() > 10, "{:#?}", expected.accounts);
        copies.push(Copy::default());
        for mut copy in copies {
            follow(&mut copy, &mut client, &organization).await;
            copy.assert_same(expected.clone());
        }
    }

    async fn a_snapshot_is_what_the_feed_has_told_also_of_configurations(server: TestServer) {
        let world = World::new(&server).await;
        let organization = world.organization.to_string();
        let mut client = world.grpc().await;
        let mut snapshots = Vec::new();
        let mut of_deleted = 0;
        for round in 0..3 {
            let doomed = Tenant::new(&server, world.organization).await;
            for number in 0..3 {
                doomed.scim.post("/Users", person(round, number)).await;
            }
            server.advance(std::time::Duration::from_secs(1));
            // The second time nothing is different but the time of it.
            for _ in 0..2 {
                doomed.call("UpdateSCIMConfiguration", json!({ "name": "doomed" })).await;
                snapshots.push(Copy::of_snapshot(&mut client, &organization).await);
                server.advance(std::time::Duration::from_secs(1));
            }
            doomed.call("RegenerateSCIMToken", json!({})).await;
            doomed.call("DeleteSCIMConfiguration", json!({})).await;
            loop {
                snapshots.push(Copy::of_snapshot(&mut client, &organization).await);
                if !snapshots.last().unwrap().configurations.contains_key(&doomed.configuration) {
                    break;
                }
                of_deleted += 1;
            }
        }
        assert!(of_deleted > 0, "each purge was faster than the snapshot");
        let mut told = Copy::default();
        let request = ListEventsRequest { organization_id: organization, after: 0, limit: 1_000 };
        let events = client.list_events(request).await.unwrap().into_inner().events;
        let mut events = events.into_iter();
        for snapshot in snapshots {
            while told.number < snapshot.number {
                told.apply(events.next().unwrap());
            }
            assert_eq!(snapshot.configurations, told.configurations);
            snapshot.assert_same(told.clone());
        }
        assert_eq!(told.configurations.keys().collect::<Vec<_>>(), [&world.tenant.configuration]);
    }
}
