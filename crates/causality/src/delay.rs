//! How long something takes: a histogram whose classes grow with the delay, four to each doubling.

use crate::event::Nanos;

/// Classes: from about a microsecond to half a minute; what is shorter or longer goes into the first or last.
const CLASSES: usize = 104;

/// The first class ends here: 2 to the power of this, in nanoseconds.
const SHORTEST: u32 = 10;

/// Up to so many observations, each is spread over more classes: little is known of how the delays are distributed.
const FEW: f32 = 6.0;
const SOME: f32 = 30.0;

/// Shares of an observation that go to the class itself, and to those 1, 2, … away on either side.
const WIDE: [f32; 7] = [0.14, 0.125, 0.105, 0.085, 0.06, 0.035, 0.02];
const MIDDLE: [f32; 4] = [0.28, 0.2, 0.11, 0.05];
const NARROW: [f32; 3] = [0.4, 0.22, 0.08];

/// A delay's class, and how far into it the delay is, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Class {
    index: usize,
    into: f32,
    width: f32,
}

impl Class {
    pub(crate) fn of(delay: Nanos) -> Self {
        let delay = delay.max(1);
        let octave = 63_u32.saturating_sub(delay.leading_zeros());
        if octave < SHORTEST {
            let width = (1_u64 << SHORTEST) as f32;
            return Self {
                index: 0,
                into: delay as f32 / width,
                width,
            };
        }
        let width = 1_u64 << octave.saturating_sub(2);
        let quarter = (delay >> octave.saturating_sub(2)) & 3;
        let index = (octave.saturating_sub(SHORTEST) as usize)
            .saturating_mul(4)
            .saturating_add(quarter as usize)
            .saturating_add(1);
        let start = (4 | quarter).saturating_mul(width);
        Self {
            index: index.min(CLASSES.saturating_sub(1)),
            into: delay.saturating_sub(start) as f32 / width as f32,
            width: width as f32,
        }
    }

    /// Where it lies among all classes, from 0 to 1: about how far by the delay's logarithm.
    pub(crate) fn place(self) -> f64 {
        f64::from(self.index as f32 + self.into.min(1.0)) / CLASSES as f64
    }
}

/// Weighted delays. All sums grow with the weights; dividing by the total is left to who asks.
#[derive(Clone, Debug)]
pub(crate) struct Delays {
    mass: [f32; CLASSES],
    /// Weight in all classes before each.
    below: [f32; CLASSES],
    total: f32,
}

impl Delays {
    pub(crate) fn new() -> Self {
        Self {
            mass: [0.0; CLASSES],
            below: [0.0; CLASSES],
            total: 0.0,
        }
    }

    /// A delay was seen that counts so much.
    pub(crate) fn add(&mut self, delay: Nanos, weight: f32) {
        let kernel: &[f32] = match self.total {
            few if few < FEW => &WIDE,
            some if some < SOME => &MIDDLE,
            _ => &NARROW,
        };
        let centre = Class::of(delay).index;
        for (away, share) in kernel.iter().enumerate() {
            let sides = [centre.saturating_sub(away), centre.saturating_add(away)];
            for index in sides.into_iter().take(if away == 0 { 1 } else { 2 }) {
                if let Some(mass) = self.mass.get_mut(index.min(CLASSES.saturating_sub(1))) {
                    *mass += share * weight;
                }
            }
        }
        self.sum_up();
    }

    /// Weight for each nanosecond at this delay.
    pub(crate) fn density(&self, at: Class) -> f32 {
        self.mass.get(at.index).copied().unwrap_or_default() / at.width
    }

    /// Weight of the delays that are shorter.
    pub(crate) fn below(&self, at: Class) -> f32 {
        let within = self.mass.get(at.index).copied().unwrap_or_default() * at.into.min(1.0);
        self.below.get(at.index).copied().unwrap_or_default() + within
    }

    /// Makes what was seen until now count less.
    pub(crate) fn fade(&mut self, by: f32) {
        for mass in &mut self.mass {
            *mass *= by;
        }
        self.sum_up();
    }

    fn sum_up(&mut self) {
        let mut sum = 0.0;
        for (below, mass) in self.below.iter_mut().zip(&self.mass) {
            *below = sum;
            sum += mass;
        }
        self.total = sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_follow_each_other_without_gaps_and_grow_with_the_delay() {
        let mut last = Class::of(1);
        for delay in (1..4_000_000).step_by(37) {
            let class = Class::of(delay);
            assert!(
                class.index == last.index || class.index == last.index + 1,
                "at {delay}"
            );
            assert!((0.0..=1.0).contains(&class.into), "at {delay}: {class:?}");
            last = class;
        }
        assert!(Class::of(u64::MAX).index < CLASSES);
    }

    #[test]
    fn most_of_the_weight_lies_where_delays_were_seen() {
        let mut delays = Delays::new();
        for _ in 0..100 {
            delays.add(1_000_000, 1.0);
        }
        assert!((delays.total - 100.0).abs() < 0.5);
        assert!(delays.below(Class::of(500_000)) < 5.0);
        assert!(delays.below(Class::of(2_000_000)) > 95.0);
        assert!(delays.density(Class::of(1_000_000)) > 20.0 * delays.density(Class::of(4_000_000)));
    }

    #[test]
    fn what_fades_counts_less() {
        let mut delays = Delays::new();
        delays.add(5_000, 2.0);
        delays.fade(0.25);
        assert!((delays.total - 0.5).abs() < 1e-3);
    }
}
