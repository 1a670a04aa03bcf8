//! What a change of a user's email means for its account.

use sea_orm::{ColumnTrait, DbBackend, EntityTrait, QueryFilter, QuerySelect, Statement};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::connection::Rows;
use super::entity::account::{self, Model};
use super::entity::user;
use super::linking::{Linked, Refused};
use super::users::LockedUser;
use super::{Error, Result, Write};
use crate::model::{AccountId, ConfigurationId, PrimaryEmail, User, UserContent};

/// What a change of a user means for its account.
pub(super) enum Relink {
    /// Nothing.
    Unchanged,
    /// It stays; this is the user's `other_email_key` from now on.
    Email(Option<String>),
    /// There was none.
    Linked(Linked),
}

impl Write {
    /// What it means that a user's emails are different, as `content` has them.
    pub(super) async fn relink(
        &self,
        configuration: ConfigurationId,
        before: &LockedUser,
        content: &UserContent,
    ) -> Result<std::result::Result<Relink, Refused>> {
        let email = content.primary_email.as_ref();
        let document: Map<String, Value> = serde_json::from_str(&before.user.document)
            .map_err(|_| Error::Corrupt("scim_users.document"))?;
        let before_email = PrimaryEmail::of(&document);
        let said = |email: &PrimaryEmail| (email.key(), email.verified);
        if before_email.as_ref().map(said) == email.map(said) {
            return Ok(Ok(Relink::Unchanged));
        }
        match (before.user.link.account, email) {
            (Some(account), email) => {
                let before_key = before_email.map(|email| email.key()).unwrap_or_default();
                let other = self.move_email(configuration, account, &before_key, email).await?;
                Ok(Ok(Relink::Email(other)))
            }
            (None, Some(email)) => {
                Ok(self.link(configuration, content, email).await?.map(Relink::Linked))
            }
            (None, None) => Ok(Ok(Relink::Email(None))),
        }
    }

    /// Says of a user, who has this account, that its email is another one from
    /// now on, or marked otherwise, and gives what is then its `other_email_key`.
    ///
    /// An account that was made for this user alone goes with it, unless another
    /// has the email: so the old address is free for whoever gets it next, and the
    /// user is known by the new one. From then on it is one that this configuration
    /// made: no other has ever had that email of it. An account of the application's
    /// has the email that the application says.
    async fn move_email(
        &self,
        configuration: ConfigurationId,
        account: AccountId,
        before: &str,
        email: Option<&PrimaryEmail>,
    ) -> Result<Option<String>> {
        const KEPT: &str = "SELECT email_key FROM scim_accounts WHERE organization_id = \
                 (SELECT organization_id FROM scim_configurations WHERE id = $1) AND id = $2";
        let Some(email) = email else { return Ok(Some(String::new())) };
        let key = email.key();
        self.lock_account(configuration, account).await?;
        let sql = "UPDATE scim_accounts \
             SET email = $4, email_key = $5, email_verified = $6, configuration_id = $1, \
                 updated_at = $7 \
             WHERE organization_id = \
                     (SELECT organization_id FROM scim_configurations WHERE id = $1) \
                 AND id = $2 AND email_key = $3 AND client_id IS NULL \
                 AND (SELECT COUNT(*) FROM (SELECT 1 FROM scim_users AS holder \
                      WHERE holder.account_id = $2 LIMIT 2) AS holders) = 1 \
                 AND NOT EXISTS (SELECT 1 FROM scim_accounts AS other \
                     WHERE other.organization_id = scim_accounts.organization_id \
                         AND other.email_key = $5 AND other.id <> $2) \
             RETURNING ";
        let values = [
            configuration.as_uuid().into(),
            account.as_uuid().into(),
            before.into(),
            email.text.as_str().into(),
            key.as_str().into(),
            email.verified.into(),
            self.now.as_micros().into(),
        ];
        let sql = sql.to_owned() + &account::columns("scim_accounts");
        let statement = Statement::from_sql_and_values(self.backend(), sql, values);
        // Somebody else may get the email at this moment.
        let moved = self.transaction.row::<Model>(statement);
        if let Some(moved) = self.unless_taken(moved).await?.flatten() {
            self.record_account(moved.organization_id.into(), &moved.into());
            return Ok(None);
        }
        let values = [configuration.as_uuid().into(), account.as_uuid().into()];
        let is_same = self.query::<String>(KEPT, values).await?.contains(&key);
        Ok((!is_same).then_some(key))
    }

    /// Has nobody else get the account until the transaction ends. A statement of
    /// its own: one that counts who has the account must see who got it while this
    /// one waited.
    async fn lock_account(&self, configuration: ConfigurationId, account: AccountId) -> Result<()> {
        if self.backend() == DbBackend::Postgres {
            const SQL: &str = "SELECT 1 FROM scim_accounts WHERE organization_id = \
                     (SELECT organization_id FROM scim_configurations WHERE id = $1) \
                 AND id = $2 FOR NO KEY UPDATE";
            let values = [configuration.as_uuid().into(), account.as_uuid().into()];
            self.execute(SQL, values).await?;
        }
        Ok(())
    }

    /// Tells of the account that a user has got.
    pub(super) fn record_relinked(
        &self,
        configuration: ConfigurationId,
        user: &User,
        linked: &Linked,
    ) {
        if linked.is_new {
            return self.record_account(linked.organization, &linked.account);
        }
        self.record_linked(configuration, user.id, user.link, &linked.account);
    }

    /// Takes back an account that was made for a user who is not made.
    pub(super) async fn unmake(&self, linked: Option<Linked>) -> Result<()> {
        let Some(linked) = linked.filter(|linked| linked.is_new) else { return Ok(()) };
        let key = (linked.organization.as_uuid(), linked.account.id.as_uuid());
        self.perform(&account::Entity::delete_by_id(key)).await?;
        Ok(())
    }

    /// Whether another user has the `userName`.
    pub(super) async fn is_name_taken(
        &self,
        configuration: ConfigurationId,
        content: &UserContent,
    ) -> Result<bool> {
        let named = user::Entity::find()
            .select_only()
            .column(user::Column::Id)
            .filter(user::Column::ConfigurationId.eq(configuration.as_uuid()))
            .filter(user::Column::UserNameKey.eq(&content.user_name_key));
        Ok(!self.select::<Uuid>(&named).await?.is_empty())
    }
}
