//! Every behaviour through a real client over a real socket, on both engines.
//!
//! One binary, so that it is linked once and one PostgreSQL serves all of it.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test fails by panicking")]

mod clients;
mod harness;

mod api_keys;
mod architecture;
mod concurrency;
mod configurations;
mod contract;
mod crash;
mod observability;
mod program;
mod real_clients;
mod schema;
mod settings;
mod surface;
mod tenancy;
mod transport;
mod validation;
