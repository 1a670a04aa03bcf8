//! Removing what was provisioned through deleted configurations, a little at a
//! time: others take their turns in between, whatever its size.

use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::{Repository, Result, Write};
use crate::model::ConfigurationId;

/// Rows of one transaction: about as long as a few requests take.
const ROWS_AT_ONCE: u64 = 500;

/// The tables that are emptied, by what tells their rows apart. Resources come
/// first: a request that was let in before the configuration was deleted may
/// still add to one that is there, but not to one that is gone.
const TABLES: [(&str, &str); 4] = [
    ("scim_groups", "id"),
    ("scim_users", "id"),
    ("scim_group_members", "group_id, member_id"),
    ("scim_user_emails", "value_key, user_id"),
];

impl Repository {
    /// Removes some of what is left of deleted configurations. `false`: there
    /// was nothing to do, or another replica is at it.
    pub async fn purge_once(&self) -> Result<bool> {
        let tx = self.write().await?;
        let more = tx.purge_batch(ROWS_AT_ONCE).await?;
        tx.commit().await?;
        Ok(more)
    }
}

impl Write {
    /// Removes at most `limit` rows of the configuration that has been deleted
    /// longest; see [`Repository::purge_once`].
    pub async fn purge_batch(&self, limit: u64) -> Result<bool> {
        let next = format!(
            "SELECT configuration_id FROM scim_purges ORDER BY since, configuration_id LIMIT 1 {}",
            self.on_postgres("FOR UPDATE SKIP LOCKED")
        );
        let Some(purge) = self.query::<Purge, 0>(next, []).await?.pop() else { return Ok(false) };
        let mut left = limit;
        for (table, key) in TABLES {
            left -= self.purge_rows(purge.configuration_id, table, key, left).await?;
            if left == 0 {
                return Ok(true);
            }
        }
        for table in ["scim_directory_counts", "scim_purges"] {
            let sql = format!("DELETE FROM {table} WHERE configuration_id = $1");
            self.execute(sql, [purge.configuration_id.into()]).await?;
        }
        Ok(true)
    }

    /// Says that rows may be left of a configuration that is being deleted.
    pub(super) async fn note_purge(&self, configuration: ConfigurationId) -> Result<()> {
        self.execute(
            "INSERT INTO scim_purges (configuration_id, since) VALUES ($1, $2)",
            [configuration.as_uuid().into(), self.now.as_micros().into()],
        )
        .await?;
        Ok(())
    }

    async fn purge_rows(
        &self,
        configuration: Uuid,
        table: &str,
        key: &str,
        limit: u64,
    ) -> Result<u64> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let sql = format!(
            "DELETE FROM {table} WHERE configuration_id = $1 AND ({key}) IN \
                 (SELECT {key} FROM {table} WHERE configuration_id = $1 LIMIT $2)"
        );
        self.execute(sql, [configuration.into(), limit.into()]).await
    }
}

#[derive(FromQueryResult)]
struct Purge {
    configuration_id: Uuid,
}
