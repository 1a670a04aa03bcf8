//! The directory that every run is about: who is in it follows from a number,
//! so that whoever needs somebody's id, document or groups computes it.

use serde::{Deserialize, Serialize};
use uuid::{Builder, Uuid};

/// 2026-01-01T00:00:00Z, when the first of them was provisioned.
pub const BEGINNING: u64 = 1_767_225_600_000;
/// Groups that are changed, of each size: as many as there are of the largest.
const CHANGED: u64 = 10;

const GIVEN: [&str; 16] = [
    "Ava", "Noah", "Mia", "Liam", "Zoe", "Elias", "Ines", "Jonas", "Lena", "Marco", "Nora", "Omar",
    "Priya", "Ravi", "Sofia", "Tomas",
];
const FAMILY: [&str; 16] = [
    "Andersson",
    "Bauer",
    "Costa",
    "Dubois",
    "Eriksen",
    "Fischer",
    "Garcia",
    "Haddad",
    "Ivanov",
    "Jansen",
    "Kowalski",
    "Lehmann",
    "Martin",
    "Novak",
    "Okafor",
    "Petrov",
];
const DEPARTMENTS: [&str; 8] = [
    "Engineering",
    "Finance",
    "Human Resources",
    "Legal",
    "Marketing",
    "Operations",
    "Sales",
    "Support",
];

/// How large it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    pub users: u64,
    /// Sizes of groups, the smallest first.
    pub groups: Vec<u64>,
}

/// A user, by number.
#[derive(Clone, Copy, Debug)]
pub struct Person(pub u64);

/// A group: how many members it has, and which one of these it is.
#[derive(Clone, Copy, Debug)]
pub struct Team {
    pub size: u64,
    pub number: u64,
}

/// An id as the server would have made it then, but for chance.
pub fn id(milliseconds: u64, rest: u64) -> Uuid {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&rest.to_be_bytes());
    Builder::from_unix_timestamp_millis(BEGINNING + milliseconds, &random).into_uuid()
}

/// The instant, in microseconds since 1970, of somebody with such an id.
pub fn instant(milliseconds: u64) -> i64 {
    i64::try_from((BEGINNING + milliseconds) * 1_000).expect("an instant of this century")
}

impl Directory {
    /// How many groups there are of a size: a tenth of the users are in one of
    /// the smallest, and everybody is in one of the largest, if there are so many.
    pub fn teams(&self, size: u64) -> u64 {
        if Some(&size) == self.groups.first() {
            (self.users / 10 / size).max(CHANGED)
        } else {
            (self.users / size).clamp(1, CHANGED)
        }
    }

    /// Every group.
    pub fn all_teams(&self) -> impl Iterator<Item = Team> + '_ {
        let of_size = |size: u64| (0..self.teams(size)).map(move |number| Team { size, number });
        self.groups.iter().copied().flat_map(of_size)
    }

    /// Those that the benchmark changes, of one size.
    pub fn changed_teams(&self, size: u64) -> u64 {
        self.teams(size).min(CHANGED)
    }

    /// The sizes of groups that can gain as many members.
    pub fn sizes_with_room(&self, members: u64) -> impl Iterator<Item = u64> + '_ {
        self.groups.iter().copied().filter(move |size| size + members <= self.users)
    }

    /// The numbers of a group's members.
    pub fn members(&self, team: Team) -> impl Iterator<Item = Person> + use<> {
        let (users, first) = (self.users, team.number * team.size);
        (0..team.size.min(users)).map(move |place| Person((first + place) % users))
    }

    /// How many are no members of such a group.
    pub fn outsiders(&self, team: Team) -> u64 {
        self.users - team.size
    }

    /// One of those who are no members.
    pub fn outsider(&self, team: Team, place: u64) -> Person {
        Person(((team.number + 1) * team.size + place) % self.users)
    }
}

impl Person {
    pub fn id(self) -> Uuid {
        id(self.0, self.0)
    }

    /// The id of the account that was made with this user.
    pub fn account(self) -> Uuid {
        id(self.0, 1 << 49 | self.0)
    }

    pub fn created_at(self) -> i64 {
        instant(self.0)
    }

    fn given(self) -> &'static str {
        GIVEN[self.part(16)]
    }

    fn family(self) -> &'static str {
        FAMILY[self.part(256) / 16]
    }

    fn part(self, of: u64) -> usize {
        usize::try_from(self.0 % of).expect("a small number")
    }

    pub fn user_name(self) -> String {
        let (given, family) = (self.given().to_lowercase(), self.family().to_lowercase());
        format!("{given}.{family}.{:010}@example.com", self.0)
    }

    /// As Okta makes them; without order, as hers are.
    pub fn external_id(self) -> String {
        format!("00u{:016x}x", self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    pub fn display_name(self) -> String {
        format!("{} {}", self.given(), self.family())
    }

    pub fn emails(self) -> [String; 2] {
        [
            self.user_name(),
            format!("{}.{:010}@home.example.net", self.given().to_lowercase(), self.0),
        ]
    }

    /// What an identity provider sends to provision this user, and the server stores.
    pub fn document(self, active: bool) -> String {
        let Self(number) = self;
        let (given, family, [work, home]) = (self.given(), self.family(), self.emails());
        let department = DEPARTMENTS[self.part(8)];
        let (external, manager) = (self.external_id(), Self(number / 10).id());
        format!(
            "{{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:User\",\
             \"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User\"],\
             \"userName\":\"{work}\",\"externalId\":\"{external}\",\
             \"name\":{{\"formatted\":\"{given} {family}\",\"familyName\":\"{family}\",\
             \"givenName\":\"{given}\"}},\"displayName\":\"{given} {family}\",\
             \"title\":\"Senior Associate, {department}\",\"userType\":\"Employee\",\
             \"preferredLanguage\":\"en-US\",\"locale\":\"en-US\",\"timezone\":\"Europe/Berlin\",\
             \"active\":{active},\
             \"emails\":[{{\"value\":\"{work}\",\"type\":\"work\",\"primary\":true}},\
             {{\"value\":\"{home}\",\"type\":\"home\"}}],\
             \"phoneNumbers\":[{{\"value\":\"+49 30 {number:010}\",\"type\":\"work\"}}],\
             \"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User\":{{\
             \"employeeNumber\":\"{number:010}\",\"costCenter\":\"{cost:04}\",\
             \"organization\":\"Example\",\"division\":\"EMEA\",\"department\":\"{department}\",\
             \"manager\":{{\"value\":\"{manager}\"}}}}}}",
            cost = number % 10_000,
        )
    }
}

impl Team {
    pub fn id(self) -> Uuid {
        id(self.number, self.size << 32 | self.number)
    }

    pub fn created_at(self) -> i64 {
        instant(self.number)
    }

    /// Its name; `revision` makes another one of it.
    pub fn display_name(self, revision: u64) -> String {
        format!("Team {:07} of {:07}, revision {revision:010}", self.number, self.size)
    }

    pub fn external_id(self) -> String {
        format!("00g{:08x}{:08x}", self.size, self.number)
    }

    /// The document as the server stores it.
    pub fn document(self, revision: u64) -> String {
        let (name, external) = (self.display_name(revision), self.external_id());
        format!(
            "{{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:Group\"],\
             \"displayName\":\"{name}\",\"externalId\":\"{external}\"}}"
        )
    }
}
