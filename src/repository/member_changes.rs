//! Entering and leaving groups.
//!
//! Nothing here reads more of a group than what changes in it, unless all of it
//! is replaced: one of 100,000 members gains and loses one as fast as a group of
//! ten.

use std::collections::BTreeSet;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Value};
use uuid::Uuid;

use super::connection::from_row;
use super::entity::group_member;
use super::ids::{self, among, value};
use super::members::{GROUP, Row, USER};
use super::{Result, Write};
use crate::model::{ConfigurationId, GroupId, MemberChange, MemberId};

impl Write {
    /// Who was really added, and who removed. The caller has the group's row.
    pub(super) async fn change_members(
        &self,
        configuration: ConfigurationId,
        group: GroupId,
        change: &MemberChange,
    ) -> Result<(Vec<MemberId>, Vec<MemberId>)> {
        match change {
            MemberChange::Difference { add, remove } => {
                let removed = self.remove_members(configuration, group, remove).await?;
                Ok((self.add_members(configuration, group, add).await?, removed))
            }
            MemberChange::Replace(members) => {
                // As many as the group has.
                self.transaction.take_long(true);
                let stored = self.all_members(configuration, group).await?;
                self.transaction.take_long(false);
                let gone = (&stored - members).into_iter().map(MemberId::as_uuid).collect();
                let removed = self.remove_members(configuration, group, &gone).await?;
                let new = members - &stored;
                Ok((self.add_members(configuration, group, &new).await?, removed))
            }
        }
    }

    /// Adds those that exist and are no members yet.
    pub(super) async fn add_members(
        &self,
        configuration: ConfigurationId,
        group: GroupId,
        members: &BTreeSet<MemberId>,
    ) -> Result<Vec<MemberId>> {
        let (mut users, mut groups) = (Vec::new(), Vec::new());
        for member in members {
            match member {
                MemberId::User(id) => users.push(id.as_uuid()),
                MemberId::Group(id) => groups.push(id.as_uuid()),
            }
        }
        let mut added = Vec::with_capacity(members.len());
        for (table, kind, ids) in [("scim_users", USER, users), ("scim_groups", GROUP, groups)] {
            if ids.is_empty() {
                continue;
            }
            // Taken from the table that they must be in, so that nobody is a
            // member who does not exist, and locked, so that nobody goes now.
            let sql = format!(
                "INSERT INTO scim_group_members \
                     (configuration_id, group_id, member_id, member_kind) \
                 SELECT configuration_id, $2, id, {kind} FROM {table} \
                 WHERE configuration_id = $1 AND id{} {} \
                 ON CONFLICT DO NOTHING RETURNING member_id, member_kind",
                among(self.backend(), "$3"),
                self.on_postgres("FOR KEY SHARE")
            );
            let ids = value(self.backend(), ids);
            added.extend(self.changed_members(configuration, group, sql, ids).await?);
        }
        Ok(added)
    }

