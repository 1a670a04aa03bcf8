//! Changes of users that one statement makes, for many at once, where that is faster
//! than a transaction: on PostgreSQL, see `connection::group_commit`.
//!
//! Most creations and changes can be said so: nothing is in their way, and they
//! concern nobody else. The statement makes sure of that, and leaves alone what is
//! otherwise than it takes for granted: that is for a transaction, which waits for locks
//! and knows what to say.

use std::sync::LazyLock;

use super::{PresentRow, PresentUser};
use crate::model::{
    AccountId, ConfigurationId, EventKind, Link, LinkReason, PrimaryEmail, User, UserContent,
    UserId,
};
use crate::repository::entity::user;
use crate::repository::feed::told_along;
use crate::repository::linking::remembers;
use crate::repository::{Repository, Result, events, locks};

impl Repository {
    /// A user as it is now, for [`Self::update_user_at_once`]; `None`: there is no such
    /// user, or none is changed so on this engine.
    pub async fn user_to_update(
        &self,
        configuration: ConfigurationId,
        id: UserId,
    ) -> Result<Option<PresentUser>> {
        if self.writer.group_commit().is_none() {
            return Ok(None);
        }
        let row = self.read().row::<user::Entity, PresentRow>(configuration, id.as_uuid()).await?;
        row.map(PresentUser::try_from).transpose()
    }

    /// Stores a user anew, as its next version, durably. `None`: nothing is changed, for
    /// the user is not as it was, or somebody is at work on it, or its `userName` or its
    /// emails are to be others: that is for [`Write::update_user`].
    ///
    /// [`Write::update_user`]: crate::repository::Write::update_user
    pub async fn update_user_at_once(
        &self,
        configuration: ConfigurationId,
        before: &PresentUser,
        content: UserContent,
    ) -> Result<Option<User>> {
        let Some(group_commit) = self.writer.group_commit() else { return Ok(None) };
        let update = before.updated(&content);
        if update.is_renamed || update.has_other_emails() {
            return Ok(None);
        }
        let user = update.user;
        let values = vec![
            user.id.as_uuid().into(),
            i64::try_from(user.version).unwrap_or(i64::MAX).into(),
            content.external_id.into(),
            content.display_name_key.into(),
            content.active.into(),
            content.document.to_string().into(),
            i64::from(update.kind.number()).into(),
            self.origin.to_bytes().into(),
            events::changed_text(&update.changed).into(),
        ];
        let made = group_commit.make(&UPDATE, configuration.as_uuid(), values).await?;
        Ok(made.map(|now| User { updated_at: now, ..user }))
    }

    /// Makes a user, and its account if it has an email that no account has, durably.
    /// `None`: nothing is changed, for the `userName` is taken, or the email is one that
    /// is known, or the engine has no such way: that is for [`Write::create_user`], which
    /// says what `id` is.
    ///
    /// [`Write::create_user`]: crate::repository::Write::create_user
    pub async fn create_user_at_once(
        &self,
        configuration: ConfigurationId,
        id: Option<UserId>,
        content: &UserContent,
    ) -> Result<Option<User>> {
        let Some(group_commit) = self.writer.group_commit() else { return Ok(None) };
        let id = id.unwrap_or_else(|| UserId::new(self.now(), self.random.id_bytes()));
        let email = content.primary_email.as_ref();
        let link = Link {
            account: email.map(|_| AccountId::new(self.now(), self.random.id_bytes())),
            reason: email.map(|_| LinkReason::NoAccount),
        };
        let email_keys =
            serde_json::to_string(&content.email_keys).expect("texts have a JSON form");
        let values = vec![
            id.as_uuid().into(),
            content.user_name_key.as_str().into(),
            content.external_id.clone().into(),
            content.display_name_key.clone().into(),
            content.active.into(),
            content.document.to_string().into(),
            link.account.map(AccountId::as_uuid).into(),
            link.reason.map(|reason| i64::from(reason.number())).into(),
            email.map(|email| email.text.clone()).into(),
            email.map(PrimaryEmail::key).into(),
            email.map(|email| email.verified).into(),
            email_keys.into(),
            i64::from(EventKind::UserCreated.number()).into(),
            self.origin.to_bytes().into(),
        ];
        let made = group_commit.make(&CREATE, configuration.as_uuid(), values).await?;
        Ok(made.map(|now| User {
            id,
            document: content.document.clone(),
            version: 1,
            created_at: now,
            updated_at: now,
            link,
        }))
    }
}

/// `change`: a row for each change, of columns that are parameters from `$3` on,
/// and its place. PostgreSQL does not see how many there are, see `repository/ids.rs`.
fn changes(columns: &[(&str, &str)]) -> String {
    let mut arrays = Vec::with_capacity(columns.len());
    for (place, (_, kind)) in columns.iter().enumerate() {
        arrays.push(format!("(SELECT ${}::{kind}[])", place + 3));
    }
    let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
    format!(
        "change AS NOT MATERIALIZED (SELECT * FROM unnest({}) WITH ORDINALITY \
             AS change ({}, place))",
        arrays.join(", "),
        names.join(", ")
    )
}

