//! Time and randomness, as arguments.
//!
//! Everything that needs an instant, an id or a secret takes it from a
//! [`Clock`] or a [`Random`], so that tests can say what they get. This is the
//! only room that asks the operating system for either.

use std::sync::{
    LazyLock, Mutex,
    atomic::{AtomicI64, Ordering},
};
use std::time::{Duration, SystemTime};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::model::Instant;

/// Says what time it is.
pub trait Clock: Send + Sync + 'static {
    /// The present instant, cut to microseconds.
    fn now(&self) -> Instant;

    /// How long it has been since some moment in the past. Unlike
    /// [`Clock::now`] it goes on evenly, also when somebody sets the time.
    fn elapsed(&self) -> Duration;
}

/// Gives random bytes fit for secrets.
pub trait Random: Send + Sync + 'static {
    /// Fills all of `bytes`.
    fn fill(&self, bytes: &mut [u8]);

    /// What makes an id unlike all others of its millisecond.
    fn id_bytes(&self) -> [u8; 10] {
        let mut bytes = [0; 10];
        self.fill(&mut bytes);
        bytes
    }
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the room that may read the clock")]
    fn now(&self) -> Instant {
        Instant::from(SystemTime::now())
    }

    fn elapsed(&self) -> Duration {
        static BEGUN: LazyLock<std::time::Instant> = LazyLock::new(std::time::Instant::now);
        BEGUN.elapsed()
    }
}

/// A clock that moves only when told to.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that stands at `instant`.
    #[must_use]
    pub fn at(instant: Instant) -> Self {
        Self(AtomicI64::new(instant.as_micros()))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let now = self.now().saturating_add(by);
        self.0.store(now.as_micros(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        Instant::from_micros(self.0.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.now().as_micros()).unwrap_or(0))
    }
}

/// A generator for secrets, one for each thread, which the operating system's
/// seeds now and then: every request has an id, and a system call for each would
/// cost more than the id.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "this is the room that may be random")]
    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }
}

/// A generator whose whole output follows from its seed. For tests.
#[derive(Debug)]
pub struct SeededRandom(Mutex<StdRng>);

impl SeededRandom {
    /// A generator that always gives the same bytes for the same `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        let mut generator = self.0.lock().expect("filling bytes does not panic");
        generator.fill_bytes(bytes);
    }
}
