//! Sorted lists, and walking them page by page.

use std::cmp::Ordering;
use std::{fmt, str::FromStr};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Position;
use super::page::InvalidPosition;

/// A value in the form in which it is sorted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortKey {
    /// A boolean: false before true.
    Boolean(bool),
    /// A point in time, in nanoseconds since 1970.
    Instant(i128),
    /// A text, folded unless it is exact about case.
    Text(String),
}

/// The place of a resource in a list sorted by some attribute: by its value,
/// and among those of one value by creation, then id. In descending order all
/// of this is the other way round.
///
/// Like a [`Position`] it stays a valid place when the resource is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortPosition {
    /// The value, if the resource has one.
    pub key: Option<SortKey>,
    /// The place among those with the same value.
    pub position: Position,
}

impl Ord for SortPosition {
    /// RFC 7644 3.4.2.3: in ascending order, "resources that do not have a value
    /// [...] are listed last".
    fn cmp(&self, other: &Self) -> Ordering {
        let by_key = match (&self.key, &other.key) {
            (Some(one), Some(other)) => one.cmp(other),
            (one, other) => one.is_none().cmp(&other.is_none()),
        };
        by_key.then_with(|| self.position.cmp(&other.position))
    }
}

impl PartialOrd for SortPosition {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The first byte of the text. That of a [`Position`] begins with another one.
const VERSION: u8 = 2;
/// The second: which kind of key follows behind the position.
const NONE: u8 = 0;
const BOOLEAN: u8 = 1;
const INSTANT: u8 = 2;
const TEXT: u8 = 3;

/// Writes the place as text for a client to hand back. It grants nothing; see
/// [`Position`].
impl fmt::Display for SortPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, key) = match &self.key {
            None => (NONE, Vec::new()),
            Some(SortKey::Boolean(flag)) => (BOOLEAN, vec![u8::from(*flag)]),
            Some(SortKey::Instant(nanos)) => (INSTANT, nanos.to_be_bytes().to_vec()),
            Some(SortKey::Text(text)) => (TEXT, text.clone().into_bytes()),
        };
        let mut bytes = vec![VERSION, kind];
        bytes.extend(self.position.to_bytes());
        bytes.extend(key);
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for SortPosition {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidPosition)?;
        let Some(([VERSION, kind], rest)) = bytes.split_first_chunk() else {
            return Err(InvalidPosition);
        };
        let (position, key) = rest.split_first_chunk().ok_or(InvalidPosition)?;
        let key = match (*kind, key) {
            (NONE, []) => None,
            (BOOLEAN, [flag @ (0 | 1)]) => Some(SortKey::Boolean(*flag == 1)),
            (INSTANT, nanos) => {
                let nanos = nanos.try_into().map_err(|_| InvalidPosition)?;
                Some(SortKey::Instant(i128::from_be_bytes(nanos)))
            }
            (TEXT, text) => {
                let text = str::from_utf8(text).map_err(|_| InvalidPosition)?;
                Some(SortKey::Text(text.to_owned()))
            }
            _ => return Err(InvalidPosition),
        };
        Ok(Self { key, position: Position::from_bytes(position) })
    }
}

/// What the store can sort by, from its indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortField {
    /// `id`
    Id,
    /// `userName`
    UserName,
    /// `displayName`
    DisplayName,
    /// `externalId`
    ExternalId,
    /// `meta.created`
    Created,
    /// `meta.lastModified`
    LastModified,
}

/// Which part of the matching resources to read, in order of some attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortedSlice {
    /// By what they are sorted.
    pub by: SortField,
    /// Whether it is the other way round.
    pub descending: bool,
    /// Where it begins.
    pub begin: Begin,
    /// How many to read at most.
    pub limit: u64,
}

/// Where a slice begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begin {
    /// Behind so many.
    Skip(u64),
    /// Behind a place.
    Behind(SortPosition),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::model::Instant;

    fn keys() -> impl Strategy<Value = Option<SortKey>> {
        proptest::option::of(prop_oneof![
            any::<bool>().prop_map(SortKey::Boolean),
            any::<i128>().prop_map(SortKey::Instant),
            ".{0,9}".prop_map(SortKey::Text),
        ])
    }

    proptest! {
        #[test]
        fn a_place_survives_its_text(key in keys(), micros: i64, id: u128) {
            let created_at = Instant::from_micros(micros);
            let position = Position { created_at, id: Uuid::from_u128(id) };
            let place = SortPosition { key, position };
            prop_assert_eq!(place.to_string().parse(), Ok(place));
        }

        #[test]
        fn a_text_that_is_no_place_is_refused_without_panic(
            bytes in proptest::collection::vec(0..4_u8, 0..48),
            text in ".{0,48}",
        ) {
            for text in [URL_SAFE_NO_PAD.encode(bytes), text] {
                if let Ok(place) = text.parse::<SortPosition>() {
                    prop_assert_eq!(place.to_string(), text);
                }
            }
        }
    }

    #[test]
    fn neither_cursor_is_taken_for_the_other() {
        let position = Position { created_at: Instant::from_micros(1), id: Uuid::nil() };
        let sorted = SortPosition { key: None, position };
        assert_eq!(position.to_string().parse::<SortPosition>(), Err(InvalidPosition));
        assert_eq!(sorted.to_string().parse::<Position>(), Err(InvalidPosition));
    }
}
