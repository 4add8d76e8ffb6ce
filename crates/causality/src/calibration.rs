//! From a hypothesis' share of the weight to how often that is right.
//!
//! The model is never quite true, so a share is no confidence yet. What a share's doubt is worth is first taken as it was
//! in training workloads ([`doubt`]), and then measured: each call whose parent is known for certain, but was withheld
//! from the hypotheses, counts in the class of its doubt. What was said when a call left is also held against what is
//! known once its window has closed. Where few were counted, training decides.
//!
//! The constants were fitted to the training set of bench-causality at 4 requests in flight, all servers together.

use crate::model::Experience;

/// A share's doubt `x` is worth `x`, and at least `SLOPE · x^BEND`: a model that is nearly certain is less often right than
/// it says.
const SLOPE: f64 = 0.1;
const BEND: f64 = 0.35;

/// The share of weight that was dropped for want of room, `x`, is worth `LOST · x^LOST_BEND`: what was dropped would not
/// all have grown to what is right, and where a little was dropped more went on to be wrong than that.
const LOST: f64 = 0.3;
const LOST_BEND: f64 = 0.4;

/// What is never certain.
const RESIDUE: f64 = 0.0005;

/// The doubt about a model that was learned from one request; it falls with their number.
const INEXPERIENCE: f64 = 0.05;

/// The doubt about a model that was learned in crowds alone: one that explains all that it has seen may be wrong about all
/// of it.
const OBSCURITY: f64 = 0.3;

/// How fast that falls with the requests that were seen clearly: to `exp(-CLARITY)` of it with each.
const CLARITY: f64 = 4.0;

/// Classes of doubt end here.
const CLASSES: [f64; 7] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0];

/// So many calls are believed as much as training.
const BELIEVE_AFTER: f64 = 100.0;

/// What was counted counts half once a class has so many calls.
const FADE_AT: f64 = 4000.0;

/// Doubts below this are compared with what came of them, to find out how far the model can be trusted at all.
const SURE: f64 = 0.03;

/// What is to be doubted about a share, by what is usual, if so much of the weight was dropped.
pub(crate) fn doubt(share: f64, lost: f64) -> f64 {
    let doubt = (1.0 - share).max(0.0);
    let doubt = (doubt.max(SLOPE * doubt.powf(BEND)) + RESIDUE).min(1.0);
    let lost = LOST * lost.clamp(0.0, 1.0).powf(LOST_BEND);
    lost.mul_add((1.0 - doubt).powi(2), doubt)
}

/// The doubt about everything that was learned of a kind of requests, to be added to that about a share. It is never
/// measured: what a model says that is wrong about everything agrees with itself.
pub(crate) fn unfamiliar(experience: Experience) -> f64 {
    INEXPERIENCE / (1.0 + experience.requests) + OBSCURITY * (-CLARITY * experience.clear).exp()
}

/// The doubt about the share of a request for which something speaks that was not learned of its kind, and would give it
/// this share `alone`, if all requests in flight were alike.
pub(crate) fn corroborated(share: f64, alone: f64, experience: Experience) -> f64 {
    let doubt = (1.0 - share).max(0.0) + RESIDUE;
    (doubt + (1.0 - alone) * unfamiliar(experience)).min(1.0)
}

#[derive(Clone, Copy, Debug, Default)]
struct Class {
    calls: f64,
    /// The sum of their doubts, and how many were wrong.
    doubt: f64,
    wrong: f64,
}

/// What came of doubts.
#[derive(Debug, Default)]
pub(crate) struct Calibration {
    classes: [Class; CLASSES.len()],
}

impl Calibration {
    /// Something with this doubt turned out to be right, with this probability.
    pub(crate) fn learn(&mut self, doubt: f64, right: f64) {
        let index = CLASSES.iter().position(|end| doubt <= *end);
        let Some(class) = index.and_then(|index| self.classes.get_mut(index)) else {
            return;
        };
        class.calls += 1.0;
        class.doubt += doubt;
        class.wrong += 1.0 - right;
        if class.calls > FADE_AT {
            class.calls *= 0.5;
            class.doubt *= 0.5;
            class.wrong *= 0.5;
        }
    }

    /// How often something with this doubt is right. Never more for a greater doubt.
    pub(crate) fn confidence(&self, doubt: f64) -> f64 {
        let mut worst: f64 = 0.0;
        for (class, end) in self.classes.iter().zip(CLASSES) {
            let here = doubt.min(end);
            let measured = (BELIEVE_AFTER.mul_add(here, class.wrong)) / (BELIEVE_AFTER + class.calls);
            let spread = if class.doubt > 0.0 {
                here * class.calls / class.doubt
            } else {
                1.0
            };
            worst = worst.max(measured * spread.clamp(0.3, 3.0));
            if doubt <= end {
                break;
            }
        }
        (1.0 - worst).clamp(0.0, 1.0)
    }

    /// How many times as often as it was doubted, what was hardly doubted was wrong; at least 1.
    pub(crate) fn overconfidence(&self) -> f64 {
        let (mut doubt, mut wrong) = (1.0, 1.0);
        for (class, end) in self.classes.iter().zip(CLASSES) {
            if end <= SURE {
                doubt += class.doubt;
                wrong += class.wrong;
            }
        }
        f64::max(wrong / doubt, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_any_measurement_training_decides() {
        let calibration = Calibration::default();
        assert!(calibration.confidence(0.0) > 0.999);
        assert!((calibration.confidence(0.05) - 0.95).abs() < 1e-9);
        assert!((calibration.confidence(1.0)).abs() < 1e-9);
    }

    #[test]
    fn what_was_learned_in_crowds_alone_is_doubted_however_much_it_was() {
        let crowded = Experience {
            requests: 1e6,
            clear: 0.1,
        };
        let clear = Experience {
            requests: 1000.0,
            clear: 3.0,
        };
        assert!(unfamiliar(crowded) > 0.02);
        assert!(unfamiliar(clear) < 0.001);
    }

    #[test]
    fn what_was_dropped_makes_the_surest_share_doubtful() {
        assert!(doubt(1.0, 0.0) < 0.001);
        assert!(doubt(1.0, 1e-3) > 0.01);
        assert!(doubt(1.0, 1.0) < 0.5 && doubt(0.5, 1.0) > 0.5);
    }

    #[test]
    fn a_weak_hint_does_not_make_up_for_what_was_never_learned() {
        let nothing = Experience::default();
        assert!(corroborated(1.0, 0.3, nothing) > 0.03);
        assert!(corroborated(1.0, 0.9999, nothing) < 0.01);
    }

    #[test]
    fn what_turns_out_wrong_more_often_than_doubted_is_doubted_more() {
        let mut calibration = Calibration::default();
        for call in 0..1000 {
            calibration.learn(0.005, if call % 20 == 0 { 0.0 } else { 1.0 });
        }
        assert!(calibration.confidence(0.005) < 0.96);
        assert!(calibration.overconfidence() > 5.0);
    }

    #[test]
    fn a_greater_doubt_never_gives_a_greater_confidence() {
        let mut calibration = Calibration::default();
        for call in 0..3000 {
            calibration.learn(0.002, f64::from(u8::from(call % 7 != 0)));
            calibration.learn(0.2, 1.0);
        }
        let mut last = 1.0;
        for doubt in 0..=1000 {
            let confidence = calibration.confidence(f64::from(doubt) / 1000.0);
            assert!(confidence <= last + 1e-12, "at {doubt}");
            last = confidence;
        }
    }
}
