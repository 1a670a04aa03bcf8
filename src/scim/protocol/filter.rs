//! Filters (RFC 7644 3.4.2.2): read, written, and applied to a resource.

mod parse;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use serde_json::Value;

use super::fault::{Fault, ScimType};
use super::path::AttributePath;
use super::schema::{Attribute, Kind, ResourceType};
use super::value::{self, Object};

/// A condition on a resource, or, in a value path, on one of its values.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All hold.
    And(Vec<Filter>),
    /// One holds.
    Or(Vec<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
    /// A value compares so with the operand.
    Compare(AttributePath, Operator, Operand),
    /// There is a value.
    Present(AttributePath),
    /// One and the same value of a multi-valued attribute satisfies all.
    Element(AttributePath, Box<Filter>),
}

/// How an attribute's value, on the left, is compared with an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `eq`
    Equal,
    /// `ne`
    NotEqual,
    /// `co`
    Contains,
    /// `sw`
    StartsWith,
    /// `ew`
    EndsWith,
    /// `gt`
    Greater,
    /// `ge`
    GreaterOrEqual,
    /// `lt`
    Less,
    /// `le`
    LessOrEqual,
}

/// What is compared with, in the type of the attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// No value.
    Null,
    /// A boolean.
    Boolean(bool),
    /// A text, as written and as it is compared.
    Text {
        /// As written.
        text: String,
        /// As compared: folded unless the attribute is exact about case.
        key: String,
    },
    /// A point in time.
    Instant {
        /// As written.
        text: String,
        /// In nanoseconds since 1970.
        nanos: i128,
    },
}

impl Filter {
    /// Reads a filter on resources of one type. A fault says where it went
    /// wrong, counted in characters from 1.
    pub fn parse(text: &str, of: &ResourceType) -> Result<Self, Fault> {
        parse::filter(text, of, &[]).map_err(|error| Fault::new(ScimType::InvalidFilter, error))
    }

    /// The same where resources of several types are searched. RFC 7644 3.4.2.1:
    /// of attributes that are "not part of" a type "the server SHALL treat the
    /// attribute as if there is no attribute value".
    pub fn parse_among(
        text: &str,
        of: &ResourceType,
        others: &[&ResourceType],
    ) -> Result<Self, Fault> {
        parse::filter(text, of, others).map_err(|error| Fault::new(ScimType::InvalidFilter, error))
    }

    /// Reads the filter between the brackets of a value path.
    pub fn parse_element(text: &str, of: &'static Attribute) -> Result<Self, Fault> {
        parse::element_filter(text, of).map_err(|error| Fault::new(ScimType::InvalidFilter, error))
    }

    /// Whether it asks about the attribute of this name, of the core schema.
    #[must_use]
    pub fn mentions(&self, name: &str) -> bool {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().any(|part| part.mentions(name)),
            Self::Not(part) => part.mentions(name),
            Self::Present(path) | Self::Compare(path, ..) | Self::Element(path, _) => {
                path.extension.is_none() && path.name == name
            }
        }
    }

    /// Whether it holds for `object`.
    #[must_use]
    pub fn matches(&self, object: &Object) -> bool {
        match self {
            Self::And(all) => all.iter().all(|filter| filter.matches(object)),
            Self::Or(any) => any.iter().any(|filter| filter.matches(object)),
            Self::Not(filter) => !filter.matches(object),
            Self::Present(path) => values(object, path).any(|value| !value::is_unassigned(value)),
            Self::Compare(path, operator, operand) => {
                compare(values(object, path), *operator, operand, path)
            }
            Self::Element(path, filter) => values(object, path)
                .any(|value| value.as_object().is_some_and(|element| filter.matches(element))),
        }
    }
}

impl Operator {
    /// The keyword.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "eq",
            Self::NotEqual => "ne",
            Self::Contains => "co",
            Self::StartsWith => "sw",
            Self::EndsWith => "ew",
            Self::Greater => "gt",
            Self::GreaterOrEqual => "ge",
            Self::Less => "lt",
            Self::LessOrEqual => "le",
        }
    }

    /// All there are.
    pub const ALL: [Self; 9] = [
        Self::Equal,
        Self::NotEqual,
        Self::Contains,
        Self::StartsWith,
        Self::EndsWith,
        Self::Greater,
        Self::GreaterOrEqual,
        Self::Less,
        Self::LessOrEqual,
    ];
}

/// The values at the end of a path; those of a multi-valued attribute one by
/// one.
pub fn values<'a>(object: &'a Object, path: &'a AttributePath) -> impl Iterator<Item = &'a Value> {
    let scope = match &path.extension {
        None => Some(object),
        Some(urn) => value::get(object, urn).and_then(Value::as_object),
    };
    let found = scope.and_then(|scope| value::get(scope, &path.name));
    let (whole, parts) = match &path.sub {
        None => (found, None),
        Some(sub) => (None, found.map(|found| (found, sub))),
    };
    let parts = parts.into_iter().flat_map(|(found, sub)| {
        value::items(found).filter_map(|element| value::get(element.as_object()?, sub))
    });
    whole.into_iter().chain(parts).flat_map(value::items)
}

