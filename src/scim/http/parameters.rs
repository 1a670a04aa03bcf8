//! What a client asks of a list: in the query of a GET (RFC 7644 3.4.2), or in
//! the body of a search (3.4.3).

use serde_json::Value;

use super::error::Error;
use crate::scim::protocol::fault::{Fault, ScimType};
use crate::scim::protocol::projection::Projection;
use crate::scim::protocol::schema::ResourceType;

/// The most resources that one answer lists.
pub const MAX_COUNT: u64 = 1_000;
/// How many it lists when the client does not say.
const DEFAULT_COUNT: u64 = 100;

/// The parameters, by the names of RFC 7644 3.4.2 and RFC 9865.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters {
    /// `filter`
    pub filter: Option<String>,
    /// `sortBy`
    pub sort_by: Option<String>,
    /// Whether `sortOrder` is `descending`.
    pub descending: bool,
    /// `startIndex`, at least 1.
    pub start_index: u64,
    /// `count`, within the limits.
    pub count: u64,
    /// `cursor`, when the client pages by cursors; `None` within is the start.
    /// What is in it depends on the order of the list.
    #[expect(clippy::option_option, reason = "no cursor, the first page, a later page")]
    pub cursor: Option<Option<String>>,
    /// `attributes`
    pub attributes: Option<String>,
    /// `excludedAttributes`
    pub excluded_attributes: Option<String>,
}

impl Parameters {
    /// Reads a query. Empty and unknown parameters mean nothing: clients leave
    /// a `&` behind, and the flags that administrators append.
    pub fn from_query(query: Option<&str>) -> Result<Self, Error> {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self::read(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())))
    }

    /// Reads a `SearchRequest`.
    pub fn from_body(body: &Value) -> Result<Self, Error> {
        let Value::Object(body) = body else {
            return Err(Fault::new(ScimType::InvalidSyntax, "The body must be an object.").into());
        };
        let given = body.iter().filter(|(_, value)| !value.is_null());
        let pairs = given.map(|(name, value)| Ok((name.clone(), text(name, value)?)));
        Self::read(pairs.collect::<Result<Vec<_>, Fault>>()?.into_iter())
    }

    fn read(pairs: impl Iterator<Item = (String, String)>) -> Result<Self, Error> {
        let mut read = Self { start_index: 1, count: DEFAULT_COUNT, ..Self::default() };
        for (name, value) in pairs {
            match name.to_ascii_lowercase().as_str() {
                "cursor" => read.cursor = Some(Some(value).filter(|cursor| !cursor.is_empty())),
                _ if value.is_empty() => {}
                "filter" => read.filter = Some(value),
                "sortby" => read.sort_by = Some(value),
                "sortorder" => read.descending = is_descending(&value)?,
                // RFC 7644, table 6: "A value less than 1 SHALL be interpreted
                // as 1", "A negative value SHALL be interpreted as 0".
                "startindex" => read.start_index = integer("startIndex", &value)?.max(1),
                "count" => read.count = integer("count", &value)?.min(MAX_COUNT),
                "attributes" => read.attributes = Some(value),
                "excludedattributes" => read.excluded_attributes = Some(value),
                _ => {}
            }
        }
        Ok(read)
    }
}

/// A member of a `SearchRequest` as it would stand in a query: a list of names
/// with commas between.
fn text(name: &str, value: &Value) -> Result<String, Fault> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Array(names) => {
            let names: Option<Vec<_>> = names.iter().map(Value::as_str).collect();
            let names = names.map(|names| names.join(","));
            names.ok_or_else(|| Fault::value(format!("`{name}` must be a list of texts.")))
        }
        other => Ok(other.to_string()),
    }
}

/// RFC 7644 3.4.2.3: "Valid values are "ascending" and "descending"".
fn is_descending(order: &str) -> Result<bool, Fault> {
    let is = |name: &str| order.eq_ignore_ascii_case(name);
    if is("ascending") || is("descending") {
        return Ok(is("descending"));
    }
    Err(Fault::value(format!("`sortOrder` must be ascending or descending, not {order:?}.")))
}

/// A number, negative ones as 0.
fn integer(name: &str, value: &str) -> Result<u64, Fault> {
    let number: i64 = value
        .trim()
        .parse()
        .map_err(|_| Fault::value(format!("`{name}` must be a whole number, not {value:?}.")))?;
    Ok(u64::try_from(number).unwrap_or(0))
}

impl Parameters {
    /// The choice of attributes, of resources of this type.
    pub fn projection(&self, of: &ResourceType) -> Projection {
        Projection::parse(self.attributes.as_deref(), self.excluded_attributes.as_deref(), of)
    }
}
