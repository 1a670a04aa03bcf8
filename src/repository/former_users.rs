//! What accounts remember of their users that were deleted: whether somebody may
//! sign in is asked by what the user was called.

use std::collections::BTreeMap;

use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};
use uuid::Uuid;

use super::connection::from_row;
use super::entity::former_user::{ActiveModel, Column, Entity};
use super::feed::Feed;
use super::{Result, Write};
use crate::model::{Account, AccountId, ConfigurationId, OrganizationId, UserId};

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
    /// Removes a user, whom its account remembers. `false`: there is no such user.
    ///
    /// An account that others have goes without its address from then on if this
    /// user was the last one who had that.
    pub(super) async fn remove_row(
        &self,
        configuration: ConfigurationId,
        id: UserId,
    ) -> Result<bool> {
        const SQL: &str = "DELETE FROM scim_users WHERE configuration_id = $1 AND id = $2 \
             RETURNING account_id, other_email_key IS NULL AND EXISTS \
                 (SELECT 1 FROM scim_users AS holder \
                  WHERE holder.account_id = scim_users.account_id \
                      AND holder.id <> scim_users.id)";
        self.remember_user(configuration, id).await?;
        let values = [configuration.as_uuid().into(), id.as_uuid().into()];
        let removed: Vec<Removed> = self.query(SQL, values).await?;
        let Some(removed) = removed.first() else { return Ok(false) };
        if let Some(account) = removed.account_id.filter(|_| removed.shared_address) {
            let owner = Feed::OwnerOf(configuration);
            for left in self.leave_address(owner, &[account.into()], None).await? {
                self.record_account(left.organization_id.into(), &left.into());
            }
        }
        Ok(true)
    }

    /// Has the account of a user remember it, who is about to be deleted. An account
    /// that the application has not claimed is nobody else's from then on until the
    /// transaction ends, and nobody leaves it: its address goes with the last user
    /// who has that. That of another stays, whoever has it. The user is taken first,
    /// as everybody does.
    async fn remember_user(&self, configuration: ConfigurationId, id: UserId) -> Result<()> {
        let lock = self.on_postgres("FOR NO KEY UPDATE");
        let sql = format!(
            "WITH unclaimed AS (SELECT id, email_key FROM scim_accounts \
                 WHERE organization_id = \
                         (SELECT organization_id FROM scim_configurations WHERE id = $1) \
                     AND id = (SELECT account_id FROM scim_users \
                         WHERE configuration_id = $1 AND id = $2 {lock}) \
                     AND client_id IS NULL {lock}) \
             INSERT INTO scim_former_users (organization_id, account_id, \
                 configuration_id, user_id, user_name_key, external_id, email_key, deleted_at) \
             SELECT owner.organization_id, leaving.account_id, owner.id, leaving.id, \
                 leaving.user_name_key, leaving.external_id, \
                 NULLIF(COALESCE(leaving.other_email_key, \
                     CASE WHEN EXISTS (SELECT 1 FROM scim_users AS holder \
                         WHERE holder.account_id = leaving.account_id \
                             AND holder.id <> leaving.id) \
                     THEN unclaimed.email_key END), ''), $3 \
             FROM scim_users AS leaving \
                 JOIN scim_configurations AS owner ON owner.id = leaving.configuration_id \
                 LEFT JOIN unclaimed ON unclaimed.id = leaving.account_id \
             WHERE leaving.configuration_id = $1 AND leaving.id = $2 \
                 AND leaving.account_id IS NOT NULL \
             ON CONFLICT (account_id, configuration_id) DO UPDATE \
             SET user_id = excluded.user_id, user_name_key = excluded.user_name_key, \
                 external_id = excluded.external_id, email_key = excluded.email_key, \
                 deleted_at = excluded.deleted_at"
        );
        let values =
            [configuration.as_uuid().into(), id.as_uuid().into(), self.now.as_micros().into()];
        self.execute(sql, values).await?;
        Ok(())
    }

    /// Forgets what an account remembers.
    pub(super) async fn forget_users(&self, account: AccountId) -> Result<()> {
        let delete = Entity::delete_many().filter(Column::AccountId.eq(account.as_uuid()));
        self.perform(&delete).await?;
        Ok(())
    }

    /// The same of many who are deleted, and whose configuration is gone. Answers
    /// with the accounts that they have left without an address.
    pub(super) async fn remember_users(
        &self,
        organization: OrganizationId,
        configuration: ConfigurationId,
        mut users: Vec<Leaving>,
    ) -> Result<Vec<Account>> {
        // As the users are gone, whoever has one of the accounts is another.
        let shared = self.shared(organization, &users).await?;
        for user in users.iter_mut().filter(|user| user.other_email_key.is_none()) {
            user.other_email_key = user.account_id.and_then(|id| shared.get(&id).cloned());
        }
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
            return Ok(Vec::new());
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
        let shared: Vec<_> = shared.into_keys().map(AccountId::from).collect();
        if shared.is_empty() {
            return Ok(Vec::new());
        }
        let left = self.leave_address(Feed::Of(organization), &shared, None).await?;
        Ok(left.into_iter().map(Account::from).collect())
    }

    /// Those of the users' accounts that others have, and the application has not
    /// claimed, with the keys of their emails. Nobody else gets one of them until
    /// the transaction ends, nor leaves it.
    async fn shared(
        &self,
        organization: OrganizationId,
        users: &[Leaving],
    ) -> Result<BTreeMap<Uuid, String>> {
        let ids = super::ids::among(self.backend(), "$2");
        let lock = self.on_postgres("FOR NO KEY UPDATE");
        let sql = format!(
            "SELECT id, email_key FROM scim_accounts AS account \
             WHERE organization_id = $1 AND id{ids} \
                 AND client_id IS NULL AND email_key IS NOT NULL \
                 AND EXISTS (SELECT 1 FROM scim_users AS holder \
                     WHERE holder.account_id = account.id) \
             ORDER BY id {lock}"
        );
        let known = users.iter().filter(|user| user.other_email_key.is_none());
        let accounts = known.filter_map(|user| user.account_id);
        let values = [organization.as_uuid().into(), super::ids::value(self.backend(), accounts)];
        let shared: Vec<Shared> = self.query(sql, values).await?;
        Ok(shared.into_iter().map(|account| (account.id, account.email_key)).collect())
    }
}

struct Removed {
    account_id: Option<Uuid>,
    /// Whether its email was that of the account, which others have.
    shared_address: bool,
}

from_row!(Removed { account_id, shared_address });

struct Shared {
    id: Uuid,
    email_key: String,
}

from_row!(Shared { id, email_key });
