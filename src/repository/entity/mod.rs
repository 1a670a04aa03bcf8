//! The tables as SeaORM sees them. A test compares them with the schema that
//! the migrations make, on both engines.

use std::fmt;

use sea_orm::DeriveValueType;

use crate::token::TokenHash;

pub mod api_key;
pub mod configuration;

/// A token's hash in its column. Unlike bare bytes it does not show itself in
/// the `Debug` of a row.
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
pub struct StoredHash(Vec<u8>);

impl From<&TokenHash> for StoredHash {
    fn from(hash: &TokenHash) -> Self {
        Self(hash.as_bytes().to_vec())
    }
}

impl fmt::Debug for StoredHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredHash([redacted])")
    }
}