/// Nobody is waited for who has a user locked: the others would wait too.
///
/// `OFFSET 0` here and below: each change looks into an index. PostgreSQL may take the
/// table for small, as long as it has not counted, and would rather read all of it. Nor
/// must it expect many of `free`: that is why versions are compared outside.
static UPDATE: LazyLock<String> = LazyLock::new(|| {
    let changes = changes(&[
        ("subject_id", "uuid"),
        ("version", "bigint"),
        ("external_id", "text"),
        ("display_name_key", "text"),
        ("active", "boolean"),
        ("document", "text"),
        ("kind", "bigint"),
        ("origin", "bytea"),
        ("changed", "text"),
    ]);
    let told = told_along("counted");
    format!(
        "WITH {changes}, \
         owner AS MATERIALIZED \
             (SELECT organization_id FROM scim_configurations WHERE id = $1), \
         free AS MATERIALIZED \
             (SELECT change.*, stored.row \
              FROM change CROSS JOIN LATERAL \
                  (SELECT ctid AS row, version FROM scim_users \
                   WHERE configuration_id = $1 AND id = change.subject_id \
                   OFFSET 0 FOR NO KEY UPDATE SKIP LOCKED) AS stored \
              WHERE stored.version = change.version - 1), \
         changed AS \
             (UPDATE scim_users AS stored \
              SET external_id = free.external_id, display_name_key = free.display_name_key, \
                  active = free.active, document = free.document, version = free.version, \
                  updated_at = $2 \
              FROM free, owner WHERE stored.ctid = free.row \
              RETURNING free.place, free.kind, free.origin, free.changed, free.subject_id, \
                  stored.version, stored.created_at, stored.updated_at, stored.document, \
                  stored.account_id, stored.account_reason), \
         counted AS MATERIALIZED \
             (SELECT organization_id, (SELECT count(*) FROM changed) AS events FROM owner), \
         {told}"
    )
});

/// A `userName` or an email that is known, or that one before has, is in the way. What
/// becomes known between the look and the deed makes a unique index refuse all of it.
///
/// Accounts come before users, those before the number of users, and that before the
/// number of events, as in a transaction: whoever reads a `count(*)` waits for all of it.
/// Accounts are made in the order of their emails, as imports make them.
static CREATE: LazyLock<String> = LazyLock::new(|| {
    let changes = changes(&[
        ("subject_id", "uuid"),
        ("user_name_key", "text"),
        ("external_id", "text"),
        ("display_name_key", "text"),
        ("active", "boolean"),
        ("document", "text"),
        ("account_id", "uuid"),
        ("account_reason", "bigint"),
        ("email", "text"),
        ("email_key", "text"),
        ("email_verified", "boolean"),
        ("email_keys", "text"),
        ("kind", "bigint"),
        ("origin", "bytea"),
    ]);
    let remembers = remembers("new.email_key", "new.user_name_key", "new.external_id");
    let line = locks::wait_in_line(locks::COUNTS, "id");
    let told = told_along("told");
    format!(
        "WITH {changes}, \
         owner AS MATERIALIZED \
             (SELECT id, organization_id FROM scim_configurations WHERE id = $1 FOR KEY SHARE), \
         numbered AS MATERIALIZED \
             (SELECT *, row_number() OVER (PARTITION BY user_name_key ORDER BY place) AS of_name, \
                  row_number() OVER (PARTITION BY email_key ORDER BY place) AS of_email \
              FROM change), \
         free AS MATERIALIZED \
             (SELECT new.* FROM numbered AS new, owner \
              WHERE of_name = 1 AND NOT EXISTS \
                  (SELECT 1 FROM scim_users AS other \
                   WHERE other.configuration_id = $1 \
                       AND other.user_name_key = new.user_name_key OFFSET 0) \
                  AND (new.email_key IS NULL OR of_email = 1 AND NOT EXISTS \
                      (SELECT 1 FROM scim_accounts AS account \
                       WHERE account.organization_id = owner.organization_id \
                           AND account.email_key = new.email_key OFFSET 0) \
                      AND NOT EXISTS \
                      (SELECT 1 FROM scim_former_users AS former \
                       WHERE former.organization_id = owner.organization_id AND {remembers} \
                       OFFSET 0))), \
         account AS \
             (INSERT INTO scim_accounts (organization_id, id, email, email_key, email_verified, \
                  configuration_id, created_at, updated_at) \
              SELECT organization_id, account_id, email, email_key, email_verified, owner.id, $2, $2 \
              FROM free, owner WHERE email_key IS NOT NULL ORDER BY email_key COLLATE \"C\" \
              RETURNING 1), \
         made AS \
             (INSERT INTO scim_users (configuration_id, id, user_name_key, external_id, \
                  display_name_key, active, document, version, created_at, updated_at, \
                  account_id, account_reason) \
              SELECT $1, subject_id, user_name_key, external_id, display_name_key, active, \
                  document, 1, $2, $2, account_id, account_reason \
              FROM free WHERE (SELECT count(*) FROM account) >= 0 \
              ORDER BY user_name_key COLLATE \"C\" \
              RETURNING id, version, created_at, updated_at), \
         changed AS MATERIALIZED \
             (SELECT place, kind, origin, '' AS changed, subject_id, version, created_at, \
                  updated_at, document, account_id, account_reason \
              FROM free JOIN made ON made.id = free.subject_id), \
         email AS \
             (INSERT INTO scim_user_emails (configuration_id, value_key, user_id) \
              SELECT $1, email.value_key, subject_id \
              FROM free, json_array_elements_text(free.email_keys::json) AS email (value_key) \
              RETURNING 1), \
         counted AS MATERIALIZED \
             (SELECT id, organization_id, (SELECT count(*) FROM changed) AS events \
              FROM owner WHERE (SELECT count(*) FROM email) >= 0), \
         users AS \
             (INSERT INTO scim_directory_counts (configuration_id, user_count, group_count) \
              SELECT id, events, 0 FROM counted, {line} WHERE events > 0 \
              ON CONFLICT (configuration_id) DO UPDATE \
                  SET user_count = scim_directory_counts.user_count + excluded.user_count \
              RETURNING 1), \
         told AS MATERIALIZED \
             (SELECT organization_id, events FROM counted WHERE (SELECT count(*) FROM users) > 0), \
         {told}"
    )
});
