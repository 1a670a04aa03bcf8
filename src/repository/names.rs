//! Names that no two resources of a configuration share. The unique index alone
//! decides: whatever was looked up before may be taken by now.

use sea_orm::sea_query::{IntoIden, OnConflict};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel, SqlErr, UpdateMany,
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
        // PostgreSQL ends a transaction with the first statement that fails, unless
        // there is a savepoint; SQLite takes back that statement alone.
        let is_postgres = self.backend() == DbBackend::Postgres;
        if is_postgres {
            self.transaction.execute_unprepared("SAVEPOINT attempt").await?;
        }
        let (free, end) = match update.exec(&self.transaction).await {
            Ok(_) => (true, "RELEASE attempt"),
            Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
                (false, "ROLLBACK TO attempt")
            }
            Err(error) => return Err(error.into()),
        };
        if is_postgres {
            self.transaction.execute_unprepared(end).await?;
        }
        Ok(free)
    }
}
