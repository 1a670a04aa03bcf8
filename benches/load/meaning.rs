//! What a parameter means, and its value.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::options::Engine;
use crate::subject::Subject;
use crate::world::World;

/// What stands in the place of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    Configuration,
    Organization,
    Sso,
    Name,
    Flag,
    TokenHash,
    KeyHash,
    Lifetime,
    User,
    Account,
    Group,
    UserNameKey,
    ExternalId,
    DisplayNameKey,
    Active,
    True,
    Document,
    Version,
    CreatedAt,
    Now,
    EventSubject,
    Origin,
    Changed,
    /// What an event tells, of as many as there are.
    State(usize),
    /// The user's first address, or second.
    Email(usize),
    /// All of them, as JSON.
    Emails,
    /// Ids, as one text.
    Many,
    /// One of them, in the same form.
    OneOfMany(usize),
    MoreMembers,
    ResourcesAtMost,
    ConfigurationsAtMost,
    One,
    /// What most rows have no value of.
    Nothing,
}

/// A parameter of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    pub meaning: Meaning,
    /// Whether the statement does the same for several, and takes an array: of one.
    pub is_array: bool,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Uuid,
    Text,
    Integer,
    Boolean,
    Bytes,
}

/// A value to be bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Uuid(Uuid),
    Text(String),
    Integer(i64),
    Boolean(bool),
    Bytes(Vec<u8>),
    /// No text.
    Null,
}

impl Value {
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Uuid(_) => Kind::Uuid,
            Self::Text(_) | Self::Null => Kind::Text,
            Self::Integer(_) => Kind::Integer,
            Self::Boolean(_) => Kind::Boolean,
            Self::Bytes(_) => Kind::Bytes,
        }
    }
}

impl Meaning {
    /// By the column that the parameter stands beside, and how many others of the
    /// statement stand beside it before.
    pub fn of(table: &str, column: &str, many: bool, repeated: usize) -> Option<Self> {
        Some(match (table, column) {
            _ if many => Self::Many,
            ("scim_configurations", "id") | (_, "configuration_id") => Self::Configuration,
            ("scim_users", "id") | (_, "user_id" | "member_id") => Self::User,
            ("scim_accounts", "id") | (_, "account_id") => Self::Account,
            ("scim_groups", "id") | (_, "group_id") => Self::Group,
            ("scim_configurations", "token_hash") => Self::TokenHash,
            ("api_keys", "hash") => Self::KeyHash,
            (_, "organization_id") => Self::Organization,
            (_, "sso_configuration_id") => Self::Sso,
            (_, "name") => Self::Name,
            (_, "enabled" | "allow_unverified_email_account_linking" | "email_verified") => {
                Self::Flag
            }
            (_, "token_lifetime") => Self::Lifetime,
            (_, "user_name_key") => Self::UserNameKey,
            (_, "external_id") => Self::ExternalId,
            (_, "display_name_key") => Self::DisplayNameKey,
            (_, "active") => Self::Active,
            (_, "true" | "ends_transaction") => Self::True,
            (_, "document") => Self::Document,
            (_, "version") => Self::Version,
            (_, "subject_id") => Self::EventSubject,
            (_, "origin") => Self::Origin,
            (_, "changed") => Self::Changed,
            (_, "state") => Self::State(repeated),
            (_, "created_at") => Self::CreatedAt,
            (_, "updated_at" | "occurred_at" | "token_expires_at" | "due_at" | "since") => {
                Self::Now
            }
            (_, "value_key") => Self::Email(repeated),
            (_, "email" | "email_key") => Self::Email(0),
            (_, "email_keys") => Self::Emails,
            (_, "other_email_key") => Self::Nothing,
            (_, "member_count") => Self::MoreMembers,
            ("scim_users" | "scim_groups", "limit") => Self::ResourcesAtMost,
            ("scim_configurations", "limit") => Self::ConfigurationsAtMost,
            // How many events there are at once, and of which kind.
            (_, "limit" | "newest" | "number" | "kind" | "account_reason") => Self::One,
            _ => return None,
        })
    }