    async fn remove_members(
        &self,
        configuration: ConfigurationId,
        group: GroupId,
        members: &BTreeSet<Uuid>,
    ) -> Result<Vec<MemberId>> {
        if members.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "DELETE FROM scim_group_members \
             WHERE configuration_id = $1 AND group_id = $2 AND member_id{} \
             RETURNING member_id, member_kind",
            among(self.backend(), "$3")
        );
        let members = value(self.backend(), members.iter().copied());
        self.changed_members(configuration, group, sql, members).await
    }

    async fn changed_members(
        &self,
        configuration: ConfigurationId,
        group: GroupId,
        sql: String,
        ids: Value,
    ) -> Result<Vec<MemberId>> {
        let values = [configuration.as_uuid().into(), group.as_uuid().into(), ids];
        let rows: Vec<Row> = self.query(sql, values).await?;
        rows.into_iter().map(MemberId::try_from).collect()
    }

    /// All of a group in one row: of 100,000 the handing over would cost more
    /// than the reading.
    async fn all_members(
        &self,
        configuration: ConfigurationId,
        group: GroupId,
    ) -> Result<BTreeSet<MemberId>> {
        let all = |kind| {
            let id = format!("CASE WHEN member_kind = {kind} THEN member_id END");
            ids::together(self.backend(), &id)
        };
        let sql = format!(
            "SELECT {} AS users, {} AS groups \
             FROM scim_group_members WHERE configuration_id = $1 AND group_id = $2",
            all(USER),
            all(GROUP)
        );
        let values = [configuration.as_uuid().into(), group.as_uuid().into()];
        let rows: Vec<AllMembers> = self.query(sql, values).await?;
        let mut members = BTreeSet::new();
        for row in rows {
            let users = ids::taken_apart(row.users.as_deref().unwrap_or_default())?;
            members.extend(users.into_iter().map(|id| MemberId::User(id.into())));
            let groups = ids::taken_apart(row.groups.as_deref().unwrap_or_default())?;
            members.extend(groups.into_iter().map(|id| MemberId::Group(id.into())));
        }
        Ok(members)
    }

    pub(super) async fn remove_all_members(
        &self,
        configuration: ConfigurationId,
        group: GroupId,
    ) -> Result<()> {
        use group_member::{Column, Entity};
        // As many as the group has.
        self.transaction.take_long(true);
        let delete = Entity::delete_many()
            .filter(Column::ConfigurationId.eq(configuration.as_uuid()))
            .filter(Column::GroupId.eq(group.as_uuid()));
        self.perform(&delete).await?;
        Ok(())
    }

    /// Before a member is deleted. Whoever adds a member has the group's row
    /// first and the member's second: so must whoever removes it everywhere, or
    /// the two may wait for each other. A group that it enters in between can
    /// still bring that about; PostgreSQL then ends one of the two, which is
    /// [`Error::Deadlock`].
    pub(super) async fn lock_groups_of(
        &self,
        configuration: ConfigurationId,
        member: Uuid,
    ) -> Result<()> {
        let lock = self.on_postgres(
            "SELECT 1 FROM scim_groups WHERE configuration_id = $1 AND id IN \
                 (SELECT group_id FROM scim_group_members \
                  WHERE configuration_id = $1 AND member_id = $2) \
             ORDER BY id FOR NO KEY UPDATE",
        );
        if !lock.is_empty() {
            self.execute(lock, [configuration.as_uuid().into(), member.into()]).await?;
        }
        Ok(())
    }

    /// After a member is deleted: nobody can add it to a group any more.
    pub(super) async fn leave_groups(
        &self,
        configuration: ConfigurationId,
        member: MemberId,
    ) -> Result<()> {
        let key = [configuration.as_uuid().into(), member.as_uuid().into()];
        let [owner, id] = key.clone();
        let left: Vec<Left> = self
            .query(
                "UPDATE scim_groups SET version = version + 1, \
                     member_count = member_count - 1, updated_at = $3 \
                 WHERE configuration_id = $1 AND id IN \
                     (SELECT group_id FROM scim_group_members \
                      WHERE configuration_id = $1 AND member_id = $2) \
                 RETURNING id, version",
                [owner, id, self.now.as_micros().into()],
            )
            .await?;
        if !left.is_empty() {
            self.execute(
                "DELETE FROM scim_group_members WHERE configuration_id = $1 AND member_id = $2",
                key,
            )
            .await?;
        }
        for group in left {
            self.record_members(configuration, group.id.into(), group.version, &[], &[member]);
        }
        Ok(())
    }
}

/// A group that somebody left, and its version since.
struct Left {
    id: Uuid,
    version: i64,
}

from_row!(Left { id, version });

/// Ids one behind the other, if there are some.
struct AllMembers {
    users: Option<Vec<u8>>,
    groups: Option<Vec<u8>>,
}

from_row!(AllMembers { users, groups });
