//! scimd: provisioning for a B2B product.
//!
//! A request comes in at a door, becomes a plain value, passes once through one
//! repository transaction, and leaves by the same door. Rooms, from the lowest:
//!
//! | rank | room | for |
//! |---|---|---|
//! | 0 | [`model`] | plain values |
//! | 0 | [`proto`] | code generated from `proto/` |
//! | 1 | [`clock`] | time and randomness as arguments |
//! | 1 | [`settings`] | what the operator says |
//! | 2 | [`signing`] | what webhooks are signed with |
//! | 2 | [`telemetry`] | the log |
//! | 2 | [`token`] | secrets as text |
//! | 3 | [`repository`] | the store |
//! | 4 | [`auth`] | who calls, and what they may do |
//! | 5 | [`service`] | the door for the product: RPC |
//! | 5 | [`scim`] | the door for identity providers: SCIM 2.0 |
//! | 6 | [`webhook`] | sending the change feed on |
//! | 7 | [`server`] | one listener for both doors |
//! | 8 | [`cli`] | the program |
//!
//! A room uses only rooms of a lower rank; a test keeps it so.

pub mod auth;
pub mod cli;
pub mod clock;
pub mod model;
pub mod proto;
pub mod repository;
pub mod scim;
pub mod server;
pub mod service;
pub mod settings;
pub mod signing;
pub mod telemetry;
pub mod token;
pub mod webhook;
