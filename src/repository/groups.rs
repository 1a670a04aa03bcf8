//! Groups. Their members are another matter; see `members`.

use std::collections::BTreeSet;

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};

use super::entity::group::{ActiveModel, Column, Entity};
use super::query::Kind;
use super::resources::{self, Row};
use super::{Error, Read, Result, Write};
use crate::model::{
    Condition, ConfigurationId, EventKind, Group, GroupContent, GroupId, GroupUpdate, Instant,
    MemberChange, MemberId, Slice, changed_paths,
};

impl Read {
    /// One group.
    pub async fn group(
        &self,
        configuration: ConfigurationId,
        id: GroupId,
    ) -> Result<Option<Group>> {
        let row =
            resources::find::<Entity, _>(&self.connection, configuration, id.as_uuid()).await?;
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
        let rows = resources::slice::<Entity, _>(&self.connection, configuration, condition, slice)
            .await?;
        rows.into_iter().map(Group::try_from).collect()
    }

    /// For how many groups `condition` holds.
    pub async fn count_groups(
        &self,
        configuration: ConfigurationId,
        condition: &Condition,
    ) -> Result<u64> {
        resources::count::<Entity, _>(&self.connection, configuration, condition).await
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
        let row =
            resources::find_for_update::<Entity, _>(&self.transaction, configuration, id.as_uuid())
                .await?;
        row.map(Group::try_from).transpose()
    }

    /// Makes a group of those of `members` that there are; see
    /// [`Write::resolve_members`].
    pub async fn create_group(
        &self,
        configuration: ConfigurationId,
        content: GroupContent,
        members: &BTreeSet<MemberId>,
    ) -> Result<Group> {
        let id = GroupId::new(self.now, self.random_bytes());
        let added = self.add_members(configuration, id, members).await?;
        let row = ActiveModel {
            configuration_id: Set(configuration.as_uuid()),
            id: Set(id.as_uuid()),
            display_name_key: Set(content.display_name_key),
            external_id: Set(content.external_id),
            document: Set(content.document.clone()),
            member_count: Set(length(&added)),
            version: Set(1),
            created_at: Set(self.now.as_micros()),
            updated_at: Set(self.now.as_micros()),
        };
        Entity::insert(row).exec_without_returning(&self.transaction).await?;
        self.count_one_more(configuration, Kind::Group).await?;
        let group = Group {
            id,
            document: content.document,
            version: 1,
            created_at: self.now,
            updated_at: self.now,
        };
        self.record_group(configuration, EventKind::GroupCreated, &group, &[]);
        self.record_members(configuration, id, 1, &added, &[]);
        Ok(group)
    }

    /// Changes what a group is, if there is `content`, and who its members are.
    /// Both together make one new version; no content and nothing to change in
    /// the members make none. `None`: there is no such group.
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
    ) -> Result<Option<GroupUpdate>> {
        let row =
            resources::find_for_update::<Entity, _>(&self.transaction, configuration, id.as_uuid())
                .await?;
        let Some(mut row) = row else { return Ok(None) };
        let (added, removed) = self.change_members(configuration, id, change).await?;
        if content.is_some() || !added.is_empty() || !removed.is_empty() {
            row.version += 1;
            row.updated_at = self.now.as_micros();
            let document = content.as_ref().map(|content| content.document.clone());
            let more = length(&added) - length(&removed);
            self.store_group(configuration, &row, content, more).await?;
            if let Some(document) = document {
                let changed = changed_paths(&row.document, &document);
                row.document = document;
                let group = Group::try_from(row.clone())?;
                self.record_group(configuration, EventKind::GroupUpdated, &group, &changed);
            }
            self.record_members(configuration, id, row.version, &added, &removed);
        }
        Ok(Some(GroupUpdate { group: row.try_into()?, added, removed }))
    }

    /// Removes a group, which leaves all groups that it is in: each of them gets
    /// a new version. `false`: there is no such group.
    pub async fn delete_group(&self, configuration: ConfigurationId, id: GroupId) -> Result<bool> {
        self.lock_groups_of(configuration, id.as_uuid()).await?;
        let deleted = Entity::delete_by_id((configuration.as_uuid(), id.as_uuid()))
            .exec(&self.transaction)
            .await?;
        if deleted.rows_affected == 0 {
            return Ok(false);
        }
        self.leave_groups(configuration, MemberId::Group(id)).await?;
        self.remove_all_members(configuration, id).await?;
        self.count_one_less(configuration, Kind::Group).await?;
        self.record_deleted(configuration, EventKind::GroupDeleted, id.as_uuid());
        Ok(true)
    }

    async fn store_group(
        &self,
        configuration: ConfigurationId,
        row: &Row,
        content: Option<GroupContent>,
        more_members: i64,
    ) -> Result<()> {
        let mut change = ActiveModel {
            version: Set(row.version),
            updated_at: Set(row.updated_at),
            ..Default::default()
        };
        if let Some(content) = content {
            change.display_name_key = Set(content.display_name_key);
            change.external_id = Set(content.external_id);
            change.document = Set(content.document);
        }
        Entity::update_many()
            .set(change)
            .col_expr(Column::MemberCount, Expr::col(Column::MemberCount).add(more_members))
            .filter(Column::ConfigurationId.eq(configuration.as_uuid()))
            .filter(Column::Id.eq(row.id))
            .exec(&self.transaction)
            .await?;
        Ok(())
    }
}

impl TryFrom<Row> for Group {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            document: row.document,
            version: u64::try_from(row.version)
                .map_err(|_| Error::Corrupt("scim_groups.version"))?,
            created_at: Instant::from_micros(row.created_at),
            updated_at: Instant::from_micros(row.updated_at),
        })
    }
}

fn length(members: &[MemberId]) -> i64 {
    i64::try_from(members.len()).expect("what is in memory can be counted")
}
