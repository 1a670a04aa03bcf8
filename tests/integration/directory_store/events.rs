//! The change feed as the store writes it.

use std::collections::BTreeSet;

use scimd::model::{
    ConfigurationChange, ConfigurationId, Event, EventKind, GroupId, MEMBERS_OF_AN_EVENT,
    MemberChange, MemberId, OrganizationId, Origin, RequestId, Scope, State, TokenLifetime,
    UserContent, UserId,
};
use scimd::repository::{Bounds, Repository};
use scimd::token::{Kind, PlainToken};
use uuid::Uuid;

use super::{
    configuration, create, create_group, create_named, delete_configuration, done, group, named,
    update,
};
use crate::harness::{TestServer, on_both_engines};

pub async fn organization_of(repository: &Repository, id: ConfigurationId) -> OrganizationId {
    let found = repository.read().configuration(Scope::Platform, id).await.unwrap();
    found.unwrap().organization_id
}

/// All events of the organization behind number `after`, after a look that they are in order.
pub async fn events(repository: &Repository, of: OrganizationId, after: u64) -> Vec<Event> {
    let events = repository.read().events(of, after, 1_000_000).await.unwrap();
    let numbers: Vec<_> = events.iter().map(|event| event.number).collect();
    let expected: Vec<_> = (after + 1..=after + numbers.len() as u64).collect();
    assert_eq!(numbers, expected);
    events
}

fn kinds(events: &[Event]) -> Vec<EventKind> {
    events.iter().map(|event| event.kind).collect()
}

fn ends(events: &[Event]) -> Vec<bool> {
    events.iter().map(|event| event.ends_transaction).collect()
}

fn members(event: &Event) -> (u64, &[MemberId], &[MemberId]) {
    match &event.state {
        State::Members(state) => (state.version, &state.added, &state.removed),
        other => panic!("not of members: {other:?}"),
    }
}

async fn change(repository: &Repository, at: ConfigurationId, id: UserId, content: UserContent) {
    let tx = repository.write().await.unwrap();
    done(update(&tx, at, id, content).await);
    tx.commit().await.unwrap();
}

async fn change_members(
    repository: &Repository,
    at: ConfigurationId,
    id: GroupId,
    change: &MemberChange,
) {
    let tx = repository.write().await.unwrap();
    tx.update_group(at, id, None, change).await.unwrap().unwrap();
    tx.commit().await.unwrap();
}

