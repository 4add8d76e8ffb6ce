//! Which traces are kept: decided once, from the trace id, the same in every process.

use std::fmt;
use std::str::FromStr;

use crate::TraceId;

/// The randomness that a decision looks at: the right-most 56 bits of the trace id.
const RANDOMNESS: u64 = 1 << 56;

/// The share of all traces that is kept, 0 to 1.
///
/// OpenTelemetry's consistent probability sampling ("TraceState: Probability Sampling"): a trace is kept if the
/// right-most 56 bits of its id, as a number, reach the rejection threshold `(1 - ratio) * 2^56`. Every process that
/// is given the same ratio keeps the same traces, and one with a higher ratio keeps those and more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio(f64);

impl Ratio {
    /// Every trace.
    pub const ALL: Self = Self(1.0);
    /// No trace.
    pub const NONE: Self = Self(0.0);

    /// From a share. `None` unless it is between 0 and 1, both included.
    pub fn new(share: f64) -> Option<Self> {
        (0.0..=1.0).contains(&share).then_some(Self(share))
    }

    /// The share, 0 to 1.
    pub fn share(self) -> f64 {
        self.0
    }

    /// Whether a trace is among the kept ones.
    pub fn keeps(self, trace_id: &TraceId) -> bool {
        trace_id.low() % RANDOMNESS >= self.threshold()
    }

    /// As many of the 2^56 values are rejected. A share too small for that many is none at all.
    fn threshold(self) -> u64 {
        ((1.0 - self.0) * RANDOMNESS as f64).round() as u64
    }
}

/// A text that is no ratio.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a ratio: use a number from 0 to 1, such as 0.1, or a percentage, such as 10%")]
pub struct NotARatio(String);

impl FromStr for Ratio {
    type Err = NotARatio;

    /// From `0` to `1`, or from `0%` to `100%`.
    fn from_str(text: &str) -> Result<Self, NotARatio> {
        let share = match text.strip_suffix('%') {
            Some(percent) => percent.trim_end().parse().map(|percent: f64| percent / 100.0),
            None => text.parse(),
        };
        share
            .ok()
            .and_then(Self::new)
            .ok_or_else(|| NotARatio(text.to_owned()))
    }
}

impl fmt::Display for Ratio {
    /// As a number from 0 to 1.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
