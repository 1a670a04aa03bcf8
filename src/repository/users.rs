//! Users.

use std::collections::BTreeSet;

use sea_orm::sea_query::{ExprTrait, LockType, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, Set, SqlErr, TransactionTrait};

use super::entity::user::{ActiveModel, Column, Entity};
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

impl Read {
    /// One user.
    pub async fn user(&self, configuration: ConfigurationId, id: UserId) -> Result<Option<User>> {
        let row =
            resources::find::<Entity, _>(&self.connection, configuration, id.as_uuid()).await?;
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
    ) -> Result<Option<User>> {
        let row =
            resources::find_for_update::<Entity, _>(&self.transaction, configuration, id.as_uuid())
                .await?;
        row.map(User::try_from).transpose()
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
        // Not a failure to be told afterwards: PostgreSQL ends a transaction
        // with the first statement that fails.
        let free = OnConflict::columns([Column::ConfigurationId, Column::UserNameKey])
            .do_nothing()
            .to_owned();
        let inserted =
            Entity::insert(row).on_conflict(free).exec_without_returning(&self.transaction).await?;
        if inserted == 0 {
            return Ok(Written::UserNameTaken);
        }
        self.add_emails(configuration, id, emails).await?;
        self.count_one_more(configuration, Kind::User).await?;
        self.record_user(configuration, EventKind::UserCreated, &user, &[]);
        Ok(Written::Done(user))
    }

    /// Stores a user anew, as its next version. `None`: there is no such user.
    /// Where the `userName` is taken the transaction goes on, and nothing is
    /// changed.
    pub async fn update_user(
        &self,
        configuration: ConfigurationId,
        id: UserId,
        content: UserContent,
    ) -> Result<Option<Written<User>>> {
        let previous: Option<(String, String, bool, i64, i64)> =
            Entity::find_by_id(key(configuration, id))
                .select_only()
                .columns([
                    Column::UserNameKey,
                    Column::Document,
                    Column::Active,
                    Column::Version,
                    Column::CreatedAt,
                ])
                .lock(LockType::NoKeyUpdate)
                .into_tuple()
                .one(&self.transaction)
                .await?;
        let Some((user_name_key, document, was_active, version, created_at)) = previous else {
            return Ok(None);
        };
        let kind = match (was_active, content.active) {
            (true, false) => EventKind::UserDeactivated,
            (false, true) => EventKind::UserReactivated,
            _ => EventKind::UserUpdated,
        };
        let row = Row {
            id: id.as_uuid(),
            document: content.document.clone(),
            version: version + 1,
            created_at,
            updated_at: self.now.as_micros(),
        };
        let renamed = content.user_name_key != user_name_key;
        let emails = content.email_keys.clone();
        let change = ActiveModel { version: Set(row.version), ..self.row_of(content) };
        if !self.store(configuration, id, change, renamed).await? {
            return Ok(Some(Written::UserNameTaken));
        }
        self.replace_emails(configuration, id, emails).await?;
        let user = User::try_from(row)?;
        let changed = changed_paths(&document, &user.document);
        self.record_user(configuration, kind, &user, &changed);
        Ok(Some(Written::Done(user)))
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

    /// `false`: the `userName` is taken.
    async fn store(
        &self,
        configuration: ConfigurationId,
        id: UserId,
        change: ActiveModel,
        renamed: bool,
    ) -> Result<bool> {
        let update = Entity::update_many()
            .set(change)
            .filter(Column::ConfigurationId.eq(configuration.as_uuid()))
            .filter(Column::Id.eq(id.as_uuid()));
        if !renamed {
            update.exec(&self.transaction).await?;
            return Ok(true);
        }
        // Another may take the name between any look-up and this. A savepoint
        // keeps the transaction alive on PostgreSQL.
        let savepoint = self.transaction.begin().await?;
        match update.exec(&savepoint).await {
            Ok(_) => {
                savepoint.commit().await?;
                Ok(true)
            }
            Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
                savepoint.rollback().await?;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
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
        emails: Vec<String>,
    ) -> Result<()> {
        use user_email::{Column, Entity};
        let of_user = Column::ConfigurationId
            .eq(configuration.as_uuid())
            .and(Column::UserId.eq(user.as_uuid()));
        let stored: Vec<String> = Entity::find()
            .select_only()
            .column(Column::ValueKey)
            .filter(of_user.clone())
            .into_tuple()
            .all(&self.transaction)
            .await?;
        let stored: BTreeSet<_> = stored.into_iter().collect();
        let wanted: BTreeSet<_> = emails.into_iter().collect();
        let gone: Vec<_> = stored.difference(&wanted).collect();
        for gone in gone.chunks(EMAILS_AT_ONCE) {
            Entity::delete_many()
                .filter(of_user.clone())
                .filter(Column::ValueKey.is_in(gone.iter().copied()))
                .exec(&self.transaction)
                .await?;
        }
        let new = wanted.difference(&stored).cloned().collect();
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
            version: u64::try_from(row.version)
                .map_err(|_| Error::Corrupt("scim_users.version"))?,
            created_at: Instant::from_micros(row.created_at),
            updated_at: Instant::from_micros(row.updated_at),
        })
    }
}

fn key(configuration: ConfigurationId, id: UserId) -> (uuid::Uuid, uuid::Uuid) {
    (configuration.as_uuid(), id.as_uuid())
}
