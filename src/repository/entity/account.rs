//! Table `scim_accounts`.

use sea_orm::entity::prelude::*;
use sea_orm::{IdenStatic, Iterable};

use crate::repository::connection::from_row;

/// One row. Instants are in microseconds.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "scim_accounts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub client_id: Option<String>,
    pub email: String,
    pub email_key: Option<String>,
    pub email_verified: bool,
    pub configuration_id: Option<Uuid>,
    pub created_at: i64,
    pub updated_at: i64,
}

// As SeaORM selects them.
from_row!(Model {
    organization_id,
    id,
    client_id,
    email,
    email_key,
    email_verified,
    configuration_id,
    created_at,
    updated_at,
});

/// What is read of an account, of the table of this name or alias.
pub fn columns(table: &str) -> String {
    let columns: Vec<_> =
        Column::iter().map(|column| format!("{table}.{}", column.as_str())).collect();
    columns.join(", ")
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
