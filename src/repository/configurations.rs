//! SCIM configurations and the one token of each.

use sea_orm::sea_query::{Expr, ExprTrait, LockType, Query, SimpleExpr};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, Iterable, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};

use uuid::Uuid;

use super::connection::Rows;
use super::entity::StoredHash;
use super::entity::configuration::{Column, Entity, Model};
use super::{Read, Result, Write};
use crate::model::{
    Configuration, ConfigurationChange, ConfigurationId, EventKind, Instant, NewConfiguration,
    OrganizationId, Page, Position, Scope, SsoConfigurationId, TokenLifetime,
};
use crate::token::TokenHash;

/// In the order of [`Model`].
macro_rules! columns {
    () => {
        "id, organization_id, name, enabled, sso_configuration_id, \
         allow_unverified_email_account_linking, token_hash, token_lifetime, token_expires_at, \
         created_at, updated_at"
    };
}

/// A configuration for which the condition holds.
macro_rules! select {
    ($condition:literal) => {
        concat!("SELECT ", columns!(), " FROM scim_configurations WHERE ", $condition)
    };
}

impl Read {
    /// The configuration, if it exists within `scope`.
    pub async fn configuration(
        &self,
        scope: Scope,
        id: ConfigurationId,
    ) -> Result<Option<Configuration>> {
        let row: Option<Model> = match scope.organization() {
            None => self.query_one(select!("id = $1"), [id.as_uuid().into()]).await?,
            Some(own) => {
                let values = [id.as_uuid().into(), own.as_uuid().into()];
                self.query_one(select!("id = $1 AND organization_id = $2"), values).await?
            }
        };
        Ok(row.map(Configuration::from))
    }

    /// The configuration whose present token has this hash, if it is `id`.
    pub async fn configuration_of_token(
        &self,
        id: ConfigurationId,
        hash: &TokenHash,
    ) -> Result<Option<Configuration>> {
        let values = [id.as_uuid().into(), StoredHash::from(hash).into()];
        let row = self.query_one(select!("id = $1 AND token_hash = $2"), values).await?;
        Ok(row.map(|row: Model| row.into()))
    }

    /// The ids of all configurations of an organization, in order.
    pub async fn configuration_ids(
        &self,
        organization: OrganizationId,
    ) -> Result<Vec<ConfigurationId>> {
        let select = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(within(Scope::Organization(organization)))
            .order_by_asc(Column::Id);
        let ids: Vec<Uuid> = self.query(&select).await?;
        Ok(ids.into_iter().map(Into::into).collect())
    }

    /// One page of the configurations within `scope`, oldest first, and the
    /// position of its last item if more follow.
    pub async fn configurations(
        &self,
        scope: Scope,
        page: Page,
    ) -> Result<(Vec<Configuration>, Option<Position>)> {
        // One more than asked for tells whether there is a next page.
        let select = Entity::find()
            .filter(within(scope))
            .filter(behind(page.after))
            .order_by_asc(Column::CreatedAt)
            .order_by_asc(Column::Id)
            .limit(u64::from(page.limit) + 1);
        let mut rows: Vec<Model> = self.query(&select).await?;
        let limit = page.limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|last| Position {
            created_at: Instant::from_micros(last.created_at),
            id: last.id,
        });
        Ok((rows.into_iter().map(Configuration::from).collect(), next))
    }
}

impl Write {
    /// Makes a configuration, enabled, whose token has this hash.
    pub async fn create_configuration(
        &self,
        new: NewConfiguration,
        token: &TokenHash,
    ) -> Result<Configuration> {
        const INSERT: &str = concat!(
            "INSERT INTO scim_configurations (",
            columns!(),
            ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
        );
        let lifetime = micros(new.token_lifetime);
        let made = Configuration {
            id: ConfigurationId::new(self.now, self.random.id_bytes()),
            organization_id: new.organization_id,
            name: new.name,
            enabled: true,
            sso_configuration_id: Some(new.sso_configuration_id),
            allow_unverified_email_account_linking: new.allow_unverified_email_account_linking,
            token_expires_at: Instant::from_micros(self.now.as_micros() + lifetime),
            created_at: self.now,
            updated_at: self.now,
        };
        let values = [
            made.id.as_uuid().into(),
            made.organization_id.as_uuid().into(),
            made.name.clone().into(),
            made.enabled.into(),
            made.sso_configuration_id.map(SsoConfigurationId::as_uuid).into(),
            made.allow_unverified_email_account_linking.into(),
            StoredHash::from(token).into(),
            lifetime.into(),
            made.token_expires_at.as_micros().into(),
            made.created_at.as_micros().into(),
            made.updated_at.as_micros().into(),
        ];
        self.execute(INSERT, values).await?;
        self.schedule_token_notice(&made).await?;
        self.record_configuration(EventKind::ConfigurationCreated, &made, &[]);
        Ok(made)
    }

    /// Changes the fields that are named and moves `updated_at`; where none is
    /// named, nothing. `None`: there is no such configuration within `scope`.
    pub async fn update_configuration(
        &self,
        scope: Scope,
        id: ConfigurationId,
        change: ConfigurationChange,
    ) -> Result<Option<Configuration>> {
        let previous = Entity::find().filter(one(scope, id)).lock(LockType::NoKeyUpdate);
        let previous: Option<Model> = self.select(&previous).await?.pop();
        let Some(previous) = previous.map(Configuration::from) else { return Ok(None) };
        if change.is_empty() {
            return Ok(Some(previous));
        }
        let mut values = Vec::new();
        if let Some(name) = change.name {
            values.push((Column::Name, SimpleExpr::from(name)));
        }
        if let Some(enabled) = change.enabled {
            values.push((Column::Enabled, enabled.into()));
        }
        if let Some(sso) = change.sso_configuration_id {
            let sso = sso.map(SsoConfigurationId::as_uuid);
            values.push((Column::SsoConfigurationId, SimpleExpr::value(sso)));
        }
        if let Some(allow) = change.allow_unverified_email_account_linking {
            values.push((Column::AllowUnverifiedEmailAccountLinking, allow.into()));
        }
        let updated = self.update_one(scope, id, values).await?;
        if let Some(updated) = &updated {
            self.record_update(&previous, updated);
        }
        Ok(updated)
    }

