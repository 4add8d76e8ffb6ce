//! Whether calls leave in the order in which requests became ready to make them.
//!
//! Of the requests that their program has to do something about, one has waited longest. An event loop, or a pool with a
//! queue, takes that one; threads take any; others the newest. So for each call it is noted by how much the request that
//! made it was ready later than the one that had waited longest, and how often that should have happened had the
//! requests had nothing to do with each other. The ratio of both is a factor for the next call.

use crate::event::Nanos;

/// Ready first; ready later by up to 32 µs, 128 µs, 512 µs, …; and last, of no meaning: nothing else was ready, or it
/// was not.
pub(crate) const JUMPS: usize = 10;
const NO_JUMP: u8 = (JUMPS - 1) as u8;

/// So often, each jump is taken to have happened as often as expected.
const BEFORE: f32 = 4.0;

/// What was seen counts half once so many calls were.
const FADE_AT: f32 = 1000.0;

/// By how much a request was ready later than the one that was ready first: a class.
pub(crate) fn jump(since: Nanos, first: Nanos) -> u8 {
    let later = since.saturating_sub(first);
    if later == 0 {
        return 0;
    }
    let class = (64_u32.saturating_sub(later.leading_zeros())).saturating_sub(13) / 2;
    (class as u8).saturating_add(1).min(NO_JUMP.saturating_sub(1))
}

/// The class of what cannot be compared.
pub(crate) const fn none() -> u8 {
    NO_JUMP
}

#[derive(Debug, Default)]
pub(crate) struct Order {
    seen: [f32; JUMPS],
    expected: [f32; JUMPS],
    factors: [f64; JUMPS],
    calls: f32,
}

impl Order {
    /// The logarithm of the factor for a request that would make this jump.
    pub(crate) fn factor(&self, jump: u8) -> f64 {
        self.factors.get(usize::from(jump)).copied().unwrap_or_default()
    }

    /// How probable each jump has turned out to be, of one call, and how probable it was without any order.
    pub(crate) fn learn(&mut self, seen: &[f32; JUMPS], expected: &[f32; JUMPS]) {
        self.calls += 1.0;
        let fade = if self.calls > FADE_AT { 0.5 } else { 1.0 };
        self.calls *= fade;
        let sums = self
            .seen
            .iter_mut()
            .zip(&mut self.expected)
            .zip(&mut self.factors);
        for (((sum, expected_sum), factor), (seen, expected)) in sums.zip(seen.iter().zip(expected)) {
            *sum = (*sum + seen) * fade;
            *expected_sum = (*expected_sum + expected) * fade;
            *factor = f64::from((*sum + BEFORE) / (*expected_sum + BEFORE)).ln();
        }
        if let Some(factor) = self.factors.last_mut() {
            *factor = 0.0;
        }
    }
}
