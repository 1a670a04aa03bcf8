//! How many users and groups a configuration has, without counting them.

use sea_orm::DbBackend;

use super::connection::Rows;
use super::locks;
use super::query::Kind;
use super::{Error, Result, Write};
use crate::model::ConfigurationId;

/// How many there are; `None` where there never was one.
pub(super) async fn total<C: Rows>(
    connection: &C,
    configuration: ConfigurationId,
    kind: Kind,
) -> Result<Option<i64>> {
    let sql = match kind {
        Kind::User => "SELECT user_count FROM scim_directory_counts WHERE configuration_id = $1",
        Kind::Group => "SELECT group_count FROM scim_directory_counts WHERE configuration_id = $1",
    };
    Ok(connection.query_often(sql, [configuration.as_uuid().into()]).await?.pop())
}

/// How many users are active. One statement, so that both numbers are of one
/// moment.
pub(super) async fn active_users<C: Rows>(
    connection: &C,
    configuration: ConfigurationId,
) -> Result<Option<i64>> {
    const SQL: &str = "SELECT user_count - \
            (SELECT COUNT(*) FROM scim_users WHERE configuration_id = $1 AND NOT active) \
        FROM scim_directory_counts WHERE configuration_id = $1";
    Ok(connection.query(SQL, [configuration.as_uuid().into()]).await?.pop())
}

impl Write {
    /// Notes one more. The last thing that a transaction does: what makes or
    /// removes something else waits from here on.
    ///
    /// Fails if the configuration is gone, and keeps it from going until the
    /// transaction ends: a resource that came after the purge of its
    /// configuration would stay for ever.
    pub(super) async fn count_one_more(
        &self,
        configuration: ConfigurationId,
        kind: Kind,
    ) -> Result<()> {
        let column = column(kind);
        let (users, groups) = match kind {
            Kind::User => (1, 0),
            Kind::Group => (0, 1),
        };
        let (line, lock) = if self.backend() == DbBackend::Postgres {
            let line = locks::wait_in_line(locks::COUNTS, "owner.id");
            (format!(", {line}"), "FOR KEY SHARE OF owner")
        } else {
            (String::new(), "")
        };
        let sql = format!(
            "INSERT INTO scim_directory_counts (configuration_id, user_count, group_count) \
             SELECT owner.id, {users}, {groups} FROM scim_configurations AS owner{line} \
             WHERE owner.id = $1 {lock} \
             ON CONFLICT (configuration_id) \
             DO UPDATE SET {column} = scim_directory_counts.{column} + 1"
        );
        let changed = self.execute(sql, [configuration.as_uuid().into()]).await?;
        if changed == 0 { Err(Error::ConfigurationGone) } else { Ok(()) }
    }

    /// Notes one less; see [`Write::count_one_more`].
    pub(super) async fn count_one_less(
        &self,
        configuration: ConfigurationId,
        kind: Kind,
    ) -> Result<()> {
        let column = column(kind);
        let sql = format!(
            "UPDATE scim_directory_counts SET {column} = {column} - 1 WHERE configuration_id = $1"
        );
        self.execute(sql, [configuration.as_uuid().into()]).await?;
        Ok(())
    }
}

fn column(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "user_count",
        Kind::Group => "group_count",
    }
}
