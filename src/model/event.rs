//! The change feed of an organization: what happened, in order, without gaps.

use uuid::Uuid;

use super::{
    Account, Configuration, ConfigurationId, Group, Instant, Link, LinkRefusal, MemberId, Origin,
    User,
};

/// The most members that one event tells of; more of them make more events.
pub const MEMBERS_OF_AN_EVENT: usize = 1_000;

/// One change, with the full state that it led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// 1, 2, 3, ... in the order in which changes were committed.
    pub number: u64,
    /// The instant of the transaction that made the change.
    pub at: Instant,
    /// Whether the next event is of another transaction.
    pub ends_transaction: bool,
    /// What happened.
    pub kind: EventKind,
    /// Who made it happen.
    pub origin: Origin,
    /// Through which configuration its subject was provisioned; or the subject
    /// itself, where it is one. `None`: an account belongs to none.
    pub configuration: Option<ConfigurationId>,
    /// The user, group, configuration or account that changed; of a refused link,
    /// the account.
    pub subject: Uuid,
    /// Which attributes of it changed, by their paths; of something that was
    /// made or removed, none.
    pub changed: Vec<String>,
    /// What there is after it.
    pub state: State,
}

/// What there is after an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The subject is gone, with its memberships.
    Gone,
    /// The user.
    User(User),
    /// The group; its members are told by events of their own.
    Group(Group),
    /// What is different among the members of a group.
    Members(MembersState),
    /// The configuration.
    Configuration(Configuration),
    /// The configuration, and how many days its token is still good for.
    Token(Configuration, u64),
    /// The account.
    Account(Account),
    /// The account of a user; where there is one, as it is.
    Link(Link, Option<Account>),
    /// Nothing is different: somebody was not linked to an account.
    LinkRefused(LinkRefusal),
}

/// Who entered and left a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MembersState {
    /// The group's version since then.
    pub version: u64,
    /// Members now.
    pub added: Vec<MemberId>,
    /// None now.
    pub removed: Vec<MemberId>,
}

macro_rules! kinds {
    ($($(#[$comment:meta])* $kind:ident = $number:literal)+) => {
        /// What happened. The numbers are stored, and those of the contract.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EventKind {
            $($(#[$comment])* $kind = $number,)+
        }

        impl EventKind {
            /// The kind of this number.
            #[must_use]
            pub const fn from_number(number: i64) -> Option<Self> {
                match number {
                    $($number => Some(Self::$kind),)+
                    _ => None,
                }
            }

            /// Its number.
            #[must_use]
            pub const fn number(self) -> i32 {
                self as i32
            }
        }
    };
}

kinds! {
    /// A user was provisioned.
    UserCreated = 1
    /// Attributes of a user changed, but not whether it is active.
    UserUpdated = 2
    /// A user is no longer active: its sessions should end.
    UserDeactivated = 3
    /// A user is active again.
    UserReactivated = 4
    /// A user was removed: its sessions should end.
    UserDeleted = 5
    /// A group was made.
    GroupCreated = 6
    /// Attributes of a group changed.
    GroupUpdated = 7
    /// A group was removed.
    GroupDeleted = 8
    /// Members entered or left a group.
    GroupMembersChanged = 9
    /// A user belongs to an account that was there already.
    AccountLinked = 10
    /// A user belongs to no account any more.
    AccountUnlinked = 11
    /// A user was not made or changed because of the account that has its email.
    LinkRefused = 12
    /// A configuration was made.
    ConfigurationCreated = 13
    /// Fields of a configuration changed, but not whether it is enabled.
    ConfigurationUpdated = 14
    /// A configuration was switched on again.
    ConfigurationEnabled = 15
    /// A configuration was switched off.
    ConfigurationDisabled = 16
    /// A configuration was removed, and by now all that was provisioned through
    /// it.
    ConfigurationDeleted = 17
    /// A configuration has another token.
    TokenRegenerated = 18
    /// The token of a configuration ends soon.
    TokenExpiring = 19
    /// The token of a configuration has ended.
    TokenExpired = 20
    /// An account was made, or is different.
    AccountUpdated = 21
    /// An account was removed.
    AccountDeleted = 22
}
