//! A steady beat, finer than the runtime's timer wheel of 1 ms: for a thread of its own, which the kernel wakes.

use std::{
    num::NonZeroU32,
    thread,
    time::{Duration, Instant},
};

/// Requests per second.
pub type Rate = NonZeroU32;

/// Says, by returning, that a request is due, and when it was. One that the thread was too late for is still due at its
/// own time, so that a stall counts for every request that it delays. It never ends.
#[derive(Debug)]
pub struct Pacer {
    interval: Duration,
    next: Instant,
}

impl Pacer {
    /// Starts to beat: the first request is due at `start`.
    #[must_use]
    pub fn new(rate: Rate, start: Instant) -> Self {
        Self {
            interval: Duration::from_secs(1) / rate.get(),
            next: start,
        }
    }
}

impl Iterator for Pacer {
    type Item = Instant;

    /// Blocks until the next request is due.
    fn next(&mut self) -> Option<Instant> {
        let due = self.next;
        self.next += self.interval;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_caller_gets_every_beat_that_it_missed_at_its_own_time() {
        let rate = Rate::new(1_000).unwrap();
        let long_ago = Instant::now() - Duration::from_secs(1);
        let due: Vec<_> = Pacer::new(rate, long_ago).take(3).collect();
        assert_eq!(due, [0, 1, 2].map(|beat| long_ago + Duration::from_millis(beat)));
    }

    #[test]
    fn no_beat_comes_before_it_is_due() {
        let rate = Rate::new(1_000).unwrap();
        for due in Pacer::new(rate, Instant::now()).take(5) {
            assert!(Instant::now() >= due);
        }
    }
}
