//! Who is in a group, and who may be. How that changes is in `member_changes`, and
//! which groups a user is in, in `memberships`.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::connection::{Rows, from_row};
use super::entity::{group, user};
use super::ids::{among, value};
use super::{Error, Read, Result, Write, resources};
use crate::model::{ConfigurationId, Document, GroupId, Member, MemberId};

pub(super) const USER: i64 = 0;
pub(super) const GROUP: i64 = 1;

impl Read {
    /// The members of a group in order of their ids, those behind `after`, with
    /// the document of each.
    pub async fn members(
        &self,
        configuration: ConfigurationId,
        group: GroupId,
        after: Option<Uuid>,
        limit: u64,
    ) -> Result<Vec<Member>> {
        members(&self.connection, configuration, group, after, limit).await
    }

    /// How many members a group has, without counting them. `None`: there is no
    /// such group.
    pub async fn member_count(
        &self,
        configuration: ConfigurationId,
        group: GroupId,
    ) -> Result<Option<u64>> {
        member_count(&self.connection, configuration, group).await
    }
}

impl Write {
    /// See [`Read::members`].
    pub async fn members(
        &self,
        configuration: ConfigurationId,
        group: GroupId,
        after: Option<Uuid>,
        limit: u64,
    ) -> Result<Vec<Member>> {
        members(&self.transaction, configuration, group, after, limit).await
    }

    /// See [`Read::member_count`].
    pub async fn member_count(
        &self,
        configuration: ConfigurationId,
        group: GroupId,
    ) -> Result<Option<u64>> {
        member_count(&self.transaction, configuration, group).await
    }

    /// Those of `ids` that are users or groups of this configuration, each once
    /// and in order. None of them is deleted until the transaction ends, so the
    /// group that they shall enter comes first, see [`Write::group_for_update`]:
    /// who deletes a member also begins with its groups.
    pub async fn resolve_members(
        &self,
        configuration: ConfigurationId,
        ids: &[Uuid],
    ) -> Result<Vec<MemberId>> {
        let asked: BTreeSet<_> = ids.iter().copied().collect();
        let users = self.existing("scim_users", configuration, &asked).await?;
        let others = &asked - &users;
        let groups = self.existing("scim_groups", configuration, &others).await?;
        let users = users.into_iter().map(|id| MemberId::User(id.into()));
        Ok(users.chain(groups.into_iter().map(|id| MemberId::Group(id.into()))).collect())
    }

    /// Those of these users and groups that there are, in any order.
    pub async fn members_of_ids(
        &self,
        configuration: ConfigurationId,
        members: &BTreeSet<MemberId>,
    ) -> Result<Vec<Member>> {
        let (mut users, mut groups) = (Vec::new(), Vec::new());
        for member in members {
            match member {
                MemberId::User(id) => users.push(id.as_uuid()),
                MemberId::Group(id) => groups.push(id.as_uuid()),
            }
        }
        let tx = &self.transaction;
        let users = resources::find_all::<user::Entity, _>(tx, configuration, &users).await?;
        let groups = resources::find_all::<group::Entity, _>(tx, configuration, &groups).await?;
        let users = users
            .into_iter()
            .map(|user| Member { id: MemberId::User(user.id.into()), document: user.document });
        let groups = groups
            .into_iter()
            .map(|group| Member { id: MemberId::Group(group.id.into()), document: group.document });
        Ok(users.chain(groups).collect())
    }

