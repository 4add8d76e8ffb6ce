//! Wall-clock time at the price of the monotonic clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long the two clocks are taken to run alike before they are compared again.
const TRUSTED: Duration = Duration::from_secs(1);

/// Says what the wall clock shows at an instant that was read anyway.
#[derive(Debug)]
pub(super) struct Clock {
    compared: Instant,
    /// Nanoseconds since 1970 at that instant.
    unix_nanos: u64,
}

impl Clock {
    /// Compares the clocks for the first time.
    pub(super) fn new() -> Self {
        let (compared, unix_nanos) = (Instant::now(), unix_nanos(SystemTime::now()));
        Self { compared, unix_nanos }
    }

    /// Nanoseconds since 1970 at `instant`, which is now or a moment ago.
    pub(super) fn unix_nanos(&mut self, instant: Instant) -> u64 {
        let mut since = instant.saturating_duration_since(self.compared);
        if since > TRUSTED {
            *self = Self::new();
            since = instant.saturating_duration_since(self.compared);
        }
        self.unix_nanos.saturating_add(nanos(since))
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
        let (told, shown) = (clock.unix_nanos(Instant::now()), unix_nanos(SystemTime::now()));
        assert!(shown.abs_diff(told) < 1_000_000_000, "{told} and {shown}");
        let later = clock.unix_nanos(Instant::now() + Duration::from_millis(900));
        assert!(later > told);
    }
}
