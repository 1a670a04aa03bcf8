//! From a filter to what the store can answer of it from its indexes.

#[cfg(test)]
mod tests;

use uuid::Uuid;

use super::filter::{Filter, Operand, Operator};
use super::path::AttributePath;
use super::schema::ResourceType;
use crate::model::{Comparison, Condition, Instant};

/// A condition that holds wherever the filter does.
#[derive(Clone, Debug, PartialEq)]
pub struct Narrowed {
    /// For the store.
    pub condition: Condition,
    /// Whether it holds nowhere else, so that nothing is left to check.
    pub exact: bool,
}

impl Narrowed {
    /// Nothing can be said.
    const UNKNOWN: Self = Self { condition: Condition::All, exact: false };

    const fn exactly(condition: Condition) -> Self {
        Self { condition, exact: true }
    }
}

/// What the store can answer of `filter` on resources of this type.
#[must_use]
pub fn narrow(filter: &Filter, of: &ResourceType) -> Narrowed {
    match filter {
        Filter::And(parts) => {
            let parts: Vec<_> = parts.iter().map(|part| narrow(part, of)).collect();
            let exact = parts.iter().all(|part| part.exact);
            let conditions = parts.into_iter().map(|part| part.condition);
            let mut conditions: Vec<_> =
                conditions.filter(|condition| *condition != Condition::All).collect();
            let condition = match conditions.len() {
                0 => Condition::All,
                1 => conditions.swap_remove(0),
                _ => Condition::And(conditions),
            };
            Narrowed { condition, exact }
        }
        Filter::Or(parts) => {
            let parts: Vec<_> = parts.iter().map(|part| narrow(part, of)).collect();
            if parts.iter().any(|part| part.condition == Condition::All) {
                return Narrowed::UNKNOWN;
            }
            let exact = parts.iter().all(|part| part.exact);
            let conditions = parts.into_iter().map(|part| part.condition).collect();
            Narrowed { condition: Condition::Or(conditions), exact }
        }
        Filter::Present(path) | Filter::Compare(path, ..) | Filter::Element(path, _)
            if !is_of(path, of) =>
        {
            without_value(filter)
        }
        Filter::Present(path) if is_always_present(path) => Narrowed::exactly(Condition::All),
        // The complement of "at least" is "at most", which says nothing.
        Filter::Not(_) | Filter::Present(_) => Narrowed::UNKNOWN,
        Filter::Compare(path, operator, operand) => compare(path, *operator, operand, of),
        Filter::Element(path, filter) => element(path, filter, of),
    }
}

/// Whether resources of the type can have the attribute.
fn is_of(path: &AttributePath, of: &ResourceType) -> bool {
    match &path.extension {
        None => of.attribute(&path.name).is_some(),
        Some(urn) => of.extension(urn).is_some(),
    }
}

/// What is asked of an attribute that no resource has.
fn without_value(filter: &Filter) -> Narrowed {
    match filter {
        Filter::Compare(_, Operator::Equal, Operand::Null) => Narrowed::exactly(Condition::All),
        Filter::Compare(_, Operator::NotEqual, _) => Narrowed::UNKNOWN,
        _ => Narrowed::exactly(Condition::Nothing),
    }
}

fn is_always_present(path: &AttributePath) -> bool {
    path.extension.is_none()
        && matches!(
            (path.name.as_str(), path.sub.as_deref()),
            ("id" | "userName" | "schemas" | "meta", None)
                | (
                    "meta",
                    Some("resourceType" | "created" | "lastModified" | "location" | "version")
                )
        )
}

