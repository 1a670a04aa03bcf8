//! The statements that the server runs, as it logs them, and what their
//! parameters mean.
//!
//! The ceilings run these very texts. What a parameter is follows from the
//! column that it stands beside, so that a statement need be written once only:
//! in the server. Where that cannot be told, the benchmark fails.

use std::mem;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};

use crate::meaning::Meaning;

/// A statement, and what is to be bound to it, in the order of binding.
#[derive(Clone, Debug)]
pub struct Statement {
    pub sql: Arc<str>,
    /// The same with `?1` for `$1`, which SQLite would take for a name.
    pub numbered: Arc<str>,
    pub parameters: Vec<Meaning>,
    /// Whether it answers rows, or how many it has changed.
    pub has_rows: bool,
    /// Whether it may find nothing: a user may be in no group.
    pub may_be_empty: bool,
}

/// What is done on one connection without giving it up.
#[derive(Clone, Debug)]
pub enum Step {
    /// One statement by itself.
    Alone(Statement),
    /// Several between `BEGIN` and `COMMIT`.
    Transaction { begin: Arc<str>, statements: Vec<Statement>, commit: Arc<str> },
}

/// Takes apart what was recorded of one request.
pub fn steps(recorded: &[String]) -> anyhow::Result<Vec<Step>> {
    let mut steps = Vec::new();
    let mut open: Option<(String, Vec<Statement>)> = None;
    for sql in recorded {
        let first = sql.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        match (first.as_str(), &mut open) {
            ("BEGIN", None) => open = Some((sql.clone(), Vec::new())),
            ("COMMIT", Some((begin, statements))) => {
                let (begin, statements) = (begin.as_str().into(), mem::take(statements));
                steps.push(Step::Transaction { begin, statements, commit: sql.as_str().into() });
                open = None;
            }
            ("BEGIN" | "COMMIT" | "ROLLBACK", _) => bail!("`{sql}` out of order"),
            (_, Some((_, statements))) => statements.push(understood(sql)?),
            (_, None) => steps.push(Step::Alone(understood(sql)?)),
        }
    }
    ensure!(open.is_none(), "a transaction without end");
    one_each(&mut steps);
    Ok(steps)
}

/// Where a statement that could take many ids at once is run many times, each
/// time it is about one of them.
fn one_each(steps: &mut [Step]) {
    let mut statements: Vec<&mut Statement> = Vec::new();
    for step in steps {
        match step {
            Step::Alone(statement) => statements.push(statement),
            Step::Transaction { statements: within, .. } => statements.extend(within),
        }
    }
    let texts: Vec<_> = statements.iter().map(|statement| Arc::clone(&statement.sql)).collect();
    for (place, statement) in statements.into_iter().enumerate() {
        let alike = |texts: &[Arc<str>]| texts.iter().filter(|sql| **sql == statement.sql).count();
        let (all, before) = (alike(&texts), alike(&texts[..place]));
        for meaning in statement.parameters.iter_mut().filter(|_| all > 1) {
            if *meaning == Meaning::Many {
                *meaning = Meaning::OneOfMany(before);
            }
        }
    }
}

fn understood(sql: &str) -> anyhow::Result<Statement> {
    let reading = Reading::of(sql);
    let parameters = reading.parameters().with_context(|| format!("not understood: {sql}"))?;
    let tokens = &reading.tokens;
    let has = |word: &str| tokens.contains(&Token::Word(word.to_owned()));
    let is_query = tokens.first() == Some(&Token::Word("select".to_owned()));
    Ok(Statement {
        sql: sql.into(),
        numbered: sql.replace('$', "?").into(),
        parameters,
        has_rows: is_query || has("with") || has("returning"),
        may_be_empty: is_query && has("scim_group_members"),
    })
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// In lower case, without quotes.
    Word(String),
    /// `$2` is 2; `?` is 0.
    Placeholder(usize),
    Symbol(char),
}

/// Between a column and its parameter, and no column.
const BETWEEN: [&str; 14] = [
    "and",
    "any",
    "array",
    "as",
    "bigint",
    "from",
    "in",
    "json_each",
    "not",
    "select",
    "string_to_array",
    "unhex",
    "unnest",
    "value",
];
/// What takes many ids as one value.
const MANY: [&str; 3] = ["json_each", "string_to_array", "unnest"];

struct Reading {
    tokens: Vec<Token>,
}

/// A parenthesis that is open, and what was known before it.
struct Group {
    table: String,
    /// How many commas there were within it.
    place: usize,
    /// Whether values stand in it, one for each of `columns`.
    is_row: bool,
    /// The names in it, as long as there are only names.
    names: Option<Vec<String>>,
}

impl Reading {
    fn of(sql: &str) -> Self {
        let mut tokens = Vec::new();
        let mut rest = sql.chars().peekable();
        while let Some(first) = rest.next() {
            let mut take_while = |accept: fn(char) -> bool| {
                let mut text = String::new();
                while let Some(next) = rest.next_if(|next| accept(*next)) {
                    text.push(next);
                }
                text
            };
            match first {
                '"' => {
                    tokens.push(Token::Word(take_while(|next| next != '"')));
                    rest.next();
                }
                // A literal means nothing here.
                '\'' => {
                    take_while(|next| next != '\'');
                    rest.next();
                }
                '$' | '?' => {
                    let digits = take_while(|next| next.is_ascii_digit());
                    tokens.push(Token::Placeholder(digits.parse().unwrap_or(0)));
                }
                space if space.is_whitespace() => {}
                letter if letter.is_alphabetic() || letter == '_' => {
                    let word = take_while(|next| next.is_alphanumeric() || next == '_');
                    tokens.push(Token::Word(format!("{letter}{word}").to_lowercase()));
                }
                other => tokens.push(Token::Symbol(other)),
            }
        }
        Self { tokens }
    }

