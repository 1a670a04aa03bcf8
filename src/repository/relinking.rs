//! What a change of a user's email means for its account.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::connection::{Rows, from_row};
use super::entity::account::{self, Model};
use super::entity::user;
use super::feed::Feed;
use super::linking::{Linked, Refused};
use super::{Error, Result, Write};
use crate::model::{AccountId, ConfigurationId, PrimaryEmail, User, UserContent, UserId};

/// What a change of a user means for its account.
pub(super) enum Relink {
    /// Nothing.
    Unchanged,
    /// It stays; this is the user's `other_email_key` from now on.
    Email(Option<String>),
    /// There was none.
    Linked(Linked),
}

/// A change of the email of a user who has an account.
struct EmailChange<'a> {
    configuration: ConfigurationId,
    user: UserId,
    account: AccountId,
    /// The key of what it was; empty: there was none.
    before: String,
    /// The key of what it shall be; empty: none.
    after: String,
    email: Option<&'a PrimaryEmail>,
}

impl Write {
    /// What it means that a user's emails are different, as `content` has them.
    pub(super) async fn relink(
        &self,
        configuration: ConfigurationId,
        before: &User,
        content: &UserContent,
    ) -> Result<std::result::Result<Relink, Refused>> {
        let email = content.primary_email.as_ref();
        let document: Map<String, Value> = serde_json::from_str(&before.document)
            .map_err(|_| Error::Corrupt("scim_users.document"))?;
        let before_email = PrimaryEmail::of(&document);
        let said = |email: &PrimaryEmail| (email.key(), email.verified);
        if before_email.as_ref().map(said) == email.map(said) {
            return Ok(Ok(Relink::Unchanged));
        }
        match (before.link.account, email) {
            (Some(account), email) => {
                let key = |email: &PrimaryEmail| email.key();
                let change = EmailChange {
                    configuration,
                    user: before.id,
                    account,
                    before: before_email.as_ref().map(key).unwrap_or_default(),
                    after: email.map(key).unwrap_or_default(),
                    email,
                };
                Ok(self.change_email(&change).await?.map(Relink::Email))
            }
            (None, Some(email)) => {
                Ok(self.link(configuration, content, email).await?.map(Relink::Linked))
            }
            (None, None) => Ok(Ok(Relink::Email(None))),
        }
    }

    /// Says of a user, who has an account, that its email is another one from
    /// now on, or marked otherwise, and gives what is then its `other_email_key`.
    ///
    /// Nobody gets by a change an address that a new user would be refused. An
    /// account of the application's has the email that the application says; any
    /// other goes with the last of its users that has its address, so that whoever
    /// gets the address next does not get the account with it.
    async fn change_email(
        &self,
        change: &EmailChange<'_>,
    ) -> Result<std::result::Result<Option<String>, Refused>> {
        let own = self.lock_account(change.configuration, change.account).await?;
        if let Some(email) = change.email {
            if !own.is_claimed && self.move_email(change, email).await? {
                return Ok(Ok(None));
            }
            if own.email_key.as_ref() == Some(&change.after) {
                return Ok(Ok(None));
            }
            // What the user has already is not refused because of its mark.
            if change.before != change.after
                && let Some(refused) = self.refusal(change.configuration, email).await?
            {
                return Ok(Err(refused));
            }
        }
        if !own.is_claimed {
            let owner = Feed::OwnerOf(change.configuration);
            for left in self.leave_address(owner, &[change.account], Some(change.user)).await? {
                self.record_account(left.organization_id.into(), &left.into());
            }
        }
        Ok(Ok(Some(change.after.clone())))
    }

    /// Has nobody else get the account until the transaction ends. A statement of
    /// its own: one that asks who has the account must see who got it while this
    /// one waited.
    async fn lock_account(
        &self,
        configuration: ConfigurationId,
        account: AccountId,
    ) -> Result<Locked> {
        let lock = self.on_postgres("FOR NO KEY UPDATE");
        let sql = format!(
            "SELECT client_id IS NOT NULL AS is_claimed, email_key FROM scim_accounts \
             WHERE organization_id = \
                 (SELECT organization_id FROM scim_configurations WHERE id = $1) \
                 AND id = $2 {lock}"
        );
        let values = [configuration.as_uuid().into(), account.as_uuid().into()];
        let locked = self.query(sql, values).await?.pop();
        locked.ok_or(Error::ConfigurationGone)
    }

