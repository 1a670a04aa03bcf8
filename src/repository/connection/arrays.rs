//! The values of several statements as arrays of PostgreSQL's, for one statement that
//! does what all of them would.

use sea_orm::sqlx::error::BoxDynError;
use sea_orm::sqlx::postgres::PgArguments;
use sea_orm::sqlx::{Arguments as _, IntoArguments, Postgres};
use sea_orm::{Value, Values, sqlx};
use sea_query_sqlx::SqlxValues;

use super::failure::Failure;

/// Arguments for a statement: behind `first`, an array for each place of these lists,
/// with a value of each list in their order. The lists are of one length, and have values
/// of one type at each place.
pub fn arguments(first: Vec<Value>, lists: &[Vec<Value>]) -> Result<PgArguments, Failure> {
    let mut arguments = IntoArguments::<Postgres>::into_arguments(SqlxValues(Values(first)));
    for place in 0..lists.first().map_or(0, Vec::len) {
        add(&mut arguments, lists, place).map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

fn add(arguments: &mut PgArguments, lists: &[Vec<Value>], place: usize) -> Result<(), BoxDynError> {
    /// What stands at the place, of this type.
    macro_rules! values {
        ($type:ident) => {
            lists.iter().map(|list| match &list[place] {
                Value::$type(value) => Ok(value.as_ref()),
                _ => Err(MIXED),
            })
        };
    }
    match &lists[0][place] {
        Value::Bool(_) => arguments.add(values!(Bool).collect::<Result<Vec<_>, _>>()?),
        Value::BigInt(_) => arguments.add(values!(BigInt).collect::<Result<Vec<_>, _>>()?),
        Value::String(_) => arguments.add(values!(String).collect::<Result<Vec<_>, _>>()?),
        Value::Bytes(_) => arguments.add(values!(Bytes).collect::<Result<Vec<_>, _>>()?),
        Value::Uuid(_) => arguments.add(values!(Uuid).collect::<Result<Vec<_>, _>>()?),
        Value::BigUnsigned(_) => {
            let mut numbers = Vec::with_capacity(lists.len());
            for number in values!(BigUnsigned) {
                numbers.push(number?.copied().map(i64::try_from).transpose()?);
            }
            arguments.add(numbers)
        }
        _ => Err(MIXED.into()),
    }
}

const MIXED: &str = "values of a type that no statement for several takes";

/// How many bytes of text the values are.
pub fn text_length(values: &[Value]) -> usize {
    let length = |value: &Value| match value {
        Value::String(Some(text)) => text.len(),
        _ => 0,
    };
    values.iter().map(length).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_is_one_argument() {
        let list = |number: i64, text: Option<&str>| {
            vec![number.into(), Value::String(text.map(str::to_owned))]
        };
        let lists = [list(1, Some("a")), list(2, None)];
        assert_eq!(arguments(Vec::new(), &lists).unwrap().len(), 2);
        assert_eq!(arguments(vec![1_i64.into()], &lists).unwrap().len(), 3);
    }

    #[test]
    fn values_of_several_types_have_no_array() {
        let mixed = [vec![Value::from(1_i64)], vec![Value::from("a")]];
        assert!(arguments(Vec::new(), &mixed).is_err());
        assert!(arguments(Vec::new(), &[vec![Value::from(1.5_f64)]]).is_err());
    }
}
