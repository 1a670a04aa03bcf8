//! Users.

use std::collections::BTreeSet;

use sea_orm::sea_query::{Expr, LockType, Query};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QuerySelect, QueryTrait, Set,
};

use super::entity::user::{ActiveModel, Column, Entity, Model};
use super::entity::user_email;
use super::query::Kind;
use super::resources::{self, Row};
use super::{Error, Read, Result, Write};
use crate::model::{
    Condition, ConfigurationId, EventKind, Instant, MemberId, Slice, User, UserContent, UserId,
    Written, changed_paths,
};

/// How many emails one statement takes: three values each, of which PostgreSQL
/// takes 65,535 and SQLite 32,766.
const EMAILS_AT_ONCE: usize = 1_000;

/// A user whom only this transaction may change.
#[derive(Clone, Debug)]
pub struct LockedUser {
    /// The user.
    pub user: User,
    user_name_key: String,
    active: bool,
}

impl Read {
    /// One user.
    pub async fn user(&self, configuration: ConfigurationId, id: UserId) -> Result<Option<User>> {
        let row = self.resource::<Entity>(configuration, id.as_uuid()).await?;
        row.map(User::try_from).transpose()
    }

    /// The users for which `condition` holds, of these a part, in order of
    /// creation.
    pub async fn users(
        &self,
        configuration: ConfigurationId,
        condition: &Condition,
        slice: Slice,
    ) -> Result<Vec<User>> {
        let rows = resources::slice::<Entity, _>(&self.connection, configuration, condition, slice)
            .await?;
        rows.into_iter().map(User::try_from).collect()
    }

    /// For how many users `condition` holds.
    pub async fn count_users(
        &self,
        configuration: ConfigurationId,
        condition: &Condition,
    ) -> Result<u64> {
        resources::count::<Entity, _>(&self.connection, configuration, condition).await
    }
}

impl Write {
    /// One user, whom nobody else changes or deletes until the transaction ends.
    pub async fn user_for_update(
        &self,
        configuration: ConfigurationId,
        id: UserId,
    ) -> Result<Option<LockedUser>> {
        let row = Entity::find_by_id(key(configuration, id))
            .lock(LockType::NoKeyUpdate)
            .one(&self.transaction)
            .await?;
        row.map(LockedUser::try_from).transpose()
    }

    /// Makes a user. Where the `userName` is taken the transaction goes on, and
    /// nothing is changed.
    pub async fn create_user(
        &self,
        configuration: ConfigurationId,
        content: UserContent,
    ) -> Result<Written<User>> {
        let id = UserId::new(self.now, self.random_bytes());
        let user = User {
            id,
            document: content.document.clone(),
            version: 1,
            created_at: self.now,
            updated_at: self.now,
        };
        let emails = content.email_keys.clone();
        let row = ActiveModel {
            configuration_id: Set(configuration.as_uuid()),
            id: Set(id.as_uuid()),
            version: Set(1),
            created_at: Set(self.now.as_micros()),
            ..self.row_of(content)
        };
        if !self.insert_unless_taken(row, Column::UserNameKey).await? {
            return Ok(Written::NameTaken);
        }
        self.add_emails(configuration, id, emails).await?;
        self.count_one_more(configuration, Kind::User).await?;
        self.record_user(configuration, EventKind::UserCreated, &user, &[]);
        Ok(Written::Done(user))
    }

    /// Stores a user anew, as its next version. Where the `userName` is taken the
    /// transaction goes on, and nothing is changed.
    pub async fn update_user(
        &self,
        configuration: ConfigurationId,
        before: &LockedUser,
        content: UserContent,
    ) -> Result<Written<User>> {
        let kind = match (before.active, content.active) {
            (true, false) => EventKind::UserDeactivated,
            (false, true) => EventKind::UserReactivated,
            _ => EventKind::UserUpdated,
        };
        let user = User {
            id: before.user.id,
            document: content.document.clone(),
            version: before.user.version + 1,
            created_at: before.user.created_at,
            updated_at: self.now,
        };
        let renamed = content.user_name_key != before.user_name_key;
        let emails = content.email_keys.clone();
        let version = i64::try_from(user.version).map_err(|_| Error::Corrupt(VERSION))?;
        let change = ActiveModel { version: Set(version), ..self.row_of(content) };
        let Some(stored) = self.store(configuration, user.id, change, renamed).await? else {
            return Ok(Written::NameTaken);
        };
        self.replace_emails(configuration, user.id, &stored, emails).await?;
        let changed = changed_paths(&before.user.document, &user.document);
        self.record_user(configuration, kind, &user, &changed);
        Ok(Written::Done(user))
    }

