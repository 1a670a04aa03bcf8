//! Many writers at once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join_all;
use scimd::model::{Condition, MemberChange, MemberId, Position, ResourceKind, Slice, Written};

use super::{configuration, create_group, create_named, done, group, named, update};
use crate::harness::{TestServer, on_both_engines};

on_both_engines! {
    async fn of_32_users_of_one_name_made_at_once_there_is_one(server: TestServer) {
        let configuration = configuration(&server.repository).await;
        let tasks = (0..32).map(|_| {
            let repository = server.repository.clone();
            tokio::spawn(async move {
                let tx = repository.write().await.unwrap();
                let written = tx.create_user(configuration, None, named("ann")).await.unwrap();
                tx.commit().await.unwrap();
                written
            })
        });
        let written = join_all(tasks).await;
        let made = written.iter().filter(|each| matches!(each, Ok(Written::Done(_)))).count();
        assert_eq!(made, 1);
        let read = server.repository.read();
        assert_eq!(read.count(ResourceKind::User, configuration, &Condition::All).await.unwrap(), 1);
    }

    async fn of_32_users_renamed_to_one_name_at_once_one_gets_it(server: TestServer) {
        let configuration = configuration(&server.repository).await;
        let mut users = Vec::new();
        for number in 0..32 {
            users.push(create_named(&server.repository, configuration, &number.to_string()).await);
        }
        let tasks = users.into_iter().map(|id| {
            let repository = server.repository.clone();
            tokio::spawn(async move {
                let tx = repository.write().await.unwrap();
                let written = update(&tx, configuration, id, named("ann")).await;
                // What comes after a refusal is stored all the same.
                done(tx.create_user(configuration, None, named(&format!("of {id}"))).await.unwrap());
                tx.commit().await.unwrap();
                written
            })
        });
        let written = join_all(tasks).await;
        let renamed = written.iter().filter(|each| matches!(each, Ok(Written::Done(_)))).count();
        assert_eq!(renamed, 1);
        let read = server.repository.read();
        assert_eq!(read.count(ResourceKind::User, configuration, &Condition::All).await.unwrap(), 64);
    }

    async fn of_32_groups_of_one_name_made_at_once_there_is_one(server: TestServer) {
        let configuration = configuration(&server.repository).await;
        let ann = MemberId::User(create_named(&server.repository, configuration, "ann").await);
        let tasks = (0..32).map(|_| {
            let repository = server.repository.clone();
            tokio::spawn(async move {
                let tx = repository.write().await.unwrap();
                let written = tx.create_group(configuration, None, group("g"), &[ann].into()).await.unwrap();
                tx.commit().await.unwrap();
                written
            })
        });
        let written = join_all(tasks).await;
        let made = written.iter().filter(|each| matches!(each, Ok(Written::Done(_)))).count();
        assert_eq!(made, 1);
        let read = server.repository.read();
        assert_eq!(read.count(ResourceKind::Group, configuration, &Condition::All).await.unwrap(), 1);
        assert_eq!(read.groups_of(configuration, &[ann.as_uuid().into()]).await.unwrap().len(), 1);
    }

    async fn of_32_groups_renamed_to_one_name_at_once_one_gets_it(server: TestServer) {
        let configuration = configuration(&server.repository).await;
        let mut groups = Vec::new();
        for number in 0..32 {
            groups.push(create_group(&server.repository, configuration, &number.to_string(), []).await);
        }
        let tasks = groups.into_iter().map(|id| {
            let repository = server.repository.clone();
            tokio::spawn(async move {
                let tx = repository.write().await.unwrap();
                let none = MemberChange::default();
                let written = tx.update_group(configuration, id, Some(group("g")), &none).await.unwrap().unwrap();
                tx.commit().await.unwrap();
                written
            })
        });
        let written = join_all(tasks).await;
        let renamed = written.iter().filter(|each| matches!(each, Ok(Written::Done(_)))).count();
        assert_eq!(renamed, 1);
        let read = server.repository.read();
        assert_eq!(read.count(ResourceKind::Group, configuration, &Condition::DisplayName("g".to_owned())).await.unwrap(), 1);
    }

    async fn of_64_members_added_to_one_group_at_once_none_is_lost(server: TestServer) {
        let configuration = configuration(&server.repository).await;
        let mut users = Vec::new();
        for number in 0..64 {
            users.push(create_named(&server.repository, configuration, &number.to_string()).await);
        }
        let group = create_group(&server.repository, configuration, "group", []).await;
        let tasks = users.into_iter().map(|user| {
            let repository = server.repository.clone();
            tokio::spawn(async move {
                let tx = repository.write().await.unwrap();
                tx.group_for_update(configuration, group).await.unwrap().unwrap();
                let resolved = tx.resolve_members(configuration, &[user.as_uuid()]).await.unwrap();
                let mut change = MemberChange::default();
                change.add(resolved[0]);
                tx.update_group(configuration, group, None, &change).await.unwrap().unwrap();
                tx.commit().await.unwrap();
            })
        });
        assert!(join_all(tasks).await.iter().all(Result::is_ok));
        let read = server.repository.read();
        assert_eq!(read.member_count(configuration, group).await.unwrap(), Some(64));
        assert_eq!(read.members(configuration, group, None, 100).await.unwrap().len(), 64);
        assert_eq!(read.group(configuration, group).await.unwrap().unwrap().version, 65);
    }

    async fn a_user_deleted_while_it_is_added_to_groups_is_in_none_of_them(server: TestServer) {
        let configuration = configuration(&server.repository).await;
        let mut groups = Vec::new();
        for number in 0..4 {
            groups.push(create_group(&server.repository, configuration, &number.to_string(), []).await);
        }
        for round in 0..8 {
            let user = create_named(&server.repository, configuration, &round.to_string()).await;
            let mut tasks: Vec<_> = groups.iter().copied().map(|group| {
                let repository = server.repository.clone();
                tokio::spawn(async move {
                    let tx = repository.write().await.unwrap();
                    let mut change = MemberChange::default();
                    change.add(MemberId::User(user));
                    tx.update_group(configuration, group, None, &change).await.unwrap().unwrap();
                    tx.commit().await.unwrap();
                })
            }).collect();
            let repository = server.repository.clone();
            tasks.push(tokio::spawn(async move {
                let tx = repository.write().await.unwrap();
                assert!(tx.delete_user(configuration, user).await.unwrap());
                tx.commit().await.unwrap();
            }));
            assert!(join_all(tasks).await.iter().all(Result::is_ok));
            let read = server.repository.read();
            assert_eq!(read.groups_of(configuration, &[user]).await.unwrap(), []);
            for group in &groups {
                assert_eq!(read.member_count(configuration, *group).await.unwrap(), Some(0));
            }
        }
    }

    async fn two_groups_put_into_each_other_at_once_do_not_close_a_circle(server: TestServer) {
        let configuration = configuration(&server.repository).await;
        for round in 0..8 {
            let one = create_group(&server.repository, configuration, &format!("one{round}"), []).await;
            let two = create_group(&server.repository, configuration, &format!("two{round}"), []).await;
            let tasks = [(one, two), (two, one)].map(|(outer, inner)| {
                let repository = server.repository.clone();
                tokio::spawn(async move {
                    let tx = repository.write().await.unwrap();
                    tx.group_for_update(configuration, outer).await.unwrap().unwrap();
                    tx.resolve_members(configuration, &[inner.as_uuid()]).await.unwrap();
                    if !tx.groups_holding(configuration, outer, &[inner]).await.unwrap().is_empty() {
                        return false;
                    }
                    let mut change = MemberChange::default();
                    change.add(MemberId::Group(inner));
                    tx.update_group(configuration, outer, None, &change).await.unwrap().unwrap();
                    tx.commit().await.unwrap();
                    true
                })
            });
            let nested = join_all(tasks).await;
            assert_eq!(nested.iter().filter(|each| *each.as_ref().unwrap()).count(), 1);
        }
    }

    async fn a_walk_misses_no_survivor_and_repeats_none_while_others_write(server: TestServer) {
        let configuration = configuration(&server.repository).await;
        let mut survivors = BTreeSet::new();
        for number in 0..300 {
            if number % 3 == 0 {
                server.advance(Duration::from_micros(1));
            }
            survivors.insert(create_named(&server.repository, configuration, &number.to_string()).await);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let (repository, stopped) = (server.repository.clone(), stop.clone());
        let others = tokio::spawn(async move {
            let mut number = 0;
            while !stopped.load(Ordering::Relaxed) {
                number += 1;
                let id = create_named(&repository, configuration, &format!("other{number}")).await;
                let tx = repository.write().await.unwrap();
                assert!(tx.delete_user(configuration, id).await.unwrap());
                tx.commit().await.unwrap();
            }
        });
        let read = server.repository.read();
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let slice = Slice { after, skip: 0, limit: 7 };
            let page = read.users(configuration, &Condition::All, slice).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(Position { created_at: last.created_at, id: last.id.as_uuid() });
            seen.extend(page.iter().map(|user| user.id));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        stop.store(true, Ordering::Relaxed);
        others.await.unwrap();
        let distinct: BTreeSet<_> = seen.iter().copied().collect();
        assert_eq!(distinct.len(), seen.len());
        assert!(survivors.is_subset(&distinct));
        assert_eq!(read.count(ResourceKind::User, configuration, &Condition::All).await.unwrap(), 300);
    }
}
