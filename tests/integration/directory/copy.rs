//! A product's copy of the directory, kept by nothing but the feed.

use std::collections::{BTreeMap, BTreeSet};

use scimd::proto::gitpod::v1::{PaginationRequest, ScimConfiguration};
use scimd::proto::scimd::v1::event::State;
use scimd::proto::scimd::v1::{
    Account, Event, EventKind, GetSnapshotRequest, GetSnapshotResponse, Group, ListAccountsRequest,
    ListGroupMembersRequest, ListGroupsRequest, ListUsersRequest, Member, User, member,
};

use super::{AccountsClient, GrpcClient};

/// Users, groups and accounts by id, and the members of each group that has some.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Copy {
    pub users: BTreeMap<String, User>,
    pub groups: BTreeMap<String, Group>,
    pub members: BTreeMap<String, BTreeSet<String>>,
    pub accounts: BTreeMap<String, Account>,
    /// Which the lists do not have.
    pub configurations: BTreeMap<String, ScimConfiguration>,
    /// The last event in it.
    pub number: u64,
}

impl Copy {
    /// Applies the next event: what it says replaces what was there.
    pub fn apply(&mut self, event: Event) {
        assert_eq!(event.number, self.number + 1, "no event is lost, none is out of order");
        self.number = event.number;
        if let Some(account) = event.account.clone() {
            self.accounts.insert(account.id.clone(), account);
        }
        match (event.kind(), event.state) {
            (EventKind::ConfigurationDeleted, _) => {
                drop(self.configurations.remove(&event.subject_id));
            }
            (_, Some(State::ScimConfiguration(configuration))) => {
                self.configurations.insert(event.subject_id, configuration);
            }
            (EventKind::AccountDeleted, _) => drop(self.accounts.remove(&event.subject_id)),
            (_, Some(State::AccountLink(link))) => {
                let user = self.users.get_mut(&event.subject_id).expect("told of before");
                user.account_link = Some(link);
            }
            (EventKind::UserDeleted, _) => drop(self.users.remove(&event.subject_id)),
            (EventKind::GroupDeleted, _) => {
                self.groups.remove(&event.subject_id);
                self.members.remove(&event.subject_id);
            }
            (_, Some(State::User(user))) => drop(self.users.insert(user.id.clone(), user)),
            (_, Some(State::Group(group))) => drop(self.groups.insert(group.id.clone(), group)),
            (_, Some(State::MembersChange(change))) => {
                let group = self.groups.get_mut(&event.subject_id).expect("told of before");
                group.version = change.version;
                group.updated_at = event.occurred_at;
                let members = self.members.entry(event.subject_id.clone()).or_default();
                members.extend(change.added.iter().map(id));
                for removed in &change.removed {
                    assert!(members.remove(&id(removed)), "who leaves was there");
                }
                if members.is_empty() {
                    self.members.remove(&event.subject_id);
                }
            }
            _ => {}
        }
    }

    /// Takes over a part of a snapshot.
    pub fn take_over(&mut self, part: GetSnapshotResponse) {
        self.users.extend(part.users.into_iter().map(|user| (user.id.clone(), user)));
        self.groups.extend(part.groups.into_iter().map(|group| (group.id.clone(), group)));
        self.accounts.extend(part.accounts.into_iter().map(|each| (each.id.clone(), each)));
        let configurations = part.scim_configurations.into_iter();
        self.configurations.extend(configurations.map(|each| (each.id.clone(), each)));
        for of_group in part.memberships {
            let members = self.members.entry(of_group.group_id).or_default();
            members.extend(of_group.members.iter().map(id));
        }
        self.number = part.number.unwrap_or(self.number);
    }

    /// What a snapshot says.
    pub async fn of_snapshot(client: &mut GrpcClient, organization: &str) -> Self {
        let mut copy = Self::default();
        let request = GetSnapshotRequest { organization_id: organization.to_owned() };
        let mut parts = client.get_snapshot(request).await.unwrap().into_inner();
        let mut is_whole = false;
        while let Some(part) = parts.message().await.unwrap() {
            assert!(!is_whole, "the number comes last");
            is_whole = part.number.is_some();
            copy.take_over(part);
        }
        assert!(is_whole);
        copy
    }

