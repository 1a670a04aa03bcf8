//! A directory in an SQLite file.

use std::path::Path;

use anyhow::ensure;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, params_from_iter};
use uuid::Uuid;

use super::rows::{self, Row, Table};
use crate::meaning::{Kind, Value};
use crate::world::World;

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Uuid(id) => ValueRef::Blob(id.as_bytes()),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Boolean(flag) => ValueRef::Integer(i64::from(*flag)),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
            Self::Null => ValueRef::Null,
        }))
    }
}

/// Adds all that `world` says there is.
pub fn fill(file: &Path, world: &World) -> anyhow::Result<()> {
    let mut connection = Connection::open(file)?;
    connection.execute_batch(
        "PRAGMA journal_mode = DELETE; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
         PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -2000000;",
    )?;
    let transaction = connection.transaction()?;
    let World { directory, configuration, organization, spares, .. } = world;
    for (table, rows) in rows::all(directory, *configuration, *organization, *spares) {
        let columns = table.columns.join(", ");
        let places = vec!["?"; table.columns.len()].join(", ");
        let sql = format!("INSERT INTO {} ({columns}) VALUES ({places})", table.name);
        let mut statement = transaction.prepare(&sql)?;
        for row in rows {
            statement.execute(params_from_iter(row))?;
        }
    }
    let groups = i64::try_from(directory.all_teams().count())?;
    let users = i64::try_from(directory.users)?;
    let changed = transaction.execute(
        "UPDATE scim_directory_counts SET user_count = ?2, group_count = ?3 \
         WHERE configuration_id = ?1",
        (configuration, users, groups),
    )?;
    ensure!(changed == 1, "no totals of the configuration");
    // What happened is older than events are kept: their number is left of them.
    let changed = transaction.execute(
        "UPDATE scim_feeds SET newest = newest + ?2 WHERE organization_id = ?1",
        (organization, users + groups),
    )?;
    ensure!(changed == 1, "no feed of the organization");
    transaction.commit()?;
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_checkpoint(TRUNCATE);")?;
    connection.close().map_err(|(_, error)| error)?;
    Ok(())
}

/// The tables that there are.
pub fn tables(file: &Path) -> anyhow::Result<Vec<String>> {
    let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let connection = Connection::open(file)?;
    let mut statement = connection.prepare(sql)?;
    let names = statement.query_map([], |row| row.get(0))?;
    Ok(names.collect::<rusqlite::Result<_>>()?)
}

/// The columns that a table has.
pub fn columns(file: &Path, table: &Table) -> anyhow::Result<Vec<String>> {
    let connection = Connection::open(file)?;
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
    let names = statement.query_map([table.name], |row| row.get(0))?;
    Ok(names.collect::<rusqlite::Result<_>>()?)
}

/// Rows as they are stored, their values of the same types as those of `like`.
pub fn stored(
    file: &Path,
    table: &Table,
    column: &str,
    id: Uuid,
    like: &Row,
) -> anyhow::Result<Vec<Row>> {
    let connection = Connection::open(file)?;
    let (columns, name) = (table.columns.join(", "), table.name);
    let mut statement =
        connection.prepare(&format!("SELECT {columns} FROM {name} WHERE {column} = ?1"))?;
    let rows = statement.query_map([id], |row| {
        let value = |(place, like): (usize, &Value)| {
            if *like == Value::Null {
                return Ok(row.get::<_, Option<String>>(place)?.map_or(Value::Null, Value::Text));
            }
            Ok(match like.kind() {
                Kind::Uuid => Value::Uuid(row.get(place)?),
                Kind::Text => Value::Text(row.get(place)?),
                Kind::Integer => Value::Integer(row.get(place)?),
                Kind::Boolean => Value::Boolean(row.get(place)?),
                Kind::Bytes => Value::Bytes(row.get(place)?),
            })
        };
        like.iter().enumerate().map(value).collect()
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
