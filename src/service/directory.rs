//! `scimd.v1.DirectoryService`: who was provisioned.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::error::Error;
use super::pagination::{self, Place};
use super::resource::{self, Owner};
use super::rules::id;
use super::snapshot::SnapshotTurns;
use crate::auth::{Authenticator, Caller};
use crate::model::{Condition, ConfigurationId, GroupId, Position, Scope, Slice, UserId, fold};
use crate::proto::scimd::v1::directory_service_server::DirectoryService;
use crate::proto::scimd::v1::{
    GetGroupRequest, GetGroupResponse, GetSnapshotRequest, GetSnapshotResponse, GetUserRequest,
    GetUserResponse, ListEventsRequest, ListEventsResponse, ListGroupMembersRequest,
    ListGroupMembersResponse, ListGroupsRequest, ListGroupsResponse, ListUserGroupsRequest,
    ListUserGroupsResponse, ListUsersRequest, ListUsersResponse, StreamEventsRequest,
    StreamEventsResponse,
};
use crate::repository::Repository;

/// The service. Requests reach it authenticated, within the caller's role, and
/// with all rules of their fields kept.
pub struct Directory {
    pub(super) repository: Repository,
    /// Who lets callers in, and says whether they may stay.
    pub(super) authenticator: Authenticator,
    /// Cancelled when the server ends.
    pub(super) closed: CancellationToken,
    /// Who may take snapshots.
    pub(super) turns: Arc<SnapshotTurns>,
}

impl Directory {
    /// A service over `repository`.
    #[must_use]
    pub fn new(
        repository: Repository,
        authenticator: Authenticator,
        closed: CancellationToken,
        turns: Arc<SnapshotTurns>,
    ) -> Self {
        Self { repository, authenticator, closed, turns }
    }

    /// Lists users of an organization, or of one configuration of it.
    pub async fn list_users(
        self: Arc<Self>,
        caller: Caller,
        request: ListUsersRequest,
    ) -> Result<ListUsersResponse, Error> {
        let condition = all_of([
            (request.email, |text| Condition::Email(fold(&text))),
            (request.user_name, |text| Condition::UserName(fold(&text))),
            (request.external_id, Condition::ExternalId),
        ]);
        let walk = pagination::walk(request.pagination.as_ref())?;
        let owners =
            self.owners(caller, &request.organization_id, &request.scim_configuration_id).await?;
        let mut found = Vec::new();
        for owner in owners {
            let Some(slice) = walk.slice(owner.configuration, found.len()) else { continue };
            let users =
                self.repository.read().users(owner.configuration, &condition, slice).await?;
            found.extend(users.into_iter().map(|user| (owner, user)));
        }
        let pagination = walk.finish(
            &mut found,
            |(_, user)| user.document.len(),
            |(owner, user)| Place {
                configuration: owner.configuration,
                position: Position { created_at: user.created_at, id: user.id.as_uuid() },
            },
        );
        let users = found.into_iter().map(|(owner, user)| resource::user(owner, &user));
        Ok(ListUsersResponse {
            pagination: Some(pagination),
            users: users.collect::<Result<_, _>>()?,
        })
    }

    /// Answers with one user.
    pub async fn get_user(
        self: Arc<Self>,
        caller: Caller,
        request: GetUserRequest,
    ) -> Result<GetUserResponse, Error> {
        let owner = self.owner(caller.scope, &request.scim_configuration_id).await?;
        let id: UserId = id("user_id", &request.user_id)?;
        let user = self.repository.read().user(owner.configuration, id).await?;
        let user = user.ok_or(Error::UserNotFound(id))?;
        Ok(GetUserResponse { user: Some(resource::user(owner, &user)?) })
    }

    /// Lists groups of an organization, or of one configuration of it.
    pub async fn list_groups(
        self: Arc<Self>,
        caller: Caller,
        request: ListGroupsRequest,
    ) -> Result<ListGroupsResponse, Error> {
        let condition = all_of([
            (request.display_name, |text| Condition::DisplayName(fold(&text))),
            (request.external_id, Condition::ExternalId),
        ]);
        let walk = pagination::walk(request.pagination.as_ref())?;
        let owners =
            self.owners(caller, &request.organization_id, &request.scim_configuration_id).await?;
        let mut found = Vec::new();
        for owner in owners {
            let Some(slice) = walk.slice(owner.configuration, found.len()) else { continue };
            let groups =
                self.repository.read().groups(owner.configuration, &condition, slice).await?;
            found.extend(groups.into_iter().map(|group| (owner, group)));
        }
        let pagination = walk.finish(
            &mut found,
            |(_, group)| group.document.len(),
            |(owner, group)| Place {
                configuration: owner.configuration,
                position: Position { created_at: group.created_at, id: group.id.as_uuid() },
            },
        );
        let groups = found.into_iter().map(|(owner, group)| resource::group(owner, &group));
        let groups = groups.collect::<Result<_, _>>()?;
        Ok(ListGroupsResponse { pagination: Some(pagination), groups })
    }

