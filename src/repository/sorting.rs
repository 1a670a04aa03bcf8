//! Lists in other orders than that of creation, where an index has the order.
//!
//! A list begins behind a place by one comparison of rows, as wide as the
//! order. Resources without a value have none to be compared: they are a part of
//! the list by themselves, read when the other one is at its end.

#[cfg(test)]
mod tests;

use sea_orm::sea_query::{Asterisk, Expr, ExprTrait, SimpleExpr};
use sea_orm::{QueryFilter, QuerySelect, QueryTrait};
use uuid::Uuid;

use super::connection::Rows;
use super::entity::{group, user};
use super::query::{self, Field, Kind};
use super::resources::{Row, Table, Walk, find_all, matching};
use super::{Read, Result};
use crate::model::{
    Begin, Condition, ConfigurationId, Resource, ResourceKind, SortField, SortKey, SortPosition,
    SortedSlice,
};

impl Read {
    /// The users or groups for which `condition` holds, of these a part, in some order.
    pub async fn sorted(
        &self,
        kind: ResourceKind,
        configuration: ConfigurationId,
        condition: &Condition,
        slice: &SortedSlice,
    ) -> Result<Vec<Resource>> {
        let on = &self.connection;
        let rows = match kind {
            Kind::User => sorted::<user::Entity, _>(on, configuration, condition, slice).await?,
            Kind::Group => sorted::<group::Entity, _>(on, configuration, condition, slice).await?,
        };
        rows.into_iter().map(|row| row.read(kind)).collect()
    }

    /// Those of these users or groups that there are, in any order.
    pub async fn resources_of_ids(
        &self,
        kind: ResourceKind,
        configuration: ConfigurationId,
        ids: &[Uuid],
    ) -> Result<Vec<Resource>> {
        let on = &self.connection;
        let rows = match kind {
            Kind::User => find_all::<user::Entity, _>(on, configuration, ids).await?,
            Kind::Group => find_all::<group::Entity, _>(on, configuration, ids).await?,
        };
        rows.into_iter().map(|row| row.read(kind)).collect()
    }
}

async fn sorted<E: Table, C: Rows>(
    connection: &C,
    configuration: ConfigurationId,
    condition: &Condition,
    slice: &SortedSlice,
) -> Result<Vec<Row>> {
    let condition = query::simplified(E::KIND, condition);
    if condition == Condition::Nothing {
        return Ok(Vec::new());
    }
    let backend = connection.backend();
    let (mut rows, mut limit) = (Vec::new(), slice.limit);
    let mut skip = match slice.begin {
        Begin::Skip(skip) => skip,
        Begin::Behind(_) => 0,
    };
    for part in parts(E::KIND, slice) {
        if limit == 0 {
            break;
        }
        let only = part.only();
        let walk = part.walk(&condition, slice.descending, skip, limit);
        let select = matching::<E, Row>(backend, configuration, &condition, walk);
        let found = connection.rows::<Row>(select.build(backend)).await?;
        if !found.is_empty() {
            skip = 0;
        } else if skip > 0 {
            // All of this part: the rest is to be skipped in the next one.
            let size = E::find()
                .select_only()
                .expr(Expr::col(Asterisk).count())
                .filter(query::filter(E::KIND, configuration, &condition).add_option(only));
            let size: Option<i64> = connection.row(size.build(backend)).await?;
            skip = skip.saturating_sub(size.unwrap_or(0).unsigned_abs());
        }
        limit = limit.saturating_sub(found.len() as u64);
        rows.extend(found);
    }
    Ok(rows)
}

