//! The data plane: the SCIM 2.0 server (RFC 7643, RFC 7644) that the token of a
//! configuration opens.

mod http;

pub use http::router;
