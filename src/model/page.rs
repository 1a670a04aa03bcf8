//! Walking a list page by page.

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// When the item was made.
    pub created_at: Instant,
    /// The item's id.
    pub id: Uuid,
}
