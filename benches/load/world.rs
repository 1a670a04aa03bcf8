//! What is where, and who is asked about next.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::directory::{Directory, Person, Team, id};
use crate::options::Engine;

/// Configurations that are read and changed; the others are there to be deleted.
pub const CHANGED_CONFIGURATIONS: u64 = 1_000;
/// How many draw, each of things of its own.
const SOURCES: u64 = 5;

/// A filled database.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct World {
    pub engine: Engine,
    /// As `scimd --database-url` takes it.
    pub url: String,
    pub directory: Directory,
    /// The configuration that the directory was provisioned through.
    pub configuration: Uuid,
    /// Its token.
    pub token: String,
    /// The organization that it belongs to.
    pub organization: Uuid,
    /// An API key of that organization.
    pub key: String,
    /// How many configurations there are beside it.
    pub spares: u64,
}

/// A configuration beside the one with the directory.
#[derive(Clone, Copy, Debug)]
pub struct Spare(pub u64);

impl Spare {
    pub fn id(self) -> Uuid {
        id(self.0, 1 << 48 | self.0)
    }
}

/// Who draws. What one of them makes or deletes is none of the others'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    Server,
    Sqlx,
    Driver,
    Recorder,
    Memory,
}

/// How far a source has come with what can be used but once.
#[derive(Debug)]
pub struct Counters {
    source: Source,
    made: AtomicU64,
    ended: AtomicU64,
}

impl Counters {
    pub fn new(source: Source) -> Arc<Self> {
        Arc::new(Self { source, made: AtomicU64::new(0), ended: AtomicU64::new(0) })
    }

    /// How many configurations each source may delete.
    pub fn share(world: &World) -> u64 {
        world.spares.saturating_sub(CHANGED_CONFIGURATIONS) / SOURCES
    }
}

/// Draws who is asked about, for one of several that work side by side.
pub struct Draw {
    random: StdRng,
    counters: Arc<Counters>,
    lane: u64,
    lanes: u64,
}

impl Draw {
    /// `lane` of `lanes`; the same `seed` draws the same.
    pub fn new(counters: &Arc<Counters>, seed: u64, lane: u64, lanes: u64) -> Self {
        let random = StdRng::seed_from_u64(seed << 8 | lane);
        Self { random, counters: Arc::clone(counters), lane, lanes }
    }

    /// A number that this source has not had yet.
    pub fn fresh(&mut self) -> u64 {
        self.counters.made.fetch_add(1, Ordering::Relaxed)
    }

    /// Anybody.
    pub fn person(&mut self, directory: &Directory) -> Person {
        Person(self.random.random_range(0..directory.users))
    }

    /// Somebody behind whom there are at least so many.
    pub fn person_before(&mut self, directory: &Directory, count: u64) -> Person {
        Person(self.random.random_range(0..directory.users.saturating_sub(count).max(1)))
    }

    /// Somebody whom no other lane draws.
    pub fn own_person(&mut self, directory: &Directory) -> Person {
        let own = (directory.users / self.lanes).max(1);
        Person(self.random.random_range(0..own) * self.lanes + self.lane)
    }

    /// Somebody who is not there yet.
    pub fn new_person(&mut self, directory: &Directory) -> Person {
        let source = self.counters.source as u64 + 1;
        Person(directory.users + source * 1_000_000_000 + self.fresh())
    }

    /// A group of this size, of those that are changed.
    pub fn team(&mut self, directory: &Directory, size: u64) -> Team {
        Team { size, number: self.random.random_range(0..directory.changed_teams(size)) }
    }

    /// So many that are no members, and that no other lane draws.
    pub fn outsiders(&mut self, directory: &Directory, team: Team, count: u64) -> Vec<Person> {
        let own = (directory.outsiders(team) / self.lanes / count).max(1);
        let place = (self.random.random_range(0..own) * self.lanes + self.lane) * count;
        (0..count).map(|next| directory.outsider(team, place + next)).collect()
    }

    /// A configuration to be read or changed.
    pub fn spare(&mut self) -> Spare {
        Spare(self.random.random_range(0..CHANGED_CONFIGURATIONS))
    }

    /// A configuration to be deleted.
    pub fn doomed(&mut self, world: &World) -> Spare {
        let number = self.counters.ended.fetch_add(1, Ordering::Relaxed);
        Spare(
            CHANGED_CONFIGURATIONS + self.counters.source as u64 * Counters::share(world) + number,
        )
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.random.random()
    }
}
