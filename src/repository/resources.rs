//! What users and groups have in common: being found by id, walked in order of
//! creation, and counted. Other orders are in `sorting`.

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use sea_orm::sea_query::{Asterisk, Expr, ExprTrait, Iden, SimpleExpr};
use sea_orm::{
    Condition as Sql, DbBackend, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, Select, Statement, Value,
};
use uuid::Uuid;

use super::connection::{FromRow, Rows, from_row};
use super::counts;
use super::entity::{group, user};
use super::ids::{among, value};
use super::query::{self, Field, Kind};
use super::{Error, Read, Result, Write};
use crate::model::{Condition, ConfigurationId, Position, Slice};

/// A table of resources.
pub(super) trait Resource: EntityTrait {
    /// What is read of one.
    type Row: FromRow + AsRef<Row> + Sync;
    const KIND: Kind;
    /// What is read beside the columns of [`Row`].
    const MORE: &[Field];
    /// See [`Statements`].
    fn statements() -> &'static Statements;
}

/// What identity providers ask before every change, and to walk through all there are,
/// written out once for all requests.
pub(super) struct Statements {
    id: String,
    all: String,
    user_name: String,
    external_id: String,
    display_name: String,
}

impl Statements {
    fn of<E: Resource>() -> Self {
        let first =
            |column| select::<E>(&[], &format!("{column} = $2 ORDER BY created_at, id LIMIT $3"));
        Self {
            id: select::<E>(&[], "id = $2"),
            // Compared as one row, so that the index finds the place at once.
            all: select::<E>(&[], "(created_at, id) > ($2, $3) ORDER BY created_at, id LIMIT $4"),
            user_name: first("user_name_key"),
            external_id: first("external_id"),
            display_name: first("display_name_key"),
        }
    }
}

impl Resource for user::Entity {
    type Row = UserRow;
    const KIND: Kind = Kind::User;
    const MORE: &[Field] = &[Field::AccountId, Field::AccountReason];

    fn statements() -> &'static Statements {
        static OF_USERS: LazyLock<Statements> = LazyLock::new(Statements::of::<user::Entity>);
        &OF_USERS
    }
}

impl Resource for group::Entity {
    type Row = Row;
    const KIND: Kind = Kind::Group;
    const MORE: &[Field] = &[];

    fn statements() -> &'static Statements {
        static OF_GROUPS: LazyLock<Statements> = LazyLock::new(Statements::of::<group::Entity>);
        &OF_GROUPS
    }
}

