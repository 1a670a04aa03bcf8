//! Whose rows a question is about.

use super::OrganizationId;

/// The part of the store that a credential can see. Every repository method on
/// rows of tenants takes one first: nothing is found by id alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// What one organization owns.
    Organization(OrganizationId),
    /// What all organizations own: the operator of the platform.
    Platform,
}

impl Scope {
    /// The organization, unless the scope is all of them.
    #[must_use]
    pub const fn organization(self) -> Option<OrganizationId> {
        match self {
            Self::Organization(id) => Some(id),
            Self::Platform => None,
        }
    }

    /// Whether what `organization` owns lies within this scope.
    #[must_use]
    pub fn covers(self, organization: OrganizationId) -> bool {
        self.organization().is_none_or(|own| own == organization)
    }
}
