//! Who is in which group, and who may be. How that changes is in
//! `member_changes`.

use std::collections::BTreeSet;

use sea_orm::{
    ConnectionTrait, EntityTrait, FromQueryResult, QueryResult, QuerySelect, Statement, Value,
};
use uuid::Uuid;

use super::entity::group;
use super::ids::{among, value};
use super::{Error, Read, Result, Write};
use crate::model::{ConfigurationId, GroupId, MemberId, Membership, UserId};

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
    ) -> Result<Vec<Membership>> {
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

    /// The groups that each of these users is in directly, with the document of
    /// each group, in order of users and groups.
    pub async fn groups_of(
        &self,
        configuration: ConfigurationId,
        users: &[UserId],
    ) -> Result<Vec<Membership>> {
        groups_of(&self.connection, configuration, users).await
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
    ) -> Result<Vec<Membership>> {
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

    /// See [`Read::groups_of`].
    pub async fn groups_of(
        &self,
        configuration: ConfigurationId,
        users: &[UserId],
    ) -> Result<Vec<Membership>> {
        groups_of(&self.transaction, configuration, users).await
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
        let rows: Vec<Id> = self.query(sql, values).await?;
        Ok(rows.into_iter().map(|row| row.id.into()).collect())
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
        let rows: Vec<Id> = self.query(sql, [configuration.as_uuid().into(), ids]).await?;
        Ok(rows.into_iter().map(|row| row.id).collect())
    }
}

async fn members<C: ConnectionTrait>(
    connection: &C,
    configuration: ConfigurationId,
    group: GroupId,
    after: Option<Uuid>,
    limit: u64,
) -> Result<Vec<Membership>> {
    const SQL: &str = "SELECT held.group_id, held.member_id, held.member_kind, \
             COALESCE(users.document, groups.document) AS document \
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
    memberships(connection, SQL.to_owned(), values).await
}

async fn groups_of<C: ConnectionTrait>(
    connection: &C,
    configuration: ConfigurationId,
    users: &[UserId],
) -> Result<Vec<Membership>> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let backend = connection.get_database_backend();
    // Not as a join: PostgreSQL would rather read all groups of the organization
    // than look up those of a hundred users.
    let sql = format!(
        "SELECT held.group_id, held.member_id, held.member_kind, \
             (SELECT document FROM scim_groups AS groups \
              WHERE groups.configuration_id = held.configuration_id \
                AND groups.id = held.group_id) AS document \
         FROM scim_group_members AS held \
         WHERE held.configuration_id = $1 AND held.member_id{} \
         ORDER BY held.member_id, held.group_id",
        among(backend, "$2")
    );
    let users = value(backend, users.iter().map(|user| user.as_uuid()));
    memberships(connection, sql, [configuration.as_uuid().into(), users]).await
}

async fn memberships<C: ConnectionTrait, const N: usize>(
    connection: &C,
    sql: String,
    values: [Value; N],
) -> Result<Vec<Membership>> {
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    let rows = connection.query_all_raw(statement).await?;
    rows.iter().map(membership).collect()
}

async fn member_count<C: ConnectionTrait>(
    connection: &C,
    configuration: ConfigurationId,
    group: GroupId,
) -> Result<Option<u64>> {
    let count: Option<i64> = group::Entity::find_by_id((configuration.as_uuid(), group.as_uuid()))
        .select_only()
        .column(group::Column::MemberCount)
        .into_tuple()
        .one(connection)
        .await?;
    let corrupt = |_| Error::Corrupt("scim_groups.member_count");
    count.map(|count| u64::try_from(count).map_err(corrupt)).transpose()
}

#[derive(FromQueryResult)]
struct Id {
    id: Uuid,
}

#[derive(FromQueryResult)]
pub(super) struct Member {
    pub(super) member_id: Uuid,
    member_kind: i64,
}

/// By their places: there are many of them in a page of users, and each name
/// would have to be looked for.
fn membership(row: &QueryResult) -> Result<Membership> {
    let group: Uuid = row.try_get_by_index(0)?;
    let member =
        Member { member_id: row.try_get_by_index(1)?, member_kind: row.try_get_by_index(2)? };
    let document = row.try_get_by_index(3)?;
    Ok(Membership { group: group.into(), member: member.try_into()?, document })
}

impl TryFrom<Member> for MemberId {
    type Error = Error;

    fn try_from(row: Member) -> Result<Self> {
        match row.member_kind {
            USER => Ok(Self::User(row.member_id.into())),
            GROUP => Ok(Self::Group(row.member_id.into())),
            _ => Err(Error::Corrupt("scim_group_members.member_kind")),
        }
    }
}