/// The values of [`COLUMNS`].
#[derive(Clone)]
pub(super) struct Row {
    pub id: Uuid,
    pub document: String,
    pub version: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

/// What is read of every resource. Behind it stands what is read of its kind
/// alone, see [`Resource::MORE`].
const COLUMNS: [Field; 5] =
    [Field::Id, Field::Document, Field::Version, Field::CreatedAt, Field::UpdatedAt];

from_row!(Row { id, document, version, created_at, updated_at });

/// What is read of a user.
#[derive(Clone)]
pub(super) struct UserRow {
    pub row: Row,
    pub account_id: Option<Uuid>,
    pub account_reason: Option<i64>,
}

from_row!(UserRow { row, account_id, account_reason });

impl AsRef<Self> for Row {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl AsRef<Row> for UserRow {
    fn as_ref(&self) -> &Row {
        &self.row
    }
}

impl Read {
    /// The resource with this id.
    pub(super) async fn resource<E: Resource>(
        &self,
        configuration: ConfigurationId,
        id: Uuid,
    ) -> Result<Option<E::Row>> {
        let values = [configuration.as_uuid().into(), id.into()];
        self.query_one(&E::statements().id, values).await
    }
}

impl Write {
    /// One resource, with what is `also` to be read of it behind it. Nobody else
    /// changes it until the transaction ends. It may become a member of groups
    /// meanwhile: that needs only that it stays.
    pub(super) async fn resource_for_update<E: Resource, T: FromRow>(
        &self,
        configuration: ConfigurationId,
        id: Uuid,
        also: &[Field],
    ) -> Result<Option<T>> {
        // On SQLite nobody else writes at all, and there is no such lock.
        let one = format!("id = $2 {}", self.on_postgres("FOR NO KEY UPDATE"));
        let values = [configuration.as_uuid().into(), id.into()];
        Ok(self.query(select::<E>(also, &one), values).await?.pop())
    }
}

/// A part of those for which the condition holds, in order of creation.
pub(super) async fn slice<E: Resource, C: Rows>(
    connection: &C,
    configuration: ConfigurationId,
    condition: &Condition,
    slice: Slice,
) -> Result<Vec<E::Row>> {
    let condition = query::simplified(E::KIND, condition);
    if condition == Condition::Nothing || slice.limit == 0 {
        return Ok(Vec::new());
    }
    let backend = connection.backend();
    if let (Some((sql, value)), None, 0) = (equality::<E>(&condition), slice.after, slice.skip) {
        let first = |limit: u64| [configuration.as_uuid().into(), value.into(), limit.into()];
        let found = connection.query_often(sql, first(Ord::min(slice.limit, FEW))).await?;
        // Who is alone is all. Others may have the same `externalId`, a thousand of them:
        // nobody is to wait for their documents.
        if (found.len() as u64) < FEW || slice.limit <= FEW {
            return Ok(found);
        }
        return Ok(connection.query(sql, first(slice.limit)).await?);
    }
    Ok(connection.rows(walking::<E>(backend, configuration, &condition, slice)).await?)
}

/// Of how many with the same name others are asked for together.
const FEW: u64 = 2;

/// The statement for what identity providers ask before every change, and the text.
fn equality<E: Resource>(condition: &Condition) -> Option<(&'static str, &str)> {
    let statements = E::statements();
    match condition {
        Condition::UserName(key) => Some((&statements.user_name, key)),
        Condition::ExternalId(id) => Some((&statements.external_id, id)),
        Condition::DisplayName(key) => Some((&statements.display_name, key)),
        _ => None,
    }
}

/// The statement that reads a part of those for which a simplified condition holds.
fn walking<E: Resource>(
    backend: DbBackend,
    configuration: ConfigurationId,
    condition: &Condition,
    slice: Slice,
) -> Statement {
    if *condition == Condition::All && slice.skip == 0 {
        let (created_at, id) = slice
            .after
            .map_or((i64::MIN, Uuid::nil()), |after| (after.created_at.as_micros(), after.id));
        let values: [Value; 4] =
            [configuration.as_uuid().into(), created_at.into(), id.into(), slice.limit.into()];
        return Statement::from_sql_and_values(backend, &E::statements().all, values);
    }
    let walk = by_creation(condition, slice);
    matching::<E>(backend, configuration, condition, walk).build(backend)
}

fn by_creation(condition: &Condition, slice: Slice) -> Walk {
    Walk {
        order: &[Field::CreatedAt, Field::Id],
        descending: false,
        found_first: query::is_found_first(condition),
        only: None,
        behind: slice.after.map(|Position { created_at, id }| {
            (&[Field::CreatedAt, Field::Id][..], vec![created_at.as_micros().into(), id.into()])
        }),
        skip: slice.skip,
        limit: slice.limit,
    }
}

/// How a list is gone through.
pub(super) struct Walk {
    /// What it is ordered by.
    pub order: &'static [Field],
    pub descending: bool,
    /// Whether so few are meant that they are best found first and put in order
    /// afterwards.
    pub found_first: bool,
    /// A part of the order, by which it is narrowed.
    pub only: Option<SimpleExpr>,
    /// Behind which values of these it begins.
    pub behind: Option<(&'static [Field], Vec<SimpleExpr>)>,
    pub skip: u64,
    pub limit: u64,
}

/// Those of `ids` that there are, in any order.
pub(super) async fn find_all<E: Resource, C: Rows>(
    connection: &C,
    configuration: ConfigurationId,
    ids: &[Uuid],
) -> Result<Vec<E::Row>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let backend = connection.backend();
    let sql = select::<E>(&[], &format!("id{}", among(backend, "$2")));
    let values = [configuration.as_uuid().into(), value(backend, ids.iter().copied())];
    Ok(connection.query(sql, values).await?)
}

/// For how many the condition holds. All of them cost no more than one.
pub(super) async fn count<E: Resource, C: Rows>(
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
            let select = E::find()
                .select_only()
                .expr(Expr::col(Asterisk).count())
                .filter(query::filter(E::KIND, configuration, &other));
            connection.row(select.build(connection.backend())).await?
        }
    };
    u64::try_from(counted.unwrap_or(0)).map_err(|_| Error::Corrupt("scim_directory_counts"))
}

/// [`COLUMNS`], and what is `also` asked for behind them, written out, because every
/// request runs one, of those of a configuration, `$1`, that a condition holds for.
pub(super) fn select<E: Resource>(also: &[Field], condition: &str) -> String {
    let more = E::MORE.iter().chain(also);
    let more = more.fold(String::new(), |more, field| more + ", " + field.unquoted());
    format!(
        "SELECT id, document, version, created_at, updated_at{more} FROM {} \
         WHERE configuration_id = $1 AND {condition}",
        E::default().table_name()
    )
}

/// The rows of a walk for a condition that is simplified.
pub(super) fn matching<E: Resource>(
    backend: DbBackend,
    configuration: ConfigurationId,
    condition: &Condition,
    walk: Walk,
) -> Select<E> {
    let column = |field: &Field| ordered(backend, walk.found_first, *field);
    // Compared as one row, so that the index finds the place at once.
    let behind = walk.behind.map(|(fields, values)| {
        let (row, place) = (Expr::tuple(fields.iter().map(column)), Expr::tuple(values));
        if walk.descending { row.lt(place) } else { row.gt(place) }
    });
    let mut select = columns::<E>()
        .filter(query::filter(E::KIND, configuration, condition))
        .filter(Sql::all().add_option(walk.only).add_option(behind));
    for field in walk.order {
        let direction = if walk.descending { Order::Desc } else { Order::Asc };
        select = select.order_by(column(field), direction);
    }
    let select = select.limit(walk.limit);
    if walk.skip > 0 { select.offset(walk.skip) } else { select }
}

fn columns<E: Resource>() -> Select<E> {
    E::find().select_only().exprs(COLUMNS.iter().chain(E::MORE).copied().map(Expr::col))
}

/// A column to order by. A `+` keeps SQLite from walking the index that has this
/// order: without statistics it takes that for the cheapest way always.
fn ordered(backend: DbBackend, found_first: bool, field: Field) -> SimpleExpr {
    if backend == DbBackend::Sqlite && found_first {
        Expr::cust(format!("+{}", field.unquoted()))
    } else {
        Expr::col(field)
    }
}
