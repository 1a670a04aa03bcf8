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
    let is_json = backend == DbBackend::Sqlite;
    let quote = if is_json { "\"" } else { "" };
    let (mut text, mut digits) = (String::new(), [0; Simple::LENGTH]);
    for id in ids {
        let separator = if text.is_empty() { "" } else { "," };
        for part in [separator, quote, id.simple().encode_lower(&mut digits), quote] {
            text.push_str(part);
        }
    }
    if is_json {
        text = format!("[{text}]");
    }
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
