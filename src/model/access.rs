//! Whether a person may sign in.

use super::{AccountId, ConfigurationId, UserId};

/// Whom access is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Person {
    /// Whoever has this email, by key.
    Email(String),
    /// Whoever has this `userName`, by key.
    UserName(String),
    /// Whoever has this `externalId`.
    ExternalId(String),
    /// Whoever has this account.
    Account(AccountId),
    /// Whoever has the account of this id of the application's.
    ClientId(String),
}

/// Whether a person may sign in now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// No identity provider has provisioned such a person.
    Unknown,
    /// Every one that had has deleted the user.
    Deleted,
    /// Every one that has has deactivated the user.
    Deactivated,
    /// The one that allows it is switched off.
    ConfigurationDisabled,
    /// One allows it.
    Allowed,
}

/// What was found of a person, and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessDecision {
    /// What follows.
    pub access: Access,
    /// The account.
    pub account: Option<AccountId>,
    /// The application's own id of it.
    pub client_id: Option<String>,
    /// The users, those first that allow most.
    pub users: Vec<AccessOfUser>,
}

/// What one user says of a person's access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessOfUser {
    /// Through which configuration it was provisioned.
    pub configuration: ConfigurationId,
    /// The user, who may be deleted.
    pub user: UserId,
    /// What follows from this one alone.
    pub access: Access,
}
