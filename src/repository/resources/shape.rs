//! What is read of users and groups.

use std::sync::LazyLock;

use sea_orm::sea_query::{Expr, Iden};
use sea_orm::{EntityTrait, QuerySelect, Select};
use uuid::Uuid;

use crate::model::{Document, Instant, Resource};
use crate::repository::connection::{FromRow, from_row};
use crate::repository::entity::{group, user};
use crate::repository::query::{Field, Kind};
use crate::repository::{Error, Result};

/// A table of resources.
pub(in crate::repository) trait Table: EntityTrait {
    const KIND: Kind;
}

impl Table for user::Entity {
    const KIND: Kind = Kind::User;
}

impl Table for group::Entity {
    const KIND: Kind = Kind::Group;
}

/// What is read of a resource in a table.
pub(in crate::repository) trait Shape<E: Table>:
    FromRow + AsRef<Row> + Sync
{
    /// What is read beside the columns of [`Row`].
    const MORE: &[Field];
    /// See [`Statements`].
    fn statements() -> &'static Statements;
}

/// What identity providers see.
impl<E: Table> Shape<E> for Row {
    const MORE: &[Field] = &[];

    fn statements() -> &'static Statements {
        static OF_USERS: LazyLock<Statements> = LazyLock::new(Statements::of::<user::Entity, Row>);
        static OF_GROUPS: LazyLock<Statements> =
            LazyLock::new(Statements::of::<group::Entity, Row>);
        match E::KIND {
            Kind::User => &OF_USERS,
            Kind::Group => &OF_GROUPS,
        }
    }
}

/// What the product sees.
impl Shape<user::Entity> for UserRow {
    const MORE: &[Field] = &[Field::AccountId, Field::AccountReason];

    fn statements() -> &'static Statements {
        static OF_USERS: LazyLock<Statements> =
            LazyLock::new(Statements::of::<user::Entity, UserRow>);
        &OF_USERS
    }
}

/// What identity providers ask before every change, and to walk through all there are,
/// written out once for all requests.
pub(in crate::repository) struct Statements {
    pub(super) id: String,
    pub(super) all: String,
    pub(super) user_name: String,
    pub(super) external_id: String,
    pub(super) display_name: String,
}

impl Statements {
    pub(in crate::repository) fn of<E: Table, T: Shape<E>>() -> Self {
        let first =
            |column| select::<E, T>(&format!("{column} = $2 ORDER BY created_at, id LIMIT $3"));
        Self {
            id: select::<E, T>("id = $2"),
            // Compared as one row, so that the index finds the place at once.
            all: select::<E, T>("(created_at, id) > ($2, $3) ORDER BY created_at, id LIMIT $4"),
            user_name: first("user_name_key"),
            external_id: first("external_id"),
            display_name: first("display_name_key"),
        }
    }
}

/// The values of [`COLUMNS`].
#[derive(Clone)]
pub(in crate::repository) struct Row {
    pub id: Uuid,
    pub document: Document,
    pub version: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

/// What is read of every resource. Behind it stands what is read of its kind
/// alone, see [`Shape::MORE`].
const COLUMNS: [Field; 5] =
    [Field::Id, Field::Document, Field::Version, Field::CreatedAt, Field::UpdatedAt];

from_row!(Row { id, document, version, created_at, updated_at });

/// What is read of a user.
#[derive(Clone)]
pub(in crate::repository) struct UserRow {
    pub row: Row,
    pub account_id: Option<Uuid>,
    pub account_reason: Option<i64>,
}

from_row!(UserRow { row, account_id, account_reason });

impl Row {
    pub(in crate::repository) fn read(self, kind: Kind) -> Result<Resource> {
        let corrupt = Error::Corrupt(match kind {
            Kind::User => "scim_users.version",
            Kind::Group => "scim_groups.version",
        });
        Ok(Resource {
            id: self.id,
            document: self.document,
            version: u64::try_from(self.version).map_err(|_| corrupt)?,
            created_at: Instant::from_micros(self.created_at),
            updated_at: Instant::from_micros(self.updated_at),
        })
    }
}

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

/// What is read of those of a configuration, `$1`, that a condition holds for. Written
/// out, because every request runs one.
pub(super) fn select<E: Table, T: Shape<E>>(condition: &str) -> String {
    let more = T::MORE.iter().fold(String::new(), |more, field| more + ", " + field.unquoted());
    format!(
        "SELECT id, document, version, created_at, updated_at{more} FROM {} \
         WHERE configuration_id = $1 AND {condition}",
        E::default().table_name()
    )
}

pub(super) fn columns<E: Table, T: Shape<E>>() -> Select<E> {
    E::find().select_only().exprs(COLUMNS.iter().chain(T::MORE).copied().map(Expr::col))
}
