//! Which account a provisioned user belongs to.

use std::sync::LazyLock;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::connection::from_row;
use super::entity::account::{Model, columns};
use super::{Error, Result, Write};
use crate::model::{
    Account, AccountId, Candidate, ConfigurationId, Link, LinkReason, LinkRefusal, OrganizationId,
    PrimaryEmail, UserContent, UserId,
};

/// What a user that has an email is stored with.
pub(super) struct Linked {
    pub organization: OrganizationId,
    pub link: Link,
    /// The account, as it is.
    pub account: Account,
    /// Whether it was made just now.
    pub is_new: bool,
    /// See `scim_users.other_email_key`.
    pub other_email_key: Option<String>,
}

/// The account that has a user's email, which must not become the user's.
pub(super) struct Refused {
    pub account: AccountId,
    pub reason: LinkReason,
}

impl Refused {
    /// What there is to tell of it.
    pub fn of(self, content: &UserContent, user: Option<UserId>) -> LinkRefusal {
        let document: Map<String, Value> =
            serde_json::from_str(&content.document).unwrap_or_default();
        let user_name = document.get("userName").and_then(Value::as_str).unwrap_or_default();
        LinkRefusal {
            account: self.account,
            reason: self.reason,
            email: content
                .primary_email
                .as_ref()
                .map(|email| email.text.clone())
                .unwrap_or_default(),
            user_name: user_name.to_owned(),
            external_id: content.external_id.clone(),
            user,
        }
    }
}

impl Write {
    /// The account of a user of this email, which is made if there is none, and
    /// stays until the transaction ends.
    pub(super) async fn link(
        &self,
        configuration: ConfigurationId,
        content: &UserContent,
        email: &PrimaryEmail,
    ) -> Result<std::result::Result<Linked, Refused>> {
        let new = AccountId::new(self.now, self.random.id_bytes());
        let key = email.key();
        let found = match self.find(configuration, new, content, email).await? {
            Some(found) => found,
            // The account that remembered it may have been removed in between.
            None => self
                .find(configuration, new, content, email)
                .await?
                .ok_or(Error::ConfigurationGone)?,
        };
        let is_new = found.account.id == new.as_uuid();
        let decision = if is_new { Ok(LinkReason::NoAccount) } else { found.decide(email) };
        // What was found of users may be older than the lock on the account, where
        // another was waited for.
        let decision = match decision {
            Ok(LinkReason::MadeBefore) if self.is_held(found.account.id.into()).await? => {
                Err(LinkReason::EmailUnverified)
            }
            decision => decision,
        };
        let account = found.account.id.into();
        Ok(match decision {
            Ok(reason) => Ok(Linked {
                organization: found.account.organization_id.into(),
                link: Link { account: Some(account), reason: Some(reason) },
                other_email_key: (found.account.email_key.as_ref() != Some(&key)).then_some(key),
                account: found.account.into(),
                is_new,
            }),
            Err(reason) => Err(Refused { account, reason }),
        })
    }

    /// Why a new user of this email would be refused because of the account that
    /// has it. Of a user who has an account already nothing else matters: it is not
    /// linked to that one.
    pub(super) async fn refusal(
        &self,
        configuration: ConfigurationId,
        email: &PrimaryEmail,
    ) -> Result<Option<Refused>> {
        // A proven one is refused to a new user only because somebody else may have
        // registered it, who would see what the user does in the account.
        if email.verified {
            return Ok(None);
        }
        let sql = format!(
            "SELECT {} FROM scim_accounts AS account \
             WHERE account.organization_id = \
                 (SELECT organization_id FROM scim_configurations WHERE id = $1) \
                 AND account.email_key = $2",
            found("account", "$1")
        );
        let values = [configuration.as_uuid().into(), email.key().into()];
        let found: Option<Found> = self.query(sql, values).await?.pop();
        Ok(found.and_then(|found| {
            let reason = found.decide(email).err()?;
            Some(Refused { account: found.account.id.into(), reason })
        }))
    }

    /// The account of a user of this email. `None`: there is no such configuration,
    /// or what remembered the email is gone just now.
    async fn find(
        &self,
        configuration: ConfigurationId,
        new: AccountId,
        content: &UserContent,
        email: &PrimaryEmail,
    ) -> Result<Option<Found>> {
        match self.made_or_found(configuration, new, content, email).await? {
            Some(found) => Ok(Some(found)),
            None => self.remembered(configuration, content, &email.key()).await,
        }
    }

