//! What accounts remember of their users that were deleted: whether somebody may
//! sign in is asked by what the user was called.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};
use uuid::Uuid;

use super::connection::from_row;
use super::entity::former_user::{ActiveModel, Column, Entity};
use super::{Result, Write};
use crate::model::{AccountId, ConfigurationId, OrganizationId, UserId};

/// Of a user that is deleted.
pub(super) struct Leaving {
    pub id: Uuid,
    account_id: Option<Uuid>,
    user_name_key: String,
    external_id: Option<String>,
    other_email_key: Option<String>,
}

from_row!(Leaving { id, account_id, user_name_key, external_id, other_email_key });

/// What is read of it.
pub(super) const LEAVING: &str = "id, account_id, user_name_key, external_id, other_email_key";

impl Write {
    /// Has the account of a user remember it, who is about to be deleted.
    pub(super) async fn remember_user(
        &self,
        configuration: ConfigurationId,
        id: UserId,
    ) -> Result<()> {
        const SQL: &str = "INSERT INTO scim_former_users (organization_id, account_id, \
                 configuration_id, user_id, user_name_key, external_id, email_key, deleted_at) \
             SELECT owner.organization_id, leaving.account_id, owner.id, leaving.id, \
                 leaving.user_name_key, leaving.external_id, \
                 NULLIF(leaving.other_email_key, ''), $3 \
             FROM scim_users AS leaving \
                 JOIN scim_configurations AS owner ON owner.id = leaving.configuration_id \
             WHERE leaving.configuration_id = $1 AND leaving.id = $2 \
                 AND leaving.account_id IS NOT NULL \
             ON CONFLICT (account_id, configuration_id) DO UPDATE \
             SET user_id = excluded.user_id, user_name_key = excluded.user_name_key, \
                 external_id = excluded.external_id, email_key = excluded.email_key, \
                 deleted_at = excluded.deleted_at";
        let values =
            [configuration.as_uuid().into(), id.as_uuid().into(), self.now.as_micros().into()];
        self.execute(SQL, values).await?;
        Ok(())
    }

    /// Forgets what an account remembers.
    pub(super) async fn forget_users(&self, account: AccountId) -> Result<()> {
        let delete = Entity::delete_many().filter(Column::AccountId.eq(account.as_uuid()));
        self.perform(&delete).await?;
        Ok(())
    }

    /// The same of many whose configuration is gone.
    pub(super) async fn remember_users(
        &self,
        organization: OrganizationId,
        configuration: ConfigurationId,
        users: Vec<Leaving>,
    ) -> Result<()> {
        let row = |user: Leaving| {
            Some(ActiveModel {
                organization_id: Set(organization.as_uuid()),
                account_id: Set(user.account_id?),
                configuration_id: Set(configuration.as_uuid()),
                user_id: Set(user.id),
                user_name_key: Set(user.user_name_key),
                external_id: Set(user.external_id),
                email_key: Set(user.other_email_key.filter(|key| !key.is_empty())),
                deleted_at: Set(self.now.as_micros()),
            })
        };
        let mut rows: Vec<_> = users.into_iter().filter_map(row).collect();
        // Of several that have one account the last one: no statement may write a
        // row twice.
        rows.sort_by(|one, other| one.account_id.as_ref().cmp(other.account_id.as_ref()));
        rows.dedup_by(|one, other| one.account_id == other.account_id);
        if rows.is_empty() {
            return Ok(());
        }
        let key = [Column::AccountId, Column::ConfigurationId];
        let values = [
            Column::UserId,
            Column::UserNameKey,
            Column::ExternalId,
            Column::EmailKey,
            Column::DeletedAt,
        ];
        let newest = OnConflict::columns(key).update_columns(values).to_owned();
        self.perform(&Entity::insert_many(rows).on_conflict(newest)).await?;
        Ok(())
    }
}
