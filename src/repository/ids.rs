//! Many ids as one value of a statement. A list of placeholders would make
//! another statement of each length, to be parsed and planned anew, and the
//! engines limit their number.

use std::fmt::Write as _;

use sea_orm::{DbBackend, Value};
use uuid::Uuid;

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
    let mut text = String::new();
    for id in ids {
        let separator = if text.is_empty() { "" } else { "," };
        let written = match backend {
            DbBackend::Sqlite => write!(text, "{separator}\"{}\"", id.simple()),
            _ => write!(text, "{separator}{}", id.simple()),
        };
        written.expect("a string takes all that is written to it");
    }
    if backend == DbBackend::Sqlite {
        text = format!("[{text}]");
    }
    text.into()
}

/// An aggregate of all ids in a column, as hexadecimal digits one behind the
/// other, for [`taken_apart`].
pub(super) fn together(backend: DbBackend, column: &str) -> String {
    match backend {
        DbBackend::Sqlite => format!("group_concat(hex({column}), '')"),
        _ => format!("string_agg(replace({column}::text, '-', ''), '')"),
    }
}

/// The ids that [`together`] has put one behind the other.
pub(super) fn taken_apart(digits: &str) -> Result<Vec<Uuid>> {
    let ids = digits.as_bytes().chunks(32).map(Uuid::try_parse_ascii);
    ids.collect::<std::result::Result<_, _>>().map_err(|_| Error::Corrupt("an id"))
}
