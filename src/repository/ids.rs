//! Many ids as one value of a statement. A list of placeholders would make
//! another statement of each length, to be parsed and planned anew, and the
//! engines limit their number.

use sea_orm::{DbBackend, Value};
use uuid::Uuid;
use uuid::fmt::Simple;

use super::{Error, Result};

/// Where a statement has one of these ids: ` IN ...` or ` = ...`, to stand
/// behind a column. `parameter` is the place of [`value`], such as `$3`.
pub(super) fn among(backend: DbBackend, parameter: &str) -> String {
    match backend {
        DbBackend::Sqlite => format!(" IN (SELECT unhex(value) FROM json_each({parameter}))"),
        // PostgreSQL must not see how many there are: that they are fewer than it takes
        // for granted would make it plan the statement anew for these very ids, each time,
        // which takes longer than to run it.
        _ => format!(" = ANY ((SELECT string_to_array({parameter}, ','))::uuid[])"),
    }
}

/// The ids, as the text that [`among`] takes apart.
pub(super) fn value(backend: DbBackend, ids: impl IntoIterator<Item = Uuid>) -> Value {
    let (before, between, after) = match backend {
        DbBackend::Sqlite => ("[\"", "\",\"", "\"]"),
        _ => ("", ",", ""),
    };
    let mut ids = ids.into_iter();
    let Some(first) = ids.next() else {
        let none = if backend == DbBackend::Sqlite { "[]" } else { "" };
        return none.into();
    };
    let length = Simple::LENGTH + between.len();
    let mut text = String::with_capacity((1 + ids.size_hint().0) * length + before.len());
    let mut digits = [0; Simple::LENGTH];
    text.push_str(before);
    text.push_str(first.simple().encode_lower(&mut digits));
    for id in ids {
        text.push_str(between);
        text.push_str(id.simple().encode_lower(&mut digits));
    }
    text.push_str(after);
    text.into()
}

/// An aggregate of all ids in a column, their bytes one behind the other, for
/// [`taken_apart`].
pub(super) fn together(backend: DbBackend, column: &str) -> String {
    match backend {
        DbBackend::Sqlite => format!("unhex(group_concat(hex({column}), ''))"),
        _ => format!("string_agg(uuid_send({column}), '')"),
    }
}

/// The ids that [`together`] has put one behind the other.
pub(super) fn taken_apart(ids: &[u8]) -> Result<Vec<Uuid>> {
    let (ids, rest) = ids.as_chunks();
    if rest.is_empty() {
        Ok(ids.iter().copied().map(Uuid::from_bytes).collect())
    } else {
        Err(Error::Corrupt("an id"))
    }
}
