//! Finding: slices of lists, and what a search costs.

use std::time::Duration;

use scimd::clock::{SystemClock, SystemRandom};
use scimd::model::{
    Begin, Comparison, Condition, ConfigurationId, Instant, MemberChange, MemberId, Position,
    ResourceKind, Slice, SortField, SortKey, SortPosition, SortedSlice, UserContent, UserId,
};
use scimd::repository::Repository;
use sea_orm::{ConnectionTrait, DatabaseConnection};
use std::sync::Arc;
use uuid::Uuid;

use super::{EVERYTHING, configuration, create_group, create_named, done, named};
use crate::harness::{Engine, TestServer, on_both_engines};

on_both_engines! {
    async fn a_slice_begins_behind_a_position_skips_and_ends(server: TestServer) {
        let configuration = configuration(&server.repository).await;
        for number in 0..9 {
            // Three at a time are made at the same instant, and ordered by id.
            server.advance(Duration::from_micros(u64::from(number % 3 == 0)));
            create_named(&server.repository, configuration, &number.to_string()).await;
        }
        let read = server.repository.read();
        let all = read.users(configuration, &Condition::All, EVERYTHING).await.unwrap();
        assert!(all.is_sorted_by_key(|user| (user.created_at, user.id)));
        let slice = async |after: Option<usize>, skip, limit| {
            let after = after.map(|index| Position {
                created_at: all[index].created_at,
                id: all[index].id.as_uuid(),
            });
            let slice = Slice { after, skip, limit };
            read.users(configuration, &Condition::All, slice).await.unwrap()
        };
        assert_eq!(slice(None, 0, 4).await, all[..4]);
        assert_eq!(slice(None, 3, 4).await, all[3..7]);
        assert_eq!(slice(Some(3), 0, 100).await, all[4..]);
        assert_eq!(slice(Some(3), 2, 2).await, all[6..8]);
        assert_eq!(slice(Some(8), 0, 1).await, []);
        assert_eq!(slice(None, 100, 1).await, []);
        assert_eq!(slice(None, 0, 0).await, []);
    }

    async fn what_cannot_be_stored_is_not_found_and_no_failure(server: TestServer) {
        let configuration = configuration(&server.repository).await;
        create_named(&server.repository, configuration, "a").await;
        let text = "a\0".to_owned();
        for condition in [
            Condition::UserName(text.clone()),
            Condition::ExternalId(text.clone()),
            Condition::DisplayName(text.clone()),
            Condition::Email(text),
            Condition::And(Vec::new()),
            Condition::Or(Vec::new()),
        ] {
            let expected = u64::from(condition == Condition::And(Vec::new()));
            let read = server.repository.read();
            assert_eq!(read.count(ResourceKind::User, configuration, &condition).await.unwrap(), expected);
            assert_eq!(read.count(ResourceKind::Group, configuration, &condition).await.unwrap(), 0);
        }
    }
}

/// Users of the directory that is searched, all of them in one group.
const USERS: u32 = 3_000;