/// A part of a sorted list.
struct Part {
    order: &'static [Field],
    having: Having,
    /// Behind which values of which fields it begins.
    behind: Option<(&'static [Field], Vec<SimpleExpr>)>,
}

/// Which resources are in a part.
#[derive(Clone, Copy)]
enum Having {
    /// All: each has a value.
    Any,
    /// Those with a value of the field.
    Value(Field),
    /// Those without one.
    NoValue(Field),
}

/// The parts of the list from where the slice begins, in its order.
fn parts(kind: Kind, slice: &SortedSlice) -> Vec<Part> {
    use Field::{CreatedAt, DisplayNameKey, ExternalId, Id, UpdatedAt, UserNameKey};
    let part = |order, having| Part { order, having, behind: None };
    let all = |order| vec![part(order, Having::Any)];
    let optional =
        |field, order| vec![part(order, Having::Value(field)), part(order, Having::NoValue(field))];
    let mut parts = match (slice.by, kind) {
        // Unique, and so an order by itself.
        (SortField::UserName, Kind::User) => all(&[UserNameKey]),
        (SortField::DisplayName, Kind::Group) => all(&[DisplayNameKey]),
        (SortField::Id, _) => all(&[Id]),
        (SortField::DisplayName, Kind::User) => {
            optional(DisplayNameKey, &[DisplayNameKey, CreatedAt, Id])
        }
        (SortField::ExternalId, _) => optional(ExternalId, &[ExternalId, CreatedAt, Id]),
        (SortField::LastModified, _) => all(&[UpdatedAt, CreatedAt, Id]),
        // No group has a `userName`: they are in order of creation.
        (SortField::Created, _) | (SortField::UserName, Kind::Group) => all(&[CreatedAt, Id]),
    };
    if slice.descending {
        parts.reverse();
    }
    if let Begin::Behind(place) = &slice.begin {
        let first = parts.iter().position(|part| part.holds(place)).unwrap_or(parts.len());
        parts.drain(..first);
        let Some(part) = parts.first_mut() else { return parts };
        match part.values(place) {
            Some(values) => part.behind = Some(values),
            // Nothing is there, as behind the end.
            None => parts.clear(),
        }
    }
    parts
}

impl Part {
    /// Whether the place is one of this part.
    fn holds(&self, place: &SortPosition) -> bool {
        match self.having {
            Having::Any => true,
            Having::Value(_) => place.key.is_some(),
            Having::NoValue(_) => place.key.is_none(),
        }
    }

    /// What a resource at the place has in the fields of the order; `None` where
    /// none can be there.
    fn values(&self, place: &SortPosition) -> Option<(&'static [Field], Vec<SimpleExpr>)> {
        let fields = match self.having {
            Having::Any | Having::Value(_) => self.order,
            Having::NoValue(_) => &self.order[1..],
        };
        let value = |field: &Field| match (field, &place.key) {
            (Field::CreatedAt, _) => Some(place.position.created_at.as_micros().into()),
            (Field::Id, _) => Some(place.position.id.into()),
            (Field::UpdatedAt, Some(SortKey::Instant(nanos))) => {
                i64::try_from(nanos.div_euclid(1_000)).ok().map(SimpleExpr::from)
            }
            // PostgreSQL has no text with a NUL, and refuses to compare with one.
            (_, Some(SortKey::Text(text))) if !text.contains('\0') => Some(text.as_str().into()),
            _ => None,
        };
        Some((fields, fields.iter().map(value).collect::<Option<_>>()?))
    }

    /// What tells its resources from those of the other part. Not in words that
    /// mean the same: these the engines answer from the index that has the order.
    fn only(&self) -> Option<SimpleExpr> {
        match self.having {
            Having::Any => None,
            // Every text comes behind the empty one.
            Having::Value(field) => Some(Expr::col(field).gte("")),
            Having::NoValue(field) => Some(Expr::col(field).is_null()),
        }
    }

    fn walk(self, condition: &Condition, descending: bool, skip: u64, limit: u64) -> Walk {
        // A place among values is a bound too, and of two SQLite may take the
        // worse one.
        let bounded = self.behind.is_some() && !descending;
        let only = match self.having {
            Having::Value(_) if bounded => None,
            _ => self.only(),
        };
        Walk {
            order: self.order,
            descending,
            found_first: query::is_narrow(condition),
            only,
            behind: self.behind,
            skip,
            limit,
        }
    }
}
