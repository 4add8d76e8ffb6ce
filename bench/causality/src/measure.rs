//! Every method on one set of recordings.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::log::Recording;
use crate::method::{Answer, Baseline, run_engine};
use crate::score::Score;

/// The least confidences at which our answers are measured: whatever it thinks best, 0.9, 0.99, and exact ones only. The
/// best guess of `deferred` is the last word also where something was guessed when the call left.
pub const THRESHOLDS: [f64; 4] = [0.01, 0.9, 0.99, 1.0];

/// What was measured, of one method at one threshold.
#[derive(Clone, Debug)]
pub struct Measured {
    /// `fifo`, `lifo`, `single`, `wap5`, `online` (when the call leaves), `deferred` (when everything has been said).
    pub method: &'static str,
    /// The least confidence of a link; 0 for methods that know none.
    pub threshold: f64,
    /// How it did.
    pub score: Score,
    /// How long its decisions took when calls left, in nanoseconds.
    pub decisions: Histogram<u64>,
    /// How long the last words took, all together. Only of `deferred`.
    pub solver: Duration,
    /// The longest that asking for last words took. Only of `deferred`.
    pub solver_max: Duration,
}

impl Measured {
    fn new(method: &'static str, threshold: f64, score: Score, decisions: &[Duration]) -> Self {
        let mut histogram = Histogram::new_with_bounds(1, 10_000_000_000, 3).unwrap_or_else(|_| empty());
        for took in decisions {
            histogram.saturating_record(took.as_nanos() as u64);
        }
        Self {
            method,
            threshold,
            score,
            decisions: histogram,
            solver: Duration::ZERO,
            solver_max: Duration::ZERO,
        }
    }

    /// Takes in the same method's measurement on other recordings.
    pub fn merge(&mut self, other: &Self) {
        self.score.merge(&other.score);
        // both have the same bounds, so that nothing can fail to fit
        let _fits = self.decisions.add(&other.decisions);
        self.solver += other.solver;
        self.solver_max = self.solver_max.max(other.solver_max);
    }

    /// The time that 99 of 100 decisions stayed below, in microseconds.
    pub fn decision_us_p99(&self) -> f64 {
        self.decisions.value_at_quantile(0.99) as f64 / 1e3
    }
}

fn empty() -> Histogram<u64> {
    #[expect(clippy::expect_used, reason = "three digits are within what it takes")]
    Histogram::new(3).expect("three digits")
}

/// Runs every method on every recording: one engine for each sidecar.
pub fn measure(recordings: &[Recording]) -> Vec<Measured> {
    let mut all = Vec::new();
    for baseline in Baseline::ALL {
        let (answers, took): (Vec<_>, Vec<_>) = recordings
            .iter()
            .map(|recording| baseline.run(&recording.log))
            .unzip();
        let answers: Vec<&[Option<Answer>]> = answers.iter().map(Vec::as_slice).collect();
        let score = Score::of(recordings, &answers, 0.0);
        all.push(Measured::new(baseline.name(), 0.0, score, &took.concat()));
    }
    let runs = recordings.iter().map(|recording| run_engine(&recording.log));
    let runs: Vec<_> = runs.collect();
    let decisions: Vec<Duration> = runs.iter().flat_map(|run| run.costs.decisions.clone()).collect();
    for threshold in THRESHOLDS {
        let online: Vec<&[Option<Answer>]> = runs.iter().map(|run| run.online.as_slice()).collect();
        let score = Score::of(recordings, &online, threshold);
        all.push(Measured::new("online", threshold, score, &decisions));
        let waits = threshold == THRESHOLDS[0];
        let answers = runs.iter().map(|run| match waits {
            true => run.last.clone(),
            false => run.deferred(threshold),
        });
        let answers: Vec<Vec<Option<Answer>>> = answers.collect();
        let deferred: Vec<&[Option<Answer>]> = answers.iter().map(Vec::as_slice).collect();
        let score = Score::of(recordings, &deferred, threshold);
        let mut measured = Measured::new("deferred", threshold, score, &decisions);
        measured.solver = runs.iter().map(|run| run.costs.solver).sum();
        measured.solver_max = runs
            .iter()
            .map(|run| run.costs.solver_max)
            .max()
            .unwrap_or_default();
        all.push(measured);
    }
    all
}
