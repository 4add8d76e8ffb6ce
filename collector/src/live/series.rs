//! What is counted under one key: the last quarter of an hour in steps of ten seconds, the last hour in minutes, and
//! all of it since the start.

use std::collections::VecDeque;
use std::ops::Range;

use span::TraceId;

use super::histogram::Histogram;

const SECOND: u64 = 1_000_000_000;
/// The finer steps, and how many are kept.
const FINE: (u64, usize) = (10 * SECOND, 90);
/// The coarser steps, and how many are kept.
const COARSE: (u64, usize) = (60 * SECOND, 60);
/// The longest time that is counted, in nanoseconds.
pub const SPAN: u64 = COARSE.0 * COARSE.1 as u64;
/// Bounds of the buckets for Prometheus, in nanoseconds.
pub(super) const BUCKETS: [u64; 12] = [
    1_000_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// One call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) duration: u64,
    pub(super) error: bool,
    pub(super) trace_id: TraceId,
}

/// Calls counted together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many.
    pub calls: u64,
    /// How many of them failed.
    pub errors: u64,
    /// Nanoseconds, all together.
    pub time: u64,
    /// The trace of the slowest one, and how long that took.
    pub slowest: Option<(u64, TraceId)>,
    /// The trace of the last one that failed.
    pub failed: Option<TraceId>,
    durations: Histogram,
}

impl Totals {
    pub(super) fn add(&mut self, call: &Call) {
        self.calls += 1;
        self.time = self.time.saturating_add(call.duration);
        self.durations.add(call.duration);
        if self.slowest.is_none_or(|(slowest, _)| slowest <= call.duration) {
            self.slowest = Some((call.duration, call.trace_id));
        }
        if call.error {
            self.errors += 1;
            self.failed = Some(call.trace_id);
        }
    }

    /// Everything that others, which are later, have counted.
    pub fn merge(&mut self, later: &Self) {
        self.calls += later.calls;
        self.errors += later.errors;
        self.time = self.time.saturating_add(later.time);
        self.slowest = self.slowest.max(later.slowest);
        self.failed = later.failed.or(self.failed);
        self.durations.merge(&later.durations);
    }

    /// The duration that so large a part of them took at most, in nanoseconds, to a few percent.
    pub fn quantile(&self, part: f64) -> Option<u64> {
        self.durations.quantile(part)
    }

    /// The share that failed.
    pub fn error_ratio(&self) -> f64 {
        if self.calls == 0 {
            return 0.0;
        }
        self.errors as f64 / self.calls as f64
    }
}

/// What was counted in each of some equal steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Points {
    /// When the first one begins, in nanoseconds since the Unix epoch.
    pub start: u64,
    /// How long one is, in nanoseconds.
    pub step: u64,
    /// One for each.
    pub totals: Vec<Totals>,
}

/// Steps of equal length, the latest at the end; those without anything are left out.
#[derive(Debug)]
pub(super) struct Ring<T> {
    step: u64,
    keep: usize,
    slots: VecDeque<(u64, T)>,
}

impl<T: Default> Ring<T> {
    pub(super) fn new((step, keep): (u64, usize)) -> Self {
        Self {
            step,
            keep,
            slots: VecDeque::new(),
        }
    }

    pub(super) fn coarse() -> Self {
        Self::new(COARSE)
    }

    /// What is counted now. A clock that goes back counts in the latest step.
    pub(super) fn at(&mut self, now: u64) -> Option<&mut T> {
        let number = now / self.step;
        if self.slots.back().is_none_or(|(latest, _)| *latest < number) {
            self.slots.push_back((number, T::default()));
            let oldest = (number + 1).saturating_sub(self.keep as u64);
            while self.slots.front().is_some_and(|(first, _)| *first < oldest) {
                self.slots.pop_front();
            }
        }
        self.slots.back_mut().map(|(_, slot)| slot)
    }

    /// The steps that begin within a window, each with when it does.
    pub(super) fn within(&self, window: &Range<u64>) -> impl Iterator<Item = (u64, &T)> {
        let slots = self.slots.iter().map(|(number, slot)| (number * self.step, slot));
        let first = window.start / self.step * self.step;
        slots.filter(move |(start, _)| (first..window.end).contains(start))
    }
}

/// All that is counted under one key.
#[derive(Debug)]
pub(super) struct Series {
    fine: Ring<Totals>,
    coarse: Ring<Totals>,
    pub(super) ever: Ever,
    pub(super) last: u64,
}

