//! Users.

mod at_once;

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::LazyLock;

use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ColumnTrait, DbBackend, EntityTrait, QueryFilter, QueryTrait, Set};
use uuid::Uuid;

use super::connection::{Rows, from_row};
use super::entity::user::{ActiveModel, Column, Entity};
use super::query::{Field, Kind};
use super::relinking::Relink;
use super::resources::{self, Row, Shape, Statements, UserRow};
use super::{Error, Read, Result, Write};
use crate::model::{
    AccountId, Condition, ConfigurationId, EventKind, Link, LinkReason, LinkRefusal, MemberId,
    Resource, Slice, User, UserContent, UserId, Written, changed_paths,
};

/// A user as it is stored, to be changed.
#[derive(Clone, Debug)]
pub struct PresentUser {
    /// The user.
    pub user: User,
    user_name_key: String,
    active: bool,
}

/// A user whom only this transaction may change.
#[derive(Clone, Debug)]
pub struct LockedUser(PresentUser);

impl Deref for LockedUser {
    type Target = PresentUser;

    fn deref(&self) -> &PresentUser {
        &self.0
    }
}

/// What is to become of a user.
struct Update {
    user: User,
    kind: EventKind,
    /// Paths of the attributes that differ.
    changed: Vec<String>,
    is_renamed: bool,
}

impl Update {
    fn has_other_emails(&self) -> bool {
        self.changed.iter().any(|path| path == "emails")
    }
}

impl PresentUser {
    /// The next version, but for the instant.
    fn updated(&self, content: &UserContent) -> Update {
        let kind = match (self.active, content.active) {
            (true, false) => EventKind::UserDeactivated,
            (false, true) => EventKind::UserReactivated,
            _ => EventKind::UserUpdated,
        };
        Update {
            user: User {
                id: self.user.id,
                document: content.document.clone(),
                version: self.user.version + 1,
                created_at: self.user.created_at,
                updated_at: self.user.updated_at,
                link: self.user.link,
            },
            kind,
            changed: changed_paths(&self.user.document, &content.document),
            is_renamed: content.user_name_key != self.user_name_key,
        }
    }
}

impl Read {
    /// One user.
    pub async fn user(&self, configuration: ConfigurationId, id: UserId) -> Result<Option<User>> {
        let row = self.row::<Entity, UserRow>(configuration, id.as_uuid()).await?;
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
        let rows = resources::slice::<Entity, UserRow, _>(
            &self.connection,
            configuration,
            condition,
            slice,
        )
        .await?;
        rows.into_iter().map(User::try_from).collect()
    }
}

impl Write {
    /// One user, whom nobody else changes or deletes until the transaction ends.
    pub async fn user_for_update(
        &self,
        configuration: ConfigurationId,
        id: UserId,
    ) -> Result<Option<LockedUser>> {
        let id = id.as_uuid();
        let row = self.resource_for_update::<Entity, PresentRow>(configuration, id).await?;
        row.map(|row| row.try_into().map(LockedUser)).transpose()
    }

    /// Makes a user, and its account if it has an email that no account has. Where
    /// the `userName` is taken or the account is not the user's the transaction
    /// goes on, and nothing is changed. `id`: one of [`Repository::new_id`] that the
    /// user is to have.
    pub async fn create_user(
        &self,
        configuration: ConfigurationId,
        id: Option<UserId>,
        content: UserContent,
    ) -> Result<Written<User, LinkRefusal>> {
        let id = id.unwrap_or_else(|| UserId::new(self.now, self.random.id_bytes()));
        let linked = match &content.primary_email {
            Some(email) => match self.link(configuration, &content, email).await? {
                Ok(linked) => Some(linked),
                // Who provisions somebody a second time is told of the first.
                Err(_) if self.is_name_taken(configuration, &content).await? => {
                    return Ok(Written::NameTaken);
                }
                Err(refused) => return Ok(Written::LinkRefused(refused.of(&content, None))),
            },
            None => None,
        };
        let link = linked.as_ref().map(|linked| linked.link).unwrap_or_default();
        let user = User {
            id,
            document: content.document.clone(),
            version: 1,
            created_at: self.now,
            updated_at: self.now,
            link,
        };
        let emails = content.email_keys.clone();
        let row = ActiveModel {
            configuration_id: Set(configuration.as_uuid()),
            id: Set(id.as_uuid()),
            version: Set(1),
            created_at: Set(self.now.as_micros()),
            account_id: Set(link.account.map(AccountId::as_uuid)),
            account_reason: Set(link.reason.map(|reason| reason.number().into())),
            other_email_key: Set(linked.as_ref().and_then(|linked| linked.other_email_key.clone())),
            ..self.row_of(content)
        };
        if !self.insert_unless_taken(row, Column::UserNameKey).await? {
            self.unmake(linked).await?;
            return Ok(Written::NameTaken);
        }
        self.add_emails(configuration, id, emails).await?;
        self.count_one_more(configuration, Kind::User).await?;
        self.record_user(configuration, EventKind::UserCreated, &user, &[]);
        if let Some(linked) = linked.filter(|linked| !linked.is_new) {
            self.record_linked(configuration, id, link, &linked.account);
        }
        Ok(Written::Done(user))
    }

