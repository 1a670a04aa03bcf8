//! The tables as SeaORM sees them. A test compares them with the schema that
//! the migrations make, on both engines.

use std::fmt;

use rusqlite::types::{FromSql, FromSqlResult, ValueRef};
use sea_orm::DeriveValueType;
use sea_orm::sqlx::error::BoxDynError;
use sea_orm::sqlx::{Database, Decode, Type};

use crate::token::TokenHash;

pub mod account;
pub mod api_key;
pub mod configuration;
pub mod former_user;
pub mod group;
pub mod group_member;
pub mod user;
pub mod user_email;

/// A token's hash in its column. Unlike bare bytes it does not show itself in
/// the `Debug` of a row.
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
pub struct StoredHash(Vec<u8>);

impl From<&TokenHash> for StoredHash {
    fn from(hash: &TokenHash) -> Self {
        Self(hash.as_bytes().to_vec())
    }
}

impl FromSql for StoredHash {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Vec::column_result(value).map(Self)
    }
}

impl<DB: Database> Type<DB> for StoredHash
where
    Vec<u8>: Type<DB>,
{
    fn type_info() -> DB::TypeInfo {
        Vec::<u8>::type_info()
    }
}

impl<'row, DB: Database> Decode<'row, DB> for StoredHash
where
    Vec<u8>: Decode<'row, DB>,
{
    fn decode(value: DB::ValueRef<'row>) -> Result<Self, BoxDynError> {
        Vec::decode(value).map(Self)
    }
}

impl fmt::Debug for StoredHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredHash([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use sea_orm::{ColumnTrait, ColumnType, EntityTrait, IdenStatic, Iterable, Statement};

    use super::{
        account, api_key, configuration, former_user, group, group_member, user, user_email,
    };
    use crate::clock::{SeededRandom, SystemClock};
    use crate::model::DatabaseUrl;
    use crate::repository::Repository;
    use crate::repository::connection::Rows;

    /// Tables that only statements written out in full know.
    const SQL_ONLY: [&str; 8] = [
        "scim_directory_counts.",
        "scim_purges.",
        "scim_feeds.",
        "scim_events.",
        "scim_token_notices.",
        "scim_link_refusals.",
        "scim_webhook_endpoints.",
        "scim_webhook_secrets.",
    ];

    /// `table.column type null` for every column of an entity.
    fn columns<E: EntityTrait>(entity: E) -> Vec<String> {
        let column = |column: E::Column| {
            let definition = column.def();
            let stored_as = match definition.get_column_type() {
                ColumnType::Uuid | ColumnType::VarBinary(_) | ColumnType::Blob => "BLOB",
                ColumnType::BigInteger | ColumnType::Boolean => "INTEGER",
                ColumnType::String(_) | ColumnType::Text => "TEXT",
                other => panic!("say here how {other:?} is stored"),
            };
            let null = if definition.is_null() { " null" } else { "" };
            format!("{}.{} {stored_as}{null}", entity.table_name(), column.as_str())
        };
        E::Column::iter().map(column).collect()
    }

    #[tokio::test]
    async fn entities_and_tables_have_the_same_columns() {
        let random = Arc::new(SeededRandom::new(1));
        let repository =
            Repository::open(&DatabaseUrl::SqliteMemory, Arc::new(SystemClock), random)
                .await
                .expect("memory is there");
        repository.migrate().await.expect("the steps fit an empty database");
        let connection = repository.read().connection;
        let query =
            "SELECT t.name || '.' || c.name || ' ' || c.type || iif(c.\"notnull\", '', ' null')
            FROM sqlite_master t, pragma_table_info(t.name) c
            WHERE t.type = 'table' AND t.name <> 'seaql_migrations'";
        let query = Statement::from_string(connection.backend(), query);
        let rows: Vec<String> = connection.rows(query).await.expect("a valid query");
        let stored: BTreeSet<String> = rows
            .into_iter()
            .filter(|column| !SQL_ONLY.iter().any(|table| column.starts_with(table)))
            .collect();
        let known = [
            columns(account::Entity),
            columns(configuration::Entity),
            columns(former_user::Entity),
            columns(api_key::Entity),
            columns(user::Entity),
            columns(user_email::Entity),
            columns(group::Entity),
            columns(group_member::Entity),
        ];
        assert_eq!(known.into_iter().flatten().collect::<BTreeSet<_>>(), stored);
    }
}
