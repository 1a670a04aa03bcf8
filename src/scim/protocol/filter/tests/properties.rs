//! Random filters over random people.

use proptest::prelude::*;
use serde_json::Value;

use super::super::super::schema::USER;
use super::super::super::testing::{Expr, Literal, Person, Type, expr, people};
use super::super::Filter;

/// RFC 7644, table 3, read aloud: what each operator says of one value.
fn compares(value: &Value, of: Type, operator: &str, literal: &Literal) -> bool {
    match (of, literal, value) {
        (Type::Boolean, Literal::Boolean(wanted, _), Value::Bool(found)) => match operator {
            "eq" => found == wanted,
            _ => found != wanted,
        },
        (Type::Time, Literal::Time(wanted, _), Value::String(found)) => {
            let found: jiff::Timestamp = found.parse().expect("a time of ours");
            ordered(found.as_nanosecond().cmp(wanted), operator)
        }
        (Type::Exact, Literal::Text(wanted), Value::String(found)) => says(found, operator, wanted),
        (Type::Folded, Literal::Text(wanted), Value::String(found)) => {
            says(&found.to_lowercase(), operator, &wanted.to_lowercase())
        }
        other => panic!("no such comparison: {other:?}"),
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

fn ordered(ordering: std::cmp::Ordering, operator: &str) -> bool {
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

/// All values at a place, those of arrays one by one.
fn at<'a>(value: &'a Value, place: &[&str]) -> Vec<&'a Value> {
    match (value, place) {
        (Value::Array(all), _) => all.iter().flat_map(|one| at(one, place)).collect(),
        (Value::Null, _) => Vec::new(),
        (value, []) => vec![value],
        (value, [name, rest @ ..]) => value.get(name).map_or(Vec::new(), |next| at(next, rest)),
    }
}

/// What stands at a place is there at all: for `null` and `pr` a complex
/// attribute is itself, not its value.
fn is_there(resource: &Value, spelled: &str, place: &[&str]) -> bool {
    let names_value = spelled.contains(".value") || place.len() == 1;
    let place = match place {
        [whole @ .., "value"] if !names_value => whole,
        place => place,
    };
    !at(resource, place).is_empty()
}

fn holds(expr: &Expr, resource: &Value) -> bool {
    match expr {
        Expr::And(one, other) => holds(one, resource) && holds(other, resource),
        Expr::Or(one, other) => holds(one, resource) || holds(other, resource),
        Expr::Not(one) => !holds(one, resource),
        Expr::Present(spelled, place) => is_there(resource, spelled, place),
        Expr::Compare(spelled, place, of, operator, literal) => {
            let operator = operator.to_lowercase();
            let values = at(resource, place);
            match (operator.as_str(), literal) {
                ("eq", Literal::Null) => !is_there(resource, spelled, place),
                ("ne", Literal::Null) => is_there(resource, spelled, place),
                ("ne", _) if values.is_empty() => true,
                (operator, literal) => {
                    values.iter().any(|value| compares(value, *of, operator, literal))
                }
            }
        }
        Expr::Element(name, inner) => at(resource, &[name]).iter().any(|one| holds(inner, one)),
        Expr::ElementThen(name, inner, then) => {
            at(resource, &[name]).iter().any(|one| holds(inner, one) && holds(then, one))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_filter_finds_whom_a_naive_reading_of_the_rfc_finds(
        expr in expr(),
        people in proptest::collection::vec(people(), 1..6),
    ) {
        let text = expr.text();
        let filter = Filter::parse(&text, &USER).map_err(|fault| {
            TestCaseError::fail(format!("{text}: {fault}"))
        })?;
        for Person { resource, .. } in people {
            let found = filter.matches(&resource);
            let resource = Value::Object(resource);
            prop_assert_eq!(found, holds(&expr, &resource), "{} of {}", text, resource);
        }
    }

    #[test]
    fn a_filter_survives_print_and_parse(expr in expr()) {
        let filter = Filter::parse(&expr.text(), &USER).expect("a filter");
        let printed = filter.to_string();
        prop_assert_eq!(Filter::parse(&printed, &USER), Ok(filter), "{}", printed);
    }
}