/// What was counted since the start, for Prometheus.
#[derive(Clone, Debug, Default)]
pub(super) struct Ever {
    pub(super) calls: u64,
    pub(super) errors: u64,
    pub(super) time: u64,
    /// Those that took at most as long as each of [`BUCKETS`], without those of the one before.
    pub(super) buckets: [u64; BUCKETS.len()],
}

impl Default for Series {
    fn default() -> Self {
        Self {
            fine: Ring::new(FINE),
            coarse: Ring::new(COARSE),
            ever: Ever::default(),
            last: 0,
        }
    }
}

impl Series {
    pub(super) fn add(&mut self, call: &Call, now: u64) {
        for ring in [&mut self.fine, &mut self.coarse] {
            if let Some(totals) = ring.at(now) {
                totals.add(call);
            }
        }
        self.ever.calls += 1;
        self.ever.errors += u64::from(call.error);
        self.ever.time = self.ever.time.saturating_add(call.duration);
        let bucket = BUCKETS.iter().position(|bound| call.duration <= *bound);
        if let Some(count) = bucket.and_then(|bucket| self.ever.buckets.get_mut(bucket)) {
            *count += 1;
        }
        self.last = self.last.max(now);
    }

    /// What was counted in a window, at `now`.
    pub(super) fn totals(&self, window: &Range<u64>, now: u64) -> Totals {
        let mut totals = Totals::default();
        for (_, slot) in self.ring(window, now).within(window) {
            totals.merge(slot);
        }
        totals
    }

    /// The same in steps.
    pub(super) fn points(&self, window: &Range<u64>, now: u64) -> Points {
        let ring = self.ring(window, now);
        let start = window.start / ring.step * ring.step;
        let count = window.end.saturating_sub(start).div_ceil(ring.step);
        let mut totals = vec![Totals::default(); usize::try_from(count).unwrap_or(0)];
        for (begins, slot) in ring.within(window) {
            let place = usize::try_from((begins - start) / ring.step).unwrap_or(usize::MAX);
            if let Some(totals) = totals.get_mut(place) {
                totals.merge(slot);
            }
        }
        Points {
            start,
            step: ring.step,
            totals,
        }
    }

    fn ring(&self, window: &Range<u64>, now: u64) -> &Ring<Totals> {
        let fine_since = now.saturating_sub(FINE.0 * FINE.1 as u64);
        if window.start >= fine_since {
            &self.fine
        } else {
            &self.coarse
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{START, trace_id};

    fn call(millis: u64, error: bool, trace: u64) -> Call {
        Call {
            duration: millis * 1_000_000,
            error,
            trace_id: trace_id(trace),
        }
    }

    #[test]
    fn a_window_counts_what_began_in_it() {
        let mut series = Series::default();
        // the beginning of a minute, and so of a step
        let start = START / COARSE.0 * COARSE.0;
        for second in 0..120 {
            series.add(
                &call(second + 1, second == 7, second + 1),
                start + second * SECOND,
            );
        }
        let now = start + 120 * SECOND;
        let totals = series.totals(&(start..now), now);
        assert_eq!((totals.calls, totals.errors), (120, 1));
        assert_eq!(totals.slowest.unwrap().1, trace_id(120));
        assert_eq!(totals.failed, Some(trace_id(8)));
        let median = totals.quantile(0.5).unwrap() as f64 / 1e6;
        assert!((58.0..62.0).contains(&median), "{median}");
        let last = now - 30 * SECOND..now;
        assert_eq!(series.totals(&last, now).calls, 30);
        let points = series.points(&last, now);
        assert_eq!((points.start, points.step), (last.start, FINE.0));
        let calls: Vec<_> = points.totals.iter().map(|totals| totals.calls).collect();
        assert_eq!(calls, [10, 10, 10]);
    }

    #[test]
    fn an_hour_is_kept_in_minutes_and_no_more() {
        let mut series = Series::default();
        for minute in 0..180 {
            series.add(&call(1, false, 1), START + minute * COARSE.0);
        }
        let now = START + 180 * COARSE.0;
        assert_eq!(series.totals(&(now - SPAN + COARSE.0..now), now).calls, 59);
        assert_eq!(series.totals(&(0..now), now).calls, 60);
        assert!(series.fine.slots.len() <= FINE.1);
        assert_eq!(series.ever.calls, 180);
    }

    #[test]
    fn a_clock_that_goes_back_loses_nothing() {
        let mut series = Series::default();
        series.add(&call(1, false, 1), START + COARSE.0);
        series.add(&call(1, false, 1), START);
        let now = START + 2 * COARSE.0;
        assert_eq!(series.totals(&(START..now), now).calls, 2);
    }
}
