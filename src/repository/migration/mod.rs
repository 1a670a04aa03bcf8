//! The schema, step by step.
//!
//! Each step is one SQL file per engine: the two differ in their types, and a
//! database administrator reads SQL. A released step is never edited; a change
//! is a new step, first adding what is new, later removing what is old, so that
//! replicas of two versions can work side by side.

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};
use sea_orm_migration::{
    IntoSchemaManagerConnection, MigrationName, MigrationTrait, MigratorTrait, SchemaManager,
    seaql_migrations,
};

use super::Result;

/// Brings the schema up to date: all missing steps or none, and one process at
/// a time.
pub async fn migrate(connection: &DatabaseConnection) -> Result<()> {
    // On SQLite the transaction itself keeps others out, from its beginning.
    // PostgreSQL has no such mode and ignores it.
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let transaction = connection.begin_with_options(options).await?;
    if transaction.get_database_backend() == sea_orm::DbBackend::Postgres {
        // "scimd" in ASCII. Held until the transaction ends, however it ends.
        transaction.execute_unprepared("SELECT pg_advisory_xact_lock(495589092708)").await?;
    }
    // The migrator fails at a step that it does not know.
    if !is_current(&transaction).await? {
        Migrator::up(&transaction, None).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Whether no step is missing. Steps of a later program may be there as well:
/// they leave in place what this one needs.
///
/// The migrator's own question would make its table where it is missing, which
/// a reader may not.
pub async fn is_current<'c, C>(connection: &'c C) -> Result<bool>
where
    C: ConnectionTrait,
    &'c C: IntoSchemaManagerConnection<'c>,
{
    if !SchemaManager::new(connection).has_table("seaql_migrations").await? {
        return Ok(false);
    }
    let applied = seaql_migrations::Entity::find().all(connection).await?;
    let is_applied = |step: &str| applied.iter().any(|applied| applied.version == step);
    Ok(Migrator::migrations().iter().all(|step| is_applied(step.name())))
}

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let steps = [
            Step {
                name: "0001_configurations_and_keys",
                sqlite: include_str!("0001_configurations_and_keys.sqlite.sql"),
                postgres: include_str!("0001_configurations_and_keys.postgres.sql"),
            },
            Step {
                name: "0002_directory",
                sqlite: include_str!("0002_directory.sqlite.sql"),
                postgres: include_str!("0002_directory.postgres.sql"),
            },
            Step {
                name: "0003_events",
                sqlite: include_str!("0003_events.sqlite.sql"),
                postgres: include_str!("0003_events.postgres.sql"),
            },
            Step {
                name: "0004_token_notices",
                sqlite: include_str!("0004_token_notices.sqlite.sql"),
                postgres: include_str!("0004_token_notices.postgres.sql"),
            },
            Step {
                name: "0005_accounts",
                sqlite: include_str!("0005_accounts.sqlite.sql"),
                postgres: include_str!("0005_accounts.postgres.sql"),
            },
            Step {
                name: "0006_webhooks",
                sqlite: include_str!("0006_webhooks.sqlite.sql"),
                postgres: include_str!("0006_webhooks.postgres.sql"),
            },
            Step {
                name: "0007_purged_configurations",
                sqlite: include_str!("0007_purged_configurations.sqlite.sql"),
                postgres: include_str!("0007_purged_configurations.postgres.sql"),
            },
        ];
        steps.into_iter().map(|step| Box::new(step) as _).collect()
    }
}

struct Step {
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

impl MigrationName for Step {
    fn name(&self) -> &str {
        self.name
    }
}

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> std::result::Result<(), DbErr> {
        let sql = match manager.get_database_backend() {
            sea_orm::DbBackend::Sqlite => self.sqlite,
            _ => self.postgres,
        };
        manager.get_connection().execute_unprepared(sql).await?;
        Ok(())
    }
}