    /// Of which type its value is.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Configuration
            | Self::Organization
            | Self::Sso
            | Self::User
            | Self::Account
            | Self::Group
            | Self::EventSubject => Kind::Uuid,
            Self::Name
            | Self::UserNameKey
            | Self::ExternalId
            | Self::DisplayNameKey
            | Self::Document
            | Self::Email(_)
            | Self::Emails
            | Self::Changed
            | Self::State(_)
            | Self::Many
            | Self::OneOfMany(_)
            | Self::Nothing => Kind::Text,
            Self::Flag | Self::Active | Self::True => Kind::Boolean,
            Self::TokenHash | Self::KeyHash | Self::Origin => Kind::Bytes,
            Self::Lifetime
            | Self::Version
            | Self::CreatedAt
            | Self::Now
            | Self::MoreMembers
            | Self::ResourcesAtMost
            | Self::ConfigurationsAtMost
            | Self::One => Kind::Integer,
        }
    }
}

/// What is the same in every operation.
#[derive(Clone, Debug)]
pub struct Constants {
    engine: Engine,
    organization: Uuid,
    token_hash: Vec<u8>,
    key_hash: Vec<u8>,
}

impl Constants {
    pub fn of(world: &World) -> Self {
        Self {
            engine: world.engine,
            organization: world.organization,
            token_hash: Sha256::digest(&world.token).to_vec(),
            key_hash: Sha256::digest(&world.key).to_vec(),
        }
    }

    /// The value of a parameter, where the statement is about this subject.
    pub fn value(&self, meaning: Meaning, subject: &Subject) -> Value {
        match meaning {
            Meaning::Configuration => Value::Uuid(subject.configuration),
            Meaning::Organization | Meaning::Sso => Value::Uuid(self.organization),
            Meaning::Name => Value::Text(subject.name()),
            Meaning::TokenHash => Value::Bytes(match subject.new_token {
                Some(token) => token.to_vec(),
                None => self.token_hash.clone(),
            }),
            Meaning::KeyHash => Value::Bytes(self.key_hash.clone()),
            Meaning::Lifetime => Value::Integer(subject.lifetime),
            Meaning::User => Value::Uuid(subject.user),
            Meaning::Account => Value::Uuid(subject.account),
            Meaning::Group => Value::Uuid(subject.group()),
            Meaning::UserNameKey => Value::Text(subject.person.user_name()),
            Meaning::ExternalId => Value::Text(subject.external_id()),
            Meaning::DisplayNameKey => Value::Text(subject.display_name().to_lowercase()),
            Meaning::Flag | Meaning::Active => Value::Boolean(subject.flag),
            Meaning::True => Value::Boolean(true),
            Meaning::Document => Value::Text(subject.document()),
            Meaning::Version => Value::Integer(subject.version + 1),
            Meaning::CreatedAt => Value::Integer(subject.created_at),
            Meaning::Now => Value::Integer(subject.now),
            Meaning::EventSubject => Value::Uuid(subject.event_subject()),
            Meaning::Origin => Value::Bytes(subject.origin()),
            Meaning::Changed => Value::Text(subject.changed().to_owned()),
            Meaning::State(place) => Value::Text(subject.state(place)),
            Meaning::Email(place) => Value::Text(subject.email(place)),
            Meaning::Emails => Value::Text(subject.emails()),
            Meaning::Many => Value::Text(many(self.engine, &subject.many)),
            Meaning::OneOfMany(place) => {
                let one = subject.many.get(place..=place).unwrap_or_default();
                Value::Text(many(self.engine, one))
            }
            Meaning::MoreMembers => Value::Integer(subject.more_members),
            Meaning::ResourcesAtMost => Value::Integer(subject.resources_at_most),
            Meaning::ConfigurationsAtMost => Value::Integer(subject.configurations_at_most),
            Meaning::One => Value::Integer(1),
            Meaning::Nothing => Value::Null,
        }
    }
}

/// In the form in which the server gives many ids to a statement.
fn many(engine: Engine, ids: &[Uuid]) -> String {
    let mut text = String::with_capacity(ids.len() * 35 + 2);
    for id in ids {
        let comma = if text.is_empty() { "" } else { "," };
        let written = match engine {
            Engine::Sqlite => write!(text, "{comma}\"{}\"", id.simple()),
            Engine::Postgres => write!(text, "{comma}{}", id.simple()),
        };
        written.expect("a string takes all that is written to it");
    }
    match engine {
        Engine::Sqlite => format!("[{text}]"),
        Engine::Postgres => text,
    }
}
