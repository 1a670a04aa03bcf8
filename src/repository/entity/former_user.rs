//! Table `scim_former_users`.

use sea_orm::entity::prelude::*;

/// One row. Instants are in microseconds.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "scim_former_users")]
pub struct Model {
    pub organization_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub configuration_id: Uuid,
    pub user_id: Uuid,
    pub user_name_key: String,
    pub external_id: Option<String>,
    pub email_key: Option<String>,
    pub deleted_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
