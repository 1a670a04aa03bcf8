//! When to say that a token ends soon.

use std::time::Duration;

use super::Instant;

/// How many days before its end a token is told of, and at its end.
const DAYS: [u32; 5] = [30, 14, 7, 1, 0];

/// The first notice after `now` of a token that ends at `end`.
#[must_use]
pub fn next_token_notice(end: Instant, now: Instant) -> Option<Instant> {
    DAYS.into_iter().map(|days| before(end, days)).find(|at| *at > now)
}

/// How many days the latest notice says that should have been given by `now`;
/// 0: the token has ended. One that was missed while nobody looked is not
/// given: it would say what is no longer so.
#[must_use]
pub fn token_days_left(end: Instant, now: Instant) -> Option<u32> {
    DAYS.into_iter().rfind(|days| before(end, *days) <= now)
}

fn before(end: Instant, days: u32) -> Instant {
    end.saturating_sub(Duration::from_hours(24) * days)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;

    #[test]
    fn notices_come_30_14_7_and_1_days_before_the_end_and_at_the_end() {
        let end = Instant::from_micros(100 * DAY);
        let mut now = Instant::from_micros(0);
        let mut told = Vec::new();
        while let Some(next) = next_token_notice(end, now) {
            now = next;
            told.push((now.as_micros() / DAY, token_days_left(end, now)));
        }
        assert_eq!(
            told,
            [(70, Some(30)), (86, Some(14)), (93, Some(7)), (99, Some(1)), (100, Some(0))]
        );
        assert_eq!(token_days_left(end, Instant::from_micros(70 * DAY - 1)), None);
        assert_eq!(token_days_left(end, Instant::from_micros(98 * DAY)), Some(7));
    }
}
