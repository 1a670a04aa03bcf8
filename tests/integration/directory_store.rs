//! The store of users, groups and memberships, without a door before it.

mod accounts;
mod conditions;
mod events;
mod forgetting;
mod members;
mod model;
mod purge;
mod races;

use std::collections::BTreeSet;
use std::time::Duration;

use scimd::clock::SystemRandom;
use scimd::model::{
    Condition, ConfigurationId, GroupContent, GroupId, LinkRefusal, MemberChange, MemberId,
    NewConfiguration, ResourceKind, Scope, Slice, TokenLifetime, User, UserContent, UserId,
    Written,
};
use scimd::repository::{Error, Repository, Write};
use scimd::token::{Kind, PlainToken};
use uuid::Uuid;

use crate::harness::{TestServer, on_both_engines};

const EVERYTHING: Slice = Slice { after: None, skip: 0, limit: 1_000_000 };

async fn configuration(repository: &Repository) -> ConfigurationId {
    let token = PlainToken::mint(Kind::Scim, &SystemRandom).hash();
    let new = NewConfiguration {
        organization_id: Uuid::new_v4().into(),
        name: String::new(),
        sso_configuration_id: Uuid::new_v4().into(),
        allow_unverified_email_account_linking: false,
        token_lifetime: TokenLifetime::DEFAULT,
    };
    let tx = repository.write().await.unwrap();
    let made = tx.create_configuration(new, &token).await.unwrap();
    tx.commit().await.unwrap();
    made.id
}

