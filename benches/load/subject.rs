//! What one operation is about: the same for the request that the server gets
//! and for the statements that a ceiling runs.

use std::fmt::Write as _;

use scimd::clock::{Clock as _, Random as _, SystemClock, SystemRandom};
use scimd::model::{AccountId, MEMBERS_OF_AN_EVENT, UserId};
use serde_json::json;
use uuid::Uuid;

use crate::directory::{Person, Team};

/// What kind of thing an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    User,
    Group,
    Members,
    Configuration,
}

/// One user, group or configuration, and what is to become of it.
#[derive(Clone, Debug)]
pub struct Subject {
    pub about: About,
    pub configuration: Uuid,
    pub person: Person,
    /// The person's id; another one than its number's where it is new.
    pub user: Uuid,
    /// The account of this person, as new as the id.
    pub account: Uuid,
    pub team: Option<Team>,
    /// `active`, or a switch of a configuration.
    pub flag: bool,
    /// Makes the name another one.
    pub revision: u64,
    /// Members, or everybody on a page.
    pub many: Vec<Uuid>,
    pub more_members: i64,
    pub resources_at_most: i64,
    pub configurations_at_most: i64,
    /// The hash of a token that the operation makes.
    pub new_token: Option<[u8; 32]>,
    pub lifetime: i64,
    /// The version that was read.
    pub version: i64,
    pub created_at: i64,
    pub now: i64,
}

impl Subject {
    /// Somebody who is there, and the configuration that this one is in.
    pub fn of(configuration: Uuid, person: Person) -> Self {
        Self {
            about: About::User,
            configuration,
            person,
            user: person.id(),
            account: person.account(),
            team: None,
            flag: true,
            revision: 0,
            many: vec![person.id()],
            more_members: 0,
            resources_at_most: 1,
            configurations_at_most: 1,
            new_token: None,
            lifetime: 31_536_000_000_000,
            version: 0,
            created_at: person.created_at(),
            now: SystemClock.now().as_micros(),
        }
    }

    /// The same person about to be made.
    pub fn made_now(self) -> Self {
        let user = UserId::new(SystemClock.now(), SystemRandom.id_bytes()).as_uuid();
        let account = AccountId::new(SystemClock.now(), SystemRandom.id_bytes()).as_uuid();
        Self { user, account, created_at: self.now, ..self }
    }

    pub fn group(&self) -> Uuid {
        self.team.map(Team::id).unwrap_or_default()
    }

    pub fn name(&self) -> String {
        format!("Configuration, revision {:010}", self.revision % 10_000_000_000)
    }

    pub fn external_id(&self) -> String {
        self.team.map_or_else(|| self.person.external_id(), Team::external_id)
    }

    pub fn display_name(&self) -> String {
        self.team
            .map_or_else(|| self.person.display_name(), |team| team.display_name(self.revision))
    }

    pub fn document(&self) -> String {
        self.team
            .map_or_else(|| self.person.document(self.flag), |team| team.document(self.revision))
    }

    pub fn email(&self, place: usize) -> String {
        self.person.emails().into_iter().nth(place).unwrap_or_default()
    }

    pub fn emails(&self) -> String {
        json!(self.person.emails()).to_string()
    }

    /// Whose event it is.
    pub fn event_subject(&self) -> Uuid {
        match self.about {
            About::User => self.user,
            About::Group | About::Members => self.group(),
            About::Configuration => self.configuration,
        }
    }

    /// Who makes the change, as the server stores it: a kind and two ids.
    pub fn origin(&self) -> Vec<u8> {
        [&[1], self.configuration.as_bytes().as_slice(), self.user.as_bytes()].concat()
    }

    /// Which attributes an event says to have changed.
    pub const fn changed(&self) -> &'static str {
        match self.about {
            About::User => "active",
            About::Group => "displayName",
            About::Members => "",
            About::Configuration => "name",
        }
    }

    /// What an event says of the state after it, as long as the server does.
    pub fn state(&self, place: usize) -> String {
        match self.about {
            About::User | About::Group => self.document(),
            About::Members => {
                let members = self.many.chunks(MEMBERS_OF_AN_EVENT).nth(place).unwrap_or_default();
                let sign = if self.more_members > 0 { '+' } else { '-' };
                members.iter().fold(String::new(), |mut text, member| {
                    write!(text, "{sign}u{}", member.simple())
                        .expect("a string takes all that is written to it");
                    text
                })
            }
            About::Configuration => format!(
                "{{\"name\":\"{}\",\"enabled\":true,\"sso\":\"{}\",\"allow_unverified\":false,\
                 \"token_expires_at\":{},\"updated_at\":{}}}",
                self.name(),
                self.configuration,
                self.now,
                self.now
            ),
        }
    }
}