    /// Gives an account that the application has not claimed the user's new email,
    /// if no other user has the present one, and no other account the new one. From
    /// then on it is one that this configuration made: no other has ever had that
    /// email of it. Nor has another user proven it, so that it is verified only where
    /// there is none. `false`: it stays as it is.
    async fn move_email(&self, change: &EmailChange<'_>, email: &PrimaryEmail) -> Result<bool> {
        const SQL: &str = "UPDATE scim_accounts \
             SET email = $4, email_key = $5, configuration_id = $1, updated_at = $7, \
                 email_verified = $6 AND NOT EXISTS (SELECT 1 FROM scim_users AS holder \
                     WHERE holder.account_id = $2 AND holder.id <> $8) \
             WHERE organization_id = \
                     (SELECT organization_id FROM scim_configurations WHERE id = $1) \
                 AND id = $2 AND COALESCE(email_key, $3) = $3 \
                 AND NOT EXISTS (SELECT 1 FROM scim_users AS holder \
                     WHERE holder.account_id = $2 AND holder.other_email_key IS NULL \
                         AND holder.id <> $8) \
                 AND NOT EXISTS (SELECT 1 FROM scim_accounts AS other \
                     WHERE other.organization_id = scim_accounts.organization_id \
                         AND other.email_key = $5 AND other.id <> $2) \
             RETURNING ";
        const TELL: &str = "UPDATE scim_users SET other_email_key = NULL \
             WHERE account_id = $1 AND other_email_key = $2";
        let values = [
            change.configuration.as_uuid().into(),
            change.account.as_uuid().into(),
            change.before.as_str().into(),
            email.text.as_str().into(),
            change.after.as_str().into(),
            email.verified.into(),
            self.now.as_micros().into(),
            change.user.as_uuid().into(),
        ];
        let sql = SQL.to_owned() + &account::columns("scim_accounts");
        // Somebody else may get the email at this moment.
        let moved = self.unless_taken(self.transaction.query::<Model>(sql, values)).await?;
        let Some(moved) = moved.and_then(|mut rows| rows.pop()) else { return Ok(false) };
        // Others may have had the new one before.
        let values = [change.account.as_uuid().into(), change.after.as_str().into()];
        self.execute(TELL, values).await?;
        self.record_account(moved.organization_id.into(), &moved.into());
        Ok(true)
    }

    /// Takes their address from those of these accounts that the application has
    /// not claimed, if they have users, none of whom has the address, and gives
    /// them as they are then. `leaving`: a user that will no longer have it.
    ///
    /// One that nobody has keeps its address: whoever is provisioned again finds it
    /// by that.
    pub(super) async fn leave_address(
        &self,
        owner: Feed,
        accounts: &[AccountId],
        leaving: Option<UserId>,
    ) -> Result<Vec<Model>> {
        let organization = match owner {
            Feed::OwnerOf(_) => "(SELECT organization_id FROM scim_configurations WHERE id = $1)",
            Feed::Of(_) => "$1",
        };
        let ids = super::ids::among(self.backend(), "$2");
        let sql = format!(
            "UPDATE scim_accounts \
             SET email = '', email_key = NULL, email_verified = FALSE, updated_at = $3 \
             WHERE organization_id = {organization} AND id{ids} \
                 AND client_id IS NULL AND email_key IS NOT NULL \
                 AND EXISTS (SELECT 1 FROM scim_users AS holder \
                     WHERE holder.account_id = scim_accounts.id) \
                 AND NOT EXISTS (SELECT 1 FROM scim_users AS holder \
                     WHERE holder.account_id = scim_accounts.id \
                         AND holder.other_email_key IS NULL AND holder.id <> $4) \
             RETURNING {}",
            account::columns("scim_accounts")
        );
        let values = [
            owner.id().into(),
            super::ids::value(self.backend(), accounts.iter().map(|id| id.as_uuid())),
            self.now.as_micros().into(),
            leaving.map_or(Uuid::nil(), UserId::as_uuid).into(),
        ];
        self.query(sql, values).await
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

struct Locked {
    is_claimed: bool,
    email_key: Option<String>,
}

from_row!(Locked { is_claimed, email_key });
