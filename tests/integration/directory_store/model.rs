//! Random changes, each compared with what a naive directory in memory makes of
//! it, and random conditions over what they leave.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, IteratorRandom};
use rand::{RngExt, SeedableRng};
use scimd::model::{
    Comparison, Condition, ConfigurationId, Group, GroupContent, GroupId, Instant, MemberChange,
    MemberId, ResourceKind, User, UserContent, UserId, Written,
};
use scimd::repository::Write;
use uuid::Uuid;

use super::{EVERYTHING, configuration, group, named, update};
use crate::harness::{TestServer, on_both_engines};

const STEPS: usize = 250;
const CONDITIONS: usize = 250;
/// Of groups: some of them are asked for, and not all are soon taken.
const GROUP_NAMES: [&str; 16] =
    ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"];

#[derive(Default)]
struct Directory {
    users: BTreeMap<UserId, (User, UserContent)>,
    groups: BTreeMap<GroupId, (Group, GroupContent)>,
    members: BTreeMap<GroupId, BTreeSet<MemberId>>,
}

on_both_engines! {
    async fn random_changes_and_conditions_come_to_what_a_naive_directory_has(server: TestServer) {
        let configuration = configuration(&server.repository).await;
        let mut random = StdRng::seed_from_u64(20_261_123);
        let mut directory = Directory::default();
        for step in 0..STEPS {
            server.advance(Duration::from_micros(random.random_range(0..3)));
            let tx = server.repository.write().await.unwrap();
            match random.random_range(0..10) {
                0..3 => directory.create_user(&tx, configuration, &mut random).await,
                3..5 => directory.update_user(&tx, configuration, &mut random).await,
                5 => directory.delete_user(&tx, configuration, &mut random).await,
                6 => directory.create_group(&tx, configuration, &mut random).await,
                7..9 => directory.update_group(&tx, configuration, &mut random).await,
                _ if step % 3 == 0 => directory.delete_group(&tx, configuration, &mut random).await,
                _ => {}
            }
            tx.commit().await.unwrap();
        }
        let read = server.repository.read();
        assert!(directory.users.len() > 10 && directory.groups.len() > 5, "there is something to compare");
        for (id, members) in &directory.members {
            let stored = read.members(configuration, *id, None, 1_000).await.unwrap();
            assert_eq!(stored.iter().map(|each| each.id).collect::<BTreeSet<_>>(), *members);
            assert_eq!(read.member_count(configuration, *id).await.unwrap(), Some(members.len() as u64));
        }
        for _ in 0..CONDITIONS {
            let condition = directory.condition(&mut random, 3);
            let users = directory.users_where(&condition);
            let stored = read.users(configuration, &condition, EVERYTHING).await.unwrap();
            assert_eq!(stored, users, "{condition:?}");
            let count = read.count(ResourceKind::User, configuration, &condition).await.unwrap();
            assert_eq!(count, users.len() as u64, "{condition:?}");
            let groups = directory.groups_where(&condition);
            let stored = read.groups(configuration, &condition, EVERYTHING).await.unwrap();
            assert_eq!(stored, groups, "{condition:?}");
            let count = read.count(ResourceKind::Group, configuration, &condition).await.unwrap();
            assert_eq!(count, groups.len() as u64, "{condition:?}");
        }
    }
}

fn text(random: &mut StdRng) -> String {
    ["a", "b", "c", "d"].choose(random).unwrap().to_string()
}

fn maybe(random: &mut StdRng) -> Option<String> {
    random.random_bool(0.5).then(|| text(random))
}

fn user_content(random: &mut StdRng) -> UserContent {
    UserContent {
        external_id: maybe(random),
        display_name_key: maybe(random),
        active: random.random_bool(0.7),
        email_keys: (0..random.random_range(0..3))
            .map(|_| text(random))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
        ..named(&format!("user{}", random.random_range(0..60)))
    }
}

fn group_content(random: &mut StdRng) -> GroupContent {
    let name = GROUP_NAMES.choose(random).unwrap();
    GroupContent { external_id: maybe(random), ..group(name) }
}

impl Directory {
    async fn create_user(
        &mut self,
        tx: &Write,
        configuration: ConfigurationId,
        random: &mut StdRng,
    ) {
        let content = user_content(random);
        let taken = self.has(&content.user_name_key, None);
        match tx.create_user(configuration, None, content.clone()).await.unwrap() {
            Written::Done(user) => {
                assert!(!taken);
                assert_eq!((user.version, &user.document), (1, &content.document));
                self.users.insert(user.id, (user, content));
            }
            Written::NameTaken => assert!(taken),
            Written::LinkRefused(refusal) => panic!("{refusal:?}"),
        }
    }