    /// The account of this email, made if there is none: one statement, so that
    /// two who come at once find the same one. `None`: something else remembers
    /// the email, or there is no such configuration.
    async fn made_or_found(
        &self,
        configuration: ConfigurationId,
        new: AccountId,
        content: &UserContent,
        email: &PrimaryEmail,
    ) -> Result<Option<Found>> {
        // Put together once, for it is long and always the same. The update changes
        // nothing: it locks the row, and answers it.
        static SQL: LazyLock<String> = LazyLock::new(|| {
            format!(
                "INSERT INTO scim_accounts (organization_id, id, email, email_key, email_verified, \
                     configuration_id, created_at, updated_at) \
                 SELECT owner.organization_id, $2, $3, $4, $5, owner.id, $6, $6 \
                 FROM scim_configurations AS owner \
                 WHERE owner.id = $1 AND NOT EXISTS \
                     (SELECT 1 FROM scim_former_users AS former \
                      WHERE former.organization_id = owner.organization_id AND {}) \
                 ON CONFLICT (organization_id, email_key) \
                 DO UPDATE SET email_key = scim_accounts.email_key \
                 RETURNING {}",
                remembers("$4", "$7", "$8"),
                found("scim_accounts", "$1")
            )
        });
        let values = [
            configuration.as_uuid().into(),
            new.as_uuid().into(),
            email.text.as_str().into(),
            email.key().into(),
            email.verified.into(),
            self.now.as_micros().into(),
            content.user_name_key.as_str().into(),
            content.external_id.clone().into(),
        ];
        Ok(self.query(SQL.as_str(), values).await?.pop())
    }

    /// Whether a user has the account.
    pub(super) async fn is_held(&self, account: AccountId) -> Result<bool> {
        use super::entity::user::{Column, Entity};
        let holders = Entity::find().filter(Column::AccountId.eq(account.as_uuid()));
        let holder = holders.select_only().column(Column::Id).limit(1);
        Ok(!self.select::<Uuid>(&holder).await?.is_empty())
    }

    /// The account of this email where the user, before it was deleted, had the
    /// email and its account another one: the account that has it by now, or else
    /// that user's.
    async fn remembered(
        &self,
        configuration: ConfigurationId,
        content: &UserContent,
        key: &str,
    ) -> Result<Option<Found>> {
        const OWNER: &str = "(SELECT organization_id FROM scim_configurations WHERE id = $1)";
        let (found, lock) = (found("account", "$1"), self.on_postgres("FOR UPDATE OF account"));
        let is_remembered = remembers("$2", "$3", "$4");
        let sql = format!(
            "SELECT {found} FROM scim_accounts AS account \
             WHERE account.organization_id = {OWNER} AND account.id IN \
                 (SELECT own.id FROM scim_accounts AS own \
                  WHERE own.organization_id = {OWNER} AND own.email_key = $2 \
                  UNION ALL SELECT former.account_id FROM scim_former_users AS former \
                  WHERE former.organization_id = {OWNER} AND {is_remembered}) \
             ORDER BY CASE WHEN account.email_key = $2 THEN 0 ELSE 1 END, account.id LIMIT 1 {lock}"
        );
        let values = [
            configuration.as_uuid().into(),
            key.into(),
            content.user_name_key.as_str().into(),
            content.external_id.clone().into(),
        ];
        Ok(self.query(sql, values).await?.pop())
    }
}

/// That `former` is who is provisioned again by the configuration, `$1`. An email
/// alone does not say so: it is passed on to others. Nor is what is remembered
/// true of anybody while the account has a user of the configuration.
pub(super) fn remembers(email_key: &str, user_name_key: &str, external_id: &str) -> String {
    format!(
        "former.email_key = {email_key} AND former.configuration_id = $1 \
         AND (former.user_name_key = {user_name_key} OR former.external_id = {external_id}) \
         AND NOT EXISTS (SELECT 1 FROM scim_users AS holder \
             WHERE holder.account_id = former.account_id AND holder.configuration_id = $1)"
    )
}

/// What is read of an account for a user of a configuration.
fn found(account: &str, configuration: &str) -> String {
    format!(
        "{}, \
         (SELECT allow_unverified_email_account_linking FROM scim_configurations \
          WHERE id = {configuration}) AS is_unverified_allowed, \
         COALESCE({account}.configuration_id = {configuration}, FALSE) AS is_made_here, \
         EXISTS (SELECT 1 FROM scim_users AS holder WHERE holder.account_id = {account}.id) \
             AS is_held",
        columns(account)
    )
}

struct Found {
    account: Model,
    is_unverified_allowed: bool,
    is_made_here: bool,
    is_held: bool,
}

from_row!(Found { account, is_unverified_allowed, is_made_here, is_held });

impl Found {
    /// Whether a user of this email may be linked to it, and why or why not.
    fn decide(&self, email: &PrimaryEmail) -> std::result::Result<LinkReason, LinkReason> {
        let candidate = Candidate {
            is_claimed: self.account.client_id.is_some(),
            email_verified: self.account.email_verified,
            made_before: self.is_made_here && !self.is_held,
        };
        candidate.decide(email.verified, self.is_unverified_allowed)
    }
}