fn compare(
    path: &AttributePath,
    operator: Operator,
    operand: &Operand,
    of: &ResourceType,
) -> Narrowed {
    if path.extension.is_some() {
        return Narrowed::UNKNOWN;
    }
    let place = (path.name.as_str(), path.sub.as_deref());
    match (place, operand) {
        (("active", None), Operand::Boolean(flag)) => match operator {
            Operator::Equal if *flag => Narrowed::exactly(Condition::Active(true)),
            // Among those that are not active are those of whom nothing is said.
            Operator::Equal => Narrowed { condition: Condition::Active(false), exact: false },
            _ if *flag => Narrowed::exactly(Condition::Active(false)),
            _ => Narrowed::UNKNOWN,
        },
        (("meta", Some("created")), Operand::Instant { nanos, .. }) => {
            instant(operator, *nanos, Condition::Created)
        }
        (("meta", Some("lastModified")), Operand::Instant { nanos, .. }) => {
            instant(operator, *nanos, Condition::LastModified)
        }
        (place, Operand::Text { text, key }) if operator == Operator::Equal => {
            equal(place, text, key, of)
        }
        _ => Narrowed::UNKNOWN,
    }
}

fn equal(place: (&str, Option<&str>), text: &str, key: &str, of: &ResourceType) -> Narrowed {
    let condition = match (of.name, place) {
        // Which no value that is searched by has; see `resource::content`.
        _ if text.contains('\0') => Condition::Nothing,
        (_, ("id", None)) => by_id(text, Condition::Id),
        (_, ("externalId", None)) => Condition::ExternalId(text.to_owned()),
        (_, ("displayName", None)) => Condition::DisplayName(key.to_owned()),
        ("User", ("userName", None)) => Condition::UserName(key.to_owned()),
        ("User", ("emails", None | Some("value"))) => Condition::Email(key.to_owned()),
        ("User", ("groups", None | Some("value"))) => by_id(text, Condition::MemberOf),
        ("Group", ("members", None | Some("value"))) => by_id(text, Condition::Member),
        _ => return Narrowed::UNKNOWN,
    };
    Narrowed::exactly(condition)
}

/// Ids are exact about case, so that another spelling is another id.
fn by_id(text: &str, condition: fn(Uuid) -> Condition) -> Condition {
    match Uuid::try_parse(text) {
        Ok(id) if id.to_string() == text => condition(id),
        _ => Condition::Nothing,
    }
}

/// A value path: what one of its comparisons says of the value is known, that
/// the others hold of the same value is not.
fn element(path: &AttributePath, filter: &Filter, of: &ResourceType) -> Narrowed {
    let value_equals = |part: &Filter| match part {
        Filter::Compare(sub, Operator::Equal, Operand::Text { text, key })
            if sub.name == "value" && path.extension.is_none() =>
        {
            Some(equal((&path.name, None), text, key, of)).filter(|narrowed| narrowed.exact)
        }
        _ => None,
    };
    match filter {
        Filter::And(parts) => match parts.iter().find_map(value_equals) {
            Some(narrowed) => Narrowed { condition: narrowed.condition, exact: false },
            None => Narrowed::UNKNOWN,
        },
        part => value_equals(part).unwrap_or(Narrowed::UNKNOWN),
    }
}

/// Instants are stored in microseconds; a bound between two of them is moved to
/// the one that divides them alike.
fn instant(
    operator: Operator,
    nanos: i128,
    condition: fn(Comparison, Instant) -> Condition,
) -> Narrowed {
    let below = nanos.div_euclid(1_000);
    let above = if nanos.rem_euclid(1_000) == 0 { below } else { below + 1 };
    let (comparison, micros) = match operator {
        Operator::Equal if below == above => (Comparison::Equal, below),
        Operator::Equal => return Narrowed::exactly(Condition::Nothing),
        Operator::Greater => (Comparison::Greater, below),
        Operator::GreaterOrEqual => (Comparison::GreaterOrEqual, above),
        Operator::Less => (Comparison::Less, above),
        Operator::LessOrEqual => (Comparison::LessOrEqual, below),
        _ => return Narrowed::UNKNOWN,
    };
    match i64::try_from(micros) {
        Ok(micros) => Narrowed::exactly(condition(comparison, Instant::from_micros(micros))),
        Err(_) => Narrowed::UNKNOWN,
    }
}
