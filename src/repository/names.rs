//! Names that no two resources of a configuration share. The unique index alone
//! decides: whatever was looked up before may be taken by now.

use sea_orm::sea_query::{IntoIden, OnConflict};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, IntoActiveModel, SqlErr,
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

    /// The same of another statement, and what it answers; `None`: another has the
    /// name.
    pub(super) async fn unless_taken<T>(
        &self,
        statement: impl Future<Output = std::result::Result<T, DbErr>>,
    ) -> Result<Option<T>> {
        // PostgreSQL ends a transaction with the first statement that fails, unless
        // there is a savepoint; SQLite takes back that statement alone.
        let is_postgres = self.backend() == DbBackend::Postgres;
        if is_postgres {
            self.transaction.execute_unprepared("SAVEPOINT attempt").await?;
        }
        let (answer, end) = match statement.await {
            Ok(answer) => (Some(answer), "RELEASE attempt"),
            Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
                (None, "ROLLBACK TO attempt")
            }
            Err(error) => return Err(error.into()),
        };
        if is_postgres {
            self.transaction.execute_unprepared(end).await?;
        }
        Ok(answer)
    }
}
