//! A directory in a PostgreSQL database.

use std::pin::pin;

use anyhow::{Context as _, ensure};
use bytes::BytesMut;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use super::rows::{self, Row, Table};
use crate::meaning::{Kind, Value};
use crate::world::World;

impl Kind {
    pub const fn on_postgres(self) -> Type {
        match self {
            Self::Uuid => Type::UUID,
            Self::Text => Type::TEXT,
            Self::Integer => Type::INT8,
            Self::Boolean => Type::BOOL,
            Self::Bytes => Type::BYTEA,
        }
    }

    pub const fn array_on_postgres(self) -> Type {
        match self {
            Self::Uuid => Type::UUID_ARRAY,
            Self::Text => Type::TEXT_ARRAY,
            Self::Integer => Type::INT8_ARRAY,
            Self::Boolean => Type::BOOL_ARRAY,
            Self::Bytes => Type::BYTEA_ARRAY,
        }
    }
}

impl ToSql for Value {
    fn to_sql(
        &self,
        r#type: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Uuid(id) => id.to_sql(r#type, out),
            Self::Text(text) => text.to_sql(r#type, out),
            Self::Integer(number) => number.to_sql(r#type, out),
            Self::Boolean(flag) => flag.to_sql(r#type, out),
            Self::Bytes(bytes) => bytes.to_sql(r#type, out),
            Self::Null => Ok(IsNull::Yes),
        }
    }

    fn accepts(_type: &Type) -> bool {
        // Whoever prepares a statement compares its types with those of the
        // values.
        true
    }

    to_sql_checked!();
}

/// A connection, served for as long as the client lives.
pub async fn connect(url: &str) -> anyhow::Result<Client> {
    let (client, connection) =
        tokio_postgres::connect(url, NoTls).await.with_context(|| url.to_owned())?;
    tokio::spawn(connection);
    Ok(client)
}

/// Adds all that `world` says there is.
pub async fn fill(world: &World) -> anyhow::Result<()> {
    let client = connect(&world.url).await?;
    let World { directory, configuration, organization, spares, .. } = world;
    client.batch_execute("BEGIN; SET LOCAL maintenance_work_mem = '512MB'").await?;
    for (table, rows) in rows::all(directory, *configuration, *organization, *spares) {
        let columns = table.columns.join(", ");
        let sql = format!("COPY {} ({columns}) FROM STDIN (FORMAT binary)", table.name);
        let mut rows = rows.peekable();
        let first = rows.peek().with_context(|| format!("nothing for {}", table.name))?;
        let types: Vec<_> = first.iter().map(|value| value.kind().on_postgres()).collect();
        let mut writer = pin!(BinaryCopyInWriter::new(client.copy_in(&sql).await?, &types));
        for row in rows {
            writer.as_mut().write_raw(row).await?;
        }
        writer.finish().await?;
    }
    let users = i64::try_from(directory.users)?;
    let groups = i64::try_from(directory.all_teams().count())?;
    let totals = "UPDATE scim_directory_counts SET user_count = $2, group_count = $3 \
                  WHERE configuration_id = $1";
    let changed = client.execute(totals, &[configuration, &users, &groups]).await?;
    ensure!(changed == 1, "no totals of the configuration");
    // What happened is older than events are kept: their number is left of them.
    let feed = "UPDATE scim_feeds SET newest = newest + $2 WHERE organization_id = $1";
    let changed = client.execute(feed, &[organization, &(users + groups)]).await?;
    ensure!(changed == 1, "no feed of the organization");
    client.batch_execute("COMMIT").await?;
    // What the server would have done by itself by the time there is so much.
    client.batch_execute("VACUUM ANALYZE").await?;
    Ok(())
}

/// The tables that there are.
pub async fn tables(url: &str) -> anyhow::Result<Vec<String>> {
    let sql = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'";
    let rows = connect(url).await?.query(sql, &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The columns that a table has.
pub async fn columns(url: &str, table: &Table) -> anyhow::Result<Vec<String>> {
    let sql = "SELECT column_name::text FROM information_schema.columns \
               WHERE table_name = $1 ORDER BY ordinal_position";
    let rows = connect(url).await?.query(sql, &[&table.name]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Rows as they are stored, their values of the same types as those of `like`.
pub async fn stored(
    url: &str,
    table: &Table,
    column: &str,
    id: Uuid,
    like: &Row,
) -> anyhow::Result<Vec<Row>> {
    let (columns, name) = (table.columns.join(", "), table.name);
    let sql = format!("SELECT {columns} FROM {name} WHERE {column} = $1");
    let rows = connect(url).await?.query(&sql, &[&id]).await?;
    let row = |row: &tokio_postgres::Row| {
        let value = |(place, like): (usize, &Value)| {
            if *like == Value::Null {
                let text: Option<String> = row.try_get(place)?;
                return Ok(text.map_or(Value::Null, Value::Text));
            }
            Ok(match like.kind() {
                Kind::Uuid => Value::Uuid(row.try_get(place)?),
                Kind::Text => Value::Text(row.try_get(place)?),
                Kind::Integer => Value::Integer(row.try_get(place)?),
                Kind::Boolean => Value::Boolean(row.try_get(place)?),
                Kind::Bytes => Value::Bytes(row.try_get(place)?),
            })
        };
        like.iter().enumerate().map(value).collect::<anyhow::Result<_>>()
    };
    rows.iter().map(row).collect()
}
