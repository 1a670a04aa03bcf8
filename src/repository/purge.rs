//! Removing what was provisioned through deleted configurations, a little at a
//! time: others take their turns in between, whatever its size.

use uuid::Uuid;

use super::connection::from_row;
use super::feed::Purged;
use super::former_users::{LEAVING, Leaving};
use super::{Error, Repository, Result, Write, configuration_state, retry_deadlocks};
use crate::model::{Configuration, EventKind, Origin};

/// Rows of one transaction: about as long as a few requests take.
const ROWS_AT_ONCE: u64 = 500;

/// The tables that are emptied, by what tells their rows apart, and what to say
/// of each row. Resources come
/// first: a request that was let in before the configuration was deleted may
/// still add to one that is there, but not to one that is gone.
const TABLES: [(&str, &str, Option<EventKind>); 5] = [
    ("scim_groups", "id", Some(EventKind::GroupDeleted)),
    ("scim_users", "id", Some(EventKind::UserDeleted)),
    ("scim_group_members", "group_id, member_id", None),
    ("scim_user_emails", "value_key, user_id", None),
    ("scim_link_refusals", "user_name_key", None),
];

impl Repository {
    /// Removes some of what is left of deleted configurations. `false`: there
    /// was nothing to do, or another replica is at it.
    pub async fn purge_once(&self) -> Result<bool> {
        // Users are taken before their accounts, as an import does not.
        retry_deadlocks(|| async {
            let tx = self.write().await?;
            let more = tx.purge_batch(ROWS_AT_ONCE).await?;
            tx.commit().await?;
            Ok(more)
        })
        .await
    }
}

impl Write {
    /// Removes at most `limit` rows of the configuration that has been deleted
    /// longest; see [`Repository::purge_once`].
    pub async fn purge_batch(&self, limit: u64) -> Result<bool> {
        let next = format!(
            "SELECT configuration_id, organization_id, origin FROM scim_purges \
             ORDER BY since, configuration_id LIMIT 1 {}",
            self.on_postgres("FOR UPDATE SKIP LOCKED")
        );
        let Some(row) = self.query::<Row>(next, []).await?.pop() else { return Ok(false) };
        self.transaction.take_long(true);
        let purged = Purged {
            configuration: row.configuration_id.into(),
            organization: row.organization_id.into(),
            origin: Origin::from_bytes(&row.origin).ok_or(Error::Corrupt("scim_purges.origin"))?,
        };
        let mut left = limit;
        for (table, key, kind) in TABLES {
            left -= self.purge_rows(purged, table, key, kind, left).await?;
            if left == 0 {
                return Ok(true);
            }
        }
        for table in ["scim_directory_counts", "scim_purges"] {
            let sql = format!("DELETE FROM {table} WHERE configuration_id = $1");
            self.execute(sql, [row.configuration_id.into()]).await?;
        }
        self.record_purged(purged, EventKind::ConfigurationDeleted, row.configuration_id);
        Ok(true)
    }

    /// Says that rows may be left of a configuration that is being deleted, and what
    /// it was: until the feed tells of its end, a snapshot has it.
    pub(super) async fn note_purge(&self, deleted: &Configuration) -> Result<()> {
        self.execute(
            "INSERT INTO scim_purges \
                 (configuration_id, organization_id, origin, since, created_at, state) \
             VALUES ($1, $2, $3, $4, $5, $6)",
            [
                deleted.id.as_uuid().into(),
                deleted.organization_id.as_uuid().into(),
                self.origin.to_bytes().into(),
                self.now.as_micros().into(),
                deleted.created_at.as_micros().into(),
                configuration_state::written(deleted).into(),
            ],
        )
        .await?;
        Ok(())
    }

    async fn purge_rows(
        &self,
        purged: Purged,
        table: &str,
        key: &str,
        kind: Option<EventKind>,
        limit: u64,
    ) -> Result<u64> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let sql = format!(
            "DELETE FROM {table} WHERE configuration_id = $1 AND ({key}) IN \
                 (SELECT {key} FROM {table} WHERE configuration_id = $1 LIMIT $2)"
        );
        let values = [purged.configuration.as_uuid().into(), limit.into()];
        let Some(kind) = kind else { return self.execute(sql, values).await };
        if kind == EventKind::UserDeleted {
            let users: Vec<Leaving> =
                self.query(format!("{sql} RETURNING {LEAVING}"), values).await?;
            for user in &users {
                self.record_purged(purged, kind, user.id);
            }
            let count = users.len() as u64;
            let left =
                self.remember_users(purged.organization, purged.configuration, users).await?;
            for account in &left {
                self.record_left(purged, account);
            }
            return Ok(count);
        }
        let ids: Vec<Uuid> = self.query(format!("{sql} RETURNING id"), values).await?;
        for id in &ids {
            self.record_purged(purged, kind, *id);
        }
        Ok(ids.len() as u64)
    }
}

struct Row {
    configuration_id: Uuid,
    organization_id: Uuid,
    origin: Vec<u8>,
}

from_row!(Row { configuration_id, organization_id, origin });
