//! Groups. Their members are another matter; see `members`.

use std::collections::BTreeSet;

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryTrait, Set, UpdateMany};

use super::entity::group::{ActiveModel, Column, Entity};
use super::query::Kind;
use super::resources::{self, Row};
use super::{Error, Read, Result, Write};
use crate::model::{
    Condition, ConfigurationId, EventKind, Group, GroupContent, GroupId, GroupUpdate, MemberChange,
    MemberId, Resource, Slice, Written, changed_paths,
};

impl Read {
    /// One group.
    pub async fn group(
        &self,
        configuration: ConfigurationId,
        id: GroupId,
    ) -> Result<Option<Group>> {
        let row = self.row::<Entity, Row>(configuration, id.as_uuid()).await?;
        row.map(Group::try_from).transpose()
    }

    /// The groups for which `condition` holds, of these a part, in order of
    /// creation.
    pub async fn groups(
        &self,
        configuration: ConfigurationId,
        condition: &Condition,
        slice: Slice,
    ) -> Result<Vec<Group>> {
        let rows =
            resources::slice::<Entity, Row, _>(&self.connection, configuration, condition, slice)
                .await?;
        rows.into_iter().map(Group::try_from).collect()
    }
}

impl Write {
    /// One group, which nobody else changes or deletes until the transaction
    /// ends; nor its members.
    pub async fn group_for_update(
        &self,
        configuration: ConfigurationId,
        id: GroupId,
    ) -> Result<Option<Group>> {
        let row = self.resource_for_update::<Entity, Row>(configuration, id.as_uuid()).await?;
        row.map(Group::try_from).transpose()
    }

    /// Makes a group of those of `members` that there are; see
    /// [`Write::resolve_members`]. Where the `displayName` is taken the
    /// transaction goes on, and nothing is changed. `id`: one of
    /// [`Repository::new_id`] that the group is to have.
    pub async fn create_group(
        &self,
        configuration: ConfigurationId,
        id: Option<GroupId>,
        content: GroupContent,
        members: &BTreeSet<MemberId>,
    ) -> Result<Written<Group>> {
        let group = Row {
            id: id.unwrap_or_else(|| GroupId::new(self.now, self.random.id_bytes())).as_uuid(),
            document: content.document.clone(),
            version: 1,
            created_at: self.now.as_micros(),
            updated_at: self.now.as_micros(),
        };
        let row = ActiveModel {
            configuration_id: Set(configuration.as_uuid()),
            id: Set(group.id),
            display_name_key: Set(content.display_name_key),
            external_id: Set(content.external_id),
            document: Set(content.document.to_string()),
            member_count: Set(length(members.len())),
            version: Set(group.version),
            created_at: Set(group.created_at),
            updated_at: Set(group.updated_at),
        };
        if !self.insert_unless_taken(row, Column::DisplayNameKey).await? {
            return Ok(Written::NameTaken);
        }
        let added = self.add_members(configuration, group.id.into(), members).await?;
        if added.len() < members.len() {
            let fewer = length(added.len()) - length(members.len());
            self.store_members(configuration, &group, fewer).await?;
        }
        self.count_one_more(configuration, Kind::Group).await?;
        let group = Group::try_from(group)?;
        self.record_group(configuration, EventKind::GroupCreated, &group, &[]);
        self.record_members(configuration, group.id, 1, &added, &[]);
        Ok(Written::Done(group))
    }

    /// Changes what a group is, if there is `content`, and who its members are.
    /// Both together make one new version; no content and nothing to change in
    /// the members make none. `None`: there is no such group. Where the
    /// `displayName` is taken the transaction goes on, and nothing is changed.
    ///
    /// Of the members to be added those that do not exist are left out; see
    /// [`Write::resolve_members`]. That a group among them does not hold this
    /// one is for the caller to see to; see [`Write::groups_holding`].
    pub async fn update_group(
        &self,
        configuration: ConfigurationId,
        id: GroupId,
        content: Option<GroupContent>,
        change: &MemberChange,
    ) -> Result<Option<Written<GroupUpdate>>> {
        let row = self.resource_for_update::<Entity, Row>(configuration, id.as_uuid()).await?;
        let Some(mut row) = row else { return Ok(None) };
        let next = (row.version + 1, self.now.as_micros());
        if let Some(content) = content {
            (row.version, row.updated_at) = next;
            let changed = changed_paths(&row.document, &content.document);
            row.document = content.document.clone();
            if !self.store_content(configuration, &row, content).await? {
                return Ok(Some(Written::NameTaken));
            }
            let group = Group::try_from(row.clone())?;
            self.record_group(configuration, EventKind::GroupUpdated, &group, &changed);
        }
        let (added, removed) = self.change_members(configuration, id, change).await?;
        if !added.is_empty() || !removed.is_empty() {
            (row.version, row.updated_at) = next;
            let more = length(added.len()) - length(removed.len());
            self.store_members(configuration, &row, more).await?;
            self.record_members(configuration, id, row.version, &added, &removed);
        }
        Ok(Some(Written::Done(GroupUpdate { group: row.try_into()?, added, removed })))
    }

    /// Removes a group, which leaves all groups that it is in: each of them gets
    /// a new version. `false`: there is no such group.
    pub async fn delete_group(&self, configuration: ConfigurationId, id: GroupId) -> Result<bool> {
        self.lock_groups_of(configuration, id.as_uuid()).await?;
        let group = Entity::delete_by_id((configuration.as_uuid(), id.as_uuid()));
        if self.perform(&group).await? == 0 {
            return Ok(false);
        }
        self.leave_groups(configuration, MemberId::Group(id)).await?;
        self.remove_all_members(configuration, id).await?;
        self.count_one_less(configuration, Kind::Group).await?;
        self.record_deleted(configuration, EventKind::GroupDeleted, id.as_uuid());
        Ok(true)
    }

    /// `false`: the `displayName` is taken.
    async fn store_content(
        &self,
        configuration: ConfigurationId,
        row: &Row,
        content: GroupContent,
    ) -> Result<bool> {
        let update = one(configuration, row).set(ActiveModel {
            display_name_key: Set(content.display_name_key),
            external_id: Set(content.external_id),
            document: Set(content.document.to_string()),
            version: Set(row.version),
            updated_at: Set(row.updated_at),
            ..Default::default()
        });
        let update = self.transaction.execute(update.build(self.backend()));
        Ok(self.unless_taken(update).await?.is_some())
    }

    /// Stores that there are so many members more.
    async fn store_members(
        &self,
        configuration: ConfigurationId,
        row: &Row,
        more: i64,
    ) -> Result<()> {
        let update = one(configuration, row)
            .set(ActiveModel {
                version: Set(row.version),
                updated_at: Set(row.updated_at),
                ..Default::default()
            })
            .col_expr(Column::MemberCount, Expr::col(Column::MemberCount).add(more));
        self.perform(&update).await?;
        Ok(())
    }
}

fn one(configuration: ConfigurationId, row: &Row) -> UpdateMany<Entity> {
    Entity::update_many()
        .filter(Column::ConfigurationId.eq(configuration.as_uuid()))
        .filter(Column::Id.eq(row.id))
}

impl TryFrom<Row> for Group {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let Resource { id, document, version, created_at, updated_at } = row.read(Kind::Group)?;
        Ok(Self { id: id.into(), document, version, created_at, updated_at })
    }
}

fn length(members: usize) -> i64 {
    i64::try_from(members).expect("what is in memory can be counted")
}
