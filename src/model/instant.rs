//! Points in time.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::fmt::StdFmtWrite;
use jiff::fmt::temporal::DateTimePrinter;

/// A point in time: microseconds since 1970-01-01T00:00:00Z, leap seconds not
/// counted.
///
/// Both database engines store this number, so what is read back is what was
/// written, to the last digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(i64);

impl Instant {
    /// The instant so many microseconds after the epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the epoch; zero before it.
    #[must_use]
    pub fn as_unix_millis(self) -> u64 {
        u64::try_from(self.0.div_euclid(1_000)).unwrap_or(0)
    }

    /// Whole seconds since the epoch, and the nanoseconds that follow them.
    #[must_use]
    pub fn as_seconds_and_nanos(self) -> (i64, i32) {
        let nanos = i32::try_from(self.0.rem_euclid(1_000_000) * 1_000)
            .expect("less than a million microseconds are less than a billion nanoseconds");
        (self.0.div_euclid(1_000_000), nanos)
    }

    /// The instant `by` later, cut to microseconds, or the last one there is.
    #[must_use]
    pub fn saturating_add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The instant `by` earlier, or the first one there is.
    #[must_use]
    pub fn saturating_sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl From<SystemTime> for Instant {
    fn from(time: SystemTime) -> Self {
        let micros = |distance: Duration| i64::try_from(distance.as_micros()).unwrap_or(i64::MAX);
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self(micros(after)),
            Err(before) => Self(-micros(before.duration())),
        }
    }
}

const RFC_3339: DateTimePrinter = DateTimePrinter::new().precision(Some(6));

/// Writes RFC 3339 in UTC with six digits: `2026-11-23T20:15:00.000000Z`. What is
/// before 1970 is written as its beginning, and what is too late for jiff, in the last 26
/// hours of 9999, as the last instant that is not.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        RFC_3339.print_timestamp(&self.timestamp(), StdFmtWrite(f)).map_err(|_| fmt::Error)
    }
}

impl Instant {
    /// Writes the same behind what `text` has already, without a formatter.
    pub fn write(self, text: &mut Vec<u8>) {
        let written = RFC_3339.print_timestamp(&self.timestamp(), text);
        written.expect("memory takes all that is written to it");
    }

    fn timestamp(self) -> Timestamp {
        Timestamp::from_microsecond(self.0.max(0)).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_written_in_utc_with_six_digits() {
        let instant = Instant::from_micros(1_795_464_900_000_120);
        assert_eq!(instant.to_string(), "2026-11-23T20:15:00.000120Z");
        let mut text = b"at ".to_vec();
        instant.write(&mut text);
        assert_eq!(text, b"at 2026-11-23T20:15:00.000120Z");
    }

    #[test]
    fn an_instant_beyond_the_year_9999_is_written_as_near_its_end() {
        assert_eq!(Instant::from_micros(i64::MAX).to_string(), "9999-12-30T22:00:00.999999Z");
    }

    #[test]
    fn an_instant_before_the_epoch_is_written_as_its_beginning() {
        assert_eq!(Instant::from_micros(-1).to_string(), "1970-01-01T00:00:00.000000Z");
    }

    #[test]
    fn an_instant_before_the_epoch_keeps_nanoseconds_positive() {
        assert_eq!(Instant::from_micros(-1).as_seconds_and_nanos(), (-1, 999_999_000));
    }

    #[test]
    fn what_the_system_clock_gives_beyond_microseconds_is_cut_off() {
        let time = UNIX_EPOCH + Duration::from_nanos(1_999);
        assert_eq!(Instant::from(time), Instant::from_micros(1));
    }
}
