//! The data plane: the SCIM 2.0 server (RFC 7643, RFC 7644) that the token of a
//! configuration opens.
//!
//! [`protocol`] is the RFCs as pure functions, [`http`] the handlers that use
//! them: authorise, read the request, one transaction, commit, answer.

mod http;
pub mod protocol;

pub use http::{Endpoints, RateLimit, Scim};
