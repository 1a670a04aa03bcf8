//! What the parameters of a statement are about: each stands beside a column.

use std::collections::BTreeMap;
use std::mem;
use std::ops::Range;

use anyhow::{Context as _, bail};

use crate::meaning::{Meaning, Parameter};

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

/// A statement, taken apart.
pub struct Reading {
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
    pub fn of(sql: &str) -> Self {
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

    pub fn has(&self, word: &str) -> bool {
        self.tokens.iter().any(|token| matches!(token, Token::Word(text) if text == word))
    }

    /// What the statement does; `None` for one that only steers a transaction.
    pub fn verb(&self) -> Option<&str> {
        let verbs = ["delete", "insert", "select", "update"];
        self.outermost().find(|word| verbs.contains(word))
    }

    /// Whether it answers rows.
    pub fn has_rows(&self) -> bool {
        self.verb() == Some("select") || self.outermost().any(|word| word == "returning")
    }

    /// The words that stand in no parentheses.
    fn outermost(&self) -> impl Iterator<Item = &str> {
        let mut depth = 0_usize;
        self.tokens.iter().filter_map(move |token| {
            match token {
                Token::Symbol('(') => depth += 1,
                Token::Symbol(')') => depth = depth.saturating_sub(1),
                Token::Word(word) if depth == 0 => return Some(word.as_str()),
                _ => {}
            }
            None
        })
    }

    /// What is to be bound, in order.
    pub fn parameters(&self) -> anyhow::Result<Vec<Parameter>> {
        let mut bound: Vec<Option<Parameter>> = Vec::new();
        let arrays = self.arrays();
        let mut walk = Walk::default();
        let mut before: BTreeMap<String, usize> = BTreeMap::new();
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
            let array = arrays.get(&at);
            let (table, column, many) = match array {
                Some(column) => (String::new(), column.clone(), false),
                None => walk.column(&self.tokens, at)?,
            };
            let repeated = before.entry(column.clone()).or_default();
            let meaning = Meaning::of(&table, &column, many, *repeated)
                .with_context(|| format!("no meaning for {table}.{column}"))?;
            *repeated += 1;
            bound[place] = Some(Parameter { meaning, is_array: array.is_some() });
        }
        bound.into_iter().collect::<Option<Vec<_>>>().context("a parameter is missing")
    }

    /// Where parameters stand that are arrays, side by side in one `unnest`, and what its
    /// columns are called behind it: `unnest($1, $2) WITH ORDINALITY AS name (a, b, c)`.
    fn arrays(&self) -> BTreeMap<usize, String> {
        let mut arrays = BTreeMap::new();
        for (at, token) in self.tokens.iter().enumerate() {
            if *token != Token::Word("unnest".to_owned()) {
                continue;
            }
            let Some(arguments) = self.parenthesis(at + 1) else { continue };
            let behind = &self.tokens[arguments.end..];
            let names = behind.iter().take(6).position(|token| *token == Token::Symbol('('));
            let Some(names) = names.and_then(|place| self.parenthesis(arguments.end + place))
            else {
                continue;
            };
            let names = self.tokens[names].iter().filter_map(|token| match token {
                Token::Word(name) => Some(name.clone()),
                _ => None,
            });
            let placeholders =
                arguments.filter(|at| matches!(self.tokens[*at], Token::Placeholder(_)));
            arrays.extend(placeholders.zip(names));
        }
        arrays
    }

    /// What stands in the parentheses that are opened here.
    fn parenthesis(&self, open: usize) -> Option<Range<usize>> {
        let mut depth = 0_usize;
        for (at, token) in self.tokens.iter().enumerate().skip(open) {
            match token {
                Token::Symbol('(') => depth += 1,
                Token::Symbol(')') if depth == 1 => return Some(open + 1..at),
                Token::Symbol(')') => depth -= 1,
                _ if depth == 0 => return None,
                _ => {}
            }
        }
        None
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
    /// `column2` of a list of values without names: where it goes.
    unnamed: BTreeMap<usize, (String, String)>,
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
                let number = name.strip_prefix("column").and_then(|number| number.parse().ok());
                if let (Some(number), Some((table, _, place))) = (number, &self.selected)
                    && let Some(column) = self.columns.get(*place)
                {
                    self.unnamed.insert(number, (table.clone(), column.clone()));
                }
            }
            Token::Symbol('(') => self.open(tokens, at),
            // The next statement of the same text.
            Token::Symbol(';') => *self = Self::default(),
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
            if !self.unnamed.is_empty() {
                let (table, column) =
                    self.unnamed.get(&(row.place + 1)).context("a value for nothing")?;
                return Ok((table.clone(), column.clone(), false));
            }
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
