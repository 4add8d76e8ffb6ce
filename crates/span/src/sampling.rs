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
pub struct Ratio {
    share: f64,
    /// As many of the 2^56 values are rejected. A share too small for that many is none at all.
    threshold: u64,
}

impl Ratio {
    /// Every trace.
    pub const ALL: Self = Self {
        share: 1.0,
        threshold: 0,
    };
    /// No trace.
    pub const NONE: Self = Self {
        share: 0.0,
        threshold: RANDOMNESS,
    };

    /// From a share. `None` unless it is between 0 and 1, both included.
    pub fn new(share: f64) -> Option<Self> {
        (0.0..=1.0).contains(&share).then(|| Self {
            share,
            threshold: ((1.0 - share) * RANDOMNESS as f64).round() as u64,
        })
    }

    /// The share, 0 to 1.
    pub fn share(self) -> f64 {
        self.share
    }

    /// Whether a trace is among the kept ones.
    pub fn keeps(self, trace_id: &TraceId) -> bool {
        trace_id.low() % RANDOMNESS >= self.threshold
    }

    /// A trace id made from a random one, about which the decision is `keep`. Where there is none (every trace is kept,
    /// or none), the same.
    pub fn redrawn(self, trace_id: TraceId, keep: bool) -> TraceId {
        let threshold = self.threshold;
        let (from, values) = if keep {
            (threshold, RANDOMNESS - threshold)
        } else {
            (0, threshold)
        };
        let before = trace_id.as_u128() % u128::from(RANDOMNESS);
        if values == 0 {
            return trace_id;
        }
        let after = u128::from(from) + ((before * u128::from(values)) >> 56);
        TraceId::from_random(trace_id.as_u128() - before + after)
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
        fmt::Display::fmt(&self.share, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A trace id whose right-most 56 bits are these, and whose other bits must not matter.
    fn trace_id(randomness: u64, rest: u128) -> TraceId {
        TraceId::from_random(rest << 56 | u128::from(randomness % RANDOMNESS))
    }

    #[test]
    fn numbers_and_percentages_are_ratios() {
        for (text, share) in [
            ("0", 0.0),
            ("1", 1.0),
            ("0.25", 0.25),
            ("10%", 0.1),
            ("100 %", 1.0),
            ("1e-3", 0.001),
        ] {
            assert_eq!(text.parse::<Ratio>().unwrap().share(), share, "{text}");
        }
        assert_eq!("10%".parse::<Ratio>().unwrap().to_string(), "0.1");
    }

    #[test]
    fn anything_else_is_told_what_to_write() {
        for text in ["", "%", "-0.1", "1.1", "101%", "nan", "inf", "half"] {
            assert_eq!(text.parse::<Ratio>(), Err(NotARatio(text.to_owned())));
        }
        assert_eq!(
            "half".parse::<Ratio>().unwrap_err().to_string(),
            "`half` is not a ratio: use a number from 0 to 1, such as 0.1, or a percentage, such as 10%"
        );
    }

    #[test]
    fn a_quarter_begins_where_opentelemetry_says() {
        // th:c, the threshold of one quarter in OpenTelemetry's examples, is 0xc0000000000000
        let quarter = Ratio::new(0.25).unwrap();
        assert!(quarter.keeps(&trace_id(0xc0_0000_0000_0000, 7)));
        assert!(!quarter.keeps(&trace_id(0xbf_ffff_ffff_ffff, u128::MAX)));
    }

    #[test]
    fn the_share_kept_is_the_share_asked_for() {
        // a full period of an odd stride visits the range evenly
        let stride = 0x9e_3779_b97f_4a7d_u64;
        for share in [0.001, 0.01, 0.1, 0.5, 0.9, 0.999] {
            let ratio = Ratio::new(share).unwrap();
            let kept = (0..100_000_u64)
                .filter(|n| ratio.keeps(&trace_id(n.wrapping_mul(stride), 0)))
                .count();
            assert!(
                (kept as f64 / 100_000.0 - share).abs() < 0.001,
                "{share}: {kept} of 100000"
            );
        }
    }

    proptest! {
        #[test]
        fn none_keeps_nothing_and_all_keeps_everything(bits: u128) {
            let id = TraceId::from_random(bits);
            prop_assert!(!Ratio::NONE.keeps(&id));
            prop_assert!(Ratio::ALL.keeps(&id));
        }

        #[test]
        fn what_a_lower_ratio_keeps_a_higher_one_keeps(bits: u128, one in 0.0..=1.0, other in 0.0..=1.0) {
            let id = TraceId::from_random(bits);
            let lower = Ratio::new(f64::min(one, other)).unwrap();
            let higher = Ratio::new(f64::max(one, other)).unwrap();
            prop_assert!(!lower.keeps(&id) || higher.keeps(&id));
        }

        #[test]
        fn an_id_can_be_drawn_for_either_decision(bits: u128, share in 0.001..=0.999, keep: bool) {
            let ratio = Ratio::new(share).unwrap();
            let (before, after) = (TraceId::from_random(bits), ratio.redrawn(TraceId::from_random(bits), keep));
            prop_assert_eq!(ratio.keeps(&after), keep);
            prop_assert_eq!(before.high(), after.high());
        }

        #[test]
        fn only_the_right_most_56_bits_matter(randomness: u64, rest: u128, other: u128, share in 0.0..=1.0) {
            let ratio = Ratio::new(share).unwrap();
            prop_assume!(randomness % RANDOMNESS != 0);
            prop_assert_eq!(ratio.keeps(&trace_id(randomness, rest)), ratio.keeps(&trace_id(randomness, other)));
        }

        #[test]
        fn a_ratio_is_printed_as_it_is_read(share in 0.0..=1.0) {
            let ratio = Ratio::new(share).unwrap();
            prop_assert_eq!(ratio.to_string().parse(), Ok(ratio));
        }
    }
}
