//! Whether a generated directory is one that the server could have made.

use anyhow::{Context as _, ensure};
use axum::body::Bytes;
use http::{Method, StatusCode};
use serde_json::Value as Json;
use uuid::Uuid;

use super::Template;
use super::rows::{self, Row, Table};
use crate::directory::{Person, Team};
use crate::driver::Connection;
use crate::meaning::Value;
use crate::requests::{Answer, Requests};
use crate::server::Server;
use crate::world::{Counters, Draw, Source, Spare, World};

/// Has the server make a user and a group, compares what it stores with what
/// the generator would, and has it remove them.
pub async fn compare_rows(
    template: &Template<'_>,
    world: &World,
    server: &Server,
) -> anyhow::Result<()> {
    for name in template.tables().await? {
        let is_filled = rows::ALL.iter().any(|table| table.name == name);
        let is_known = is_filled || rows::UNFILLED.contains(&name.as_str());
        ensure!(is_known, "benches/load/generate does not know the table {name}");
    }
    for table in rows::ALL {
        let (mut columns, mut filled) = (template.columns(table).await?, table.columns.to_vec());
        columns.sort();
        filled.sort_unstable();
        ensure!(columns == filled, "{} has other columns than benches/load/generate", table.name);
    }
    let mut client = Client::new(world, server).await?;
    // Nobody of the directory: the account stays when the user is gone.
    let (person, configuration) = (Person(9_999_999_999), world.configuration);
    let like = rows::spare(world.organization, Spare(0), 0);
    compare(template, &rows::CONFIGURATIONS, "id", configuration, vec![like]).await?;
    let like = rows::notice(Spare(0), 0);
    compare(template, &rows::NOTICES, "configuration_id", configuration, vec![like]).await?;
    let user = client.create("/Users", person.document(true)).await?;
    let like = rows::user(configuration, person);
    compare(template, &rows::USERS, "id", user, vec![like]).await?;
    let like = rows::account(world.organization, configuration, person);
    compare(template, &rows::ACCOUNTS, "configuration_id", configuration, vec![like]).await?;
    let like = rows::emails(configuration, person).collect();
    compare(template, &rows::EMAILS, "user_id", user, like).await?;

    let team = Team { size: 1, number: 7 };
    let mut body: Json = serde_json::from_str(&team.document(0))?;
    body["members"] = serde_json::json!([{ "value": user }]);
    let group = client.create("/Groups", body.to_string()).await?;
    let like = rows::group(configuration, team, 1);
    compare(template, &rows::GROUPS, "id", group, vec![like]).await?;
    let like = rows::member(configuration, team, person);
    compare(template, &rows::MEMBERS, "group_id", group, vec![like]).await?;

    for path in [format!("/Users/{user}"), format!("/Groups/{group}")] {
        let answer = client.send(Method::DELETE, &path, None).await?;
        ensure!(answer.status == StatusCode::NO_CONTENT, "{answer:?}");
    }
    Ok(())
}

/// All but ids, instants and hashes, which are new whenever something is made.
async fn compare(
    template: &Template<'_>,
    table: &Table,
    column: &str,
    id: Uuid,
    like: Vec<Row>,
) -> anyhow::Result<()> {
    let first = like.first().context("rows to compare with")?;
    let stored = template.stored(table, column, id, first).await?;
    let comparable = |rows: Vec<Row>| {
        let mut rows: Vec<_> = rows.into_iter().map(|row| comparable(table, row)).collect();
        rows.sort();
        rows
    };
    let (stored, generated) = (comparable(stored), comparable(like));
    ensure!(
        stored == generated,
        "the server stores in {}\n{stored:?}\nand the generator makes\n{generated:?}",
        table.name
    );
    Ok(())
}

fn comparable(table: &Table, row: Row) -> Vec<String> {
    let is_new = |column: &str| ["id", "_at", "_hash"].iter().any(|end| column.ends_with(end));
    let values = table.columns.iter().zip(row);
    let values =
        values.filter(|(column, value)| !is_new(column) || matches!(value, Value::Text(_)));
    values.map(|(column, value)| format!("{column} {value:?}")).collect()
}

/// Reads some users and groups through the API, and writes back what was read:
/// that must change nothing. Totals must agree.
pub async fn check(world: &World, server: &Server) -> anyhow::Result<()> {
    let directory = &world.directory;
    let mut client = Client::new(world, server).await?;
    let mut draw = Draw::new(&Counters::new(Source::Recorder), 1, 0, 1);
    let totals = [("/Users", directory.users), ("/Groups", directory.all_teams().count() as u64)];
    for (path, total) in totals {
        let answer = client.get(&format!("{path}?count=0")).await?;
        ensure!(answer["totalResults"] == total, "{path}: {answer} instead of {total}");
    }
    for _ in 0..20 {
        let person = draw.person(directory);
        let path = format!("/Users/{}", person.id());
        let user = client.unchanged_by_put(&path).await?;
        ensure!(user["userName"] == person.user_name(), "{user}");
    }
    for team in directory.all_teams().filter(|team| team.size <= 1_000).take(20) {
        let group = client.unchanged_by_put(&format!("/Groups/{}", team.id())).await?;
        let members = group["members"].as_array().map_or(0, Vec::len);
        ensure!(members as u64 == team.size.min(directory.users), "{members} in {team:?}");
    }
    Ok(())
}

struct Client {
    requests: Requests,
    connection: Connection,
}

impl Client {
    async fn new(world: &World, server: &Server) -> anyhow::Result<Self> {
        let requests = Requests::new(world, &server.address)?;
        Ok(Self { requests, connection: Connection::open(&server.address, false).await? })
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> anyhow::Result<Answer> {
        self.connection.send(self.requests.raw(method, path, body), true).await
    }

    async fn create(&mut self, path: &str, body: String) -> anyhow::Result<Uuid> {
        let answer = self.send(Method::POST, path, Some(body.into())).await?;
        ensure!(answer.status == StatusCode::CREATED, "{answer:?}");
        let created: Json = serde_json::from_slice(&answer.body)?;
        Ok(created["id"].as_str().context("a created resource has an id")?.parse()?)
    }

    async fn get(&mut self, path: &str) -> anyhow::Result<Json> {
        let answer = self.send(Method::GET, path, None).await?;
        ensure!(answer.status == StatusCode::OK, "{path}: {answer:?}");
        Ok(serde_json::from_slice(&answer.body)?)
    }

    async fn unchanged_by_put(&mut self, path: &str) -> anyhow::Result<Json> {
        let read = self.send(Method::GET, path, None).await?;
        ensure!(read.status == StatusCode::OK, "{path}: {read:?}");
        let put = self.send(Method::PUT, path, Some(read.body.clone())).await?;
        ensure!(put.status == StatusCode::OK, "{path}: {put:?}");
        let tags = [&read, &put].map(|answer| answer.headers.get("etag"));
        ensure!(tags[0].is_some() && tags[0] == tags[1], "{path}: {read:?} became {put:?}");
        Ok(serde_json::from_slice(&read.body)?)
    }
}
