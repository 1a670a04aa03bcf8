//! Events that are written by the statement that makes the changes they tell of.

use super::{EVENT_COLUMNS, counted};
use crate::repository::locks;

/// The end of such a statement on PostgreSQL: it numbers and writes an event for each
/// change, and answers with their places.
///
/// Before it stands `source`, a table expression with the row (`organization_id`,
/// `events`), which says how many there are: whoever counts them has changed all that
/// is to be changed, and waits for nothing else than the number from then on, as a
/// transaction does. And `changed`, whose rows are the events without a number, with
/// `place`; `$1` is the configuration. Each change is one of its own, so that each event
/// ends what happened at once.
pub fn told_along(source: &str) -> String {
    let line = locks::wait_in_line(locks::FEED, "organization_id");
    let counted =
        counted(&format!("SELECT organization_id, events FROM {source}, {line} WHERE events > 0"));
    format!(
        "feed AS ({counted} RETURNING organization_id, newest), \
         event AS (INSERT INTO scim_events ({EVENT_COLUMNS}) \
             SELECT feed.organization_id, feed.newest + 1 - row_number() OVER (ORDER BY place DESC), \
                 updated_at, TRUE, kind, origin, $1, subject_id, version, created_at, changed, \
                 document, account_id, account_reason \
             FROM feed, changed) \
         SELECT place FROM changed"
    )
}
