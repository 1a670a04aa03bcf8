//! What is read by a statement, on either driver.

use std::future::Future;

use rusqlite::types::FromSql;
use sea_orm::{ConnectionTrait, DbErr, QueryResult, RuntimeErr, Statement, TryGetable};

use super::in_place::InPlace;

/// Made of the columns of a row, in their order: a name would have to be looked for
/// in each row.
pub trait FromRow: Sized + Send {
    fn from_row(columns: &mut Columns<'_>) -> Result<Self, DbErr>;
}

/// Makes a struct one that is read of a row whose columns are these fields, in this
/// order.
macro_rules! from_row {
    ($type:ty { $($field:ident),+ $(,)? }) => {
        impl $crate::repository::connection::FromRow for $type {
            fn from_row(
                columns: &mut $crate::repository::connection::Columns<'_>,
            ) -> ::std::result::Result<Self, ::sea_orm::DbErr> {
                // In the order in which they are written here.
                Ok(Self { $($field: columns.read()?),+ })
            }
        }
    };
}
pub(in super::super) use from_row;

impl<T: TryGetable + FromSql + Send> FromRow for T {
    fn from_row(columns: &mut Columns<'_>) -> Result<Self, DbErr> {
        columns.next()
    }
}

/// A row that is read from its first column to its last.
pub struct Columns<'row> {
    row: Row<'row>,
    read: usize,
}

enum Row<'row> {
    Sqlx(&'row QueryResult),
    InPlace(&'row rusqlite::Row<'row>),
}

impl<'row> Columns<'row> {
    pub(super) fn in_place(row: &'row rusqlite::Row<'row>) -> Self {
        Self { row: Row::InPlace(row), read: 0 }
    }

    fn sqlx(row: &'row QueryResult) -> Self {
        Self { row: Row::Sqlx(row), read: 0 }
    }

    /// The next column, or as many as this takes.
    pub fn read<T: FromRow>(&mut self) -> Result<T, DbErr> {
        T::from_row(self)
    }

    fn next<T: TryGetable + FromSql>(&mut self) -> Result<T, DbErr> {
        let column = self.read;
        self.read += 1;
        match self.row {
            Row::Sqlx(row) => row.try_get_by_index(column),
            Row::InPlace(row) => row.get(column).map_err(|error| failed(&error)),
        }
    }
}

/// A failure in place, which nobody is told of: sqlx's is.
pub(super) fn failed(error: &rusqlite::Error) -> DbErr {
    DbErr::Query(RuntimeErr::Internal(error.to_string()))
}

/// A connection that statements are read on.
pub trait Rows: ConnectionTrait + Sync {
    /// What reads short statements faster, where there is such a thing.
    fn in_place(&self) -> Option<&InPlace> {
        None
    }

    /// The rows that a statement answers.
    fn rows<T: FromRow>(
        &self,
        statement: Statement,
    ) -> impl Future<Output = Result<Vec<T>, DbErr>> + Send {
        async move {
            if let Some(in_place) = self.in_place()
                && let Some(rows) = in_place.rows(&statement).await
            {
                return Ok(rows);
            }
            let rows = self.query_all_raw(statement).await?;
            rows.iter().map(|row| T::from_row(&mut Columns::sqlx(row))).collect()
        }
    }

    /// The row that a statement answers, if it answers one.
    fn row<T: FromRow>(
        &self,
        statement: Statement,
    ) -> impl Future<Output = Result<Option<T>, DbErr>> + Send {
        async move { Ok(self.rows(statement).await?.pop()) }
    }
}