/// A user of this name and nothing else.
fn named(name: &str) -> UserContent {
    UserContent {
        document: format!(r#"{{"userName":"{name}"}}"#).into(),
        user_name_key: name.to_owned(),
        external_id: None,
        display_name_key: None,
        active: true,
        email_keys: Vec::new(),
        primary_email: None,
    }
}

/// A group of this name and nothing else.
fn group(name: &str) -> GroupContent {
    GroupContent {
        document: format!(r#"{{"displayName":"{name}"}}"#).into(),
        display_name_key: name.to_owned(),
        external_id: None,
    }
}

async fn create(
    repository: &Repository,
    configuration: ConfigurationId,
    content: UserContent,
) -> User {
    let tx = repository.write().await.unwrap();
    let written = tx.create_user(configuration, None, content).await.unwrap();
    tx.commit().await.unwrap();
    done(written)
}

async fn create_named(
    repository: &Repository,
    configuration: ConfigurationId,
    name: &str,
) -> UserId {
    create(repository, configuration, named(name)).await.id
}

/// Changes a user that there is.
async fn update(
    tx: &Write,
    configuration: ConfigurationId,
    id: UserId,
    content: UserContent,
) -> Written<User, LinkRefusal> {
    let user = tx.user_for_update(configuration, id).await.unwrap().unwrap();
    tx.update_user(configuration, &user, content).await.unwrap()
}

async fn create_group(
    repository: &Repository,
    configuration: ConfigurationId,
    name: &str,
    members: impl IntoIterator<Item = MemberId>,
) -> GroupId {
    let tx = repository.write().await.unwrap();
    let members = members.into_iter().collect();
    let made = tx.create_group(configuration, None, group(name), &members).await.unwrap();
    tx.commit().await.unwrap();
    done(made).id
}

async fn delete_configuration(repository: &Repository, configuration: ConfigurationId) {
    let tx = repository.write().await.unwrap();
    assert!(tx.delete_configuration(Scope::Platform, configuration).await.unwrap());
    tx.commit().await.unwrap();
}

fn done<T: std::fmt::Debug, R: std::fmt::Debug>(written: Written<T, R>) -> T {
    match written {
        Written::Done(done) => done,
        other => panic!("{other:?}"),
    }
}

on_both_engines! {
    async fn a_user_is_read_as_it_was_written(server: TestServer) {
        let configuration = configuration(&server.repository).await;
        let created = create(&server.repository, configuration, named("ann")).await;
        assert_eq!(created.version, 1);
        assert_eq!(&*created.document, r#"{"userName":"ann"}"#);
        assert_eq!(created.created_at, created.updated_at);
        let read = server.repository.read();
        assert_eq!(read.user(configuration, created.id).await.unwrap(), Some(created.clone()));
        let tx = server.repository.write().await.unwrap();
        assert_eq!(tx.user_for_update(configuration, created.id).await.unwrap().unwrap().user, created);
    }

    async fn an_update_is_the_next_version_and_found_by_its_new_values_only(server: TestServer) {
        let configuration = configuration(&server.repository).await;
        let old = UserContent {
            external_id: Some("e1".to_owned()),
            display_name_key: Some("d1".to_owned()),
            email_keys: vec!["a@x".to_owned(), "b@x".to_owned()],
            ..named("ann")
        };
        let created = create(&server.repository, configuration, old).await;
        server.advance(Duration::from_secs(1));
        let new = UserContent {
            active: false,
            external_id: Some("e2".to_owned()),
            email_keys: vec!["b@x".to_owned(), "c@x".to_owned()],
            ..named("anne")
        };
        let tx = server.repository.write().await.unwrap();
        let updated = done(update(&tx, configuration, created.id, new.clone()).await);
        tx.commit().await.unwrap();
        assert_eq!((updated.version, &updated.document), (2, &new.document));
        assert_eq!(updated.created_at, created.created_at);
        assert_eq!(updated.updated_at, created.created_at.saturating_add(Duration::from_secs(1)));
        let read = server.repository.read();
        assert_eq!(read.user(configuration, created.id).await.unwrap(), Some(updated));
        for (condition, found) in [
            (Condition::UserName("ann".to_owned()), 0),
            (Condition::UserName("anne".to_owned()), 1),
            (Condition::ExternalId("e1".to_owned()), 0),
            (Condition::ExternalId("e2".to_owned()), 1),
            (Condition::DisplayName("d1".to_owned()), 0),
            (Condition::Email("a@x".to_owned()), 0),
            (Condition::Email("b@x".to_owned()), 1),
            (Condition::Email("c@x".to_owned()), 1),
            (Condition::Active(true), 0),
            (Condition::Active(false), 1),
        ] {
            assert_eq!(read.count(ResourceKind::User, configuration, &condition).await.unwrap(), found, "{condition:?}");
            assert_eq!(read.users(configuration, &condition, EVERYTHING).await.unwrap().len() as u64, found);
        }
        let tx = server.repository.write().await.unwrap();
        assert!(tx.user_for_update(configuration, Uuid::new_v4().into()).await.unwrap().is_none());
    }

    async fn a_taken_user_name_changes_nothing_and_the_transaction_goes_on(server: TestServer) {
        let configuration = configuration(&server.repository).await;
        let ann = create_named(&server.repository, configuration, "ann").await;
        let bob = create_named(&server.repository, configuration, "bob").await;
        let tx = server.repository.write().await.unwrap();
        let taken = tx.create_user(configuration, None, named("ann")).await.unwrap();
        assert_eq!(taken, Written::NameTaken);
        assert_eq!(update(&tx, configuration, bob, named("ann")).await, Written::NameTaken);
        done(tx.create_user(configuration, None, named("cat")).await.unwrap());
        done(update(&tx, configuration, bob, named("rob")).await);
        tx.commit().await.unwrap();
        let read = server.repository.read();
        assert_eq!(read.count(ResourceKind::User, configuration, &Condition::All).await.unwrap(), 3);
        let bob = read.user(configuration, bob).await.unwrap().unwrap();
        assert_eq!((bob.version, bob.document), (2, named("rob").document));
        // A name is free again with its user.
        let tx = server.repository.write().await.unwrap();
        assert!(tx.delete_user(configuration, ann).await.unwrap());
        assert!(!tx.delete_user(configuration, ann).await.unwrap());
        done(tx.create_user(configuration, None, named("ann")).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(read.count(ResourceKind::User, configuration, &Condition::All).await.unwrap(), 3);
    }

    async fn a_taken_group_name_changes_nothing_and_the_transaction_goes_on(server: TestServer) {
        let configuration = configuration(&server.repository).await;
        let ann = MemberId::User(create_named(&server.repository, configuration, "ann").await);
        let sales = create_group(&server.repository, configuration, "sales", []).await;
        let support = create_group(&server.repository, configuration, "support", [ann]).await;
        let mut change = MemberChange::default();
        change.remove(ann.as_uuid());
        let tx = server.repository.write().await.unwrap();
        let taken = tx.create_group(configuration, None, group("sales"), &[ann].into()).await.unwrap();
        assert_eq!(taken, Written::NameTaken);
        let taken = tx.update_group(configuration, support, Some(group("sales")), &change).await.unwrap();
        assert_eq!(taken, Some(Written::NameTaken));
        done(tx.create_group(configuration, None, group("staff"), &[ann].into()).await.unwrap());
        tx.commit().await.unwrap();
        let read = server.repository.read();
        assert_eq!(read.count(ResourceKind::Group, configuration, &Condition::All).await.unwrap(), 3);
        assert_eq!(read.member_count(configuration, support).await.unwrap(), Some(1));
        assert_eq!(read.members(configuration, support, None, 10).await.unwrap().len(), 1);
        assert_eq!(read.group(configuration, support).await.unwrap().unwrap().version, 1);
        let ann = UserId::from(ann.as_uuid());
        assert_eq!(read.groups_of(configuration, &[ann]).await.unwrap().len(), 2);
        // A group may take the name that it has, and one that is free again.
        let tx = server.repository.write().await.unwrap();
        let none = MemberChange::default();
        done(tx.update_group(configuration, support, Some(group("support")), &none).await.unwrap().unwrap());
        assert!(tx.delete_group(configuration, sales).await.unwrap());
        let renamed = tx.update_group(configuration, support, Some(group("sales")), &none).await.unwrap();
        assert_eq!(done(renamed.unwrap()).group.version, 3);
        tx.commit().await.unwrap();
    }

    async fn a_deleted_user_leaves_all_groups_which_are_new_versions_then(server: TestServer) {
        let configuration = configuration(&server.repository).await;
        let ann = create_named(&server.repository, configuration, "ann").await;
        let bob = create_named(&server.repository, configuration, "bob").await;
        let both = [MemberId::User(ann), MemberId::User(bob)];
        let first = create_group(&server.repository, configuration, "first", both).await;
        let second = create_group(&server.repository, configuration, "second", [both[0]]).await;
        let other = create_group(&server.repository, configuration, "other", [both[1]]).await;
        server.advance(Duration::from_secs(1));
        let tx = server.repository.write().await.unwrap();
        let now = tx.now();
        assert!(tx.delete_user(configuration, ann).await.unwrap());
        tx.commit().await.unwrap();
        let read = server.repository.read();
        for (id, version, members) in [(first, 2, 1), (second, 2, 0), (other, 1, 1)] {
            let group = read.group(configuration, id).await.unwrap().unwrap();
            assert_eq!(group.version, version);
            assert_eq!(group.updated_at == now, version == 2);
            assert_eq!(read.member_count(configuration, id).await.unwrap(), Some(members));
            assert_eq!(read.members(configuration, id, None, 10).await.unwrap().len() as u64, members);
        }
        assert_eq!(read.user(configuration, ann).await.unwrap(), None);
    }

    async fn content_and_members_changed_together_are_one_version(server: TestServer) {
        let configuration = configuration(&server.repository).await;
        let ann = MemberId::User(create_named(&server.repository, configuration, "ann").await);
        let id = create_group(&server.repository, configuration, "before", []).await;
        let mut change = MemberChange::default();
        change.add(ann);
        server.advance(Duration::from_secs(1));
        let tx = server.repository.write().await.unwrap();
        let update = done(tx.update_group(configuration, id, Some(group("after")), &change).await.unwrap().unwrap());
        assert_eq!((update.group.version, update.added, update.removed), (2, vec![ann], vec![]));
        assert_eq!(update.group.updated_at, tx.now());
        assert_eq!(update.group.document, group("after").document);
        // The same again is no change at all.
        let again = done(tx.update_group(configuration, id, None, &change).await.unwrap().unwrap());
        assert_eq!((&again.group, again.added, again.removed), (&update.group, vec![], vec![]));
        let gone = tx.update_group(configuration, Uuid::new_v4().into(), None, &change).await.unwrap();
        assert_eq!(gone, None);
        tx.commit().await.unwrap();
        let read = server.repository.read();
        assert_eq!(read.group(configuration, id).await.unwrap(), Some(update.group));
        let count = async |name: &str| {
            read.count(ResourceKind::Group, configuration, &Condition::DisplayName(name.to_owned())).await.unwrap()
        };
        assert_eq!((count("before").await, count("after").await), (0, 1));
    }

    async fn nothing_is_made_through_a_configuration_that_is_gone(server: TestServer) {
        let configuration = configuration(&server.repository).await;
        create_named(&server.repository, configuration, "ann").await;
        delete_configuration(&server.repository, configuration).await;
        for configuration in [configuration, Uuid::new_v4().into()] {
            let tx = server.repository.write().await.unwrap();
            let refused = tx.create_user(configuration, None, named("bob")).await;
            assert!(matches!(refused, Err(Error::ConfigurationGone)), "{refused:?}");
            drop(tx);
            let tx = server.repository.write().await.unwrap();
            let refused = tx.create_group(configuration, None, group("g"), &BTreeSet::new()).await;
            assert!(matches!(refused, Err(Error::ConfigurationGone)), "{refused:?}");
        }
    }

    async fn one_configuration_sees_and_changes_nothing_of_another(server: TestServer) {
        let own = configuration(&server.repository).await;
        let other = configuration(&server.repository).await;
        let ann = create_named(&server.repository, other, "ann").await;
        let theirs = create_group(&server.repository, other, "theirs", [MemberId::User(ann)]).await;
        // The same name is free here.
        let own_ann = create_named(&server.repository, own, "ann").await;
        let own_group = create_group(&server.repository, own, "own", []).await;
        let read = server.repository.read();
        assert_eq!(read.user(own, ann).await.unwrap(), None);
        assert_eq!(read.group(own, theirs).await.unwrap(), None);
        assert_eq!(read.member_count(own, theirs).await.unwrap(), None);
        assert_eq!(read.members(own, theirs, None, 10).await.unwrap(), []);
        assert_eq!(read.groups_of(own, &[ann]).await.unwrap(), []);
        for condition in [Condition::Id(ann.as_uuid()), Condition::MemberOf(theirs.as_uuid())] {
            assert_eq!(read.users(own, &condition, EVERYTHING).await.unwrap(), [], "{condition:?}");
            assert_eq!(read.count(ResourceKind::User, own, &condition).await.unwrap(), 0, "{condition:?}");
        }
        let member = Condition::Member(ann.as_uuid());
        assert_eq!(read.groups(own, &member, EVERYTHING).await.unwrap(), []);
        let listed = read.users(own, &Condition::All, EVERYTHING).await.unwrap();
        assert_eq!(listed.iter().map(|user| user.id).collect::<Vec<_>>(), [own_ann]);

        let tx = server.repository.write().await.unwrap();
        assert!(tx.user_for_update(own, ann).await.unwrap().is_none());
        assert!(tx.group_for_update(own, theirs).await.unwrap().is_none());
        assert!(!tx.delete_user(own, ann).await.unwrap());
        assert!(!tx.delete_group(own, theirs).await.unwrap());
        let ids = [ann.as_uuid(), theirs.as_uuid(), own_ann.as_uuid()];
        assert_eq!(tx.resolve_members(own, &ids).await.unwrap(), [MemberId::User(own_ann)]);
        assert_eq!(tx.groups_holding(own, theirs, &[theirs, own_group]).await.unwrap(), []);
        let mut change = MemberChange::default();
        change.add(MemberId::User(ann));
        change.add(MemberId::Group(theirs));
        assert!(tx.update_group(own, theirs, Some(group("x")), &change).await.unwrap().is_none());
        let update = done(tx.update_group(own, own_group, None, &change).await.unwrap().unwrap());
        assert_eq!((update.added, update.group.version), (vec![], 1));
        tx.commit().await.unwrap();
        assert_eq!(read.user(other, ann).await.unwrap().unwrap().version, 1);
        assert_eq!(read.group(other, theirs).await.unwrap().unwrap().version, 1);
        assert_eq!(read.member_count(other, theirs).await.unwrap(), Some(1));
    }
}
