//! Conditions as SQL. Each one of them is answered from an index, also as an
//! alternative among others.

use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement, SimpleExpr, UnionType};
use sea_orm::{
    ColumnTrait, Condition as Sql, DeriveIden, EntityTrait, QueryFilter, QuerySelect, QueryTrait,
};
use uuid::Uuid;

use super::entity::{group, group_member, user, user_email};
pub(super) use crate::model::ResourceKind as Kind;
use crate::model::{Comparison, Condition, ConfigurationId, Instant};

/// The columns that are asked for, of either table.
#[derive(Clone, Copy, DeriveIden)]
pub(super) enum Field {
    ConfigurationId,
    Id,
    UserNameKey,
    ExternalId,
    DisplayNameKey,
    Active,
    Document,
    Version,
    CreatedAt,
    UpdatedAt,
    AccountId,
    AccountReason,
}

/// The same condition without its parts that hold for everything or nothing of
/// this kind: they are left only where they are all of it. A user's attribute
/// holds for no group, and the other way round.
pub(super) fn simplified(kind: Kind, condition: &Condition) -> Condition {
    match condition {
        Condition::And(parts) => joined(kind, parts, &Condition::All, &Condition::Nothing),
        Condition::Or(parts) => joined(kind, parts, &Condition::Nothing, &Condition::All),
        Condition::UserName(_)
        | Condition::Email(_)
        | Condition::Active(_)
        | Condition::MemberOf(_)
            if kind == Kind::Group =>
        {
            Condition::Nothing
        }
        Condition::Member(_) if kind == Kind::User => Condition::Nothing,
        // PostgreSQL has no such text and refuses to look for it.
        Condition::UserName(text)
        | Condition::ExternalId(text)
        | Condition::DisplayName(text)
        | Condition::Email(text)
            if text.contains('\0') =>
        {
            Condition::Nothing
        }
        other => other.clone(),
    }
}

/// `neutral` is the part that changes nothing, `absorbing` the one that decides.
fn joined(
    kind: Kind,
    parts: &[Condition],
    neutral: &Condition,
    absorbing: &Condition,
) -> Condition {
    let mut kept: Vec<_> = parts.iter().map(|part| simplified(kind, part)).collect();
    if kept.contains(absorbing) {
        return absorbing.clone();
    }
    kept.retain(|part| part != neutral);
    match (kept.len(), neutral) {
        (0, _) => neutral.clone(),
        (1, _) => kept.remove(0),
        (_, Condition::All) => Condition::And(kept),
        _ => Condition::Or(kept),
    }
}

/// Whether so few resources are meant that they are best found first and put in
/// order afterwards. What is left is walked in order until there is enough.
///
/// PostgreSQL knows that for itself, from its statistics.
pub(super) fn is_found_first(condition: &Condition) -> bool {
    match condition {
        Condition::Email(_) | Condition::Member(_) | Condition::MemberOf(_) => true,
        // Who asks for the latest changes expects few.
        Condition::LastModified(comparison, _) => is_recent(*comparison),
        Condition::Or(_) => is_narrow(condition),
        Condition::And(parts) => parts.iter().any(is_found_first),
        // The others' indexes have the order in them.
        _ => false,
    }
}

/// Whether the condition is worth being looked up apart: from the others that it
/// is an alternative to, or from an order that its index does not have.
pub(super) fn is_narrow(condition: &Condition) -> bool {
    match condition {
        Condition::Id(_)
        | Condition::UserName(_)
        | Condition::ExternalId(_)
        | Condition::DisplayName(_)
        | Condition::Email(_)
        | Condition::Active(false)
        | Condition::Member(_)
        | Condition::MemberOf(_) => true,
        Condition::Created(comparison, _) | Condition::LastModified(comparison, _) => {
            is_recent(*comparison)
        }
        Condition::And(parts) => parts.iter().any(is_narrow),
        Condition::Or(parts) => parts.iter().all(is_narrow),
        Condition::All | Condition::Nothing | Condition::Active(true) => false,
    }
}

fn is_recent(comparison: Comparison) -> bool {
    !matches!(comparison, Comparison::Less | Comparison::LessOrEqual)
}

/// What stands behind `WHERE` for a condition that is [`simplified`].
pub(super) fn filter(kind: Kind, configuration: ConfigurationId, condition: &Condition) -> Sql {
    let compiler = Compiler { kind, configuration: configuration.as_uuid() };
    compiler.own().add(compiler.condition(condition))
}