/// RFC 7644 3.4.2.2: a multi-valued attribute matches "if any of the values
/// match". Where there is no value, the attribute is `null`, which is equal to
/// `null` alone.
fn compare<'a>(
    values: impl Iterator<Item = &'a Value>,
    operator: Operator,
    operand: &Operand,
    path: &AttributePath,
) -> bool {
    let mut assigned = values.filter(|value| !value::is_unassigned(value));
    match (operator, operand) {
        (Operator::Equal, Operand::Null) => assigned.next().is_none(),
        (Operator::NotEqual, Operand::Null) => assigned.next().is_some(),
        (_, Operand::Null) => false,
        _ => {
            let mut simple = assigned.filter_map(simple).peekable();
            match simple.peek() {
                None => operator == Operator::NotEqual,
                Some(_) => simple.any(|value| compare_one(value, operator, operand, path.target())),
            }
        }
    }
}

/// A complex value stands for its `value` (RFC 7643 2.4).
fn simple(value: &Value) -> Option<&Value> {
    match value {
        Value::Object(object) => {
            value::get(object, "value").filter(|value| !value::is_unassigned(value))
        }
        plain => Some(plain),
    }
}

fn compare_one(
    value: &Value,
    operator: Operator,
    operand: &Operand,
    attribute: Option<&Attribute>,
) -> bool {
    match operand {
        Operand::Null => value.is_null(),
        Operand::Boolean(wanted) => match (value::boolean(value), operator) {
            (Some(flag), Operator::Equal) => flag == *wanted,
            (Some(flag), Operator::NotEqual) => flag != *wanted,
            _ => false,
        },
        Operand::Instant { text, nanos } => {
            let Some(found) = value.as_str() else { return false };
            match value::instant(found) {
                Some(instant) => holds(instant.cmp(nanos), operator),
                None => holds(found.cmp(text), operator),
            }
        }
        Operand::Text { key, .. } => {
            let exact = leaf(attribute).is_some_and(|attribute| attribute.case_exact);
            let found = match value {
                Value::String(text) => Cow::from(text),
                other => Cow::from(other.to_string()),
            };
            match operator {
                Operator::Contains | Operator::StartsWith | Operator::EndsWith => {
                    let found = if exact { found } else { Cow::from(value::fold(&found)) };
                    match operator {
                        Operator::Contains => found.contains(key.as_str()),
                        Operator::StartsWith => found.starts_with(key.as_str()),
                        _ => found.ends_with(key.as_str()),
                    }
                }
                // Texts are in the order of their characters.
                _ if exact => holds(found.as_ref().cmp(key), operator),
                _ => holds(value::folded(&found).cmp(key.chars()), operator),
            }
        }
    }
}

fn holds(ordering: Ordering, operator: Operator) -> bool {
    match operator {
        Operator::Equal => ordering.is_eq(),
        Operator::NotEqual => ordering.is_ne(),
        Operator::Greater => ordering.is_gt(),
        Operator::GreaterOrEqual => ordering.is_ge(),
        Operator::Less => ordering.is_lt(),
        Operator::LessOrEqual => ordering.is_le(),
        Operator::Contains | Operator::StartsWith | Operator::EndsWith => false,
    }
}

/// The attribute whose type a comparison has: of a complex one, its `value`.
fn leaf(attribute: Option<&Attribute>) -> Option<&Attribute> {
    attribute.and_then(|attribute| match attribute.kind {
        Kind::Complex => attribute.default_sub_attribute(),
        _ => Some(attribute),
    })
}

/// Writes the filter so that it is read as the same one.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, parts: &[Self], word: &str| {
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    write!(f, " {word} ")?;
                }
                match part {
                    Self::And(_) | Self::Or(_) => write!(f, "({part})")?,
                    part => write!(f, "{part}")?,
                }
            }
            Ok(())
        };
        match self {
            Self::And(parts) => joined(f, parts, "and"),
            Self::Or(parts) => joined(f, parts, "or"),
            Self::Not(part) => write!(f, "not ({part})"),
            Self::Present(path) => write!(f, "{path} pr"),
            Self::Compare(path, operator, operand) => {
                write!(f, "{path} {} {operand}", operator.as_str())
            }
            Self::Element(path, filter) => write!(f, "{path}[{filter}]"),
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(flag) => write!(f, "{flag}"),
            Self::Text { text, .. } | Self::Instant { text, .. } => {
                write!(f, "{}", Value::from(text.as_str()))
            }
        }
    }
}
