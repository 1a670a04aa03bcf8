//! Table `api_keys`.

use sea_orm::entity::prelude::*;

use super::StoredHash;
use crate::repository::connection::from_row;

/// One row. Instants are in microseconds; a key without organization acts for
/// all of them.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub organization_id: Option<Uuid>,
    pub role: String,
    pub name: String,
    pub hash: StoredHash,
    pub created_at: i64,
    pub expires_at: Option<i64>,
    pub revoked_at: Option<i64>,
}

// As SeaORM selects them.
from_row!(Model { id, organization_id, role, name, hash, created_at, expires_at, revoked_at });

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
