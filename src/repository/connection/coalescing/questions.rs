//! One statement for one question, or for several.

use std::sync::Arc;

use sea_orm::sqlx::postgres::PgRow;
use sea_orm::sqlx::{AssertSqlSafe, Postgres};
use sea_orm::{DbBackend, Statement, Value};

use crate::repository::connection::arrays::arguments;
use crate::repository::connection::failure::Failure;
use crate::repository::connection::pool::Pool;
use crate::repository::connection::rows::{Columns, FromRow};

/// The rows of a statement, or those of one question among several.
#[derive(Clone)]
pub struct Answered {
    rows: Arc<Vec<PgRow>>,
    /// How many columns stand before those that were asked for.
    before: usize,
}

impl Answered {
    pub fn read<T: FromRow>(&self) -> Result<Vec<T>, Failure> {
        let read = |row| T::from_row(&mut Columns::postgres(row).behind(self.before));
        self.rows.iter().map(read).collect()
    }
}

/// Runs a statement with its values.
pub async fn ask(
    pool: &Arc<Pool<Postgres>>,
    sql: &str,
    values: Vec<Value>,
) -> Result<Answered, Failure> {
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
    let rows = pool.lease().await?.answer(statement).await?;
    Ok(Answered { rows: Arc::new(rows), before: 0 })
}

/// The same for each of these lists of values, of which none is there twice, in their
/// order: by the statement [`of_several`], where there are several.
pub async fn ask_all(
    pool: &Arc<Pool<Postgres>>,
    sql: &str,
    of_several: &Arc<str>,
    questions: &[Vec<Value>],
) -> Result<Vec<Answered>, Failure> {
    if let [question] = questions {
        return Ok(vec![ask(pool, sql, question.clone()).await?]);
    }
    let arguments = arguments(Vec::new(), questions)?;
    let sql = AssertSqlSafe(Arc::clone(of_several));
    let rows = pool.lease().await?.answer_to(sql, arguments).await?;
    let mut answers: Vec<Vec<PgRow>> = questions.iter().map(|_| Vec::new()).collect();
    for row in rows {
        let question: i64 = Columns::postgres(&row).read()?;
        let answer = usize::try_from(question - 1).ok().and_then(|place| answers.get_mut(place));
        answer.expect("a row stands beside a question").push(row);
    }
    Ok(answers.into_iter().map(|rows| Answered { rows: Arc::new(rows), before: 1 }).collect())
}

/// A statement that answers with the rows of each question, behind its number from 1.
/// Its parameters are arrays, with a value for each question.
///
/// Each question is answered by a plan like that of the statement alone: `OFFSET 0`
/// keeps PostgreSQL from making one join of all, which it might answer by reading the
/// whole table. Nor does it see how many questions there are, see `repository/ids.rs`.
/// The rows of a question come in the order of the statement: nothing is done to them
/// behind it.
pub fn of_several(sql: &str, parameters: usize) -> String {
    let list =
        |form: &dyn Fn(usize) -> String| (1..=parameters).map(form).collect::<Vec<_>>().join(", ");
    let (arrays, names) = (list(&|n| format!("(SELECT ${n})")), list(&|n| format!("p{n}")));
    // None of them has a `$` in a text.
    let one = sql.replace('$', "question.p");
    format!(
        "SELECT question.place, answer.* \
         FROM unnest({arrays}) WITH ORDINALITY AS question ({names}, place) \
             CROSS JOIN LATERAL ({one} OFFSET 0) AS answer"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_parameter_is_a_column_of_the_question() {
        assert_eq!(
            of_several("SELECT a FROM t WHERE b = $1 AND c = $2 ORDER BY a LIMIT $2", 2),
            "SELECT question.place, answer.* \
             FROM unnest((SELECT $1), (SELECT $2)) WITH ORDINALITY AS question (p1, p2, place) \
                 CROSS JOIN LATERAL (SELECT a FROM t WHERE b = question.p1 AND c = question.p2 \
                     ORDER BY a LIMIT question.p2 OFFSET 0) AS answer"
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        );
    }
}
