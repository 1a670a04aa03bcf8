//! How many requests a configuration may make. Each process counts for itself:
//! the limit is there so that one tenant leaves room for the others, and not to
//! be exact.

use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use super::error::Error;
use crate::clock::Clock;
use crate::model::ConfigurationId;

/// A limit for each configuration. Cheap to clone.
#[derive(Clone)]
pub struct RateLimit(Option<Arc<Counted>>);

struct Counted {
    per_second: u32,
    spent: RateLimiter<
        ConfigurationId,
        HashMapStateStore<ConfigurationId>,
        Ticks,
        NoOpMiddleware<Nanos>,
    >,
}

impl RateLimit {
    /// So many requests in a second, at once or one after the other; with 0 any
    /// number.
    #[must_use]
    pub fn new(per_second: u32, clock: Arc<dyn Clock>) -> Self {
        let counted = NonZeroU32::new(per_second).map(|limit| {
            let spent = RateLimiter::hashmap_with_clock(Quota::per_second(limit), Ticks(clock));
            Arc::new(Counted { per_second, spent })
        });
        Self(counted)
    }

    /// Takes note of a request, or refuses it.
    ///
    /// To be asked of configurations that exist only, or else whoever makes up
    /// ids fills the memory.
    pub(super) fn check(&self, configuration: ConfigurationId) -> Result<(), Error> {
        let Some(counted) = &self.0 else { return Ok(()) };
        counted
            .spent
            .check_key(&configuration)
            .map_err(|_| Error::TooManyRequests(counted.per_second))
    }

    /// Forgets those that have made no request for so long that it makes no
    /// difference. Without this, memory would grow with every configuration that
    /// there ever was.
    pub fn forget_idle(&self) {
        if let Some(counted) = &self.0 {
            counted.spent.retain_recent();
            counted.spent.shrink_to_fit();
        }
    }
}

/// Our clock, as governor wants one.
#[derive(Clone)]
struct Ticks(Arc<dyn Clock>);

impl clock::Clock for Ticks {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.elapsed().into()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::ManualClock;
    use crate::model::Instant;

    #[test]
    fn whoever_makes_no_more_requests_is_forgotten() {
        let clock = Arc::new(ManualClock::at(Instant::from_micros(1_795_464_900_000_000)));
        let limit = RateLimit::new(2, clock.clone());
        let [one, other] = [1, 2].map(|id| uuid::Uuid::from_u128(id).into());
        let remembered = || limit.0.as_ref().unwrap().spent.len();
        for id in [one, one, other] {
            limit.check(id).unwrap();
        }
        limit.forget_idle();
        assert_eq!(remembered(), 2);
        clock.advance(Duration::from_secs(2));
        limit.check(one).unwrap();
        limit.forget_idle();
        assert_eq!(remembered(), 1);
        limit.check(one).unwrap();
        assert!(limit.check(one).is_err(), "what it has spent is not forgotten");
    }
}
