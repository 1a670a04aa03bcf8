//! What users and groups have in common: being found by id, walked in order of
//! creation, and counted. Other orders are in `sorting`.

mod shape;
#[cfg(test)]
mod tests;

use sea_orm::sea_query::{Asterisk, Expr, ExprTrait, Iden, SimpleExpr};
use sea_orm::{
    Condition as Sql, DbBackend, Order, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
    Statement, Value,
};
use uuid::Uuid;

pub(super) use self::shape::{Row, Shape, Statements, Table, UserRow};
use self::shape::{columns, select};
use super::connection::Rows;
use super::counts;
use super::entity::{group, user};
use super::ids::{among, value};
use super::query::{self, Field, Kind};
use super::{Error, Read, Result, Write};
use crate::model::{Condition, ConfigurationId, Position, Resource, ResourceKind, Slice};

impl Read {
    /// The user or group with this id.
    pub async fn resource(
        &self,
        kind: ResourceKind,
        configuration: ConfigurationId,
        id: Uuid,
    ) -> Result<Option<Resource>> {
        let row = match kind {
            Kind::User => self.row::<user::Entity, Row>(configuration, id).await?,
            Kind::Group => self.row::<group::Entity, Row>(configuration, id).await?,
        };
        row.map(|row| row.read(kind)).transpose()
    }

    /// The users or groups for which `condition` holds, of these a part, in order of
    /// creation.
    pub async fn resources(
        &self,
        kind: ResourceKind,
        configuration: ConfigurationId,
        condition: &Condition,
        part: Slice,
    ) -> Result<Vec<Resource>> {
        let on = &self.connection;
        let rows: Vec<Row> = match kind {
            Kind::User => slice::<user::Entity, _, _>(on, configuration, condition, part).await?,
            Kind::Group => slice::<group::Entity, _, _>(on, configuration, condition, part).await?,
        };
        rows.into_iter().map(|row| row.read(kind)).collect()
    }

    /// For how many users or groups `condition` holds.
    pub async fn count(
        &self,
        kind: ResourceKind,
        configuration: ConfigurationId,
        condition: &Condition,
    ) -> Result<u64> {
        match kind {
            Kind::User => {
                count::<user::Entity, _>(&self.connection, configuration, condition).await
            }
            Kind::Group => {
                count::<group::Entity, _>(&self.connection, configuration, condition).await
            }
        }
    }

    /// The resource with this id.
    pub(super) async fn row<E: Table, T: Shape<E>>(
        &self,
        configuration: ConfigurationId,
        id: Uuid,
    ) -> Result<Option<T>> {
        let values = [configuration.as_uuid().into(), id.into()];
        self.query_one(&T::statements().id, values).await
    }
}

impl Write {
    /// One resource. Nobody else changes it until the transaction ends. It may become a
    /// member of groups meanwhile: that needs only that it stays.
    pub(super) async fn resource_for_update<E: Table, T: Shape<E>>(
        &self,
        configuration: ConfigurationId,
        id: Uuid,
    ) -> Result<Option<T>> {
        // On SQLite nobody else writes at all, and there is no such lock.
        let one = format!("id = $2 {}", self.on_postgres("FOR NO KEY UPDATE"));
        let values = [configuration.as_uuid().into(), id.into()];
        Ok(self.query(select::<E, T>(&one), values).await?.pop())
    }
}

/// A part of those for which the condition holds, in order of creation.
pub(super) async fn slice<E: Table, T: Shape<E>, C: Rows>(
    connection: &C,
    configuration: ConfigurationId,
    condition: &Condition,
    slice: Slice,
) -> Result<Vec<T>> {
    let condition = query::simplified(E::KIND, condition);
    if condition == Condition::Nothing || slice.limit == 0 {
        return Ok(Vec::new());
    }
    let backend = connection.backend();
    if let (Some((sql, value)), None, 0) = (equality::<E, T>(&condition), slice.after, slice.skip) {
        let first = |limit: u64| [configuration.as_uuid().into(), value.into(), limit.into()];
        let found = connection.query_often(sql, first(Ord::min(slice.limit, FEW))).await?;
        // Who is alone is all. Others may have the same `externalId`, a thousand of them:
        // nobody is to wait for their documents.
        if (found.len() as u64) < FEW || slice.limit <= FEW {
            return Ok(found);
        }
        return Ok(connection.query(sql, first(slice.limit)).await?);
    }
    Ok(connection.rows(walking::<E, T>(backend, configuration, &condition, slice)).await?)
}

/// Of how many with the same name others are asked for together.
const FEW: u64 = 2;

/// The statement for what identity providers ask before every change, and the text.
fn equality<E: Table, T: Shape<E>>(condition: &Condition) -> Option<(&'static str, &str)> {
    let statements = T::statements();
    match condition {
        Condition::UserName(key) => Some((&statements.user_name, key)),
        Condition::ExternalId(id) => Some((&statements.external_id, id)),
        Condition::DisplayName(key) => Some((&statements.display_name, key)),
        _ => None,
    }
}

/// The statement that reads a part of those for which a simplified condition holds.
fn walking<E: Table, T: Shape<E>>(
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
        return Statement::from_sql_and_values(backend, &T::statements().all, values);
    }
    let walk = by_creation(condition, slice);
    matching::<E, T>(backend, configuration, condition, walk).build(backend)
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
pub(super) async fn find_all<E: Table, C: Rows>(
    connection: &C,
    configuration: ConfigurationId,
    ids: &[Uuid],
) -> Result<Vec<Row>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let backend = connection.backend();
    let sql = select::<E, Row>(&format!("id{}", among(backend, "$2")));
    let values = [configuration.as_uuid().into(), value(backend, ids.iter().copied())];
    Ok(connection.query(sql, values).await?)
}

/// For how many the condition holds. All of them cost no more than one.
pub(super) async fn count<E: Table, C: Rows>(
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

/// The rows of a walk for a condition that is simplified.
pub(super) fn matching<E: Table, T: Shape<E>>(
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
    let mut select = columns::<E, T>()
        .filter(query::filter(E::KIND, configuration, condition))
        .filter(Sql::all().add_option(walk.only).add_option(behind));
    for field in walk.order {
        let direction = if walk.descending { Order::Desc } else { Order::Asc };
        select = select.order_by(column(field), direction);
    }
    let select = select.limit(walk.limit);
    if walk.skip > 0 { select.offset(walk.skip) } else { select }
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
