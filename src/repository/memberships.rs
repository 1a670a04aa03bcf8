//! Which groups users are in.

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use sea_orm::DbBackend;
use uuid::Uuid;

use super::connection::{Rows, from_row};
use super::ids::{among, taken_apart, together, value};
use super::query::simplified;
use super::{Error, Read, Result};
use crate::model::{Condition, ConfigurationId, Document, GroupId, GroupOf, ResourceKind, UserId};

impl Read {
    /// The groups that these users are in directly, each once, in order of their
    /// ids.
    pub async fn groups_of(
        &self,
        configuration: ConfigurationId,
        users: &[UserId],
    ) -> Result<Vec<GroupOf>> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let backend = self.connection.backend();
        let ids = value(backend, users.iter().map(|user| user.as_uuid()));
        let (sql, values) = (groups_of(backend), [configuration.as_uuid().into(), ids]);
        let rows = match users {
            [_] => self.connection.query_often(sql, values).await?,
            // Who asks for one user does not wait for the groups of a page.
            _ => self.connection.query(sql, values).await?,
        };
        in_order(rows)
    }

    /// The same of the user whom this condition finds by name, for whoever asks for that
    /// user at the same time. `None` where the condition is another, and where that gains
    /// nothing, because one statement runs after the other.
    pub async fn groups_of_user_named(
        &self,
        configuration: ConfigurationId,
        condition: &Condition,
    ) -> Result<Option<Vec<GroupOf>>> {
        static ON_POSTGRES: LazyLock<String> = LazyLock::new(|| {
            let named = "= (SELECT id FROM scim_users AS users \
                            WHERE users.configuration_id = $1 AND users.user_name_key = $2)";
            groups_of_those(DbBackend::Postgres, named)
        });
        if self.connection.backend() == DbBackend::Sqlite {
            return Ok(None);
        }
        let Condition::UserName(key) = simplified(ResourceKind::User, condition) else {
            return Ok(None);
        };
        let values = [configuration.as_uuid().into(), key.into()];
        let rows = self.connection.query_often(&ON_POSTGRES, values).await?;
        in_order(rows).map(Some)
    }
}

fn in_order(rows: Vec<Row>) -> Result<Vec<GroupOf>> {
    let mut groups: Vec<_> = rows.into_iter().map(GroupOf::try_from).collect::<Result<_>>()?;
    groups.sort_unstable_by_key(|group| group.id);
    Ok(groups)
}

/// See [`Read::groups_of`]. Written out once for all requests.
fn groups_of(backend: DbBackend) -> &'static str {
    static ON_SQLITE: LazyLock<String> = LazyLock::new(|| groups_of_ids(DbBackend::Sqlite));
    static ON_POSTGRES: LazyLock<String> = LazyLock::new(|| groups_of_ids(DbBackend::Postgres));
    match backend {
        DbBackend::Sqlite => &ON_SQLITE,
        _ => &ON_POSTGRES,
    }
}

fn groups_of_ids(backend: DbBackend) -> String {
    groups_of_those(backend, &among(backend, "$2"))
}

/// The groups of the users of whom `condition` holds, as it stands behind their ids.
fn groups_of_those(backend: DbBackend, condition: &str) -> String {
    // Many users of a page are in the same groups. And not as a join: PostgreSQL
    // would rather read all groups there are than look those up. A `+` keeps
    // SQLite from walking all memberships in the order of groups.
    let plus = match backend {
        DbBackend::Sqlite => "+",
        _ => "",
    };
    format!(
        "SELECT held.group_id, {}, \
             (SELECT document FROM scim_groups AS groups \
              WHERE groups.configuration_id = held.configuration_id \
                AND groups.id = held.group_id) \
         FROM scim_group_members AS held \
         WHERE held.configuration_id = $1 AND held.member_id {condition} \
         GROUP BY held.configuration_id, {plus}held.group_id",
        together(backend, "held.member_id"),
    )
}

struct Row {
    group: Uuid,
    users: Vec<u8>,
    document: Document,
}

from_row!(Row { group, users, document });

impl TryFrom<Row> for GroupOf {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: GroupId::from(row.group),
            document: row.document,
            users: taken_apart(&row.users)?.into_iter().map(UserId::from).collect(),
        })
    }
}