    /// What the lists say.
    pub async fn of_lists(
        client: &mut GrpcClient,
        accounts: &mut AccountsClient,
        organization: &str,
    ) -> Self {
        let organization_id = organization.to_owned();
        let mut copy = Self::default();
        let mut page = Some(PaginationRequest { page_size: 100, ..Default::default() });
        while let Some(pagination) = page.take() {
            let request = ListUsersRequest {
                organization_id: organization_id.clone(),
                pagination: Some(pagination),
                ..Default::default()
            };
            let answer = client.list_users(request).await.unwrap().into_inner();
            copy.users.extend(answer.users.into_iter().map(|user| (user.id.clone(), user)));
            page = next(answer.pagination.unwrap().next_token);
        }
        let mut page = Some(PaginationRequest { page_size: 100, ..Default::default() });
        while let Some(pagination) = page.take() {
            let request = ListGroupsRequest {
                organization_id: organization_id.clone(),
                pagination: Some(pagination),
                ..Default::default()
            };
            let answer = client.list_groups(request).await.unwrap().into_inner();
            copy.groups.extend(answer.groups.into_iter().map(|group| (group.id.clone(), group)));
            page = next(answer.pagination.unwrap().next_token);
        }
        let mut page = Some(PaginationRequest { page_size: 100, ..Default::default() });
        while let Some(pagination) = page.take() {
            let request = ListAccountsRequest {
                organization_id: organization_id.clone(),
                pagination: Some(pagination),
                ..Default::default()
            };
            let answer = accounts.list_accounts(request).await.unwrap().into_inner();
            copy.accounts.extend(answer.accounts.into_iter().map(|each| (each.id.clone(), each)));
            page = next(answer.pagination.unwrap().next_token);
        }
        for group in copy.groups.values() {
            let mut page = Some(PaginationRequest { page_size: 100, ..Default::default() });
            while let Some(pagination) = page.take() {
                let request = ListGroupMembersRequest {
                    scim_configuration_id: group.scim_configuration_id.clone(),
                    group_id: group.id.clone(),
                    pagination: Some(pagination),
                };
                let answer = client.list_group_members(request).await.unwrap().into_inner();
                if !answer.members.is_empty() {
                    let members = copy.members.entry(group.id.clone()).or_default();
                    members.extend(answer.members.iter().map(id));
                }
                page = next(answer.pagination.unwrap().next_token);
            }
        }
        copy
    }

    /// Fails unless both say the same, but for the `meta` of groups, which says
    /// version and time a second time and is not part of members' events.
    pub fn assert_same(mut self, mut other: Self) {
        for group in self.groups.values_mut().chain(other.groups.values_mut()) {
            group.resource.as_mut().unwrap().fields.remove("meta");
        }
        self.number = other.number;
        assert!(
            self.users == other.users,
            "users differ: {:#?}",
            differing(&self.users, &other.users)
        );
        assert!(
            self.groups == other.groups,
            "groups differ: {:#?}",
            differing(&self.groups, &other.groups)
        );
        assert!(
            self.accounts == other.accounts,
            "accounts differ: {:#?}",
            differing(&self.accounts, &other.accounts)
        );
        assert!(
            self.members == other.members,
            "members differ: {:#?}",
            differing(&self.members, &other.members)
        );
    }
}

type Pair<'a, T> = (Option<&'a T>, Option<&'a T>);

fn differing<'a, T: PartialEq>(
    one: &'a BTreeMap<String, T>,
    other: &'a BTreeMap<String, T>,
) -> Vec<Pair<'a, T>> {
    let ids: BTreeSet<_> = one.keys().chain(other.keys()).collect();
    let pairs = ids.into_iter().map(|id| (one.get(id), other.get(id)));
    pairs.filter(|(one, other)| one != other).take(3).collect()
}

fn next(token: String) -> Option<PaginationRequest> {
    (!token.is_empty()).then_some(PaginationRequest { page_size: 100, token })
}

fn id(member: &Member) -> String {
    match member.member.as_ref().unwrap() {
        member::Member::UserId(id) | member::Member::GroupId(id) => id.clone(),
    }
}