    /// Answers with one group.
    pub async fn get_group(
        self: Arc<Self>,
        caller: Caller,
        request: GetGroupRequest,
    ) -> Result<GetGroupResponse, Error> {
        let owner = self.owner(caller.scope, &request.scim_configuration_id).await?;
        let id: GroupId = id("group_id", &request.group_id)?;
        let group = self.repository.read().group(owner.configuration, id).await?;
        let group = group.ok_or(Error::GroupNotFound(id))?;
        Ok(GetGroupResponse { group: Some(resource::group(owner, &group)?) })
    }

    /// Lists the direct members of a group.
    pub async fn list_group_members(
        self: Arc<Self>,
        caller: Caller,
        request: ListGroupMembersRequest,
    ) -> Result<ListGroupMembersResponse, Error> {
        let owner = self.owner(caller.scope, &request.scim_configuration_id).await?;
        let id: GroupId = id("group_id", &request.group_id)?;
        let (after, limit) = pagination::behind_id(request.pagination.as_ref())?;
        let store = self.repository.read();
        if store.member_count(owner.configuration, id).await?.is_none() {
            return Err(Error::GroupNotFound(id));
        }
        // One more than asked for tells whether there is a next page.
        let mut members =
            store.members(owner.configuration, id, after, u64::from(limit) + 1).await?;
        let more = members.len() > limit as usize;
        members.truncate(limit as usize);
        let next = members.last().filter(|_| more).map(|last| last.id.as_uuid());
        Ok(ListGroupMembersResponse {
            pagination: Some(pagination::next(next)),
            members: members.into_iter().map(|member| member.id.into()).collect(),
        })
    }

    /// Lists the groups that a user is directly in.
    pub async fn list_user_groups(
        self: Arc<Self>,
        caller: Caller,
        request: ListUserGroupsRequest,
    ) -> Result<ListUserGroupsResponse, Error> {
        let owner = self.owner(caller.scope, &request.scim_configuration_id).await?;
        let id: UserId = id("user_id", &request.user_id)?;
        let page = pagination::page(request.pagination.as_ref())?;
        let store = self.repository.read();
        if store.user(owner.configuration, id).await?.is_none() {
            return Err(Error::UserNotFound(id));
        }
        let condition = Condition::Member(id.as_uuid());
        let slice = Slice { after: page.after, skip: 0, limit: u64::from(page.limit) + 1 };
        let mut groups = store.groups(owner.configuration, &condition, slice).await?;
        let more = groups.len() > page.limit as usize;
        groups.truncate(page.limit as usize);
        let next = groups.last().filter(|_| more);
        let next = next.map(|last| Position { created_at: last.created_at, id: last.id.as_uuid() });
        let groups = groups.into_iter().map(|group| resource::group(owner, &group));
        Ok(ListUserGroupsResponse {
            pagination: Some(pagination::next(next)),
            groups: groups.collect::<Result<_, _>>()?,
        })
    }

    /// The configuration of this id, if it is within `scope`.
    async fn owner(&self, scope: Scope, configuration: &str) -> Result<Owner, Error> {
        let id: ConfigurationId = id("scim_configuration_id", configuration)?;
        let found = self.repository.read().configuration(scope, id).await?;
        let found = found.ok_or(Error::ConfigurationNotFound(id))?;
        Ok(Owner { organization: found.organization_id, configuration: id })
    }

    /// The configurations of an organization that are asked, in order.
    async fn owners(
        &self,
        caller: Caller,
        organization: &str,
        configuration: &str,
    ) -> Result<Vec<Owner>, Error> {
        let organization = id("organization_id", organization)?;
        caller.require_organization(organization)?;
        if !configuration.is_empty() {
            let scope = Scope::Organization(organization);
            return Ok(vec![self.owner(scope, configuration).await?]);
        }
        let ids = self.repository.read().configuration_ids(organization).await?;
        Ok(ids.into_iter().map(|configuration| Owner { organization, configuration }).collect())
    }
}

super::transport::serve!(Directory as DirectoryService, "scimd.v1.DirectoryService" {
    "ListUsers" => list_users(ListUsersRequest) -> ListUsersResponse;
    "GetUser" => get_user(GetUserRequest) -> GetUserResponse;
    "ListGroups" => list_groups(ListGroupsRequest) -> ListGroupsResponse;
    "GetGroup" => get_group(GetGroupRequest) -> GetGroupResponse;
    "ListGroupMembers" => list_group_members(ListGroupMembersRequest) -> ListGroupMembersResponse;
    "ListUserGroups" => list_user_groups(ListUserGroupsRequest) -> ListUserGroupsResponse;
    "ListEvents" => list_events(ListEventsRequest) -> ListEventsResponse;
} streams {
    "StreamEvents" => stream_events(StreamEventsRequest) -> StreamEventsResponse as StreamEventsStream;
    "GetSnapshot" => get_snapshot(GetSnapshotRequest) -> GetSnapshotResponse as GetSnapshotStream;
});

/// What a list is searched by: an empty text asks for nothing.
type Search = (String, fn(String) -> Condition);

fn all_of<const N: usize>(searches: [Search; N]) -> Condition {
    let asked = searches.into_iter().filter(|(text, _)| !text.is_empty());
    Condition::And(asked.map(|(text, condition)| condition(text)).collect())
}
