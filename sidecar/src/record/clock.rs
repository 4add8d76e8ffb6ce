//! Moments as plain numbers, and wall-clock time at the price of the monotonic clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

/// How long the two clocks are taken to run alike before they are compared again, in nanoseconds.
const TRUSTED: u64 = 1_000_000_000;

/// A moment by the clock that never goes back.
///
/// The same as an `Instant`, but in nanoseconds: a request is compared with half a dozen moments, and seconds and
/// nanoseconds that are carried into each other every time add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(u64);

impl Moment {
    #[inline]
    pub(super) fn now() -> Self {
        // a kernel without this clock does not run
        clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Self(0), |time| {
            Self(time.tv_sec().cast_unsigned() * 1_000_000_000 + time.tv_nsec().cast_unsigned())
        })
    }

    /// Nanoseconds since `earlier`; none if that is later.
    #[inline]
    pub(super) fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// So many nanoseconds later.
    #[cfg(test)]
    pub(super) fn after(self, nanos: u64) -> Self {
        Self(self.0 + nanos)
    }
}

/// Says what the wall clock shows at a moment that was read anyway.
#[derive(Debug)]
pub(super) struct Clock {
    compared: Moment,
    /// Nanoseconds since 1970 at that moment.
    unix_nanos: u64,
}

impl Clock {
    /// Compares the clocks for the first time.
    pub(super) fn new() -> Self {
        let (compared, unix_nanos) = (Moment::now(), unix_nanos(SystemTime::now()));
        Self { compared, unix_nanos }
    }

    /// Nanoseconds since 1970 at `moment`, which is now or a little ago.
    pub(super) fn unix_nanos(&mut self, moment: Moment) -> u64 {
        let mut since = moment.since(self.compared);
        if since > TRUSTED {
            *self = Self::new();
            since = moment.since(self.compared);
        }
        self.unix_nanos.saturating_add(since)
    }
}

/// A duration in nanoseconds.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds since 1970, by the wall clock.
pub(super) fn unix_nanos(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_agrees_with_the_wall_clock() {
        let mut clock = Clock::new();
        let (told, shown) = (clock.unix_nanos(Moment::now()), unix_nanos(SystemTime::now()));
        assert!(shown.abs_diff(told) < 1_000_000_000, "{told} and {shown}");
        let later = clock.unix_nanos(Moment::now().after(900_000_000));
        assert!(later > told);
    }
}
