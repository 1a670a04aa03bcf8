//! API keys: what the product's own programs show at the control plane.

use std::{fmt, str::FromStr};

use super::{ApiKeyId, Instant, Scope};

/// An API key as it is stored; its secret is known only by hash and is not
/// part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Ours. Safe to show.
    pub id: ApiKeyId,
    /// Whose configurations it may act on.
    pub scope: Scope,
    /// What it may do there.
    pub role: Role,
    /// For people; possibly empty.
    pub name: String,
    /// When it was made.
    pub created_at: Instant,
    /// From when on it is refused, if ever.
    pub expires_at: Option<Instant>,
    /// Since when it is refused by somebody's decision.
    pub revoked_at: Option<Instant>,
}

/// What the operator says of a key to be made.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// See [`ApiKey::scope`].
    pub scope: Scope,
    /// See [`ApiKey::role`].
    pub role: Role,
    /// See [`ApiKey::name`].
    pub name: String,
    /// See [`ApiKey::expires_at`].
    pub expires_at: Option<Instant>,
}

/// What a credential may do within its scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Read and write.
    Admin,
    /// Read.
    Viewer,
}

impl Role {
    /// The role's name in the database and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Viewer => "viewer",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        [Self::Admin, Self::Viewer]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or(UnknownRole)
    }
}

/// A text that names no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be `admin` (reads and writes) or `viewer` (reads)")]
pub struct UnknownRole;
