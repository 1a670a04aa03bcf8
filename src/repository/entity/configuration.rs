//! Table `scim_configurations`.

use sea_orm::entity::prelude::*;

use super::StoredHash;
use crate::repository::connection::from_row;

/// One row. Instants and spans are in microseconds.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "scim_configurations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub organization_id: Uuid,
    pub name: String,
    pub enabled: bool,
    pub sso_configuration_id: Option<Uuid>,
    pub allow_unverified_email_account_linking: bool,
    pub token_hash: StoredHash,
    pub token_lifetime: i64,
    pub token_expires_at: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

// As SeaORM selects them.
from_row!(Model {
    id,
    organization_id,
    name,
    enabled,
    sso_configuration_id,
    allow_unverified_email_account_linking,
    token_hash,
    token_lifetime,
    token_expires_at,
    created_at,
    updated_at,
});

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
