//! Saying in time that a token ends.

use sea_orm::EntityTrait;
use uuid::Uuid;

use super::entity::configuration::{Entity, Model};
use super::{Repository, Result, Write};
use crate::model::{Configuration, ConfigurationId, EventKind, next_token_notice, token_days_left};

impl Repository {
    /// Gives the one notice that has been due longest. `false`: none is due, or
    /// another replica is at it.
    pub async fn give_token_notice(&self) -> Result<bool> {
        let tx = self.write().await?;
        let given = tx.give_token_notice().await?;
        tx.commit().await?;
        Ok(given)
    }
}

impl Write {
    async fn give_token_notice(&self) -> Result<bool> {
        // Whoever has the row gives the notice, and nobody else does.
        let next = format!(
            "SELECT configuration_id FROM scim_token_notices WHERE due_at <= $1 \
             ORDER BY due_at LIMIT 1 {}",
            self.on_postgres("FOR UPDATE SKIP LOCKED")
        );
        let due: Option<Uuid> = self.query(next, [self.now.as_micros().into()]).await?.pop();
        let Some(due) = due else { return Ok(false) };
        let found: Option<Model> = self.select(&Entity::find_by_id(due)).await?.pop();
        let Some(configuration) = found.map(Configuration::from) else {
            // Being deleted at this moment; the notice goes with it.
            return Ok(false);
        };
        let days = token_days_left(configuration.token_expires_at, self.now);
        if let Some(days) = days {
            let kind = match days {
                0 => EventKind::TokenExpired,
                _ => EventKind::TokenExpiring,
            };
            self.record_token_notice(kind, &configuration, days);
        }
        self.schedule_token_notice(&configuration).await?;
        Ok(true)
    }

    /// Says when the next notice of a token is due.
    pub(super) async fn schedule_token_notice(&self, configuration: &Configuration) -> Result<()> {
        let Some(next) = next_token_notice(configuration.token_expires_at, self.now) else {
            return self.cancel_token_notice(configuration.id).await;
        };
        self.execute(
            "INSERT INTO scim_token_notices (configuration_id, due_at) VALUES ($1, $2) \
             ON CONFLICT (configuration_id) DO UPDATE SET due_at = excluded.due_at",
            [configuration.id.as_uuid().into(), next.as_micros().into()],
        )
        .await?;
        Ok(())
    }

    /// Gives no more notices of a configuration.
    pub(super) async fn cancel_token_notice(&self, configuration: ConfigurationId) -> Result<()> {
        self.execute(
            "DELETE FROM scim_token_notices WHERE configuration_id = $1",
            [configuration.as_uuid().into()],
        )
        .await?;
        Ok(())
    }
}
