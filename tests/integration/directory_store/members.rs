//! Who is in which group.

use std::collections::BTreeSet;
use std::time::Duration;

use scimd::model::{Condition, DatabaseUrl, GroupId, MemberChange, MemberId};
use uuid::Uuid;

use super::{EVERYTHING, configuration, create_group, create_named};
use crate::harness::{TestServer, on_both_engines};

on_both_engines! {
    async fn members_are_resolved_each_once_and_only_if_they_exist(server: TestServer) {
        let configuration = configuration(&server.repository).await;
        let ann = create_named(&server.repository, configuration, "ann").await;
        let group = create_group(&server.repository, configuration, "group", []).await;
        let ids = [Uuid::new_v4(), group.as_uuid(), ann.as_uuid(), Uuid::nil(), ann.as_uuid()];
        let tx = server.repository.write().await.unwrap();
        let resolved = tx.resolve_members(configuration, &ids).await.unwrap();
        assert_eq!(resolved, [MemberId::User(ann), MemberId::Group(group)]);
        assert_eq!(tx.resolve_members(configuration, &[]).await.unwrap(), []);
    }

    async fn what_does_not_exist_becomes_no_member(server: TestServer) {
        let configuration = configuration(&server.repository).await;
        let ann = create_named(&server.repository, configuration, "ann").await;
        let nobody = MemberId::User(Uuid::new_v4().into());
        // A user said to be a group is no group.
        let mistaken = MemberId::Group(ann.as_uuid().into());
        let id = create_group(&server.repository, configuration, "group", [nobody, mistaken]).await;
        assert_eq!(server.repository.read().member_count(configuration, id).await.unwrap(), Some(0));
    }

    async fn members_are_walked_page_by_page_with_what_to_show_of_them(server: TestServer) {
        let configuration = configuration(&server.repository).await;
        let mut members = Vec::new();
        for number in 0..7 {
            server.advance(Duration::from_millis(1));
            let id = create_named(&server.repository, configuration, &format!("user{number}")).await;
            members.push((MemberId::User(id), format!(r#"{{"userName":"user{number}"}}"#).into()));
        }
        server.advance(Duration::from_millis(1));
        let inner = create_group(&server.repository, configuration, "inner", []).await;
        members.push((MemberId::Group(inner), r#"{"displayName":"inner"}"#.to_owned().into()));
        let ids = members.iter().map(|(id, _)| *id);
        let group = create_group(&server.repository, configuration, "outer", ids).await;
        let (mut walked, mut after) = (Vec::new(), None);
        let read = server.repository.read();
        loop {
            let page = read.members(configuration, group, after, 3).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.id.as_uuid());
            walked.extend(page.into_iter().map(|each| (each.id, each.document)));
        }
        assert_eq!(walked, members);
        let tx = server.repository.write().await.unwrap();
        assert_eq!(tx.members(configuration, group, None, 100).await.unwrap().len(), 8);
        assert_eq!(tx.member_count(configuration, group).await.unwrap(), Some(8));
    }

    async fn the_groups_of_many_users_are_the_direct_ones(server: TestServer) {
        let configuration = configuration(&server.repository).await;
        let ann = create_named(&server.repository, configuration, "ann").await;
        let bob = create_named(&server.repository, configuration, "bob").await;
        let cat = create_named(&server.repository, configuration, "cat").await;
        let both = create_group(&server.repository, configuration, "both", [MemberId::User(ann), MemberId::User(bob)]).await;
        create_group(&server.repository, configuration, "above", [MemberId::Group(both), MemberId::User(cat)]).await;
        let read = server.repository.read();
        let found = read.groups_of(configuration, &[bob, ann]).await.unwrap();
        let [group] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(group.id, both);
        assert!(group.document.contains("both"));
        assert_eq!(BTreeSet::from_iter(&group.users), BTreeSet::from([&ann, &bob]));
        assert_eq!(group.users.len(), 2);
        assert_eq!(read.groups_of(configuration, &[]).await.unwrap(), []);
    }

    async fn the_groups_of_a_named_user_are_those_of_that_user(server: TestServer) {
        let (own, other) = (configuration(&server.repository).await, configuration(&server.repository).await);
        for configuration in [own, other] {
            let ann = create_named(&server.repository, configuration, "ann").await;
            let bob = create_named(&server.repository, configuration, "bob").await;
            let both = create_group(&server.repository, configuration, "both", [MemberId::User(ann), MemberId::User(bob)]).await;
            create_group(&server.repository, configuration, "above", [MemberId::Group(both), MemberId::User(bob)]).await;
            create_group(&server.repository, configuration, "ann's", [MemberId::User(ann)]).await;
        }
        let read = server.repository.read();
        let by_name = |name: &str| Condition::UserName(name.to_owned());
        let ann = read.users(own, &by_name("ann"), EVERYTHING).await.unwrap().remove(0);
        let groups = read.groups_of(own, &[ann.id]).await.unwrap();
        assert_eq!(groups.len(), 2);
        let found = async |condition: Condition| read.groups_of_user_named(own, &condition).await.unwrap();
        // Where statements run one after the other there is nothing to be gained.
        let is_postgres = matches!(server.database.url, DatabaseUrl::Postgres(_));
        assert_eq!(found(by_name("ann")).await, is_postgres.then_some(groups));
        assert_eq!(found(by_name("nobody")).await, is_postgres.then_some(Vec::new()));
        for other in [by_name("a\0"), Condition::Id(ann.id.as_uuid()), Condition::All] {
            assert_eq!(found(other).await, None);
        }
    }

    async fn a_group_that_would_close_a_circle_is_told(server: TestServer) {
        let configuration = configuration(&server.repository).await;
        let make = async |name: &str, inner: &[GroupId]| {
            let inner = inner.iter().map(|id| MemberId::Group(*id));
            create_group(&server.repository, configuration, name, inner).await
        };
        let bottom = make("bottom", &[]).await;
        let left = make("left", &[bottom]).await;
        let right = make("right", &[bottom]).await;
        let top = make("top", &[left, right]).await;
        let apart = make("apart", &[bottom]).await;
        let tx = server.repository.write().await.unwrap();
        let holding = async |group: GroupId, groups: &[GroupId]| {
            tx.groups_holding(configuration, group, groups).await.unwrap()
        };
        let mut all = [bottom, left, right, top, apart];
        all.sort();
        assert_eq!(holding(bottom, &all).await, all);
        let mut expected = vec![left, top];
        expected.sort();
        assert_eq!(holding(left, &all).await, expected);
        assert_eq!(holding(top, &all).await, [top]);
        assert_eq!(holding(top, &[bottom, apart]).await, []);
        assert_eq!(holding(top, &[]).await, []);
    }

    async fn a_deleted_group_leaves_the_groups_it_is_in_and_its_members(server: TestServer) {
        let configuration = configuration(&server.repository).await;
        let ann = create_named(&server.repository, configuration, "ann").await;
        let inner = create_group(&server.repository, configuration, "inner", [MemberId::User(ann)]).await;
        let outer = create_group(&server.repository, configuration, "outer", [MemberId::Group(inner)]).await;
        let tx = server.repository.write().await.unwrap();
        assert!(tx.delete_group(configuration, inner).await.unwrap());
        assert!(!tx.delete_group(configuration, inner).await.unwrap());
        tx.commit().await.unwrap();
        let read = server.repository.read();
        assert_eq!(read.groups_of(configuration, &[ann]).await.unwrap(), []);
        assert_eq!(read.member_count(configuration, inner).await.unwrap(), None);
        assert_eq!(read.member_count(configuration, outer).await.unwrap(), Some(0));
        assert_eq!(read.group(configuration, outer).await.unwrap().unwrap().version, 2);
        assert_eq!(read.user(configuration, ann).await.unwrap().unwrap().version, 1);
    }
}

#[test]
fn of_changes_one_after_the_other_the_last_word_on_each_member_holds() {
    let [a, b, c] = [1, 2, 3].map(|n| MemberId::User(Uuid::from_u128(n).into()));
    let mut change = MemberChange::default();
    change.add(a);
    change.add(b);
    change.remove(a.as_uuid());
    change.remove(c.as_uuid());
    change.add(c);
    let expected = MemberChange::Difference { add: [b, c].into(), remove: [a.as_uuid()].into() };
    assert_eq!(change, expected);
    change.replace([a, b]);
    change.remove(a.as_uuid());
    change.add(c);
    assert_eq!(change, MemberChange::Replace([b, c].into()));
}
