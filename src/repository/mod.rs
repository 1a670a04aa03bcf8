//! The store: the only room that names SeaORM, and the owner of the SQL and of
//! the invariants.
//!
//! [`Repository::read`] and [`Repository::write`] are the two ways in. Writes
//! exist only on [`Write`], a transaction that the caller commits; dropped
//! before that, it leaves nothing behind. What is read to decide a write is
//! read on the same [`Write`].

mod access;
mod account_events;
mod accounts;
mod api_keys;
mod configuration_state;
mod configurations;
mod connection;
mod counts;
mod document;
mod entity;
mod error;
mod events;
mod feed;
mod former_users;
mod groups;
mod ids;
mod import;
mod link_refusals;
mod linking;
mod locks;
mod member_changes;
mod members;
mod memberships;
mod migration;
mod names;
mod news;
mod open;
mod purge;
mod query;
mod relinking;
mod resources;
mod snapshot;
mod sorting;
#[cfg(test)]
mod testing;
mod token_notices;
mod tx;
mod user_emails;
mod users;
mod webhook_leases;
mod webhook_secrets;
mod webhooks;

pub use error::Error;
pub use events::Bounds;
pub use news::News;
pub use open::Repository;
pub use snapshot::{Part, Snapshot};
pub use tx::{Read, Retriable, Write, retry_deadlocks};
pub use users::{LockedUser, PresentUser};
pub use webhook_leases::{WEBHOOKS_AT_ONCE, WebhookLease, WebhookNext, WebhookProgress};

/// A result of this room.
pub type Result<T> = std::result::Result<T, Error>;
