//! What identity providers provision: users, groups, memberships.
//!
//! A resource is stored twice over: as the JSON document that the client sent,
//! normalised, and as the few values of it that are searched by.

use std::collections::BTreeSet;
use std::convert::Infallible;

use uuid::Uuid;

use super::{Document, GroupId, Instant, Link, PrimaryEmail, UserId};

/// Of which type a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceKind {
    /// A user.
    User,
    /// A group.
    Group,
}

/// A user or a group as its identity provider sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Ours.
    pub id: Uuid,
    /// See [`User::document`] and [`Group::document`].
    pub document: Document,
    /// 1 at creation, one more with each change.
    pub version: u64,
    /// When it was provisioned.
    pub created_at: Instant,
    /// When it last changed.
    pub updated_at: Instant,
}

/// A user of one configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Ours.
    pub id: UserId,
    /// The attributes that the client may write, and `schemas`, as one JSON object.
    pub document: Document,
    /// 1 at creation, one more with each change.
    pub version: u64,
    /// When it was provisioned.
    pub created_at: Instant,
    /// When it last changed.
    pub updated_at: Instant,
    /// Its account. Not part of what the identity provider sees, so that neither
    /// version nor time change with it.
    pub link: Link,
}

/// A group of one configuration. Its members are not part of it: they may be
/// many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Ours.
    pub id: GroupId,
    /// The attributes that the client may write, without members, and `schemas`, as
    /// one JSON object.
    pub document: Document,
    /// 1 at creation, one more with each change, of members too.
    pub version: u64,
    /// When it was provisioned.
    pub created_at: Instant,
    /// When it, or the set of its members, last changed.
    pub updated_at: Instant,
}

/// A user as it shall be stored, with the values that it is searched by. Keys
/// are in the one form in which texts are compared without regard to case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserContent {
    /// See [`User::document`].
    pub document: Document,
    /// `userName`; unique within the configuration.
    pub user_name_key: String,
    /// `externalId`, which is compared exactly.
    pub external_id: Option<String>,
    /// `displayName`.
    pub display_name_key: Option<String>,
    /// `active`.
    pub active: bool,
    /// `emails.value`, each once.
    pub email_keys: Vec<String>,
    /// By which the user is linked to an account.
    pub primary_email: Option<PrimaryEmail>,
}

/// A group as it shall be stored; see [`UserContent`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupContent {
    /// See [`Group::document`].
    pub document: Document,
    /// `displayName`; unique within the configuration.
    pub display_name_key: String,
    /// `externalId`.
    pub external_id: Option<String>,
}

/// A member of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MemberId {
    /// A user.
    User(UserId),
    /// A group within the group.
    Group(GroupId),
}

impl MemberId {
    /// The id, whatever it is of.
    #[must_use]
    pub fn as_uuid(self) -> Uuid {
        match self {
            Self::User(id) => id.as_uuid(),
            Self::Group(id) => id.as_uuid(),
        }
    }
}

/// How the members of a group shall change, of which nothing is read to say it.
///
/// Several changes one after the other come to one: what was said last of an id
/// holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberChange {
    /// Those that are added and those that are removed; no id is in both.
    Difference {
        /// Members from now on.
        add: BTreeSet<MemberId>,
        /// No members from now on.
        remove: BTreeSet<Uuid>,
    },
    /// These and no others are members from now on.
    Replace(BTreeSet<MemberId>),
}

impl Default for MemberChange {
    /// No change.
    fn default() -> Self {
        Self::Difference { add: BTreeSet::new(), remove: BTreeSet::new() }
    }
}

impl MemberChange {
    /// Then adds `member`.
    pub fn add(&mut self, member: MemberId) {
        match self {
            Self::Difference { add, remove } => {
                remove.remove(&member.as_uuid());
                add.insert(member);
            }
            Self::Replace(members) => {
                members.insert(member);
            }
        }
    }

    /// Then removes the member with this id, if it is one.
    pub fn remove(&mut self, id: Uuid) {
        let others = |member: &MemberId| member.as_uuid() != id;
        match self {
            Self::Difference { add, remove } => {
                add.retain(others);
                remove.insert(id);
            }
            Self::Replace(members) => members.retain(others),
        }
    }

    /// Then puts `members` in the place of all there are.
    pub fn replace(&mut self, members: impl IntoIterator<Item = MemberId>) {
        *self = Self::Replace(members.into_iter().collect());
    }
}

/// What a change of a group came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupUpdate {
    /// The group as it is now.
    pub group: Group,
    /// Who is a member now and was none.
    pub added: Vec<MemberId>,
    /// Who was a member and is none now.
    pub removed: Vec<MemberId>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who it is.
    pub id: MemberId,
    /// Its document, to take a name for display from.
    pub document: Document,
}

/// A group of users that were asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupOf {
    /// The group.
    pub id: GroupId,
    /// Its document, to take a name for display from.
    pub document: Document,
    /// Those of the users that are in it directly.
    pub users: Vec<UserId>,
}

/// A condition that the store answers from its indexes. It holds at least for
/// everything that a filter holds for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Holds for everything.
    All,
    /// Holds for nothing.
    Nothing,
    /// Holds where each one does.
    And(Vec<Condition>),
    /// Holds where one does.
    Or(Vec<Condition>),
    /// The resource with this id.
    Id(Uuid),
    /// The user with this `userName`, by key.
    UserName(String),
    /// Resources with this `externalId`.
    ExternalId(String),
    /// Resources with this `displayName`, by key.
    DisplayName(String),
    /// Users with an email of this value, by key.
    Email(String),
    /// Users that are active, or that are not.
    Active(bool),
    /// Resources by `meta.created`.
    Created(Comparison, Instant),
    /// Resources by `meta.lastModified`.
    LastModified(Comparison, Instant),
    /// Groups with this member.
    Member(Uuid),
    /// Users in this group, directly.
    MemberOf(Uuid),
}

/// How an instant is compared with a stored one, which stands on the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
}

/// Which part of the matching resources to read, in order of creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The position behind which it begins; `None` is the start.
    pub after: Option<super::Position>,
    /// How many to skip from there.
    pub skip: u64,
    /// How many to read at most.
    pub limit: u64,
}

/// What a write to a resource came to; `R` is why a user may not be linked to its
/// account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written<T, R = Infallible> {
    /// It is stored so.
    Done(T),
    /// Another user of the configuration has the `userName`, or another group
    /// the `displayName`.
    NameTaken,
    /// The account that the user would belong to must not be linked to it.
    LinkRefused(R),
}
