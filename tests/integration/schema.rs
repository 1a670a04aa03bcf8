//! The schema: the same on both engines, made once by however many ask for
//! it, and with nothing in it that should not be kept.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use regex::Regex;
use scimd::clock::{SystemClock, SystemRandom};
use scimd::model::{
    ConfigurationChange, DatabaseUrl, NewApiKey, NewConfiguration, Page, Role, Scope,
    SsoConfigurationId, TokenLifetime,
};
use scimd::repository::{Error, Repository};
use scimd::token::{Kind, PATTERN, PlainToken};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, QueryResult, Statement};
use serde_json::json;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::harness::{Engine, TestDatabase, TestServer, databases, on_both_engines};

/// `table.column type null` for every column, `index(columns)` for every index
/// that has a name of ours.
async fn schema(connection: &DatabaseConnection) -> BTreeSet<String> {
    let (columns, indexes) = match connection.get_database_backend() {
        DbBackend::Sqlite => (
            "SELECT t.name || '.' || c.name || ' ' || lower(c.type)
                    || iif(c.\"notnull\", ' not null', '')
               FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table'",
            "SELECT i.name || '(' || group_concat(c.name) || ')'
               FROM sqlite_master i, pragma_index_info(i.name) c
              WHERE i.type = 'index' AND i.sql IS NOT NULL GROUP BY i.name",
        ),
        _ => (
            "SELECT table_name || '.' || column_name || ' ' || data_type
                    || CASE is_nullable WHEN 'NO' THEN ' not null' ELSE '' END
               FROM information_schema.columns WHERE table_schema = 'public'",
            "SELECT c.relname || '(' || string_agg(a.attname, ',' ORDER BY a.attnum) || ')'
               FROM pg_index i
               JOIN pg_class c ON c.oid = i.indexrelid
               JOIN pg_attribute a ON a.attrelid = c.oid
              WHERE c.relnamespace = 'public'::regnamespace AND NOT EXISTS
                    (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid)
              GROUP BY c.relname",
        ),
    };
    let mut schema = texts(connection, columns).await;
    schema.extend(texts(connection, indexes).await);
    schema.into_iter().collect()
}

/// What SQLite calls a type of PostgreSQL.
fn on_sqlite(column: &str) -> String {
    let types = [
        (" character varying", " varchar"),
        (" uuid", " blob"),
        (" bytea", " blob"),
        (" boolean", " integer"),
        (" bigint", " integer"),
    ];
    types.iter().fold(column.to_owned(), |column, (theirs, ours)| column.replace(theirs, ours))
}

#[tokio::test]
async fn the_schema_is_the_same_on_both_engines() {
    let mut schemas = Vec::new();
    for database in databases().await {
        migrated(&database).await;
        schemas.push(schema(&connected(&database).await).await);
    }
    let [sqlite, postgres] = schemas.as_slice() else { return };
    assert!(sqlite.contains("scim_configurations.sso_configuration_id blob"), "{sqlite:#?}");
    assert!(sqlite.contains("api_keys_of_organization(organization_id,created_at,id)"));
    let postgres: BTreeSet<_> = postgres.iter().map(|column| on_sqlite(column)).collect();
    let differing: Vec<_> = sqlite.symmetric_difference(&postgres).collect();
    assert!(differing.is_empty(), "{differing:#?}");
}

#[tokio::test]
async fn to_migrate_again_changes_nothing() {
    for database in databases().await {
        let repository = migrated(&database).await;
        let connection = connected(&database).await;
        let steps = "SELECT version || ' ' || applied_at FROM seaql_migrations";
        let before = (schema(&connection).await, texts(&connection, steps).await);
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        repository.migrate().await.unwrap();
        assert_eq!((schema(&connection).await, texts(&connection, steps).await), before);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_replicas_that_migrate_one_database_at_once_all_succeed() {
    for database in databases().await {
        let mut replicas = JoinSet::new();
        for _ in 0..8 {
            let url = database.url.clone();
            replicas.spawn(async move {
                let repository = opened(&url).await?;
                repository.migrate().await?;
                repository.check().await
            });
        }
        while let Some(outcome) = replicas.join_next().await {
            outcome.unwrap().unwrap_or_else(|error| panic!("{}: {}", database.url, error.chain()));
        }
    }
}

#[tokio::test]
async fn the_check_fails_before_the_schema_is_made_and_not_after() {
    for database in databases().await {
        let repository = opened(&database.url).await.unwrap();
        assert!(matches!(repository.check().await, Err(Error::SchemaBehind)));
        let before = schema(&connected(&database).await).await;
        assert!(before.is_empty(), "a check makes nothing: {before:?}");
        repository.migrate().await.unwrap();
        repository.check().await.unwrap();
        // Nor does it see an older state on another connection.
        opened(&database.url).await.unwrap().check().await.unwrap();
    }
}

#[tokio::test]
async fn a_schema_that_a_later_program_made_still_serves_this_one() {
    for database in databases().await {
        let repository = migrated(&database).await;
        let later = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('9999_later', 0)";
        connected(&database).await.execute_unprepared(later).await.unwrap();
        repository.check().await.unwrap();
        repository.migrate().await.unwrap();
    }
}

on_both_engines! {
    async fn every_column_is_read_as_it_was_written(server: TestServer) {
        let (repository, organization) = (&server.repository, server.organization());
        let (token, other_token) = (token(Kind::Scim), token(Kind::Scim));
        let sso = SsoConfigurationId::from(Uuid::new_v4());
        let lifetime = Duration::from_micros(86_400_000_001);
        let tx = repository.write().await.unwrap();
        let made = tx.create_configuration(
            NewConfiguration {
                organization_id: organization,
                name: "Okta — Zürich \u{1f511}".to_owned(),
                sso_configuration_id: sso,
                allow_unverified_email_account_linking: true,
                token_lifetime: TokenLifetime::from(lifetime),
            },
            &token.hash(),
        ).await.unwrap();
        tx.commit().await.unwrap();
        let now = made.created_at;
        assert_eq!(made.token_expires_at, now.saturating_add(lifetime));
        let scope = Scope::Organization(organization);
        assert_eq!(repository.read().configuration(scope, made.id).await.unwrap(), Some(made.clone()));

        let row = row(&server, "SELECT * FROM scim_configurations").await;
        assert_eq!(row.try_get::<Uuid>("", "id").unwrap(), made.id.as_uuid());
        assert_eq!(row.try_get::<Uuid>("", "organization_id").unwrap(), organization.as_uuid());
        assert_eq!(row.try_get::<String>("", "name").unwrap(), made.name);
        assert!(row.try_get::<bool>("", "enabled").unwrap());
        assert_eq!(row.try_get::<Option<Uuid>>("", "sso_configuration_id").unwrap(), Some(sso.as_uuid()));
        assert!(row.try_get::<bool>("", "allow_unverified_email_account_linking").unwrap());
        assert_eq!(row.try_get::<Vec<u8>>("", "token_hash").unwrap(), token.hash().as_bytes());
        assert_eq!(row.try_get::<i64>("", "token_lifetime").unwrap(), 86_400_000_001);
        assert_eq!(row.try_get::<i64>("", "token_expires_at").unwrap(), made.token_expires_at.as_micros());
        assert_eq!(row.try_get::<i64>("", "created_at").unwrap(), now.as_micros());
        assert_eq!(row.try_get::<i64>("", "updated_at").unwrap(), now.as_micros());

        server.advance(Duration::from_micros(1));
        let tx = repository.write().await.unwrap();
        let change = ConfigurationChange {
            name: Some(String::new()),
            enabled: Some(false),
            sso_configuration_id: Some(None),
            allow_unverified_email_account_linking: Some(false),
        };
        let changed = tx.update_configuration(scope, made.id, change).await.unwrap().unwrap();
        tx.replace_token(scope, made.id, &other_token.hash(), None).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        let read = repository.read().configuration_of_token(made.id, &other_token.hash()).await.unwrap().unwrap();
        assert_eq!((read.name.as_str(), read.enabled, read.sso_configuration_id), ("", false, None));
        assert!(!read.allow_unverified_email_account_linking);
        assert_eq!(read.updated_at, now.saturating_add(Duration::from_micros(1)));
        assert_eq!(read.token_expires_at, read.updated_at.saturating_add(lifetime));
        assert_eq!((read.created_at, read.id, changed.id), (now, made.id, made.id));
        let page = Page { after: None, limit: 1 };
        assert_eq!(repository.read().configurations(scope, page).await.unwrap(), (vec![read], None));
        let old = repository.read().configuration_of_token(made.id, &token.hash()).await.unwrap();
        assert_eq!(old, None);
    }

    async fn every_column_of_a_key_is_read_as_it_was_written(server: TestServer) {
        let (repository, organization) = (&server.repository, server.organization());
        let mut keys = Vec::new();
        for (scope, role, expires_in) in [
            (Scope::Organization(organization), Role::Viewer, Some(Duration::from_micros(1))),
            (Scope::Platform, Role::Admin, None),
        ] {
            let token = token(Kind::ApiKey);
            let tx = repository.write().await.unwrap();
            let expires_at = expires_in.map(|span| tx.now().saturating_add(span));
            let new = NewApiKey { scope, role, name: format!("{role} ü"), expires_at };
            let key = tx.create_api_key(new, &token.hash()).await.unwrap();
            assert_eq!((key.scope, key.role, key.created_at), (scope, role, tx.now()));
            assert_eq!((key.name.as_str(), key.expires_at), (format!("{role} ü").as_str(), expires_at));
            tx.commit().await.unwrap();
            let read = repository.read().api_key_of_token(&token.hash()).await.unwrap();
            assert_eq!(read, Some(key.clone()));
            keys.push(key);
            server.advance(Duration::from_secs(1));
        }
        assert_eq!(repository.read().api_keys(None).await.unwrap(), keys);
        assert_eq!(repository.read().api_keys(Some(organization)).await.unwrap(), keys[..1]);

        let tx = repository.write().await.unwrap();
        let revoked_at = tx.now();
        assert!(tx.revoke_api_key(keys[0].id).await.unwrap());
        tx.commit().await.unwrap();
        keys[0].revoked_at = Some(revoked_at);
        assert_eq!(repository.read().api_keys(None).await.unwrap(), keys);
        let revoked = row(&server, "SELECT * FROM api_keys WHERE revoked_at IS NOT NULL").await;
        assert_eq!(revoked.try_get::<String>("", "role").unwrap(), "viewer");
        assert_eq!(revoked.try_get::<i64>("", "revoked_at").unwrap(), revoked_at.as_micros());
        assert_eq!(revoked.try_get::<i64>("", "expires_at").unwrap(), keys[0].expires_at.unwrap().as_micros());
    }
}

/// On SQLite the test binary `secrets` looks into the files themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_table_on_postgres_holds_a_token() {
    let Some(server) = TestServer::start(Engine::Postgres).await else { return };
    let organization = server.organization();
    let client = server.admin(organization).await;
    let id = client.create(organization).await.id();
    client.call("RegenerateSCIMToken", json!({ "scimConfigurationId": id })).await.ok();

    let connection = connected(&server.database).await;
    let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'";
    let mut stored = String::new();
    for table in texts(&connection, tables).await {
        stored.extend(texts(&connection, &format!("SELECT t::text FROM {table} t")).await);
    }
    assert!(stored.contains(&id), "{stored}");
    assert!(!Regex::new(PATTERN).unwrap().is_match(&stored), "{stored}");
    // The bytes of a column of bytes are shown in hexadecimal.
    let prefix = b"scimd_".map(|byte| format!("{byte:02x}")).concat();
    assert!(!stored.contains(&prefix), "{stored}");
}

fn token(kind: Kind) -> PlainToken {
    PlainToken::mint(kind, &SystemRandom)
}

async fn opened(url: &DatabaseUrl) -> Result<Repository, Error> {
    Repository::open(url, Arc::new(SystemClock), Arc::new(SystemRandom)).await
}

async fn migrated(database: &TestDatabase) -> Repository {
    let repository = opened(&database.url).await.unwrap();
    repository.migrate().await.unwrap();
    repository
}

/// A connection that knows nothing of our own options and types.
async fn connected(database: &TestDatabase) -> DatabaseConnection {
    Database::connect(database.text()).await.unwrap()
}

async fn row(server: &TestServer, query: &str) -> QueryResult {
    let connection = connected(&server.database).await;
    let query = Statement::from_string(connection.get_database_backend(), query);
    connection.query_one_raw(query).await.unwrap().unwrap()
}

async fn texts(connection: &DatabaseConnection, query: &str) -> Vec<String> {
    let query = Statement::from_string(connection.get_database_backend(), query);
    let rows = connection.query_all_raw(query).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}
