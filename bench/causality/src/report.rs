//! What was measured, as JSON and as a table.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use crate::measure::Measured;
use crate::score::Score;

/// One method at one threshold on one workload; `null` where there was nothing to measure. Shares are from 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// What is special about the workload.
    pub workload: String,
    /// What runs the requests.
    pub server_model: String,
    /// Requests in flight that were asked for; of recorded traces, those that calls found.
    pub in_flight: f64,
    /// Of recorded traces, how many times closer together they were moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compress: Option<f64>,
    /// Which method.
    pub method: &'static str,
    /// The least confidence of a link; 0 for methods that know none.
    pub threshold: f64,
    /// Right links of all links.
    pub precision: Option<f64>,
    /// Linked calls of all that a request caused.
    pub coverage: Option<f64>,
    /// Wrong links of all calls.
    pub wrong_rate: Option<f64>,
    /// Requests from outside all of whose links are right, in all services.
    pub trace_accuracy: Option<f64>,
    /// Requests of each service that have all their calls and no others.
    pub request_accuracy: Option<f64>,
    /// Of links that are not exact, in points.
    pub calibration_error: Option<f64>,
    /// When calls left, in microseconds.
    pub decision_us_p99: f64,
    /// All last words, in microseconds for each call.
    pub solver_us_per_call: f64,
    /// The longest that last words took, in microseconds.
    pub solver_us_max: f64,
    /// How many calls there were.
    pub calls: u64,
}

/// A workload and what was measured on it.
#[derive(Clone, Debug)]
pub struct Cell {
    /// What is special about the workload.
    pub workload: String,
    /// What runs the requests.
    pub server_model: String,
    /// Requests in flight that were asked for.
    pub in_flight: f64,
    /// Of recorded traces, how many times closer together they were moved.
    pub compress: Option<f64>,
    /// Of every method.
    pub measured: Vec<Measured>,
}

impl Cell {
    fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        self.measured.iter().map(|measured| Row {
            workload: self.workload.clone(),
            server_model: self.server_model.clone(),
            in_flight: self.in_flight,
            compress: self.compress,
            method: measured.method,
            threshold: measured.threshold,
            precision: measured.score.precision(),
            coverage: measured.score.coverage(),
            wrong_rate: measured.score.wrong_rate(),
            trace_accuracy: measured.score.trace_accuracy(),
            request_accuracy: measured.score.request_accuracy(),
            calibration_error: measured.score.calibration_error(),
            decision_us_p99: measured.decision_us_p99(),
            solver_us_per_call: measured.solver.as_secs_f64() * 1e6 / measured.score.calls.max(1) as f64,
            solver_us_max: measured.solver_max.as_secs_f64() * 1e6,
            calls: measured.score.calls,
        })
    }

    /// What a method did at a threshold.
    pub fn find(&self, method: &str, threshold: f64) -> Option<&Measured> {
        self.measured
            .iter()
            .find(|measured| measured.method == method && measured.threshold == threshold)
    }
}

/// Everything, for programs.
pub fn rows(cells: &[Cell]) -> Vec<Row> {
    cells.iter().flat_map(Cell::rows).collect()
}

/// Cells with the same key, taken together.
pub fn together<K: Ord>(cells: &[Cell], key: impl Fn(&Cell) -> K) -> BTreeMap<K, Cell> {
    let mut all: BTreeMap<K, Cell> = BTreeMap::new();
    for cell in cells {
        match all.entry(key(cell)) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(cell.clone());
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                for (mine, other) in entry.get_mut().measured.iter_mut().zip(&cell.measured) {
                    mine.merge(other);
                }
            }
        }
    }
    all
}

const HEAD: &str = concat!(
    "                                        |   right links % of all calls    |",
    "  exact only  |      online, 0.99      |              deferred, 0.99                 |  any | µs p99\n",
    "workload        server        in flight |   fifo   lifo single   wap5  any |",
    "   cov  wrong |    cov  wrong   trace |    cov   wrong  trace  calib. µs/call |  calib.|\n",
);

/// One line for each cell, for people. All shares are in percent; calibration is in points.
pub fn table<'c>(cells: impl IntoIterator<Item = &'c Cell>) -> String {
    let mut text = HEAD.to_owned();
    for cell in cells {
        let of = |method, threshold| cell.find(method, threshold).map(|measured| &measured.score);
        let right = |method, threshold| {
            percent(of(method, threshold).map(|score| score.right as f64 / score.calls.max(1) as f64))
        };
        let coverage = |method, threshold| percent(of(method, threshold).and_then(Score::coverage));
        let wrong = |method, threshold| {
            let rate = of(method, threshold).and_then(Score::wrong_rate);
            number(rate.map(|rate| rate * 100.0), 3)
        };
        let trace = |method, threshold| percent(of(method, threshold).and_then(Score::trace_accuracy));
        let calibration = |threshold| number(of("deferred", threshold).and_then(Score::calibration_error), 2);
        let deferred = cell.find("deferred", 0.99);
        let solver = deferred.map(|it| it.solver.as_secs_f64() * 1e6 / it.score.calls.max(1) as f64);
        let took = deferred.map(Measured::decision_us_p99);
        let _infallible = writeln!(
            text,
            "{:<15.15} {:<13.13} {:>9.1} | {} {} {} {} {} | {} {} | {} {} {} | {} {} {} {} {} | {} | {}",
            cell.workload,
            cell.server_model,
            cell.in_flight,
            right("fifo", 0.0),
            right("lifo", 0.0),
            right("single", 0.0),
            right("wap5", 0.0),
            right("deferred", 0.01),
            coverage("deferred", 1.0),
            wrong("deferred", 1.0),
            coverage("online", 0.99),
            wrong("online", 0.99),
            trace("online", 0.99),
            coverage("deferred", 0.99),
            wrong("deferred", 0.99),
            trace("deferred", 0.99),
            calibration(0.9),
            number(solver, 1),
            calibration(0.01),
            number(took, 1),
        );
    }
    text
}

fn percent(share: Option<f64>) -> String {
    number(share.map(|share| share * 100.0), 1)
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| format!("{:>6}", "-"), |value| format!("{value:>6.digits$}"))
}