    async fn update_user(
        &mut self,
        tx: &Write,
        configuration: ConfigurationId,
        random: &mut StdRng,
    ) {
        let Some(id) = self.users.keys().copied().choose(random) else { return };
        let content = user_content(random);
        let taken = self.has(&content.user_name_key, Some(id));
        match update(tx, configuration, id, content.clone()).await {
            Written::Done(user) => {
                assert!(!taken);
                assert_eq!(user.version, self.users[&id].0.version + 1);
                self.users.insert(id, (user, content));
            }
            Written::NameTaken => assert!(taken),
            Written::LinkRefused(refusal) => panic!("{refusal:?}"),
        }
    }

    async fn delete_user(
        &mut self,
        tx: &Write,
        configuration: ConfigurationId,
        random: &mut StdRng,
    ) {
        let Some(id) = self.users.keys().copied().choose(random) else { return };
        assert!(tx.delete_user(configuration, id).await.unwrap());
        self.users.remove(&id);
        self.leave_all(MemberId::User(id), tx.now());
    }

    async fn create_group(
        &mut self,
        tx: &Write,
        configuration: ConfigurationId,
        random: &mut StdRng,
    ) {
        let content = group_content(random);
        let members = self.some_members(random);
        let taken = self.has_group(&content.display_name_key, None);
        match tx.create_group(configuration, None, content.clone(), &members).await.unwrap() {
            Written::Done(group) => {
                assert!(!taken);
                self.members.insert(group.id, members);
                self.groups.insert(group.id, (group, content));
            }
            Written::NameTaken => assert!(taken),
        }
    }

    async fn update_group(
        &mut self,
        tx: &Write,
        configuration: ConfigurationId,
        random: &mut StdRng,
    ) {
        let Some(id) = self.groups.keys().copied().choose(random) else { return };
        let content = random.random_bool(0.3).then(|| group_content(random));
        let before = self.members[&id].clone();
        let (mut change, mut members) = (MemberChange::default(), before.clone());
        for _ in 0..random.random_range(0..4) {
            let some = self.some_members(random);
            match random.random_range(0..5) {
                0 => {
                    members = some.clone();
                    change.replace(some);
                }
                1..3 => some.into_iter().for_each(|member| {
                    members.insert(member);
                    change.add(member);
                }),
                _ => some.into_iter().for_each(|member| {
                    members.remove(&member);
                    change.remove(member.as_uuid());
                }),
            }
        }
        let taken =
            content.as_ref().is_some_and(|new| self.has_group(&new.display_name_key, Some(id)));
        let update = match tx
            .update_group(configuration, id, content.clone(), &change)
            .await
            .unwrap()
            .unwrap()
        {
            Written::Done(update) => update,
            Written::NameTaken => return assert!(taken),
        };
        assert!(!taken);
        assert_eq!(update.added.iter().copied().collect::<BTreeSet<_>>(), &members - &before);
        assert_eq!(update.removed.iter().copied().collect::<BTreeSet<_>>(), &before - &members);
        let (group, stored) = self.groups.get_mut(&id).unwrap();
        if content.is_some() || members != before {
            group.version += 1;
            group.updated_at = tx.now();
        }
        if let Some(content) = content {
            group.document = content.document.clone();
            *stored = content;
        }
        assert_eq!(update.group, *group);
        self.members.insert(id, members);
    }

    async fn delete_group(
        &mut self,
        tx: &Write,
        configuration: ConfigurationId,
        random: &mut StdRng,
    ) {
        let Some(id) = self.groups.keys().copied().choose(random) else { return };
        assert!(tx.delete_group(configuration, id).await.unwrap());
        self.groups.remove(&id);
        self.members.remove(&id);
        self.leave_all(MemberId::Group(id), tx.now());
    }

    fn leave_all(&mut self, member: MemberId, now: Instant) {
        for (id, members) in &mut self.members {
            if members.remove(&member) {
                let (group, _) = self.groups.get_mut(id).unwrap();
                group.version += 1;
                group.updated_at = now;
            }
        }
    }

    /// Circles are not the store's to refuse, and do it no harm here.
    fn some_members(&self, random: &mut StdRng) -> BTreeSet<MemberId> {
        let users = self.users.keys().copied().map(MemberId::User);
        let groups = self.groups.keys().copied().map(MemberId::Group);
        let size = random.random_range(0..6);
        users.chain(groups).sample(random, size).into_iter().collect()
    }

    fn has(&self, user_name_key: &str, but: Option<UserId>) -> bool {
        self.users
            .iter()
            .any(|(id, (_, user))| user.user_name_key == user_name_key && Some(*id) != but)
    }

    fn has_group(&self, display_name_key: &str, but: Option<GroupId>) -> bool {
        self.groups
            .iter()
            .any(|(id, (_, group))| group.display_name_key == display_name_key && Some(*id) != but)
    }