    /// What is to be bound, in order.
    fn parameters(&self) -> anyhow::Result<Vec<Meaning>> {
        let mut bound: Vec<Option<Meaning>> = Vec::new();
        let mut walk = Walk::default();
        let mut emails = 0;
        for (at, token) in self.tokens.iter().enumerate() {
            let Token::Placeholder(number) = token else {
                walk.pass(&self.tokens, at);
                continue;
            };
            let place = if *number == 0 { bound.len() } else { number - 1 };
            if place >= bound.len() {
                bound.resize(place + 1, None);
            }
            if bound[place].is_some() {
                continue;
            }
            let (table, column, many) = walk.column(&self.tokens, at)?;
            let meaning = Meaning::of(&table, &column, many, emails)
                .with_context(|| format!("no meaning for {table}.{column}"))?;
            emails += usize::from(column == "value_key");
            bound[place] = Some(meaning);
        }
        bound.into_iter().collect::<Option<Vec<_>>>().context("a parameter is missing")
    }
}

/// What is known on the way through a statement.
#[derive(Default)]
struct Walk {
    table: String,
    groups: Vec<Group>,
    /// The last list of names in parentheses.
    columns: Vec<String>,
    /// `INSERT INTO`: at which depth.
    inserted: Option<usize>,
    /// `INSERT ... SELECT`: the table, at which depth, and at which column.
    selected: Option<(String, usize, usize)>,
}

impl Walk {
    fn pass(&mut self, tokens: &[Token], at: usize) {
        let word = |at: usize| match tokens.get(at) {
            Some(Token::Word(word)) => word.as_str(),
            _ => "",
        };
        match &tokens[at] {
            Token::Word(name) => {
                let before = at.checked_sub(1).map_or("", word);
                let is_call = tokens.get(at + 1) == Some(&Token::Symbol('('));
                let locks = matches!(at.checked_sub(2).map_or("", word), "for" | "key" | "do");
                let names_table =
                    matches!(before, "from" | "into" | "join") || (before == "update" && !locks);
                // `INSERT INTO table (...)` looks like a call.
                if names_table && (!is_call || before == "into") {
                    self.table.clone_from(name);
                }
                let depth = self.groups.len();
                if before == "into" {
                    self.inserted = Some(depth);
                } else if name == "select" && self.inserted == Some(depth) {
                    self.selected = Some((self.table.clone(), depth, 0));
                    self.inserted = None;
                } else if name == "from" && self.selected.as_ref().is_some_and(|of| of.1 == depth) {
                    self.selected = None;
                }
                if let Some(Group { names: Some(names), .. }) = self.groups.last_mut() {
                    names.push(name.clone());
                }
            }
            Token::Symbol('(') => self.open(tokens, at),
            Token::Symbol(')') => {
                if let Some(group) = self.groups.pop() {
                    self.table = group.table;
                    let columns = group.names.filter(|names| names.len() == group.place + 1);
                    self.columns = columns.unwrap_or(mem::take(&mut self.columns));
                }
            }
            Token::Symbol(',') => {
                let depth = self.groups.len();
                match (self.groups.last_mut(), &mut self.selected) {
                    (_, Some(selected)) if selected.1 == depth => selected.2 += 1,
                    (Some(group), _) => group.place += 1,
                    (None, _) => {}
                }
            }
            Token::Symbol('.') | Token::Placeholder(_) => {}
            Token::Symbol(_) => {
                if let Some(group) = self.groups.last_mut() {
                    group.names = None;
                }
            }
        }
    }

    fn open(&mut self, tokens: &[Token], at: usize) {
        let before = |back: usize| at.checked_sub(back).and_then(|at| tokens.get(at));
        let is_comparison =
            |token: Option<&Token>| matches!(token, Some(Token::Symbol('<' | '>' | '=')));
        let closed = Some(&Token::Symbol(')'));
        let is_row = before(1) == Some(&Token::Word("values".to_owned()))
            || (before(1) == Some(&Token::Symbol(',')) && before(2) == closed)
            || (is_comparison(before(1)) && (before(2) == closed || is_comparison(before(2))));
        let names = Some(Vec::new());
        self.groups.push(Group { table: self.table.clone(), place: 0, is_row, names });
    }

    /// Beside which column a parameter stands, and whether it is many values.
    fn column(&self, tokens: &[Token], at: usize) -> anyhow::Result<(String, String, bool)> {
        if let Some(row) = self.groups.iter().rev().find(|group| group.is_row) {
            let column = self.columns.get(row.place).context("a row without columns")?;
            return Ok((self.table.clone(), column.clone(), false));
        }
        if let Some((table, depth, place)) = &self.selected
            && *depth == self.groups.len()
        {
            let column = self.columns.get(*place).context("a selection without columns")?;
            return Ok((table.clone(), column.clone(), false));
        }
        // `WHERE configuration_id = $1 AND $2`: a condition that always holds.
        if let Some(Token::Word(before)) = at.checked_sub(1).and_then(|at| tokens.get(at))
            && matches!(before.as_str(), "and" | "where")
        {
            return Ok((self.table.clone(), "true".to_owned(), false));
        }
        let words = tokens[..at].iter().rev().filter_map(|token| match token {
            Token::Word(word) => Some(word.as_str()),
            _ => None,
        });
        let mut many = false;
        for word in words {
            many |= MANY.contains(&word);
            if !BETWEEN.contains(&word) {
                return Ok((self.table.clone(), word.to_owned(), many));
            }
        }
        bail!("a parameter beside no column")
    }
}
