//! Filters as a random generator writes them, and what RFC 7644 3.4.2.2 says of
//! them, read aloud: nothing here knows how the server does it.

use std::cmp::Ordering;

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::Value;

/// How the values of an attribute compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Exact,
    Folded,
    Boolean,
    Time,
}

/// How it is spelled, where its values are, how they compare.
pub type Attribute = (&'static str, &'static [&'static str], Type);

/// What can be asked of resources of one type.
pub struct Vocabulary {
    pub attributes: &'static [Attribute],
    /// Multi-valued attributes, and what is in their values.
    pub elements: &'static [(&'static str, &'static [Attribute])],
    /// Texts and times that some resource has.
    pub texts: Vec<String>,
    pub times: Vec<String>,
}

#[derive(Clone, Debug)]
pub enum Expression {
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
    Not(Box<Expression>),
    Present(Attribute),
    Compare(Attribute, &'static str, Value),
    /// `emails[...]`
    Element(&'static str, Box<Expression>),
    /// `emails[...].value eq ...`
    ElementThen(&'static str, Box<Expression>, Box<Expression>),
}

impl Vocabulary {
    /// A filter of any form.
    pub fn expression(&self, random: &mut StdRng, depth: u32) -> Expression {
        let form = if depth == 0 { random.random_range(4..10) } else { random.random_range(0..10) };
        if form >= 6 {
            return self.leaf(self.attributes, random);
        }
        if form >= 4 {
            let (name, parts) = self.elements.choose(random).unwrap();
            let inner = Box::new(
                self.joined(random, 1, |vocabulary, random, _| vocabulary.leaf(parts, random)),
            );
            return if form == 4 {
                Expression::Element(name, inner)
            } else {
                Expression::ElementThen(name, inner, Box::new(self.comparison(parts, random)))
            };
        }
        self.joined(random, depth, Self::expression)
    }

    fn joined(
        &self,
        random: &mut StdRng,
        depth: u32,
        part: impl Fn(&Self, &mut StdRng, u32) -> Expression,
    ) -> Expression {
        let next = |random: &mut StdRng| Box::new(part(self, random, depth.saturating_sub(1)));
        match random.random_range(0..5) {
            0 | 1 => Expression::And(next(random), next(random)),
            2 | 3 => Expression::Or(next(random), next(random)),
            _ => Expression::Not(next(random)),
        }
    }

    fn leaf(&self, attributes: &'static [Attribute], random: &mut StdRng) -> Expression {
        if random.random_bool(0.15) {
            return Expression::Present(*attributes.choose(random).unwrap());
        }
        self.comparison(attributes, random)
    }

    fn comparison(&self, attributes: &'static [Attribute], random: &mut StdRng) -> Expression {
        let attribute = *attributes.choose(random).unwrap();
        let mut any = |operators: &[&'static str]| *operators.choose(random).unwrap();
        let equality = any(&["eq", "ne"]);
        let order = any(&["eq", "ne", "gt", "ge", "lt", "le"]);
        let every = any(&["eq", "eq", "eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]);
        if random.random_bool(0.08) {
            return Expression::Compare(attribute, equality, Value::Null);
        }
        match attribute.2 {
            Type::Boolean => {
                Expression::Compare(attribute, equality, random.random_bool(0.5).into())
            }
            Type::Time => Expression::Compare(
                attribute,
                order,
                self.times.choose(random).unwrap().as_str().into(),
            ),
            Type::Exact | Type::Folded => {
                Expression::Compare(attribute, every, self.text(random).into())
            }
        }
    }

    /// A text that is there, a part of one, or one in another case.
    fn text(&self, random: &mut StdRng) -> String {
        let text = self.texts.choose(random).unwrap();
        let letters: Vec<_> = text.chars().collect();
        let middle = random.random_range(0..=letters.len());
        match random.random_range(0..8) {
            0 => text.to_uppercase(),
            1 => text.to_lowercase(),
            2 => letters[..middle].iter().collect(),
            3 => letters[middle..].iter().collect(),
            _ => text.clone(),
        }
    }
}

impl Expression {
    /// As a client writes it: with no more brackets than it must, names and
    /// operators in any case.
    pub fn text(&self, random: &mut StdRng) -> String {
        let tight = |part: &Self, random: &mut StdRng| match part {
            Self::Or(..) => format!("({})", part.text(random)),
            part => part.text(random),
        };
        match self {
            Self::And(one, other) => {
                let (one, other) = (tight(one, random), tight(other, random));
                format!("{one} {} {other}", any_case("and", random))
            }
            Self::Or(one, other) => {
                let (one, other) = (one.text(random), other.text(random));
                format!("{one} {} {other}", any_case("or", random))
            }
            Self::Not(part) => format!("{} ({})", any_case("not", random), part.text(random)),
            Self::Present((name, ..)) => {
                format!("{} {}", any_case(name, random), any_case("pr", random))
            }
            Self::Compare((name, ..), operator, operand) => {
                format!("{} {} {operand}", any_case(name, random), any_case(operator, random))
            }
            Self::Element(name, inner) => {
                format!("{}[{}]", any_case(name, random), inner.text(random))
            }
            Self::ElementThen(name, inner, then) => {
                format!("{}[{}].{}", any_case(name, random), inner.text(random), then.text(random))
            }
        }
    }

    /// Whether it holds for a resource, or for one value of it.
    pub fn holds(&self, resource: &Value) -> bool {
        match self {
            Self::And(one, other) => one.holds(resource) && other.holds(resource),
            Self::Or(one, other) => one.holds(resource) || other.holds(resource),
            Self::Not(part) => !part.holds(resource),
            Self::Compare(attribute, "eq", Value::Null) => !is_there(resource, attribute),
            Self::Present(attribute) | Self::Compare(attribute, _, Value::Null) => {
                is_there(resource, attribute)
            }
            Self::Compare((_, place, of), operator, operand) => {
                let values = at(resource, place);
                // Of no value, all that is known is that it is not this one.
                (values.is_empty() && *operator == "ne")
                    || values.iter().any(|value| compares(value, *of, operator, operand))
            }
            Self::Element(name, inner) => at(resource, &[name]).iter().any(|one| inner.holds(one)),
            Self::ElementThen(name, inner, then) => {
                at(resource, &[name]).iter().any(|one| inner.holds(one) && then.holds(one))
            }
        }
    }
}

/// An attribute is there by itself, also where its `value` stands for it in
/// comparisons.
fn is_there(resource: &Value, (name, place, _): &Attribute) -> bool {
    let place = match place {
        [whole @ .., "value"] if !name.ends_with("value") => whole,
        place => place,
    };
    !at(resource, place).is_empty()
}

/// All values at a place, those of arrays one by one.
fn at<'a>(value: &'a Value, place: &[&str]) -> Vec<&'a Value> {
    match (value, place) {
        (Value::Array(all), _) => all.iter().flat_map(|one| at(one, place)).collect(),
        (value, []) => vec![value],
        (value, [name, rest @ ..]) => value.get(name).map_or(Vec::new(), |next| at(next, rest)),
    }
}

fn compares(found: &Value, of: Type, operator: &str, wanted: &Value) -> bool {
    let text =
        |value: &Value| value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned();
    match of {
        Type::Boolean => (found == wanted) == (operator == "eq"),
        Type::Time => {
            let time = |value: &Value| text(value).parse::<jiff::Timestamp>().unwrap();
            ordered(time(found).cmp(&time(wanted)), operator)
        }
        Type::Exact => says(&text(found), operator, &text(wanted)),
        Type::Folded => says(&text(found).to_lowercase(), operator, &text(wanted).to_lowercase()),
    }
}

fn says(found: &str, operator: &str, wanted: &str) -> bool {
    match operator {
        "co" => found.contains(wanted),
        "sw" => found.starts_with(wanted),
        "ew" => found.ends_with(wanted),
        other => ordered(found.cmp(wanted), other),
    }
}

fn ordered(ordering: Ordering, operator: &str) -> bool {
    match operator {
        "eq" => ordering.is_eq(),
        "ne" => ordering.is_ne(),
        "gt" => ordering.is_gt(),
        "ge" => ordering.is_ge(),
        "lt" => ordering.is_lt(),
        "le" => ordering.is_le(),
        other => panic!("no operator {other}"),
    }
}

fn any_case(text: &str, random: &mut StdRng) -> String {
    match random.random_range(0..6) {
        0 => text.to_uppercase(),
        1 => text.to_lowercase(),
        _ => text.to_owned(),
    }
}