    /// Removes a user, who leaves all groups: each of them gets a new version.
    /// `false`: there is no such user.
    pub async fn delete_user(&self, configuration: ConfigurationId, id: UserId) -> Result<bool> {
        self.lock_groups_of(configuration, id.as_uuid()).await?;
        let deleted = Entity::delete_by_id(key(configuration, id)).exec(&self.transaction).await?;
        if deleted.rows_affected == 0 {
            return Ok(false);
        }
        self.leave_groups(configuration, MemberId::User(id)).await?;
        user_email::Entity::delete_many()
            .filter(user_email::Column::ConfigurationId.eq(configuration.as_uuid()))
            .filter(user_email::Column::UserId.eq(id.as_uuid()))
            .exec(&self.transaction)
            .await?;
        self.count_one_less(configuration, Kind::User).await?;
        self.record_deleted(configuration, EventKind::UserDeleted, id.as_uuid());
        Ok(true)
    }

    /// The keys of the emails that are stored of the user, in the same round trip;
    /// `None`: the `userName` is taken.
    async fn store(
        &self,
        configuration: ConfigurationId,
        id: UserId,
        change: ActiveModel,
        renamed: bool,
    ) -> Result<Option<BTreeSet<String>>> {
        let emails = match self.backend() {
            DbBackend::Sqlite => "json_group_array(value_key)",
            _ => "COALESCE(json_agg(value_key)::text, '[]')",
        };
        let emails = format!(
            "(SELECT {emails} FROM scim_user_emails AS email \
              WHERE email.configuration_id = scim_users.configuration_id \
                  AND email.user_id = scim_users.id)"
        );
        let mut update = Entity::update_many()
            .set(change)
            .filter(Column::ConfigurationId.eq(configuration.as_uuid()))
            .filter(Column::Id.eq(id.as_uuid()))
            .into_query();
        update.returning(Query::returning().expr(Expr::cust(emails)));
        let update = self.transaction.query_one(&update);
        let row = if renamed { self.unless_taken(update).await? } else { Some(update.await?) };
        let Some(row) = row else { return Ok(None) };
        // The transaction has the user: there is one.
        let stored: String = row.ok_or(Error::Corrupt("scim_users"))?.try_get_by_index(0)?;
        serde_json::from_str(&stored).map(Some).map_err(|_| Error::Corrupt("scim_user_emails"))
    }

    /// What a creation and an update both write.
    fn row_of(&self, content: UserContent) -> ActiveModel {
        ActiveModel {
            user_name_key: Set(content.user_name_key),
            external_id: Set(content.external_id),
            display_name_key: Set(content.display_name_key),
            active: Set(content.active),
            document: Set(content.document),
            updated_at: Set(self.now.as_micros()),
            ..Default::default()
        }
    }

    /// Touches only what differs: most updates leave the emails as they are.
    async fn replace_emails(
        &self,
        configuration: ConfigurationId,
        user: UserId,
        stored: &BTreeSet<String>,
        emails: Vec<String>,
    ) -> Result<()> {
        use user_email::{Column, Entity};
        let wanted: BTreeSet<_> = emails.into_iter().collect();
        let gone: Vec<_> = stored.difference(&wanted).collect();
        for gone in gone.chunks(EMAILS_AT_ONCE) {
            Entity::delete_many()
                .filter(Column::ConfigurationId.eq(configuration.as_uuid()))
                .filter(Column::UserId.eq(user.as_uuid()))
                .filter(Column::ValueKey.is_in(gone.iter().copied()))
                .exec(&self.transaction)
                .await?;
        }
        let new = wanted.difference(stored).cloned().collect();
        self.add_emails(configuration, user, new).await
    }

    async fn add_emails(
        &self,
        configuration: ConfigurationId,
        user: UserId,
        emails: Vec<String>,
    ) -> Result<()> {
        for emails in emails.chunks(EMAILS_AT_ONCE) {
            let rows = emails.iter().map(|value_key| user_email::ActiveModel {
                configuration_id: Set(configuration.as_uuid()),
                value_key: Set(value_key.clone()),
                user_id: Set(user.as_uuid()),
            });
            user_email::Entity::insert_many(rows).exec_without_returning(&self.transaction).await?;
        }
        Ok(())
    }
}

impl TryFrom<Row> for User {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            document: row.document,
            version: u64::try_from(row.version).map_err(|_| Error::Corrupt(VERSION))?,
            created_at: Instant::from_micros(row.created_at),
            updated_at: Instant::from_micros(row.updated_at),
        })
    }
}

impl TryFrom<Model> for LockedUser {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self> {
        let user = Row {
            id: row.id,
            document: row.document,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        };
        Ok(Self { user: user.try_into()?, user_name_key: row.user_name_key, active: row.active })
    }
}

const VERSION: &str = "scim_users.version";

fn key(configuration: ConfigurationId, id: UserId) -> (uuid::Uuid, uuid::Uuid) {
    (configuration.as_uuid(), id.as_uuid())
}
