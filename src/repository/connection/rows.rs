//! What is read by a statement, on either driver.

use std::future::Future;

use rusqlite::types::{FromSql, ValueRef};
use sea_orm::sqlx::postgres::PgRow;
use sea_orm::sqlx::sqlite::SqliteRow;
use sea_orm::sqlx::{Decode, Postgres, Row as _, Sqlite, Type, ValueRef as _};
use sea_orm::{DbBackend, Statement, Value};

use super::failure::Failure;

/// Made of the columns of a row, in their order: a name would have to be looked for
/// in each row.
pub trait FromRow: Sized + Send + 'static {
    fn from_row(columns: &mut Columns<'_>) -> Result<Self, Failure>;
}

/// Makes a struct one that is read of a row whose columns are these fields, in this
/// order.
macro_rules! from_row {
    ($type:ty { $($field:ident),+ $(,)? }) => {
        impl $crate::repository::connection::FromRow for $type {
            fn from_row(
                columns: &mut $crate::repository::connection::Columns<'_>,
            ) -> ::std::result::Result<Self, $crate::repository::connection::Failure> {
                // In the order in which they are written here.
                Ok(Self { $($field: columns.read()?),+ })
            }
        }
    };
}
pub(in super::super) use from_row;

/// The value of one column, on each driver.
pub trait Column:
    FromSql + Type<Sqlite> + for<'row> Decode<'row, Sqlite> + for<'row> Decode<'row, Postgres>
{
}

impl<T> Column for T where
    T: FromSql + Type<Sqlite> + for<'row> Decode<'row, Sqlite> + for<'row> Decode<'row, Postgres>
{
}

impl<T: Column + Send + 'static> FromRow for T {
    fn from_row(columns: &mut Columns<'_>) -> Result<Self, Failure> {
        columns.next()
    }
}

/// A row that is read from its first column to its last.
pub struct Columns<'row> {
    row: Row<'row>,
    read: usize,
}

enum Row<'row> {
    Postgres(&'row PgRow),
    Sqlite(&'row SqliteRow),
    Rusqlite(&'row rusqlite::Row<'row>),
}

impl<'row> Columns<'row> {
    pub(super) const fn rusqlite(row: &'row rusqlite::Row<'row>) -> Self {
        Self { row: Row::Rusqlite(row), read: 0 }
    }

    pub(super) const fn postgres(row: &'row PgRow) -> Self {
        Self { row: Row::Postgres(row), read: 0 }
    }

    pub(super) const fn sqlite(row: &'row SqliteRow) -> Self {
        Self { row: Row::Sqlite(row), read: 0 }
    }

    /// Those behind the first ones, of which there are as many as this.
    pub(super) const fn behind(self, first: usize) -> Self {
        Self { read: first, ..self }
    }

    /// The next column, or as many as this takes.
    pub fn read<T: FromRow>(&mut self) -> Result<T, Failure> {
        T::from_row(self)
    }

    /// The next column. PostgreSQL says of which type it is before it answers, and whoever
    /// wrote the statement knows: to compare the types for each value takes longer than to
    /// read a number.
    fn next<T: Column>(&mut self) -> Result<T, Failure> {
        let column = self.read;
        self.read += 1;
        match self.row {
            Row::Postgres(row) => Ok(row.try_get_unchecked(column)?),
            Row::Sqlite(row) => {
                // sqlx reads 0 where there is no number.
                if row.try_get_raw(column)?.is_null() {
                    return Ok(T::column_result(ValueRef::Null).map_err(rusqlite::Error::from)?);
                }
                Ok(row.try_get(column)?)
            }
            Row::Rusqlite(row) => Ok(row.get(column)?),
        }
    }
}

/// What statements are read on: connections of either engine, in a transaction or
/// not.
pub trait Rows: Sync {
    fn backend(&self) -> DbBackend;

    /// The rows that a statement answers.
    fn rows<T: FromRow>(
        &self,
        statement: Statement,
    ) -> impl Future<Output = Result<Vec<T>, Failure>> + Send;

    /// The rows that a statement in words answers.
    fn query<T: FromRow>(
        &self,
        sql: impl Into<String>,
        values: impl IntoIterator<Item = Value>,
    ) -> impl Future<Output = Result<Vec<T>, Failure>> + Send {
        self.rows(Statement::from_sql_and_values(self.backend(), sql, values))
    }

    /// The same of a statement that every request runs, and that answers with few rows:
    /// what others ask by it at the same time may be asked for together, see
    /// `coalescing`.
    fn query_often<T: FromRow>(
        &self,
        sql: &'static str,
        values: impl IntoIterator<Item = Value> + Send,
    ) -> impl Future<Output = Result<Vec<T>, Failure>> + Send {
        self.query(sql, values)
    }

    /// The row that a statement answers, if it answers one.
    fn row<T: FromRow>(
        &self,
        statement: Statement,
    ) -> impl Future<Output = Result<Option<T>, Failure>> + Send {
        async move { Ok(self.rows(statement).await?.pop()) }
    }
}
