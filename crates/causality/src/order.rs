//! Whether calls leave in the order in which requests became ready to make them.
//!
//! Of the requests that have to make a call, one has waited longest. An event loop, or a pool with a queue, takes that
//! one; threads take any; others the newest. So for each call it is noted by how much the request that made it was ready
//! later than the one that had waited longest, its jump, and how probable that jump would have been had the requests
//! nothing to do with each other. The ratio of both is a factor for the next call.

use crate::event::Nanos;
use crate::shares::{REQUESTS, Shares};

/// Classes of jumps: none; up to 32 µs, 128 µs, 512 µs, …; and last, of no meaning: there was nothing to jump over.
const JUMPS: usize = 10;
const MEANINGLESS: Jump = Jump((JUMPS - 1) as u8);

/// So often, each jump is taken to have happened as often as expected.
const BEFORE: f32 = 4.0;

/// How much rarer than without any order each jump is expected to be in a queue, as if so many had been seen of each.
const QUEUE: [f32; 8] = [1.0, 0.9, 0.7, 0.4, 0.15, 0.05, 0.02, 0.01];
const QUEUED: f32 = 80.0;

/// What was seen counts half once so many calls were.
const FADE_AT: f32 = 1000.0;

/// By how much a request was ready later than the one that had waited longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Jump(u8);

impl Jump {
    /// Of a request that was ready then, over one that was ready at `first`, of so many.
    pub(crate) fn over(since: Nanos, first: Nanos, ready: u32) -> Self {
        if ready < 2 {
            return MEANINGLESS;
        }
        let later = since.saturating_sub(first);
        if later == 0 {
            return Self(0);
        }
        let class = 64_u32.saturating_sub(later.leading_zeros()).saturating_sub(13) / 2;
        Self(
            (class as u8)
                .saturating_add(1)
                .min(MEANINGLESS.0.saturating_sub(1)),
        )
    }

    /// Over nothing.
    pub(crate) fn meaningless() -> Self {
        MEANINGLESS
    }
}

/// Which jump each request would have made with a call, and how probable each jump was without any order.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    jumps: [Jump; REQUESTS],
    expected: [f32; JUMPS],
}

impl Places {
    pub(crate) fn new() -> Self {
        Self {
            jumps: [MEANINGLESS; REQUESTS],
            expected: [0.0; JUMPS],
        }
    }

    /// Where a request stood, most probably.
    pub(crate) fn stood(&mut self, request: usize, jump: Jump) {
        if let Some(place) = self.jumps.get_mut(request) {
            *place = jump;
        }
    }

    /// Adds to how probable a jump was.
    pub(crate) fn expect(&mut self, jump: Jump, share: f64) {
        if let Some(expected) = self.expected.get_mut(usize::from(jump.0)) {
            *expected += share as f32;
        }
    }
}

#[derive(Debug)]
pub(crate) struct Order {
    seen: [f32; JUMPS],
    expected: [f32; JUMPS],
    /// How many times as often as expected each jump was seen, and the logarithm of that.
    odds: [f64; JUMPS],
    factors: [f64; JUMPS],
    calls: f32,
}

impl Order {
    pub(crate) fn new() -> Self {
        Self {
            seen: [0.0; JUMPS],
            expected: [0.0; JUMPS],
            odds: [1.0; JUMPS],
            factors: [0.0; JUMPS],
            calls: 0.0,
        }
    }

    /// That of a queue: what is ready first comes first, but for what a program does between being ready and standing in
    /// it. It is where learning starts from, and unlearned where it is not so.
    pub(crate) fn of_queue() -> Self {
        let mut order = Self::new();
        for (index, seen) in order.seen.iter_mut().enumerate() {
            *seen = QUEUED * QUEUE.get(index).copied().unwrap_or(1.0);
        }
        order.expected = [QUEUED; JUMPS];
        order.weigh();
        order
    }

    /// The factor for a jump.
    pub(crate) fn odds(&self, jump: Jump) -> f64 {
        self.odds.get(usize::from(jump.0)).copied().unwrap_or(1.0)
    }

    /// The logarithm of the factor for a jump.
    pub(crate) fn factor(&self, jump: Jump) -> f64 {
        self.factors.get(usize::from(jump.0)).copied().unwrap_or_default()
    }

    /// A call turned out to be of these requests, with these probabilities.
    pub(crate) fn learn(&mut self, places: &Places, shares: &Shares) {
        let mut seen = [0.0; JUMPS];
        for (jump, share) in places.jumps.iter().zip(&shares.of) {
            if let Some(seen) = seen.get_mut(usize::from(jump.0)) {
                *seen += *share as f32;
            }
        }
        let expected_sum = places.expected.iter().sum::<f32>().max(1e-6);
        self.calls += 1.0;
        let fade = if self.calls > FADE_AT { 0.5 } else { 1.0 };
        self.calls *= fade;
        let sums = self.seen.iter_mut().zip(&mut self.expected);
        for ((sum, expected_so_far), (seen, expected)) in sums.zip(seen.iter().zip(&places.expected)) {
            *sum = (*sum + seen) * fade;
            *expected_so_far = (*expected_so_far + expected / expected_sum) * fade;
        }
        self.weigh();
    }

    fn weigh(&mut self) {
        let sums = self.seen.iter().zip(&self.expected);
        for (odds, (seen, expected)) in self.odds.iter_mut().zip(sums) {
            *odds = f64::from((seen + BEFORE) / (expected + BEFORE));
        }
        if let Some(odds) = self.odds.last_mut() {
            *odds = 1.0;
        }
        self.factors = self.odds.map(f64::ln);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two that stood in these places, as likely as each other.
    fn both(first: Jump, second: Jump) -> Places {
        let mut places = Places::new();
        places.stood(0, first);
        places.stood(1, second);
        places.expect(first, 0.5);
        places.expect(second, 0.5);
        places
    }

    #[test]
    fn what_is_taken_for_a_queue_and_is_none_is_found_out() {
        let mut order = Order::of_queue();
        let first = Jump::over(1_000, 1_000, 2);
        let second = Jump::over(1_000_000, 1_000, 2);
        assert!(order.factor(second) < -1.0);
        for _ in 0..500 {
            let places = both(first, second);
            let mut shares = Shares::nothing();
            shares.add(0, 0.5);
            shares.add(1, 0.5);
            order.learn(&places, &shares);
        }
        assert!(order.factor(second) > -0.5);
    }

    #[test]
    fn where_the_one_that_waited_longest_always_comes_first_the_others_become_improbable() {
        let mut order = Order::new();
        let first = Jump::over(1_000, 1_000, 2);
        let second = Jump::over(1_000_000, 1_000, 2);
        for _ in 0..200 {
            let places = both(first, second);
            let mut shares = Shares::nothing();
            shares.add(0, 1.0);
            order.learn(&places, &shares);
        }
        assert!(order.factor(first) > 0.6);
        assert!(order.factor(second) < -3.0);
        assert!(order.factor(Jump::meaningless()).abs() < f64::EPSILON);
    }
}