    /// Replaces the token: from now on the one with this hash is the only one.
    /// It is valid for `lifetime`, or else as long as the previous one was made
    /// for. `None`: there is no such configuration within `scope`.
    pub async fn replace_token(
        &self,
        scope: Scope,
        id: ConfigurationId,
        token: &TokenHash,
        lifetime: Option<TokenLifetime>,
    ) -> Result<Option<Configuration>> {
        let mut values = vec![(Column::TokenHash, SimpleExpr::value(StoredHash::from(token)))];
        // One statement, so that the previous lifetime is the one of the token
        // that is replaced even when two replacements race.
        let lifetime = match lifetime {
            Some(lifetime) => {
                values.push((Column::TokenLifetime, micros(lifetime).into()));
                SimpleExpr::value(micros(lifetime))
            }
            None => Column::TokenLifetime.into_expr(),
        };
        values.push((Column::TokenExpiresAt, lifetime.add(self.now.as_micros())));
        let updated = self.update_one(scope, id, values).await?;
        if let Some(updated) = &updated {
            self.schedule_token_notice(updated).await?;
            let kind = EventKind::TokenRegenerated;
            self.record_configuration(kind, updated, &["token_expires_at"]);
        }
        Ok(updated)
    }

    /// Removes the configuration and its token. What was provisioned through it
    /// is no longer to be found from then on, and goes with
    /// [`Repository::purge_once`](super::Repository::purge_once). `false`: there
    /// is no such configuration within `scope`.
    pub async fn delete_configuration(&self, scope: Scope, id: ConfigurationId) -> Result<bool> {
        let mut delete = Entity::delete_many().filter(one(scope, id)).into_query();
        delete.returning(Query::returning().columns(Column::iter()));
        let deleted = self.transaction.row::<Model>(self.backend().build(&delete)).await?;
        let Some(deleted) = deleted else { return Ok(false) };
        self.cancel_token_notice(id).await?;
        self.note_purge(&deleted.into()).await?;
        Ok(true)
    }

    /// Says what an update changed, be it only when that was.
    fn record_update(&self, previous: &Configuration, updated: &Configuration) {
        let differs = [
            ("name", previous.name != updated.name),
            ("enabled", previous.enabled != updated.enabled),
            ("sso_configuration_id", previous.sso_configuration_id != updated.sso_configuration_id),
            (
                "allow_unverified_email_account_linking",
                previous.allow_unverified_email_account_linking
                    != updated.allow_unverified_email_account_linking,
            ),
        ];
        let mut changed: Vec<_> =
            differs.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect();
        if changed.is_empty() {
            changed.push("updated_at");
        }
        let kind = match (previous.enabled, updated.enabled) {
            (false, true) => EventKind::ConfigurationEnabled,
            (true, false) => EventKind::ConfigurationDisabled,
            _ => EventKind::ConfigurationUpdated,
        };
        self.record_configuration(kind, updated, &changed);
    }

    async fn update_one(
        &self,
        scope: Scope,
        id: ConfigurationId,
        values: Vec<(Column, SimpleExpr)>,
    ) -> Result<Option<Configuration>> {
        let update = values
            .into_iter()
            .fold(Entity::update_many(), |update, (column, value)| update.col_expr(column, value));
        let mut update = update
            .col_expr(Column::UpdatedAt, self.now.as_micros().into())
            .filter(one(scope, id))
            .into_query();
        update.returning(Query::returning().columns(Column::iter()));
        let row: Option<Model> = self.transaction.row(self.backend().build(&update)).await?;
        Ok(row.map(Configuration::from))
    }
}

impl From<Model> for Configuration {
    fn from(row: Model) -> Self {
        Self {
            id: row.id.into(),
            organization_id: row.organization_id.into(),
            name: row.name,
            enabled: row.enabled,
            sso_configuration_id: row.sso_configuration_id.map(Into::into),
            allow_unverified_email_account_linking: row.allow_unverified_email_account_linking,
            token_expires_at: Instant::from_micros(row.token_expires_at),
            created_at: Instant::from_micros(row.created_at),
            updated_at: Instant::from_micros(row.updated_at),
        }
    }
}

fn within(scope: Scope) -> Condition {
    Condition::all()
        .add_option(scope.organization().map(|own| Column::OrganizationId.eq(own.as_uuid())))
}

fn one(scope: Scope, id: ConfigurationId) -> Condition {
    within(scope).add(Column::Id.eq(id.as_uuid()))
}

fn behind(position: Option<Position>) -> Condition {
    Condition::all().add_option(position.map(|Position { created_at, id }| {
        // Compared as one pair, so that the index finds the place at once.
        Expr::tuple([Column::CreatedAt.into_expr(), Column::Id.into_expr()])
            .gt(Expr::tuple([created_at.as_micros().into(), id.into()]))
    }))
}

fn micros(lifetime: TokenLifetime) -> i64 {
    i64::try_from(lifetime.as_duration().as_micros()).expect("a lifetime is at most two years")
}
