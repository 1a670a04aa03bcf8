//! Accounts: reading and removing them. How they come to be is in `linking` and
//! `import`.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

use super::connection::from_row;
use super::entity::account::{Column, Entity, Model};
use super::ids::{among, value};
use super::{Read, Repository, Result, Write, retry_deadlocks};
use crate::model::{Account, AccountFilter, AccountId, Instant, LinkReason, OrganizationId};

/// Users of one transaction that takes their account from them.
const UNLINKED_AT_ONCE: i64 = 500;

/// What a part of a deletion came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deletion {
    /// There is no such account.
    NotFound,
    /// Users are left that belong to it.
    Unfinished,
    /// It is gone.
    Done,
}

impl Read {
    /// Accounts of the organization behind this one, in order of their ids.
    pub async fn accounts(
        &self,
        organization: OrganizationId,
        filter: &AccountFilter,
        after: Option<AccountId>,
        limit: u64,
    ) -> Result<Vec<Account>> {
        let rows: Vec<Model> = self.query(&page(organization, filter, after, limit)).await?;
        Ok(rows.into_iter().map(Account::from).collect())
    }
}

impl Repository {
    /// Removes an account. Its users belong to none then, which is told of each;
    /// where there are many of them, in several transactions, the last of which
    /// removes the account. `false`: there is no such account.
    pub async fn delete_account(
        &self,
        organization: OrganizationId,
        id: AccountId,
    ) -> Result<bool> {
        loop {
            match retry_deadlocks(|| self.delete_some(organization, id)).await? {
                Deletion::NotFound => return Ok(false),
                Deletion::Unfinished => {}
                Deletion::Done => return Ok(true),
            }
        }
    }

    async fn delete_some(&self, organization: OrganizationId, id: AccountId) -> Result<Deletion> {
        let tx = self.write().await?;
        tx.transaction.take_long(true);
        let deletion = tx.delete_account(organization, id).await?;
        tx.commit().await?;
        Ok(deletion)
    }
}

impl Write {
    async fn delete_account(
        &self,
        organization: OrganizationId,
        id: AccountId,
    ) -> Result<Deletion> {
        // Whoever changes a user takes the user first, and then its account.
        let users = self.some_users(organization, id).await?;
        // Nobody is linked to it meanwhile: that takes the row too.
        let found = Entity::find_by_id((organization.as_uuid(), id.as_uuid())).lock_exclusive();
        if self.select::<Model>(&found).await?.is_empty() {
            return Ok(Deletion::NotFound);
        }
        self.unlink(organization, id, &users).await?;
        // Others may have been linked before nobody could be.
        if self.is_held(id).await? {
            return Ok(Deletion::Unfinished);
        }
        self.forget_users(id).await?;
        let key = (organization.as_uuid(), id.as_uuid());
        self.perform(&Entity::delete_by_id(key)).await?;
        self.record_account_deleted(organization, id);
        Ok(Deletion::Done)
    }

    /// Some of an account's users, whom nobody else changes until the transaction
    /// ends.
    async fn some_users(
        &self,
        organization: OrganizationId,
        account: AccountId,
    ) -> Result<Vec<Uuid>> {
        let lock = self.on_postgres("FOR NO KEY UPDATE");
        // Of another organization's account nobody is taken.
        let sql = format!(
            "SELECT id FROM scim_users WHERE account_id = $1 AND EXISTS \
                 (SELECT 1 FROM scim_accounts WHERE organization_id = $3 AND id = $1) \
             ORDER BY configuration_id, id LIMIT $2 {lock}"
        );
        let values =
            [account.as_uuid().into(), UNLINKED_AT_ONCE.into(), organization.as_uuid().into()];
        self.query(sql, values).await
    }

    /// Takes an account from these of its users.
    async fn unlink(
        &self,
        organization: OrganizationId,
        id: AccountId,
        users: &[Uuid],
    ) -> Result<()> {
        let sql = format!(
            "UPDATE scim_users \
             SET account_id = NULL, account_reason = $3, \
                 other_email_key = NULLIF(COALESCE(other_email_key, \
                     (SELECT email_key FROM scim_accounts \
                      WHERE organization_id = $4 AND id = $1)), '') \
             WHERE account_id = $1 AND id{} \
             RETURNING configuration_id, id",
            among(self.backend(), "$2")
        );
        let reason = i64::from(LinkReason::AccountDeleted.number());
        let values = [
            id.as_uuid().into(),
            value(self.backend(), users.iter().copied()),
            reason.into(),
            organization.as_uuid().into(),
        ];
        let users: Vec<Unlinked> = self.query(sql, values).await?;
        for user in &users {
            self.record_unlinked(organization, user.configuration_id.into(), user.id.into());
        }
        Ok(())
    }
}

/// Those behind `after`, in order.
pub(super) fn page(
    organization: OrganizationId,
    filter: &AccountFilter,
    after: Option<AccountId>,
    limit: u64,
) -> Select<Entity> {
    let mut select = Entity::find().filter(Column::OrganizationId.eq(organization.as_uuid()));
    if let Some(after) = after {
        select = select.filter(Column::Id.gt(after.as_uuid()));
    }
    if let Some(key) = &filter.email_key {
        select = select.filter(Column::EmailKey.eq(key));
    }
    if let Some(id) = &filter.client_id {
        select = select.filter(Column::ClientId.eq(id));
    }
    select.order_by_asc(Column::Id).limit(limit)
}

impl From<Model> for Account {
    fn from(row: Model) -> Self {
        Self {
            id: row.id.into(),
            client_id: row.client_id,
            email: row.email,
            email_verified: row.email_verified,
            created_at: Instant::from_micros(row.created_at),
            updated_at: Instant::from_micros(row.updated_at),
        }
    }
}

struct Unlinked {
    configuration_id: Uuid,
    id: Uuid,
}

from_row!(Unlinked { configuration_id, id });