struct Compiler {
    kind: Kind,
    configuration: Uuid,
}

impl Compiler {
    fn own(&self) -> Sql {
        Sql::all().add(Expr::col(Field::ConfigurationId).eq(self.configuration))
    }

    fn condition(&self, condition: &Condition) -> Sql {
        match condition {
            Condition::And(parts) => {
                parts.iter().fold(Sql::all(), |all, part| all.add(self.condition(part)))
            }
            Condition::Or(parts) if !is_narrow(condition) => {
                parts.iter().fold(Sql::any(), |any, part| any.add(self.condition(part)))
            }
            other => Sql::all().add(self.leaf(other)),
        }
    }

    fn leaf(&self, condition: &Condition) -> SimpleExpr {
        match condition {
            Condition::Id(id) => Expr::col(Field::Id).eq(*id),
            Condition::UserName(key) => Expr::col(Field::UserNameKey).eq(key),
            Condition::ExternalId(text) => Expr::col(Field::ExternalId).eq(text),
            Condition::DisplayName(key) => Expr::col(Field::DisplayNameKey).eq(key),
            // In the very words of the index that has the inactive ones.
            Condition::Active(true) => Expr::col(Field::Active),
            Condition::Active(false) => Expr::col(Field::Active).not(),
            Condition::Created(comparison, at) => compared(Field::CreatedAt, *comparison, *at),
            Condition::LastModified(comparison, at) => compared(Field::UpdatedAt, *comparison, *at),
            Condition::Email(_)
            | Condition::Member(_)
            | Condition::MemberOf(_)
            | Condition::Or(_) => Expr::col(Field::Id).in_subquery(self.ids(condition)),
            Condition::All | Condition::And(_) => Expr::val(true),
            Condition::Nothing => Expr::val(false),
        }
    }

    /// The ids of those for which a condition holds. Alternatives are looked up
    /// each in its own index: as one `OR` neither engine does so reliably.
    fn ids(&self, condition: &Condition) -> SelectStatement {
        match condition {
            Condition::Email(key) => self.users_with_email(key),
            Condition::Member(id) => self.groups_with(*id),
            Condition::MemberOf(id) => self.members_of(*id),
            Condition::Or(parts) => {
                let mut alternatives = parts.iter().map(|part| self.ids(part));
                let mut all =
                    alternatives.next().unwrap_or_else(|| self.matching(&Condition::Nothing));
                all.unions(alternatives.map(|next| (UnionType::Distinct, next)));
                all
            }
            other => self.matching(other),
        }
    }

    fn matching(&self, condition: &Condition) -> SelectStatement {
        let filter = self.own().add(self.condition(condition));
        let mut select = Query::select();
        match self.kind {
            Kind::User => select.from(user::Entity),
            Kind::Group => select.from(group::Entity),
        };
        select.column(Field::Id).cond_where(filter).to_owned()
    }

    fn users_with_email(&self, key: &str) -> SelectStatement {
        use user_email::{Column, Entity};
        Entity::find()
            .select_only()
            .column(Column::UserId)
            .filter(Column::ConfigurationId.eq(self.configuration))
            .filter(Column::ValueKey.eq(key))
            .into_query()
    }

    fn groups_with(&self, member: Uuid) -> SelectStatement {
        use group_member::{Column, Entity};
        Entity::find()
            .select_only()
            .column(Column::GroupId)
            .filter(Column::ConfigurationId.eq(self.configuration))
            .filter(Column::MemberId.eq(member))
            .into_query()
    }

    fn members_of(&self, group: Uuid) -> SelectStatement {
        use group_member::{Column, Entity};
        Entity::find()
            .select_only()
            .column(Column::MemberId)
            .filter(Column::ConfigurationId.eq(self.configuration))
            .filter(Column::GroupId.eq(group))
            .into_query()
    }
}

fn compared(field: Field, comparison: Comparison, at: Instant) -> SimpleExpr {
    let (column, at) = (Expr::col(field), at.as_micros());
    match comparison {
        Comparison::Equal => column.eq(at),
        Comparison::Greater => column.gt(at),
        Comparison::GreaterOrEqual => column.gte(at),
        Comparison::Less => column.lt(at),
        Comparison::LessOrEqual => column.lte(at),
    }
}
