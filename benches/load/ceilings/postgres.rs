//! The statements through tokio-postgres.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

use anyhow::ensure;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use crate::generate::postgres::connect;
use crate::meaning::Constants;
use crate::statements::{Statement, Step};
use crate::subject::Subject;

/// A connection of its own, and what it has prepared.
pub struct Lane {
    client: Client,
    prepared: HashMap<Arc<str>, tokio_postgres::Statement>,
}

pub async fn open(url: &str, connections: usize) -> anyhow::Result<Vec<Lane>> {
    let mut lanes = Vec::new();
    for _ in 0..connections {
        lanes.push(Lane { client: connect(url).await?, prepared: HashMap::new() });
    }
    Ok(lanes)
}

impl Lane {
    pub async fn run(
        &mut self,
        step: &Step,
        constants: &Constants,
        subjects: &mut [Subject],
    ) -> anyhow::Result<()> {
        match step {
            Step::Alone(statement) => self.one(statement, constants, subjects).await,
            Step::Transaction { begin, statements, commit } => {
                self.client.batch_execute(begin).await?;
                for statement in statements {
                    self.one(statement, constants, subjects).await?;
                }
                Ok(self.client.batch_execute(commit).await?)
            }
        }
    }

    /// Runs a statement, and reads all that it answers.
    async fn one(
        &mut self,
        statement: &Statement,
        constants: &Constants,
        subjects: &mut [Subject],
    ) -> anyhow::Result<()> {
        if !self.prepared.contains_key(&statement.sql) {
            let prepared = self.prepare(statement).await?;
            self.prepared.insert(Arc::clone(&statement.sql), prepared);
        }
        let prepared = &self.prepared[&statement.sql];
        let mut values: Vec<Box<dyn ToSql + Sync + Send>> = Vec::new();
        for parameter in &statement.parameters {
            let value = |subject: &Subject| constants.value(parameter.meaning, subject);
            values.push(if parameter.is_array {
                Box::new(subjects.iter().map(value).collect::<Vec<_>>())
            } else {
                Box::new(value(&subjects[0]))
            });
        }
        let values: Vec<_> = values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect();
        let found = if statement.has_rows {
            let rows = self.client.query(prepared, &values).await?;
            for row in &rows {
                read(row, &mut subjects[0])?;
            }
            rows.len() as u64
        } else {
            self.client.execute(prepared, &values).await?
        };
        ensure!(found > 0 || statement.may_be_empty, "nothing found by {}", statement.sql);
        Ok(())
    }

    /// PostgreSQL says of which types the parameters are: they must be those
    /// that the values have.
    async fn prepare(&self, statement: &Statement) -> anyhow::Result<tokio_postgres::Statement> {
        let prepared = self.client.prepare(&statement.sql).await?;
        let given = statement.parameters.iter().map(|parameter| {
            let kind = parameter.meaning.kind();
            if parameter.is_array { kind.array_on_postgres() } else { kind.on_postgres() }
        });
        ensure!(
            given.eq(prepared.params().iter().cloned()),
            "{:?} for the parameters {:?} of {}",
            statement.parameters,
            prepared.params(),
            statement.sql
        );
        Ok(prepared)
    }
}

fn read(row: &Row, subject: &mut Subject) -> anyhow::Result<()> {
    for (place, column) in row.columns().iter().enumerate() {
        match *column.type_() {
            Type::TEXT => drop(black_box(row.try_get::<_, Option<String>>(place)?)),
            Type::INT8 => {
                let number = black_box(row.try_get::<_, Option<i64>>(place)?);
                if let (Some(number), "version") = (number, column.name()) {
                    subject.version = number;
                }
            }
            // Ids, hashes and flags, which are as they are.
            _ => {}
        }
    }
    Ok(())
}