    fn condition(&self, random: &mut StdRng, depth: usize) -> Condition {
        let parts = |random: &mut StdRng| {
            (0..random.random_range(0..4)).map(|_| self.condition(random, depth - 1)).collect()
        };
        let comparisons = [
            Comparison::Equal,
            Comparison::Greater,
            Comparison::GreaterOrEqual,
            Comparison::Less,
            Comparison::LessOrEqual,
        ];
        match random.random_range(if depth == 0 { 4..20 } else { 0..20 }) {
            0..2 => Condition::And(parts(random)),
            2..4 => Condition::Or(parts(random)),
            4 => Condition::All,
            5 => Condition::Nothing,
            6..8 => Condition::Id(self.any_id(random)),
            8 => Condition::UserName(format!("user{}", random.random_range(0..60))),
            9..11 => Condition::ExternalId(text(random)),
            11..13 => Condition::DisplayName(text(random)),
            13 => Condition::Email(text(random)),
            14 => Condition::Active(random.random_bool(0.5)),
            15 => {
                Condition::Created(*comparisons.choose(random).unwrap(), self.any_instant(random))
            }
            16 => Condition::LastModified(
                *comparisons.choose(random).unwrap(),
                self.any_instant(random),
            ),
            17..19 => Condition::Member(self.any_id(random)),
            _ => Condition::MemberOf(self.any_id(random)),
        }
    }

    fn any_id(&self, random: &mut StdRng) -> Uuid {
        let users = self.users.keys().map(|id| id.as_uuid());
        users.chain(self.groups.keys().map(|id| id.as_uuid())).choose(random).unwrap()
    }

    fn any_instant(&self, random: &mut StdRng) -> Instant {
        let (user, _) = self.users.values().choose(random).unwrap();
        if random.random_bool(0.5) { user.created_at } else { user.updated_at }
    }

    fn users_where(&self, condition: &Condition) -> Vec<User> {
        let holds =
            |(user, content): &&(User, UserContent)| self.holds_of_user(condition, user, content);
        let mut found: Vec<_> =
            self.users.values().filter(holds).map(|(user, _)| user.clone()).collect();
        found.sort_by_key(|user| (user.created_at, user.id));
        found
    }

    fn groups_where(&self, condition: &Condition) -> Vec<Group> {
        let holds = |(group, content): &&(Group, GroupContent)| {
            self.holds_of_group(condition, group, content)
        };
        let mut found: Vec<_> =
            self.groups.values().filter(holds).map(|(group, _)| group.clone()).collect();
        found.sort_by_key(|group| (group.created_at, group.id));
        found
    }

    fn holds_of_user(&self, condition: &Condition, user: &User, content: &UserContent) -> bool {
        match condition {
            Condition::All => true,
            Condition::Nothing | Condition::Member(_) => false,
            Condition::And(parts) => {
                parts.iter().all(|part| self.holds_of_user(part, user, content))
            }
            Condition::Or(parts) => {
                parts.iter().any(|part| self.holds_of_user(part, user, content))
            }
            Condition::Id(id) => user.id.as_uuid() == *id,
            Condition::UserName(key) => content.user_name_key == *key,
            Condition::ExternalId(id) => content.external_id.as_ref() == Some(id),
            Condition::DisplayName(key) => content.display_name_key.as_ref() == Some(key),
            Condition::Email(key) => content.email_keys.contains(key),
            Condition::Active(active) => content.active == *active,
            Condition::Created(comparison, at) => compare(user.created_at, *comparison, *at),
            Condition::LastModified(comparison, at) => compare(user.updated_at, *comparison, *at),
            Condition::MemberOf(id) => {
                let members = self.members.get(&GroupId::from(*id));
                members.is_some_and(|members| members.contains(&MemberId::User(user.id)))
            }
        }
    }

    fn holds_of_group(&self, condition: &Condition, group: &Group, content: &GroupContent) -> bool {
        match condition {
            Condition::All => true,
            Condition::Nothing
            | Condition::UserName(_)
            | Condition::Email(_)
            | Condition::Active(_)
            | Condition::MemberOf(_) => false,
            Condition::And(parts) => {
                parts.iter().all(|part| self.holds_of_group(part, group, content))
            }
            Condition::Or(parts) => {
                parts.iter().any(|part| self.holds_of_group(part, group, content))
            }
            Condition::Id(id) => group.id.as_uuid() == *id,
            Condition::ExternalId(id) => content.external_id.as_ref() == Some(id),
            Condition::DisplayName(key) => content.display_name_key == *key,
            Condition::Created(comparison, at) => compare(group.created_at, *comparison, *at),
            Condition::LastModified(comparison, at) => compare(group.updated_at, *comparison, *at),
            Condition::Member(id) => {
                self.members[&group.id].iter().any(|member| member.as_uuid() == *id)
            }
        }
    }
}

fn compare(left: Instant, comparison: Comparison, right: Instant) -> bool {
    match comparison {
        Comparison::Equal => left == right,
        Comparison::Greater => left > right,
        Comparison::GreaterOrEqual => left >= right,
        Comparison::Less => left < right,
        Comparison::LessOrEqual => left <= right,
    }
}
