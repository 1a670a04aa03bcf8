//! From text to [`Filter`], by recursive descent.

use serde_json::Value;

use super::super::path::AttributePath;
use super::super::schema::{Attribute, Kind, ResourceType};
use super::super::value;
use super::{Filter, Operand, Operator, leaf};

/// Longer filters, in bytes, are refused.
const MAX_LENGTH: usize = 8 * 1024;
/// Deeper nesting is refused: the parser's stack is not a client's to fill.
const MAX_DEPTH: usize = 32;

type Parsed<T> = Result<T, String>;

/// What names in the text refer to.
#[derive(Clone, Copy)]
enum Scope<'a> {
    /// Of one of the others are attributes that the first one lacks.
    Resource(&'a ResourceType, &'a [&'a ResourceType]),
    Element(&'static Attribute),
}

pub fn filter(text: &str, of: &ResourceType, others: &[&ResourceType]) -> Parsed<Filter> {
    Parser::new(text)?.whole(Scope::Resource(of, others))
}

pub fn element_filter(text: &str, of: &'static Attribute) -> Parsed<Filter> {
    Parser::new(text)?.whole(Scope::Element(of))
}

struct Parser<'t> {
    text: &'t str,
    /// In bytes.
    at: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str) -> Parsed<Self> {
        if text.len() > MAX_LENGTH {
            return Err(format!("The filter is longer than {MAX_LENGTH} bytes."));
        }
        Ok(Self { text, at: 0, depth: 0 })
    }

    fn whole(mut self, scope: Scope<'_>) -> Parsed<Filter> {
        let filter = self.or(scope)?;
        self.blanks();
        if self.rest().is_empty() { Ok(filter) } else { self.expected("`and`, `or` or the end") }
    }

    fn or(&mut self, scope: Scope<'_>) -> Parsed<Filter> {
        let mut parts = vec![self.and(scope)?];
        while self.word("or") {
            parts.push(self.and(scope)?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Filter::Or(parts) })
    }

    /// RFC 7644 3.4.2.2: `and` binds tighter than `or`.
    fn and(&mut self, scope: Scope<'_>) -> Parsed<Filter> {
        let mut parts = vec![self.term(scope)?];
        while self.word("and") {
            parts.push(self.term(scope)?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Filter::And(parts) })
    }

    fn term(&mut self, scope: Scope<'_>) -> Parsed<Filter> {
        // RFC 7644, figure 1: `not` stands before a group only.
        if self.word("not") {
            self.blanks();
            return Ok(Filter::Not(Box::new(self.group(scope)?)));
        }
        self.blanks();
        if self.rest().starts_with('(') {
            return self.group(scope);
        }
        self.attribute_expression(scope)
    }

    fn group(&mut self, scope: Scope<'_>) -> Parsed<Filter> {
        self.bump('(')?;
        self.descend()?;
        let inner = self.or(scope)?;
        self.blanks();
        self.bump(')')?;
        self.depth -= 1;
        Ok(inner)
    }

    fn attribute_expression(&mut self, scope: Scope<'_>) -> Parsed<Filter> {
        let begin = self.at;
        let path = self.path(scope)?;
        if self.rest().starts_with('[') {
            return self.value_path(path, begin);
        }
        self.comparison(path, begin)
    }

    /// `emails[type eq "work"]`, and, as Entra ID writes it, with a comparison
    /// of a sub-attribute behind: both hold for one and the same value.
    fn value_path(&mut self, path: AttributePath, begin: usize) -> Parsed<Filter> {
        let Some(attribute) = path.target().filter(|attribute| attribute.kind == Kind::Complex)
        else {
            return self.error_at(begin, &format!("`{path}` has no sub-attributes to filter by."));
        };
        self.descend()?;
        self.bump('[')?;
        let mut inner = self.or(Scope::Element(attribute))?;
        self.blanks();
        self.bump(']')?;
        self.depth -= 1;
        if self.rest().starts_with('.') {
            self.bump('.')?;
            let begin = self.at;
            let sub = self.path(Scope::Element(attribute))?;
            inner = Filter::And(vec![inner, self.comparison(sub, begin)?]);
        }
        Ok(Filter::Element(path, Box::new(inner)))
    }

    fn comparison(&mut self, path: AttributePath, begin: usize) -> Parsed<Filter> {
        if self.word("pr") {
            return Ok(Filter::Present(path));
        }
        let Some(operator) = Operator::ALL.into_iter().find(|each| self.word(each.as_str())) else {
            self.blanks();
            return self.expected("an operator: eq, ne, co, sw, ew, gt, ge, lt, le or pr");
        };
        let attribute = match comparable(&path, operator) {
            Ok(attribute) => attribute,
            Err(error) => return self.error_at(begin, &error),
        };
        self.blanks();
        let begin = self.at;
        let literal = self.literal()?;
        match operand(attribute, operator, literal) {
            Ok(operand) => Ok(Filter::Compare(path, operator, operand)),
            Err(error) => self.error_at(begin, &error),
        }
    }

    fn path(&mut self, scope: Scope<'_>) -> Parsed<AttributePath> {
        self.blanks();
        let begin = self.at;
        let end = self.rest().find(|next: char| next.is_whitespace() || "[]()\"".contains(next));
        let text = &self.rest()[..end.unwrap_or(self.rest().len())];
        if text.is_empty() {
            return self.expected("the name of an attribute");
        }
        self.at += text.len();
        let path = match scope {
            Scope::Resource(of, others) => {
                let of_others = others.iter().map(|other| AttributePath::parse(text, other));
                let mut known = of_others.filter(is_known);
                let own = AttributePath::parse(text, of);
                if is_known(&own) { own } else { known.next().unwrap_or(own) }
            }
            Scope::Element(attribute) => AttributePath::within(attribute, text),
        };
        match path {
            Ok(path) if path.is_known() => Ok(path),
            // Never an empty answer: the client would take it for the truth.
            Ok(path) => self.error_at(begin, &format!("There is no attribute `{path}`.")),
            Err(error) => self.error_at(begin, &format!("{error}.")),
        }
    }

    /// The text of a JSON value, or, as some clients send it, a text without
    /// quotation marks; `None` is `null`. Numbers stay as they are written:
    /// `00123` is a text to the attributes that they are compared with.
    fn literal(&mut self) -> Parsed<Option<String>> {
        let rest = self.rest();
        if rest.starts_with('"') {
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            return match values.next() {
                Some(Ok(text)) => {
                    self.at += values.byte_offset();
                    Ok(Some(text))
                }
                Some(Err(error)) if !error.is_eof() => self.error_at(
                    self.at,
                    "The text that begins here is not written as in JSON: a backslash begins \
                     one of its escapes, and control characters are escaped.",
                ),
                _ => self.error_at(
                    self.at,
                    "The text that begins here does not end with a quotation mark.",
                ),
            };
        }
        let end = rest.find(|next: char| next.is_whitespace() || ")]".contains(next));
        let word = &rest[..end.unwrap_or(rest.len())];
        if word.is_empty() {
            return self
                .expected("a value: a text in quotation marks, a number, true, false or null");
        }
        if let Some(place) = word.find(['"', '(', '[']) {
            self.at += place;
            return self.expected("a value in quotation marks, or one that needs none");
        }
        self.at += word.len();
        Ok(Some(word.to_owned()).filter(|word| word != "null"))
    }

    /// Takes a keyword, in any case, if it comes next and ends there.
    fn word(&mut self, keyword: &str) -> bool {
        let trimmed = self.rest().trim_start();
        let Some((head, tail)) = trimmed.split_at_checked(keyword.len()) else { return false };
        let ends =
            tail.chars().next().is_none_or(|next| next.is_whitespace() || "()[]\"".contains(next));
        if !head.eq_ignore_ascii_case(keyword) || !ends {
            return false;
        }
        self.at = self.text.len() - tail.len();
        true
    }

    fn bump(&mut self, expected: char) -> Parsed<()> {
        if self.rest().starts_with(expected) {
            self.at += expected.len_utf8();
            Ok(())
        } else {
            self.expected(&format!("`{expected}`"))
        }
    }

    fn descend(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let what = format!("The filter is nested deeper than {MAX_DEPTH}.");
            return self.error_at(self.at, &what);
        }
        Ok(())
    }

    fn blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn expected<T>(&self, what: &str) -> Parsed<T> {
        let found = self.rest().chars().next();
        let found = found.map_or_else(|| "the end".to_owned(), |next| format!("`{next}`"));
        self.error_at(self.at, &format!("Expected {what}, found {found}."))
    }

    fn error_at<T>(&self, at: usize, what: &str) -> Parsed<T> {
        let position = self.text[..at].chars().count() + 1;
        Err(format!("{what} (position {position} of the filter)"))
    }
}

