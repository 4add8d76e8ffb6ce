//! The null model: how many calls of each kind are made without any request, by timers, refreshes and retries.
//!
//! Calls that leave while nothing is in flight are such calls for certain. Those that the hypotheses give no parent count
//! by their share. From both comes the rate against which every request has to prove itself. Exactness asks for more: for
//! an upper bound on the share of background calls among those that leave while exactly one request is in flight.

use crate::event::{Callee, Nanos};
use crate::hash::Map;

/// The most kinds of calls that are told apart; all further ones are taken together.
const CALLEES_MAX: usize = 1024;

/// What is assumed before anything was seen: so many background calls of a kind…
const CALLS_BEFORE: f64 = 0.3;
/// … or so many against the only request in flight, as long as no call at all was made without one: most programs make
/// none…
const CALLS_BEFORE_ANY: f64 = 0.03;
/// … in so long.
const TIME_BEFORE: f64 = 10e9;

/// After so long, all that was seen counts half.
const FADE_AT: f64 = 3600e9;

/// The largest share of background calls with which the only request in flight is an exact cause.
const RARE: f64 = 0.001;

/// How many calls more than were seen there may have been, had we been unlucky once in twenty times.
const UNLUCKY: f64 = 3.0;

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    idle: f64,
    single: f64,
    /// Without a parent, while requests were in flight.
    orphans: f64,
}

/// How much time went by with so many requests in flight.
#[derive(Debug, Default)]
pub(crate) struct Background {
    callees: Map<u64, Seen>,
    /// Whether any call was made without a request.
    any: bool,
    idle: f64,
    single: f64,
    all: f64,
    last: Nanos,
}

impl Background {
    /// So many requests have been in flight until now.
    pub(crate) fn pass(&mut self, now: Nanos, in_flight: usize) {
        if self.last != 0 {
            let time = now.saturating_sub(self.last) as f64;
            self.all += time;
            match in_flight {
                0 => self.idle += time,
                1 => self.single += time,
                _ => {}
            }
        }
        self.last = self.last.max(now);
        if self.all > FADE_AT {
            self.fade();
        }
    }

    /// A call left.
    pub(crate) fn called(&mut self, callee: Callee, in_flight: usize) {
        self.any |= in_flight == 0;
        let seen = self.entry(callee);
        match in_flight {
            0 => seen.idle += 1.0,
            1 => seen.single += 1.0,
            _ => {}
        }
    }

    /// A call that left while requests were in flight had no parent, with this probability.
    pub(crate) fn orphan(&mut self, callee: Callee, probability: f64) {
        self.entry(callee).orphans += probability;
    }

    /// Background calls of a kind for each nanosecond, to be held against so many requests in flight.
    pub(crate) fn rate(&self, callee: Callee, in_flight: usize) -> f64 {
        let seen = self.seen(callee);
        let before = if self.any || in_flight > 1 {
            CALLS_BEFORE
        } else {
            CALLS_BEFORE_ANY
        };
        (seen.idle + seen.orphans + before) / (self.all + TIME_BEFORE)
    }

    /// Whether calls of this kind that leave while one request is in flight are almost never background calls.
    pub(crate) fn is_rare(&self, callee: Callee) -> bool {
        let seen = self.seen(callee);
        let at_most = (seen.idle + UNLUCKY) / self.idle.max(1.0);
        let all = seen.single / self.single.max(1.0);
        at_most < RARE * all
    }

    fn seen(&self, callee: Callee) -> Seen {
        self.callees.get(&self.key(callee)).copied().unwrap_or_default()
    }

    fn entry(&mut self, callee: Callee) -> &mut Seen {
        self.callees.entry(self.key(callee)).or_default()
    }

    fn key(&self, callee: Callee) -> u64 {
        if self.callees.len() < CALLEES_MAX || self.callees.contains_key(&callee.0) {
            callee.0
        } else {
            0
        }
    }

    fn fade(&mut self) {
        self.idle *= 0.5;
        self.single *= 0.5;
        self.all *= 0.5;
        self.callees.retain(|_, seen| {
            seen.idle *= 0.5;
            seen.single *= 0.5;
            seen.orphans *= 0.5;
            seen.idle + seen.single + seen.orphans > 0.01
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Nanos = 1_000_000_000;

    /// Ten seconds of requests, one at a time, each with a call, and between them calls of a timer, if there is one.
    fn a_while(background: &mut Background, from: Nanos, timer: bool) {
        for second in 0..10 {
            let now = from + second * SECOND;
            background.pass(now, 0);
            background.pass(now + SECOND / 10, 1);
            background.called(Callee(1), 1);
            if timer {
                background.called(Callee(1), 0);
            }
        }
    }

    #[test]
    fn calls_are_rare_without_a_request_only_once_enough_time_went_by_without_one() {
        let mut background = Background::default();
        background.pass(1, 0);
        a_while(&mut background, SECOND, false);
        assert!(!background.is_rare(Callee(1)));
        for while_ in 1..100 {
            a_while(&mut background, (1 + 10 * while_) * SECOND, false);
        }
        assert!(background.is_rare(Callee(1)));
        assert!(!background.is_rare(Callee(2)));
    }

    #[test]
    fn a_timer_makes_them_common() {
        let mut background = Background::default();
        for while_ in 0..100 {
            a_while(&mut background, (1 + 10 * while_) * SECOND, true);
        }
        assert!(!background.is_rare(Callee(1)));
        assert!(background.rate(Callee(1), 1) > 100.0 * background.rate(Callee(2), 1));
    }
}