/// On SQLite the plans say it; see `src/repository/resources/tests.rs`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_searched_for_is_read_and_nothing_else_on_postgres() {
    let Some(server) = TestServer::start(Engine::Postgres).await else { return };
    let (configuration, users) = populate(&server).await;
    let admin = sea_orm::Database::connect(server.database.text()).await.unwrap();
    // Before it has counted, PostgreSQL may read all users to find one.
    let (one, user) = apart(&server, &admin, async |repository| {
        let member = MemberId::User(users[7]);
        let one = create_group(repository, configuration, "one", [member]).await;
        (one, repository.read().user(configuration, users[7]).await.unwrap().unwrap())
    })
    .await;
    admin.execute_unprepared("ANALYZE").await.unwrap();

    let conditions = [
        Condition::Id(users[7].as_uuid()),
        Condition::UserName("user7".to_owned()),
        Condition::ExternalId("external7".to_owned()),
        Condition::DisplayName("display7".to_owned()),
        Condition::Email("mail7".to_owned()),
        Condition::Active(false),
        Condition::Created(Comparison::Equal, user.created_at),
        Condition::LastModified(Comparison::Equal, user.updated_at),
        Condition::MemberOf(one.as_uuid()),
    ];
    let mut searches = conditions.to_vec();
    searches.push(Condition::LastModified(Comparison::Less, Instant::from_micros(0)));
    searches.push(Condition::Or(conditions.to_vec()));
    searches.push(Condition::And(vec![Condition::Or(conditions.to_vec()), conditions[0].clone()]));
    for condition in searches {
        let rows = rows_read(&server, &admin, async |repository| {
            let read = repository.read();
            for limit in [10, 1_000] {
                let slice = Slice { after: None, skip: 0, limit };
                let found = read.users(configuration, &condition, slice).await.unwrap();
                assert!(found.len() < 5);
            }
            read.count(ResourceKind::User, configuration, &condition).await.unwrap();
        })
        .await;
        // As an alternative among others each reads at most a few, twice over.
        assert!(rows < 100, "{rows} rows were read for {condition:?}");
    }
    let member = Condition::Member(users[7].as_uuid());
    let rows = rows_read(&server, &admin, async |repository| {
        let read = repository.read();
        assert_eq!(read.groups(configuration, &member, EVERYTHING).await.unwrap().len(), 2);
        let page = Slice { after: None, skip: 0, limit: 10 };
        assert_eq!(read.users(configuration, &Condition::All, page).await.unwrap().len(), 10);
        read.count(ResourceKind::User, configuration, &Condition::All).await.unwrap();
        read.count(ResourceKind::User, configuration, &Condition::Active(true)).await.unwrap();
        read.groups_of(configuration, &users[..10]).await.unwrap();
        let name = Condition::UserName("user7".to_owned());
        assert_eq!(
            read.groups_of_user_named(configuration, &name).await.unwrap().unwrap().len(),
            2
        );
    })
    .await;
    assert!(rows < 100, "{rows} rows were read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sorted_page_is_read_from_its_index_and_nothing_else_on_postgres() {
    use SortField::{Created, DisplayName, ExternalId, Id, LastModified, UserName};
    let Some(server) = TestServer::start(Engine::Postgres).await else { return };
    let (configuration, users) = populate(&server).await;
    let admin = sea_orm::Database::connect(server.database.text()).await.unwrap();
    admin.execute_unprepared("ANALYZE").await.unwrap();
    let read = server.repository.read();
    let user = read.user(configuration, users[1_501]).await.unwrap().unwrap();
    let position = Position { created_at: user.created_at, id: user.id.as_uuid() };
    let text = |text: &str| Some(SortKey::Text(text.to_owned()));
    let time = Some(SortKey::Instant(i128::from(user.updated_at.as_micros()) * 1_000));
    for (by, key) in [
        (UserName, text("user1501")),
        (DisplayName, text("display1501")),
        (DisplayName, None),
        (ExternalId, text("external1501")),
        (ExternalId, None),
        (Created, time.clone()),
        (LastModified, time),
        (Id, text(&user.id.to_string())),
    ] {
        let behind = Begin::Behind(SortPosition { key: key.clone(), position });
        for (descending, begin) in [
            (false, Begin::Skip(5)),
            (true, Begin::Skip(5)),
            (false, behind.clone()),
            (true, behind),
        ] {
            let slice = SortedSlice { by, descending, begin, limit: 10 };
            let rows = rows_read(&server, &admin, async |repository| {
                for condition in [Condition::All, Condition::Active(true)] {
                    let read = repository.read();
                    let found = read
                        .sorted(ResourceKind::User, configuration, &condition, &slice)
                        .await
                        .unwrap();
                    assert_eq!(found.len(), 10, "{slice:?}");
                }
            })
            .await;
            assert!(rows < 100, "{rows} rows were read for {slice:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_a_large_group_reads_only_what_it_changes_on_postgres() {
    let Some(server) = TestServer::start(Engine::Postgres).await else { return };
    let (configuration, users) = populate(&server).await;
    let large =
        server.repository.read().groups(configuration, &Condition::All, EVERYTHING).await.unwrap()
            [0]
        .id;
    let new = create_named(&server.repository, configuration, "new").await;
    let admin = sea_orm::Database::connect(server.database.text()).await.unwrap();
    admin.execute_unprepared("ANALYZE").await.unwrap();
    let rows = rows_read(&server, &admin, async |repository| {
        let tx = repository.write().await.unwrap();
        tx.group_for_update(configuration, large).await.unwrap().unwrap();
        let ids = [new.as_uuid(), users[3].as_uuid(), Uuid::new_v4()];
        assert_eq!(tx.resolve_members(configuration, &ids).await.unwrap().len(), 2);
        let mut change = MemberChange::default();
        change.add(MemberId::User(new));
        change.remove(users[5].as_uuid());
        let update = tx.update_group(configuration, large, None, &change).await.unwrap().unwrap();
        let update = done(update);
        assert_eq!((update.added.len(), update.removed.len()), (1, 1));
        assert_eq!(tx.groups_holding(configuration, large, &[large]).await.unwrap(), [large]);
        assert_eq!(tx.members(configuration, large, None, 10).await.unwrap().len(), 10);
        assert!(tx.delete_user(configuration, users[6]).await.unwrap());
        tx.commit().await.unwrap();
        let count = repository.read().member_count(configuration, large).await.unwrap();
        assert_eq!(count, Some(u64::from(USERS) - 1));
    })
    .await;
    assert!(rows < 100, "{rows} rows were read");
}

async fn populate(server: &TestServer) -> (ConfigurationId, Vec<UserId>) {
    let admin = sea_orm::Database::connect(server.database.text()).await.unwrap();
    apart(server, &admin, async |repository| {
        let configuration = configuration(repository).await;
        let mut users = Vec::new();
        for number in 0..USERS {
            // One by one, so that each has an instant of its own.
            let tx = repository.write().await.unwrap();
            let content = UserContent {
                external_id: (number % 2 == 1).then(|| format!("external{number}")),
                display_name_key: (number % 2 == 1).then(|| format!("display{number}")),
                active: number != 11,
                email_keys: vec![format!("mail{number}")],
                ..named(&format!("user{number}"))
            };
            users.push(done(tx.create_user(configuration, None, content).await.unwrap()).id);
            tx.commit().await.unwrap();
        }
        let members = users.iter().copied().map(MemberId::User);
        create_group(repository, configuration, "all", members).await;
        (configuration, users)
    })
    .await
}

/// How many rows of the directory's tables PostgreSQL reads for `work`.
async fn rows_read(
    server: &TestServer,
    admin: &DatabaseConnection,
    work: impl AsyncFnOnce(&Repository),
) -> i64 {
    let total = async || {
        let sql = "SELECT ((SELECT SUM(seq_tup_read) FROM pg_stat_user_tables) \
                   + (SELECT SUM(idx_tup_read) FROM pg_stat_user_indexes))::bigint";
        number(admin, sql).await
    };
    let before = total().await;
    apart(server, admin, work).await;
    total().await - before
}

/// Does `work` through connections of its own, and waits until they have ended.
/// A connection tells what it read when it ends, or else at some later time: then
/// it would seem to be of what is measured next.
async fn apart<T>(
    server: &TestServer,
    admin: &DatabaseConnection,
    work: impl AsyncFnOnce(&Repository) -> T,
) -> T {
    let url = format!("{}?application_name=apart", server.database.text());
    let url = scimd::model::DatabaseUrl::Postgres(url);
    let repository =
        Repository::open(&url, Arc::new(SystemClock), Arc::new(SystemRandom)).await.unwrap();
    let outcome = work(&repository).await;
    drop(repository);
    let open = "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'apart' \
                AND datname = current_database()";
    while number(admin, open).await > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    outcome
}

async fn number(admin: &DatabaseConnection, sql: &str) -> i64 {
    let statement = sea_orm::Statement::from_string(admin.get_database_backend(), sql);
    admin.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap()
}
