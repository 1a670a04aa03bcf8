//! Names that no two resources of a configuration share. The unique index alone
//! decides: whatever was looked up before may be taken by now.

use sea_orm::sea_query::{IntoIden, OnConflict};
use sea_orm::{ActiveModelTrait, DbBackend, EntityTrait, IntoActiveModel};

use super::connection::Failure;
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
        Ok(self.perform(&A::Entity::insert(row).on_conflict(free)).await? > 0)
    }

    /// The same of another statement, and what it answers; `None`: another has the
    /// name.
    pub(super) async fn unless_taken<T>(
        &self,
        statement: impl Future<Output = std::result::Result<T, Failure>>,
    ) -> Result<Option<T>> {
        // PostgreSQL ends a transaction with the first statement that fails, unless
        // there is a savepoint; SQLite takes back that statement alone.
        let is_postgres = self.backend() == DbBackend::Postgres;
        if is_postgres {
            self.execute("SAVEPOINT attempt", []).await?;
        }
        let (answer, end) = match statement.await {
            Ok(answer) => (Some(answer), "RELEASE attempt"),
            Err(failure) if failure.is_unique_violation() => (None, "ROLLBACK TO attempt"),
            Err(failure) => return Err(failure.into()),
        };
        if is_postgres {
            self.execute(end, []).await?;
        }
        Ok(answer)
    }
}
