//! A long walk by cursor while others write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use sea_orm::{ConnectionTrait, Database, DbBackend};
use uuid::Uuid;

use super::{Tenant, encoded, id, texts};
use crate::harness::{TestServer, on_both_engines};

const USERS: usize = 20_000;
/// How many are made at one instant: in what order they come then, their ids say.
const AT_ONCE: usize = 500;
const PAGE: usize = 100;

on_both_engines! {
    async fn a_walk_through_20_000_users_misses_no_survivor_and_repeats_none(server: TestServer) {
        let tenant = Tenant::new(&server, server.organization()).await;
        let mut ids = provision(&server, &tenant).await;
        let replica = server.replica().await;
        let others = tenant.scim.at_replica(&server, &replica);
        let mut random = StdRng::seed_from_u64(20_261_123);
        let victims: Vec<_> = ids.keys().cloned().collect::<Vec<_>>().partial_shuffle(&mut random, 2_000).0.to_vec();
        let done = AtomicBool::new(false);

        let walk = async {
            let (mut seen, mut cursor, mut gone) = (Vec::new(), String::new(), BTreeSet::new());
            loop {
                let path = format!("/Users?attributes=userName&count={PAGE}&cursor={}", encoded(&cursor));
                let page = tenant.scim.list(&path).await;
                seen.extend(texts(&page, "userName"));
                let Some(next) = page.get("nextCursor") else { break };
                cursor = next.as_str().unwrap().to_owned();
                // The very place to go on from.
                if random.random_bool(0.2)
                    && let Some(last) = page["Resources"].as_array().unwrap().last()
                    && tenant.scim.delete(&format!("/Users/{}", id(last))).await.status == 204
                {
                    gone.insert(last["userName"].as_str().unwrap().to_owned());
                }
            }
            done.store(true, Ordering::Relaxed);
            (seen, gone)
        };
        let writing = async {
            let (mut new, mut gone) = (Vec::new(), BTreeSet::new());
            for (number, victim) in victims.iter().enumerate() {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                others.delete(&format!("/Users/{}", ids[victim])).await;
                gone.insert(victim.clone());
                let name = format!("new-{number}@example.com");
                new.push((others.make_user(&name).await, name));
                if number % 3 == 0 {
                    // Unless the walk has come by.
                    let (id, _) = new.swap_remove(number % new.len());
                    others.delete(&format!("/Users/{id}")).await;
                }
            }
            (new, gone)
        };
        let ((seen, mut gone), (new, also_gone)) = futures::join!(walk, writing);

        assert!(gone.len() > 10 && new.len() > 50, "others wrote: {} {}", gone.len(), new.len());
        gone.extend(also_gone);
        let distinct: BTreeSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len(), "somebody came twice");
        ids.retain(|name, _| !gone.contains(name));
        let missed: Vec<_> = ids.keys().filter(|name| !distinct.contains(name)).collect();
        assert_eq!(missed, Vec::<&String>::new());
        let new = new.iter().filter(|(_, name)| !gone.contains(name)).count();
        let rest = tenant.scim.list("/Users?count=0").await;
        assert_eq!(rest["totalResults"], ids.len() + new);
    }
}

/// The users, by name: straight into their table, since it is not their making
/// that is tried here.
async fn provision(server: &TestServer, tenant: &Tenant) -> BTreeMap<String, String> {
    let connection = Database::connect(server.database.text()).await.unwrap();
    let literal = |id: Uuid| match connection.get_database_backend() {
        DbBackend::Sqlite => format!("x'{}'", id.simple()),
        _ => format!("'{id}'"),
    };
    let configuration = literal(tenant.configuration.parse().unwrap());
    let mut made = BTreeMap::new();
    for at_once in (0..USERS).collect::<Vec<_>>().chunks(AT_ONCE) {
        let at = 1_795_464_900_000_000 + at_once[0];
        let rows = at_once.iter().map(|number| {
            let (name, id) = (format!("user-{number:05}@example.com"), Uuid::new_v4());
            let row = format!(
                "({configuration}, {}, '{name}', true, '{{\"userName\":\"{name}\"}}', 1, {at}, {at})",
                literal(id)
            );
            made.insert(name, id.to_string());
            row
        });
        let insert = format!(
            "INSERT INTO scim_users (configuration_id, id, user_name_key, active, document, version, \
             created_at, updated_at) VALUES {}",
            rows.collect::<Vec<_>>().join(", ")
        );
        connection.execute_unprepared(&insert).await.unwrap();
    }
    let count = format!("INSERT INTO scim_directory_counts VALUES ({configuration}, {USERS}, 0)");
    connection.execute_unprepared(&count).await.unwrap();
    // To the last instant of theirs: who comes now comes among them.
    server.advance(Duration::from_micros((USERS - AT_ONCE) as u64));
    made
}