on_both_engines! {
    async fn each_change_of_a_user_is_one_event_with_the_state_after_it(server: TestServer) {
        use EventKind::{UserCreated, UserDeactivated, UserDeleted, UserReactivated, UserUpdated};
        let store = &server.repository;
        let at = configuration(store).await;
        let organization = organization_of(store, at).await;
        let user = create(store, at, named("ann")).await;
        let document = |text: &str, active| UserContent { document: text.to_owned().into(), active, ..named("ann") };
        change(store, at, user.id, document(r#"{"userName":"ann","title":"x"}"#, true)).await;
        change(store, at, user.id, document(r#"{"userName":"ann","active":false}"#, false)).await;
        change(store, at, user.id, document(r#"{"userName":"ann","active":true}"#, true)).await;
        let expected = store.read().user(at, user.id).await.unwrap().unwrap();
        let tx = store.write().await.unwrap();
        assert!(tx.delete_user(at, user.id).await.unwrap());
        tx.commit().await.unwrap();

        let events = events(store, organization, 1).await;
        assert_eq!(kinds(&events), [UserCreated, UserUpdated, UserDeactivated, UserReactivated, UserDeleted]);
        assert_eq!(ends(&events), [true; 5]);
        assert!(events.iter().all(|event| event.subject == user.id.as_uuid()));
        assert!(events.iter().all(|event| event.configuration == Some(at)));
        let changed: Vec<_> = events.iter().map(|event| event.changed.join(" ")).collect();
        assert_eq!(changed, ["", "title", "active title", "active", ""]);
        assert_eq!(events[0].state, State::User(user.clone()));
        assert_eq!(events[0].at, user.created_at);
        assert_eq!(events[3].state, State::User(expected));
        assert_eq!(events[4].state, State::Gone);
    }

    async fn a_group_and_its_members_are_told_by_events_of_their_own(server: TestServer) {
        use EventKind::{GroupCreated, GroupDeleted, GroupMembersChanged, GroupUpdated, UserDeleted};
        let store = &server.repository;
        let at = configuration(store).await;
        let organization = organization_of(store, at).await;
        let ann = MemberId::User(create_named(store, at, "ann").await);
        let bob = create_named(store, at, "bob").await;
        let outer = create_group(store, at, "outer", [ann, MemberId::User(bob)]).await;
        let inner = create_group(store, at, "inner", []).await;
        let seen = events(store, organization, 3).await;
        assert_eq!(kinds(&seen), [GroupCreated, GroupMembersChanged, GroupCreated]);
        assert_eq!(ends(&seen), [false, true, true]);
        let mut both = [ann, MemberId::User(bob)];
        both.sort();
        let (version, added, removed) = members(&seen[1]);
        assert_eq!((version, BTreeSet::from_iter(added), removed), (1, both.iter().collect(), &[][..]));

        let mut change = MemberChange::default();
        change.add(MemberId::Group(inner));
        change.remove(ann.as_uuid());
        let tx = store.write().await.unwrap();
        tx.update_group(at, outer, Some(group("renamed")), &change).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        let seen = events(store, organization, 6).await;
        assert_eq!(kinds(&seen), [GroupUpdated, GroupMembersChanged]);
        assert_eq!(seen[0].changed, ["displayName"]);
        let there = store.read().group(at, outer).await.unwrap().unwrap();
        assert_eq!(seen[0].state, State::Group(there));
        assert_eq!(members(&seen[1]), (2, &[MemberId::Group(inner)][..], &[ann][..]));

        // Who is deleted leaves its groups first.
        let tx = store.write().await.unwrap();
        tx.delete_user(at, bob).await.unwrap();
        tx.delete_group(at, inner).await.unwrap();
        tx.delete_group(at, outer).await.unwrap();
        tx.commit().await.unwrap();
        let seen = events(store, organization, 8).await;
        assert_eq!(kinds(&seen), [GroupMembersChanged, UserDeleted, GroupMembersChanged, GroupDeleted, GroupDeleted]);
        assert_eq!(ends(&seen), [false, false, false, false, true]);
        assert_eq!(members(&seen[0]), (3, &[][..], &[MemberId::User(bob)][..]));
        assert_eq!(members(&seen[2]), (4, &[][..], &[MemberId::Group(inner)][..]));
    }

    async fn many_members_make_consecutive_events_of_no_more_than_a_thousand(server: TestServer) {
        let store = &server.repository;
        let at = configuration(store).await;
        let organization = organization_of(store, at).await;
        let tx = store.write().await.unwrap();
        let mut all = BTreeSet::new();
        for number in 0..2_500 {
            let user = done(tx.create_user(at, None, named(&format!("user{number}"))).await.unwrap());
            all.insert(MemberId::User(user.id));
        }
        tx.commit().await.unwrap();
        let created = events(store, organization, 1).await;
        assert_eq!(created.len(), 2_500);
        assert_eq!(created.iter().filter(|event| event.ends_transaction).count(), 1);
        let id = create_group(store, at, "all", all.clone()).await;
        let seen = events(store, organization, 2_502).await;
        let told: Vec<_> = seen.iter().flat_map(|event| members(event).1.to_vec()).collect();
        assert_eq!(seen.iter().map(|event| members(event).1.len()).max(), Some(MEMBERS_OF_AN_EVENT));
        assert_eq!((seen.len(), told.len()), (3, 2_500));
        assert_eq!(BTreeSet::from_iter(told), all);
        let mut nobody = MemberChange::default();
        nobody.replace([]);
        change_members(store, at, id, &nobody).await;
        let seen = events(store, organization, 2_505).await;
        assert_eq!(seen.iter().map(|event| members(event).2.len()).collect::<Vec<_>>(), [1_000, 1_000, 500]);
        assert_eq!(ends(&seen), [false, false, true]);
    }

    async fn what_changes_nothing_or_is_given_up_makes_no_event(server: TestServer) {
        let store = &server.repository;
        let at = configuration(store).await;
        let organization = organization_of(store, at).await;
        let ann = create_named(store, at, "ann").await;
        let id = create_group(store, at, "group", [MemberId::User(ann)]).await;
        let before = store.read().event_bounds(organization).await.unwrap();
        assert_eq!(before, Bounds { oldest: 1, newest: 4 });
        let mut change = MemberChange::default();
        change.add(MemberId::User(ann));
        change.remove(Uuid::new_v4());
        change_members(store, at, id, &change).await;
        let tx = store.write().await.unwrap();
        tx.create_user(at, None, named("ann")).await.unwrap();
        tx.delete_user(at, Uuid::new_v4().into()).await.unwrap();
        let change = ConfigurationChange::default();
        tx.update_configuration(Scope::Platform, at, change).await.unwrap();
        tx.commit().await.unwrap();
        let tx = store.write().await.unwrap();
        tx.create_user(at, None, named("bob")).await.unwrap();
        drop(tx);
        assert_eq!(store.read().event_bounds(organization).await.unwrap(), before);
    }

    async fn a_configuration_is_told_too_and_who_changed_it(server: TestServer) {
        use EventKind::{ConfigurationCreated, ConfigurationDisabled, ConfigurationEnabled, ConfigurationUpdated, TokenRegenerated};
        let request = RequestId::from(Uuid::new_v4());
        let origin = Origin::ApiKey(Uuid::new_v4().into(), request);
        let store = &server.repository.on_behalf_of(origin);
        let at = configuration(store).await;
        let organization = organization_of(store, at).await;
        for change in [
            ConfigurationChange { enabled: Some(false), ..Default::default() },
            ConfigurationChange { enabled: Some(true), ..Default::default() },
            ConfigurationChange { name: Some("new".to_owned()), sso_configuration_id: Some(None), ..Default::default() },
            // As it is already: the time of the change is another one all the same.
            ConfigurationChange { enabled: Some(true), ..Default::default() },
        ] {
            let tx = store.write().await.unwrap();
            tx.update_configuration(Scope::Platform, at, change).await.unwrap().unwrap();
            tx.commit().await.unwrap();
        }
        let hash = PlainToken::mint(Kind::Scim, &scimd::clock::SystemRandom).hash();
        let tx = store.write().await.unwrap();
        tx.replace_token(Scope::Platform, at, &hash, Some(TokenLifetime::DEFAULT)).await.unwrap();
        tx.commit().await.unwrap();
        let seen = events(store, organization, 0).await;
        assert_eq!(kinds(&seen), [ConfigurationCreated, ConfigurationDisabled, ConfigurationEnabled, ConfigurationUpdated, ConfigurationUpdated, TokenRegenerated]);
        assert!(seen.iter().all(|event| event.origin == origin));
        assert_eq!(seen[3].changed, ["name", "sso_configuration_id"]);
        assert_eq!(seen[4].changed, ["updated_at"]);
        let there = store.read().configuration(Scope::Platform, at).await.unwrap().unwrap();
        assert_eq!(seen[5].state, State::Configuration(there));
    }

    async fn what_goes_with_a_configuration_is_told_before_its_own_end(server: TestServer) {
        let origin = Origin::ApiKey(Uuid::new_v4().into(), RequestId::from(Uuid::new_v4()));
        let store = &server.repository;
        let at = configuration(store).await;
        let organization = organization_of(store, at).await;
        let mut gone = Vec::new();
        for name in ["ann", "bob", "cy"] {
            gone.push(create_named(store, at, name).await.as_uuid());
        }
        let members = gone.iter().map(|id| MemberId::User((*id).into()));
        let id = create_group(store, at, "all", members).await.as_uuid();
        let tx = store.on_behalf_of(origin).write().await.unwrap();
        assert!(tx.delete_configuration(Scope::Platform, at).await.unwrap());
        tx.commit().await.unwrap();
        // The server's own purge may be at it as well.
        loop {
            let tx = store.write().await.unwrap();
            let more = tx.purge_batch(2).await.unwrap();
            tx.commit().await.unwrap();
            if !more && store.read().event_bounds(organization).await.unwrap().newest >= 11 {
                break;
            }
        }
        let seen = events(store, organization, 6).await;
        assert_eq!(seen.len(), 5);
        assert!(seen.iter().all(|event| event.state == State::Gone && event.origin == origin && event.configuration == Some(at)));
        assert_eq!((seen[0].kind, seen[0].subject), (EventKind::GroupDeleted, id));
        let users: BTreeSet<_> = seen[1..4].iter().map(|event| event.subject).collect();
        assert_eq!(users, gone.into_iter().collect());
        assert_eq!((seen[4].kind, seen[4].subject), (EventKind::ConfigurationDeleted, at.as_uuid()));
    }

    async fn changes_at_the_same_time_leave_no_gap(server: TestServer) {
        let store = &server.repository;
        let at = configuration(store).await;
        let organization = organization_of(store, at).await;
        let writers: Vec<_> = (0..16).map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in 0..10 {
                    let user = create(&store, at, named(&format!("user{writer}-{number}"))).await;
                    change(&store, at, user.id, UserContent { active: false, ..named(&format!("user{writer}-{number}")) }).await;
                }
            })
        }).collect();
        // Numbers appear in order: what has been read once stays all there was.
        let mut read = 1;
        while read < 1 + 320 {
            read += events(store, organization, read).await.len() as u64;
        }
        for writer in writers {
            writer.await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_feed_is_of_one_organization() {
    for engine in [crate::harness::Engine::Sqlite, crate::harness::Engine::Postgres] {
        let Some(server) = TestServer::start(engine).await else { continue };
        let store = &server.repository;
        let (own, other) = (configuration(store).await, configuration(store).await);
        create_named(store, other, "ann").await;
        let organization = organization_of(store, own).await;
        assert_eq!(events(store, organization, 0).await.len(), 1);
        assert_eq!(
            store.read().event_bounds(Uuid::new_v4().into()).await.unwrap(),
            Bounds { oldest: 1, newest: 0 }
        );
        // A change through a configuration that is gone is none.
        let ann = create_named(store, own, "ann").await;
        delete_configuration(store, own).await;
        let tx = store.write().await.unwrap();
        done(update(&tx, own, ann, named("ann2")).await);
        assert!(tx.commit().await.is_err());
    }
}
