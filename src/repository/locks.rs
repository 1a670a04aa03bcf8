//! Lines before rows that many transactions change, on PostgreSQL.
//!
//! Who waits for a row waits for the transaction that has changed it, looks at the
//! row again and tries anew, and so does everybody behind. An advisory lock that
//! is taken before has them come one by one. It protects nothing: the row itself
//! does.

/// The counter of an organization's feed.
pub(super) const FEED: i32 = 1;
/// The counters of a configuration's directory.
pub(super) const COUNTS: i32 = 2;

/// What stands in `FROM` to wait for one's turn until the transaction ends.
/// `id` is an expression of type `uuid`. Two ids may have the same line.
pub(super) fn wait_in_line(line: i32, id: &str) -> String {
    format!("pg_advisory_xact_lock({line}, uuid_hash({id}))")
}
