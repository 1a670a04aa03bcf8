//! Walking a list page by page.

use std::{fmt, str::FromStr};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::Instant;

/// One page of a list that is ordered by creation, then id.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// The position behind which the page begins; `None` is the start.
    pub after: Option<Position>,
    /// How many items it may hold, at least 1.
    pub limit: u32,
}

/// The place of an item in a list ordered by creation, then id. It stays a
/// valid place when the item itself is gone, so that a walk misses nothing and
/// repeats nothing while others create and delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// When the item was made.
    pub created_at: Instant,
    /// The item's id.
    pub id: Uuid,
}

/// The first byte of a position's text, so that a later form can be told apart.
const VERSION: u8 = 1;

/// Writes the position as text for a client to hand back. It holds nothing
/// secret and grants nothing: whoever makes one up gets a page of what the
/// credential may see anyway.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [VERSION; 25];
        bytes[1..].copy_from_slice(&self.to_bytes());
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidPosition)?;
        match bytes.split_first() {
            Some((&VERSION, rest)) => {
                rest.try_into().map(Self::from_bytes).map_err(|_| InvalidPosition)
            }
            _ => Err(InvalidPosition),
        }
    }
}

impl Position {
    pub(super) fn to_bytes(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.created_at.as_micros().to_be_bytes());
        bytes[8..].copy_from_slice(self.id.as_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; 24]) -> Self {
        let (micros, id) = bytes.split_at(8);
        let micros = micros.try_into().expect("the first 8 bytes are 8 bytes");
        Self {
            created_at: Instant::from_micros(i64::from_be_bytes(micros)),
            id: Uuid::from_slice(id).expect("the other 16 bytes are 16 bytes"),
        }
    }
}

/// A text that is no position that we gave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a position in a list")]
pub struct InvalidPosition;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_position_survives_its_text(micros: i64, id: u128) {
            let position =
                Position { created_at: Instant::from_micros(micros), id: Uuid::from_u128(id) };
            prop_assert_eq!(position.to_string().parse(), Ok(position));
        }

        #[test]
        fn a_text_that_is_no_position_is_refused_without_panic(text in "[A-Za-z0-9_-]{0,40}|.*") {
            if let Ok(position) = text.parse::<Position>() {
                prop_assert_eq!(position.to_string(), text);
            }
        }
    }
}
