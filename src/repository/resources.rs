//! What users and groups have in common: being found by id, walked in order of
//! creation, and counted.

use sea_orm::sea_query::{Asterisk, Expr, ExprTrait, LockType, SimpleExpr};
use sea_orm::{
    Condition as Sql, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, Order, QueryFilter,
    QueryOrder, QuerySelect, Select,
};
use uuid::Uuid;

use super::counts;
use super::entity::{group, user};
use super::query::{self, Field, Kind};
use super::{Error, Read, Result};
use crate::model::{Condition, ConfigurationId, Position, Slice};

/// A table of resources.
pub(super) trait Resource: EntityTrait {
    const KIND: Kind;
}

impl Resource for user::Entity {
    const KIND: Kind = Kind::User;
}

impl Resource for group::Entity {
    const KIND: Kind = Kind::Group;
}

/// What is read of a resource.
#[derive(Clone, FromQueryResult)]
pub(super) struct Row {
    pub id: Uuid,
    pub document: String,
    pub version: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

impl Read {
    /// The resource with this id.
    pub(super) async fn resource(
        &self,
        kind: Kind,
        configuration: ConfigurationId,
        id: Uuid,
    ) -> Result<Option<Row>> {
        let table = match kind {
            Kind::User => "scim_users",
            Kind::Group => "scim_groups",
        };
        let sql = format!(
            "SELECT id, document, version, created_at, updated_at FROM {table} \
             WHERE configuration_id = $1 AND id = $2"
        );
        self.query_one(&sql, [configuration.as_uuid().into(), id.into()]).await
    }
}

/// The same, and nobody else changes it until the transaction ends. It may
/// become a member of groups meanwhile: that needs only that it stays.
pub(super) async fn find_for_update<E: Resource, C: ConnectionTrait>(
    transaction: &C,
    configuration: ConfigurationId,
    id: Uuid,
) -> Result<Option<Row>> {
    // On SQLite nobody else writes at all, and no lock is written into the text.
    let locked = one::<E>(configuration, id).lock(LockType::NoKeyUpdate);
    Ok(locked.into_model::<Row>().one(transaction).await?)
}

/// A part of those for which the condition holds, in order of creation.
pub(super) async fn slice<E: Resource, C: ConnectionTrait>(
    connection: &C,
    configuration: ConfigurationId,
    condition: &Condition,
    slice: Slice,
) -> Result<Vec<Row>> {
    let condition = query::simplified(E::KIND, condition);
    if condition == Condition::Nothing || slice.limit == 0 {
        return Ok(Vec::new());
    }
    let backend = connection.get_database_backend();
    let select = matching::<E>(backend, configuration, &condition, slice);
    Ok(select.into_model::<Row>().all(connection).await?)
}

/// For how many the condition holds. All of them cost no more than one.
pub(super) async fn count<E: Resource, C: ConnectionTrait>(
    connection: &C,
    configuration: ConfigurationId,
    condition: &Condition,
) -> Result<u64> {
    let counted = match query::simplified(E::KIND, condition) {
        Condition::Nothing => return Ok(0),
        Condition::All => counts::total(connection, configuration, E::KIND).await?,
        // Nearly all users are active: the others are the fewer to count.
        Condition::Active(true) => counts::active_users(connection, configuration).await?,
        other => {
            E::find()
                .select_only()
                .expr(Expr::col(Asterisk).count())
                .filter(query::filter(E::KIND, configuration, &other))
                .into_tuple()
                .one(connection)
                .await?
        }
    };
    u64::try_from(counted.unwrap_or(0)).map_err(|_| Error::Corrupt("scim_directory_counts"))
}

fn one<E: Resource>(configuration: ConfigurationId, id: Uuid) -> Select<E> {
    columns::<E>()
        .filter(Expr::col(Field::ConfigurationId).eq(configuration.as_uuid()))
        .filter(Expr::col(Field::Id).eq(id))
}

fn matching<E: Resource>(
    backend: DbBackend,
    configuration: ConfigurationId,
    condition: &Condition,
    slice: Slice,
) -> Select<E> {
    let order = order(backend, condition);
    let behind = slice.after.map(|Position { created_at, id }| {
        // Compared as one pair, so that the index finds the place at once.
        Expr::tuple(order.clone()).gt(Expr::tuple([created_at.as_micros().into(), id.into()]))
    });
    let [created_at, id] = order;
    let select = columns::<E>()
        .filter(query::filter(E::KIND, configuration, condition))
        .filter(Sql::all().add_option(behind))
        .order_by(created_at, Order::Asc)
        .order_by(id, Order::Asc)
        .limit(slice.limit);
    if slice.skip > 0 { select.offset(slice.skip) } else { select }
}

fn columns<E: Resource>() -> Select<E> {
    let fields = [Field::Id, Field::Document, Field::Version, Field::CreatedAt, Field::UpdatedAt];
    E::find().select_only().exprs(fields.map(Expr::col))
}

/// What resources are ordered by. A `+` keeps SQLite from walking the index that
/// has this order: without statistics it takes that for the cheapest way always.
fn order(backend: DbBackend, condition: &Condition) -> [SimpleExpr; 2] {
    if backend == DbBackend::Sqlite && query::is_found_first(condition) {
        [Expr::cust("+created_at"), Expr::cust("+id")]
    } else {
        [Expr::col(Field::CreatedAt), Expr::col(Field::Id)]
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sea_orm::QueryTrait;

    use super::super::Repository;
    use super::super::connection::Reader;
    use super::*;
    use crate::clock::{SystemClock, SystemRandom};
    use crate::model::{Comparison, DatabaseUrl, Instant};

    /// What SQLite says that it does for a search, one line a step.
    async fn plan<E: Resource>(connection: &Reader, condition: &Condition) -> String {
        let slice = Slice {
            after: Some(Position { created_at: Instant::from_micros(1), id: Uuid::nil() }),
            skip: 10,
            limit: 10,
        };
        let condition = query::simplified(E::KIND, condition);
        let select = matching::<E>(DbBackend::Sqlite, Uuid::nil().into(), &condition, slice);
        let mut statement = select.build(DbBackend::Sqlite);
        statement.sql.insert_str(0, "EXPLAIN QUERY PLAN ");
        let rows = connection.query_all_raw(statement).await.unwrap();
        let step = |row: &sea_orm::QueryResult| row.try_get("", "detail").unwrap();
        rows.iter().map(step).collect::<Vec<String>>().join("\n")
    }

    /// Each condition alone and as an alternative is found where it says, and
    /// the list is walked for none of them.
    async fn assert_found<E: Resource>(connection: &Reader, cases: &[(Condition, &str)]) {
        let assert_index = |plan: &str, (condition, index): &(Condition, &str)| {
            assert!(plan.contains(index), "{condition:?}:\n{plan}");
            for walk in
                ["SCAN scim", "creation (configuration_id=?)", "creation (configuration_id=? AND ("]
            {
                assert!(!plan.contains(walk), "{condition:?}:\n{plan}");
            }
        };
        for case in cases {
            assert_index(&plan::<E>(connection, &case.0).await, case);
        }
        let alternatives = Condition::Or(cases.iter().map(|case| case.0.clone()).collect());
        let narrowed = Condition::And(vec![alternatives.clone(), cases[0].0.clone()]);
        for condition in [alternatives, narrowed] {
            let plan = plan::<E>(connection, &condition).await;
            for case in cases {
                assert_index(&plan, case);
            }
        }
    }

    #[tokio::test]
    async fn sqlite_finds_through_indexes_also_among_alternatives() {
        let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
        let repository = Repository::open(&DatabaseUrl::SqliteMemory, clock, random).await.unwrap();
        repository.migrate().await.unwrap();
        let connection = repository.read().connection;
        let (text, id, at) = (|| "a".to_owned(), Uuid::from_u128(1), Instant::from_micros(5));
        let users = [
            (Condition::Id(id), "scim_users_1 (configuration_id=? AND id=?)"),
            (Condition::UserName(text()), "scim_users_2 (configuration_id=? AND user_name_key=?)"),
            (Condition::ExternalId(text()), "by_external_id (configuration_id=? AND external_id=?"),
            (
                Condition::DisplayName(text()),
                "by_display_name (configuration_id=? AND display_name_key=?",
            ),
            (Condition::Email(text()), "PRIMARY KEY (configuration_id=? AND value_key=?)"),
            (Condition::Active(false), "scim_users_inactive (configuration_id=?"),
            (
                Condition::Created(Comparison::Equal, at),
                "by_creation (configuration_id=? AND created_at=?",
            ),
            (
                Condition::LastModified(Comparison::Greater, at),
                "by_change (configuration_id=? AND updated_at>?)",
            ),
            (Condition::MemberOf(id), "PRIMARY KEY (configuration_id=? AND group_id=?)"),
        ];
        assert_found::<user::Entity>(&connection, &users).await;
        let groups = [
            (Condition::Id(id), "scim_groups_1 (configuration_id=? AND id=?)"),
            (Condition::ExternalId(text()), "by_external_id (configuration_id=? AND external_id=?"),
            (
                Condition::DisplayName(text()),
                "scim_groups_2 (configuration_id=? AND display_name_key=?)",
            ),
            (
                Condition::Created(Comparison::Equal, at),
                "by_creation (configuration_id=? AND created_at=?",
            ),
            (
                Condition::LastModified(Comparison::Greater, at),
                "by_change (configuration_id=? AND updated_at>?)",
            ),
            (Condition::Member(id), "of_member (configuration_id=? AND member_id=?)"),
        ];
        assert_found::<group::Entity>(&connection, &groups).await;
    }

    #[tokio::test]
    async fn sqlite_walks_a_list_by_its_index() {
        let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
        let repository = Repository::open(&DatabaseUrl::SqliteMemory, clock, random).await.unwrap();
        repository.migrate().await.unwrap();
        let connection = repository.read().connection;
        let behind = "(configuration_id=? AND (created_at,id)>(?,?))";
        for (condition, index) in [
            (Condition::All, "scim_users_by_creation"),
            (Condition::Active(true), "scim_users_by_creation"),
            (Condition::Active(false), "scim_users_inactive"),
        ] {
            let plan = plan::<user::Entity>(&connection, &condition).await;
            assert_eq!(plan, format!("SEARCH scim_users USING INDEX {index} {behind}"));
        }
    }
}
