//! The RFCs as pure functions: values in, values out, no I/O and no clock.
//!
//! [`schema`] is the one table of attributes that everything else reads.

pub mod fault;
pub mod filter;
pub mod narrow;
pub mod patch;
pub mod path;
pub mod projection;
pub mod resource;
pub mod schema;
pub mod sort;
#[cfg(test)]
mod testing;
pub mod value;
