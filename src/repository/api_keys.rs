//! API keys.

use sea_orm::sea_query::ExprTrait;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::connection::Rows as _;
use super::entity::StoredHash;
use super::entity::api_key::{ActiveModel, Column, Entity, Model};
use super::{Error, Read, Result, Write};
use crate::model::{ApiKey, ApiKeyId, Instant, NewApiKey, OrganizationId, Scope};
use crate::token::TokenHash;

/// What is read of a key for which the condition behind it holds.
macro_rules! select {
    () => {
        "SELECT id, organization_id, role, name, hash, created_at, expires_at, revoked_at \
         FROM api_keys WHERE "
    };
}

impl Read {
    /// The key with this hash, be it expired or revoked.
    pub async fn api_key_of_token(&self, hash: &TokenHash) -> Result<Option<ApiKey>> {
        const SQL: &str = concat!(select!(), "hash = $1");
        let row: Option<Model> = self.query_one(SQL, [StoredHash::from(hash).into()]).await?;
        row.map(ApiKey::try_from).transpose()
    }

    /// The key with this id, be it expired or revoked.
    pub async fn api_key(&self, id: ApiKeyId) -> Result<Option<ApiKey>> {
        const SQL: &str = concat!(select!(), "id = $1");
        // By itself: it is asked within answers, which may stand still while the client
        // does not read on, and nobody is to wait for that.
        let row: Option<Model> = self.connection.query(SQL, [id.as_uuid().into()]).await?.pop();
        row.map(ApiKey::try_from).transpose()
    }

    /// All keys of one organization, or all there are, oldest first.
    pub async fn api_keys(&self, organization: Option<OrganizationId>) -> Result<Vec<ApiKey>> {
        let mut find = Entity::find();
        if let Some(organization) = organization {
            find = find.filter(Column::OrganizationId.eq(organization.as_uuid()));
        }
        let find = find.order_by_asc(Column::CreatedAt).order_by_asc(Column::Id);
        let rows: Vec<Model> = self.query(&find).await?;
        rows.into_iter().map(ApiKey::try_from).collect()
    }
}

impl Write {
    /// Makes a key whose secret has this hash.
    pub async fn create_api_key(&self, new: NewApiKey, token: &TokenHash) -> Result<ApiKey> {
        let id = ApiKeyId::new(self.now, self.random.id_bytes());
        let row = Model {
            id: id.as_uuid(),
            organization_id: new.scope.organization().map(OrganizationId::as_uuid),
            role: new.role.as_str().to_owned(),
            name: new.name,
            hash: token.into(),
            created_at: self.now.as_micros(),
            expires_at: new.expires_at.map(Instant::as_micros),
            revoked_at: None,
        };
        self.perform(&Entity::insert(ActiveModel::from(row.clone()).reset_all())).await?;
        row.try_into()
    }

    /// Ends a key from now on; one that is revoked already stays as it is.
    /// `false`: there is no such key.
    pub async fn revoke_api_key(&self, id: ApiKeyId) -> Result<bool> {
        let revoked_at = Column::RevokedAt.into_expr().if_null(self.now.as_micros());
        let update = Entity::update_many()
            .col_expr(Column::RevokedAt, revoked_at)
            .filter(Column::Id.eq(id.as_uuid()));
        Ok(self.perform(&update).await? > 0)
    }
}

impl TryFrom<Model> for ApiKey {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            scope: row.organization_id.map_or(Scope::Platform, |id| Scope::Organization(id.into())),
            role: row.role.parse().map_err(|_| Error::Corrupt("api_keys.role"))?,
            name: row.name,
            created_at: Instant::from_micros(row.created_at),
            expires_at: row.expires_at.map(Instant::from_micros),
            revoked_at: row.revoked_at.map(Instant::from_micros),
        })
    }
}
