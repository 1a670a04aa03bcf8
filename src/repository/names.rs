//! Names that no two resources of a configuration share. The unique index alone
//! decides: whatever was looked up before may be taken by now.

use sea_orm::sea_query::{IntoIden, OnConflict};
use sea_orm::{
    ActiveModelTrait, EntityTrait, IntoActiveModel, SqlErr, TransactionTrait, UpdateMany,
};

use super::query::Field;
use super::{Result, Write};

impl Write {
    /// `false`: another resource of the configuration has the name. The
    /// transaction goes on, and nothing is changed.
    pub(super) async fn insert_unless_taken<A>(
        &self,
        row: A,
        name: <A::Entity as EntityTrait>::Column,
    ) -> Result<bool>
    where
        A: ActiveModelTrait,
        <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
    {
        // Not a failure to be told afterwards: PostgreSQL ends a transaction
        // with the first statement that fails.
        let free = OnConflict::columns([Field::ConfigurationId.into_iden(), name.into_iden()])
            .do_nothing()
            .to_owned();
        let insert = A::Entity::insert(row).on_conflict(free);
        Ok(insert.exec_without_returning(&self.transaction).await? > 0)
    }

    /// The same of an update.
    pub(super) async fn update_unless_taken<E: EntityTrait>(
        &self,
        update: UpdateMany<E>,
    ) -> Result<bool> {
        // A savepoint keeps the transaction alive on PostgreSQL.
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
}
