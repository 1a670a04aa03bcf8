//! Table `scim_users`.

use sea_orm::entity::prelude::*;

/// One row. Instants are in microseconds.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "scim_users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub configuration_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_name_key: String,
    pub external_id: Option<String>,
    pub display_name_key: Option<String>,
    pub active: bool,
    pub document: String,
    pub version: i64,
    pub created_at: i64,
    pub updated_at: i64,
    pub account_id: Option<Uuid>,
    pub account_reason: Option<i64>,
    pub other_email_key: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