    /// Stores a user anew, as its next version. One that has an account keeps it,
    /// whatever its email is; one that has none gets its account with its email.
    /// Where the `userName` is taken, or the email is that of an account which must
    /// not become a new user's, nothing is to be committed.
    pub async fn update_user(
        &self,
        configuration: ConfigurationId,
        before: &LockedUser,
        content: UserContent,
    ) -> Result<Written<User, LinkRefusal>> {
        let update = before.updated(&content);
        let relink = if update.has_other_emails() {
            self.relink(configuration, &before.user, &content).await?
        } else {
            Ok(Relink::Unchanged)
        };
        let relink = match relink {
            Ok(relink) => relink,
            Err(_) if update.is_renamed && self.is_name_taken(configuration, &content).await? => {
                return Ok(Written::NameTaken);
            }
            Err(refused) => {
                return Ok(Written::LinkRefused(refused.of(&content, Some(before.user.id))));
            }
        };
        let Update { mut user, kind, changed, is_renamed } = update;
        user.updated_at = self.now;
        if let Relink::Linked(linked) = &relink {
            user.link = linked.link;
        }
        let emails = content.email_keys.clone();
        let version = i64::try_from(user.version).map_err(|_| Error::Corrupt(VERSION))?;
        let mut change = ActiveModel { version: Set(version), ..self.row_of(content) };
        match &relink {
            Relink::Unchanged => {}
            Relink::Email(other) => change.other_email_key = Set(other.clone()),
            Relink::Linked(linked) => {
                change.account_id = Set(linked.link.account.map(AccountId::as_uuid));
                change.account_reason =
                    Set(linked.link.reason.map(|reason| reason.number().into()));
                change.other_email_key = Set(linked.other_email_key.clone());
            }
        }
        let Some(stored) = self.store(configuration, user.id, change, is_renamed).await? else {
            return Ok(Written::NameTaken);
        };
        self.replace_emails(configuration, user.id, &stored, emails).await?;
        self.record_user(configuration, kind, &user, &changed);
        if let Relink::Linked(linked) = relink {
            self.record_relinked(configuration, &user, &linked);
        }
        Ok(Written::Done(user))
    }

    /// Removes a user, who leaves all groups: each of them gets a new version.
    /// `false`: there is no such user.
    pub async fn delete_user(&self, configuration: ConfigurationId, id: UserId) -> Result<bool> {
        self.lock_groups_of(configuration, id.as_uuid()).await?;
        if !self.remove_row(configuration, id).await? {
            return Ok(false);
        }
        self.leave_groups(configuration, MemberId::User(id)).await?;
        self.remove_emails(configuration, id).await?;
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
        let update = self.transaction.row::<String>(self.backend().build(&update));
        let stored = if renamed { self.unless_taken(update).await? } else { Some(update.await?) };
        let Some(stored) = stored else { return Ok(None) };
        // The transaction has the user: there is one.
        let stored = stored.ok_or(Error::Corrupt("scim_users"))?;
        serde_json::from_str(&stored).map(Some).map_err(|_| Error::Corrupt("scim_user_emails"))
    }

    /// What a creation and an update both write.
    fn row_of(&self, content: UserContent) -> ActiveModel {
        ActiveModel {
            user_name_key: Set(content.user_name_key),
            external_id: Set(content.external_id),
            display_name_key: Set(content.display_name_key),
            active: Set(content.active),
            document: Set(content.document.to_string()),
            updated_at: Set(self.now.as_micros()),
            ..Default::default()
        }
    }
}

impl TryFrom<UserRow> for User {
    type Error = Error;

    fn try_from(UserRow { row, account_id, account_reason }: UserRow) -> Result<Self> {
        let link = link(account_id, account_reason)?;
        let Resource { id, document, version, created_at, updated_at } = row.read(Kind::User)?;
        Ok(Self { id: id.into(), document, version, created_at, updated_at, link })
    }
}

/// What is read of a user that is to be changed.
struct PresentRow {
    user: UserRow,
    user_name_key: String,
    active: bool,
}

from_row!(PresentRow { user, user_name_key, active });

impl AsRef<Row> for PresentRow {
    fn as_ref(&self) -> &Row {
        self.user.as_ref()
    }
}

impl Shape<Entity> for PresentRow {
    const MORE: &[Field] =
        &[Field::AccountId, Field::AccountReason, Field::UserNameKey, Field::Active];

    fn statements() -> &'static Statements {
        static OF_USERS: LazyLock<Statements> = LazyLock::new(Statements::of::<Entity, PresentRow>);
        &OF_USERS
    }
}

impl TryFrom<PresentRow> for PresentUser {
    type Error = Error;

    fn try_from(row: PresentRow) -> Result<Self> {
        let PresentRow { user, user_name_key, active } = row;
        Ok(Self { user: user.try_into()?, user_name_key, active })
    }
}

/// The account of a user as it is stored.
pub(super) fn link(account: Option<Uuid>, reason: Option<i64>) -> Result<Link> {
    let reason = reason.map(|number| {
        LinkReason::from_number(number).ok_or(Error::Corrupt("scim_users.account_reason"))
    });
    Ok(Link { account: account.map(Into::into), reason: reason.transpose()? })
}

const VERSION: &str = "scim_users.version";
