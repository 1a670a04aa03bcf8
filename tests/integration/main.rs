//! Every behaviour through a real client over a real socket, on both engines.
//!
//! One binary, so that it is linked once and one PostgreSQL serves all of it.

#![allow(
    clippy::assigning_clones,
    clippy::missing_panics_doc,
    clippy::redundant_closure_for_method_calls,
    clippy::unchecked_time_subtraction,
    clippy::unused_self,
    clippy::unwrap_used,
    reason = "a test is read more than it runs, and fails by panicking"
)]

mod clients;
mod harness;

mod accounts;
mod admission;
mod api_keys;
mod architecture;
mod coalescing;
mod concurrency;
mod configurations;
mod conformance;
mod contract;
mod crash;
mod directory;
mod directory_store;
mod examples;
mod group_commit;
mod observability;
mod program;
mod readme;
mod real_clients;
mod schema;
mod scim;
mod settings;
mod surface;
mod tenancy;
mod threads;
mod transport;
mod validation;
mod webhooks;
