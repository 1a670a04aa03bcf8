//! Documents out of rows.

use bytes::Bytes;
use rusqlite::types::{FromSql, FromSqlResult, ValueRef};
use sea_orm::sqlx::error::BoxDynError;
use sea_orm::sqlx::postgres::{PgValue, PgValueRef};
use sea_orm::sqlx::sqlite::SqliteValueRef;
use sea_orm::sqlx::{
    Database, Decode, Postgres, Sqlite, Type, Value as _, ValueRef as SqlxValueRef,
};

use crate::model::Document;

impl FromSql for Document {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        String::column_result(value).map(Self::from)
    }
}

impl Type<Sqlite> for Document {
    fn type_info() -> <Sqlite as Database>::TypeInfo {
        <String as Type<Sqlite>>::type_info()
    }
}

impl Decode<'_, Sqlite> for Document {
    fn decode(value: SqliteValueRef<'_>) -> Result<Self, BoxDynError> {
        <String as Decode<Sqlite>>::decode(value).map(Self::from)
    }
}

/// Not copied: a page has a hundred of them, and each would be written to memory that is
/// in no cache.
impl Decode<'_, Postgres> for Document {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        // What is NULL is no document.
        value.as_bytes()?;
        Ok(Self::try_from(Bytes::from_owner(Received(SqlxValueRef::to_owned(&value))))?)
    }
}

/// A value that keeps alive what it is a part of.
struct Received(PgValue);

impl AsRef<[u8]> for Received {
    fn as_ref(&self) -> &[u8] {
        self.0.as_ref().as_bytes().unwrap_or_default()
    }
}
