//! The emails of users, to be found by.

use std::collections::BTreeSet;

use sea_orm::{ColumnTrait, DeleteMany, EntityTrait, QueryFilter, Set};

use super::entity::user_email::{ActiveModel, Column, Entity};
use super::{Result, Write};
use crate::model::{ConfigurationId, UserId};

/// How many emails one statement takes: three values each, of which PostgreSQL
/// takes 65,535 and SQLite 32,766.
const EMAILS_AT_ONCE: usize = 1_000;

impl Write {
    /// Touches only what differs: most updates leave the emails as they are.
    pub(super) async fn replace_emails(
        &self,
        configuration: ConfigurationId,
        user: UserId,
        stored: &BTreeSet<String>,
        emails: Vec<String>,
    ) -> Result<()> {
        let wanted: BTreeSet<_> = emails.into_iter().collect();
        let gone: Vec<_> = stored.difference(&wanted).collect();
        for gone in gone.chunks(EMAILS_AT_ONCE) {
            let delete =
                of(configuration, user).filter(Column::ValueKey.is_in(gone.iter().copied()));
            self.perform(&delete).await?;
        }
        let new = wanted.difference(stored).cloned().collect();
        self.add_emails(configuration, user, new).await
    }

    pub(super) async fn add_emails(
        &self,
        configuration: ConfigurationId,
        user: UserId,
        emails: Vec<String>,
    ) -> Result<()> {
        for emails in emails.chunks(EMAILS_AT_ONCE) {
            let rows = emails.iter().map(|value_key| ActiveModel {
                configuration_id: Set(configuration.as_uuid()),
                value_key: Set(value_key.clone()),
                user_id: Set(user.as_uuid()),
            });
            self.perform(&Entity::insert_many(rows)).await?;
        }
        Ok(())
    }

    /// Removes all of a user.
    pub(super) async fn remove_emails(
        &self,
        configuration: ConfigurationId,
        user: UserId,
    ) -> Result<()> {
        self.perform(&of(configuration, user)).await?;
        Ok(())
    }
}

fn of(configuration: ConfigurationId, user: UserId) -> DeleteMany<Entity> {
    Entity::delete_many()
        .filter(Column::ConfigurationId.eq(configuration.as_uuid()))
        .filter(Column::UserId.eq(user.as_uuid()))
}