/// The attribute whose type a comparison by `path` has, if it can be compared so.
fn comparable(path: &AttributePath, operator: Operator) -> Parsed<&'static Attribute> {
    let Some(attribute) = leaf(path.target()) else {
        return Err(format!("`{path}` is complex: name one of its sub-attributes."));
    };
    // RFC 7644, table 3: of `gt`, `ge`, `lt` and `le`, "Boolean and Binary
    // attributes SHALL cause a failed response".
    match attribute.kind {
        Kind::Boolean if !is_equality(operator) => {
            Err(format!("`{path}` is a boolean, which takes eq and ne only."))
        }
        Kind::Binary if is_order(operator) => Err(format!("`{path}` is binary and has no order.")),
        _ => Ok(attribute),
    }
}

/// A literal in the type of the attribute that it is compared with.
fn operand(attribute: &Attribute, operator: Operator, literal: Option<String>) -> Parsed<Operand> {
    let name = attribute.name;
    let Some(text) = literal else {
        return if is_equality(operator) {
            Ok(Operand::Null)
        } else {
            Err("`null` can be compared with eq and ne only.".to_owned())
        };
    };
    match attribute.kind {
        Kind::Boolean => match value::boolean(&Value::from(text)) {
            Some(flag) => Ok(Operand::Boolean(flag)),
            None => Err(format!("`{name}` is a boolean: compare it with true or false.")),
        },
        Kind::DateTime if is_equality(operator) || is_order(operator) => {
            let nanos = value::instant(&text).ok_or_else(|| {
                format!("`{name}` is a time: compare it with one such as \"2026-11-23T20:15:00Z\".")
            })?;
            Ok(Operand::Instant { text, nanos })
        }
        _ => {
            let key = if attribute.case_exact { text.clone() } else { value::fold(&text) };
            Ok(Operand::Text { text, key })
        }
    }
}

const fn is_equality(operator: Operator) -> bool {
    matches!(operator, Operator::Equal | Operator::NotEqual)
}

const fn is_order(operator: Operator) -> bool {
    use Operator::{Greater, GreaterOrEqual, Less, LessOrEqual};
    matches!(operator, Greater | GreaterOrEqual | Less | LessOrEqual)
}

fn is_known(path: &Parsed<AttributePath>) -> bool {
    path.as_ref().is_ok_and(AttributePath::is_known)
}