    /// Those of `groups` that `group` is, or is in, through however many groups
    /// between: adding one of them to `group` would close a circle. Until the
    /// transaction ends nobody else who asks the same of this configuration gets
    /// an answer, so that two changes do not close a circle together.
    pub async fn groups_holding(
        &self,
        configuration: ConfigurationId,
        group: GroupId,
        groups: &[GroupId],
    ) -> Result<Vec<GroupId>> {
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let lock = self.on_postgres(
            "SELECT 1 FROM scim_directory_counts WHERE configuration_id = $1 FOR UPDATE",
        );
        if !lock.is_empty() {
            self.execute(lock, [configuration.as_uuid().into()]).await?;
        }
        // Upward: a group is in few groups, but may have many members.
        let sql = format!(
            "WITH RECURSIVE above (id) AS (
                SELECT id FROM scim_groups WHERE configuration_id = $1 AND id = $2
                UNION
                SELECT held.group_id FROM above JOIN scim_group_members AS held
                    ON held.configuration_id = $1 AND held.member_id = above.id
            )
            SELECT id FROM above WHERE id{} ORDER BY id",
            among(self.backend(), "$3")
        );
        let groups = value(self.backend(), groups.iter().map(|group| group.as_uuid()));
        let values = [configuration.as_uuid().into(), group.as_uuid().into(), groups];
        let ids = self.query::<Uuid>(sql, values).await?;
        Ok(ids.into_iter().map(GroupId::from).collect())
    }

    async fn existing(
        &self,
        table: &str,
        configuration: ConfigurationId,
        ids: &BTreeSet<Uuid>,
    ) -> Result<BTreeSet<Uuid>> {
        if ids.is_empty() {
            return Ok(BTreeSet::new());
        }
        let sql = format!(
            "SELECT id FROM {table} WHERE configuration_id = $1 AND id{} ORDER BY id {}",
            among(self.backend(), "$2"),
            self.on_postgres("FOR KEY SHARE")
        );
        let ids = value(self.backend(), ids.iter().copied());
        let ids = self.query::<Uuid>(sql, [configuration.as_uuid().into(), ids]).await?;
        Ok(ids.into_iter().collect())
    }
}

async fn members<C: Rows>(
    connection: &C,
    configuration: ConfigurationId,
    group: GroupId,
    after: Option<Uuid>,
    limit: u64,
) -> Result<Vec<Member>> {
    const SQL: &str = "SELECT held.member_id, held.member_kind, \
             COALESCE(users.document, groups.document) \
         FROM scim_group_members AS held \
         LEFT JOIN scim_users AS users ON held.member_kind = 0 \
             AND users.configuration_id = held.configuration_id AND users.id = held.member_id \
         LEFT JOIN scim_groups AS groups ON held.member_kind = 1 \
             AND groups.configuration_id = held.configuration_id AND groups.id = held.member_id \
         WHERE held.configuration_id = $1 AND held.group_id = $2 AND held.member_id > $3 \
         ORDER BY held.member_id LIMIT $4";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let values = [
        configuration.as_uuid().into(),
        group.as_uuid().into(),
        // Less than every id.
        after.unwrap_or(Uuid::nil()).into(),
        limit.into(),
    ];
    let rows: Vec<MemberRow> = connection.query(SQL, values).await?;
    rows.into_iter().map(Member::try_from).collect()
}

async fn member_count<C: Rows>(
    connection: &C,
    configuration: ConfigurationId,
    group: GroupId,
) -> Result<Option<u64>> {
    const SQL: &str =
        "SELECT member_count FROM scim_groups WHERE configuration_id = $1 AND id = $2";
    let values = [configuration.as_uuid().into(), group.as_uuid().into()];
    let count: Option<i64> = connection.query(SQL, values).await?.pop();
    let corrupt = |_| Error::Corrupt("scim_groups.member_count");
    count.map(|count| u64::try_from(count).map_err(corrupt)).transpose()
}

pub(super) struct Row {
    pub(super) member_id: Uuid,
    pub(super) member_kind: i64,
}

from_row!(Row { member_id, member_kind });

struct MemberRow {
    id: Row,
    document: Document,
}

from_row!(MemberRow { id, document });

impl TryFrom<MemberRow> for Member {
    type Error = Error;

    fn try_from(row: MemberRow) -> Result<Self> {
        Ok(Self { id: row.id.try_into()?, document: row.document })
    }
}

impl TryFrom<Row> for MemberId {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        match row.member_kind {
            USER => Ok(Self::User(row.member_id.into())),
            GROUP => Ok(Self::Group(row.member_id.into())),
            _ => Err(Error::Corrupt("scim_group_members.member_kind")),
        }
    }
}
