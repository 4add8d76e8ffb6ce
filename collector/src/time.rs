//! The time in nanoseconds since the Unix epoch, and durations as people write them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use process::config::{DURATION_ALLOWED, parse_duration};

/// The time, in nanoseconds since the Unix epoch.
pub fn now() -> u64 {
    nanos(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// A duration in nanoseconds; one that does not fit becomes the longest that does (584 years).
pub fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
