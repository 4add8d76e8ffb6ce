//! What the engine promises, held against what was measured.

use std::fmt::Write;

use crate::report::{Cell, together};

/// How many requests are in flight where the promises hold.
const IN_FLIGHT: f64 = 4.0;
/// The confidence at which they hold.
const THRESHOLD: f64 = 0.99;
/// Wrong links of all calls.
const WRONG_MOST: f64 = 0.001;
/// Linked calls of those that something signs.
const SIGNED_LEAST: f64 = 0.90;
/// Linked calls of a service that calls one after the other, of which nothing but time tells.
const TIMING_LEAST: f64 = 0.75;
/// Calibration, in points.
const CALIBRATION_MOST: f64 = 1.0;
/// Right links of all calls that chance may give another method more.
const CHANCE: f64 = 0.001;

/// One line for each promise and server, kept or broken; empty if nothing was measured where they hold.
pub fn promises(cells: &[Cell]) -> String {
    let mut text = String::new();
    let here: Vec<Cell> = cells
        .iter()
        .filter(|cell| cell.in_flight == IN_FLIGHT)
        .cloned()
        .collect();
    let score = |cell: &Cell, threshold| cell.find("deferred", threshold).map(|it| it.score.clone());
    for (server, cell) in together(&here, |cell| cell.server_model.clone()) {
        let Some(sure) = score(&cell, THRESHOLD) else {
            continue;
        };
        let wrong = sure.wrong_rate();
        line(
            &mut text,
            &server,
            "wrong links, % of all calls",
            100.0,
            wrong,
            Bound::Below(WRONG_MOST),
        );
        let calibration = score(&cell, 0.01).and_then(|score| score.calibration_error());
        let most = Bound::Below(CALIBRATION_MOST);
        line(
            &mut text,
            &server,
            "calibration error of all links, points",
            1.0,
            calibration,
            most,
        );
        let calibration = score(&cell, 0.9).and_then(|score| score.calibration_error());
        line(
            &mut text,
            &server,
            "calibration error from 0.9 up, points",
            1.0,
            calibration,
            most,
        );
        let signed = sure.signed_coverage();
        let least = Bound::AtLeast(SIGNED_LEAST);
        line(
            &mut text,
            &server,
            "coverage with echo or process ownership, %",
            100.0,
            signed,
            least,
        );
    }
    let sequential: Vec<Cell> = here
        .iter()
        .filter(|cell| cell.workload == "sequential")
        .cloned()
        .collect();
    for (server, cell) in together(&sequential, |cell| cell.server_model.clone()) {
        let coverage = score(&cell, THRESHOLD).and_then(|score| score.coverage());
        let least = Bound::AtLeast(TIMING_LEAST);
        line(
            &mut text,
            &server,
            "coverage by time alone, sequential, %",
            100.0,
            coverage,
            least,
        );
    }
    // what is asked at 4 in flight is what links mean, and so has to hold everywhere
    for (bits, cell) in together(cells, |cell| cell.in_flight.to_bits()) {
        let name = format!("{} in flight", f64::from_bits(bits));
        let most = Bound::Below(WRONG_MOST);
        let wrong = score(&cell, THRESHOLD).and_then(|score| score.wrong_rate());
        line(
            &mut text,
            &name,
            "wrong links, % of all calls",
            100.0,
            wrong,
            most,
        );
        let most = Bound::Below(CALIBRATION_MOST);
        let calibration = score(&cell, 0.9).and_then(|score| score.calibration_error());
        line(
            &mut text,
            &name,
            "calibration error from 0.9 up, points",
            1.0,
            calibration,
            most,
        );
    }
    fifo(&mut text, cells);
    text
}

/// Whether in some workload FIFO has more right links than our best guess.
fn fifo(text: &mut String, cells: &[Cell]) {
    let mut beaten = 0;
    for cell in cells {
        let (Some(fifo), Some(ours)) = (cell.find("fifo", 0.0), cell.find("deferred", 0.01)) else {
            continue;
        };
        let ahead = (fifo.score.right as f64 - ours.score.right as f64) / ours.score.calls.max(1) as f64;
        if ahead > CHANCE {
            beaten += 1;
            let _infallible = writeln!(
                text,
                "BROKEN {:<14} in {} at {} in flight FIFO has {:.1} % more links right",
                cell.server_model,
                cell.workload,
                cell.in_flight,
                ahead * 100.0
            );
        }
    }
    let verdict = if beaten == 0 { "kept" } else { "BROKEN" };
    let all = cells.len();
    let _infallible = writeln!(
        text,
        "{verdict:<6} FIFO has more links right in {beaten} of {all} workloads"
    );
}

#[derive(Clone, Copy)]
enum Bound {
    Below(f64),
    AtLeast(f64),
}

fn line(text: &mut String, server: &str, what: &str, unit: f64, found: Option<f64>, bound: Bound) {
    let Some(found) = found else { return };
    let (kept, word, bound) = match bound {
        Bound::Below(most) => (found < most, "below", most),
        Bound::AtLeast(least) => (found >= least, "at least", least),
    };
    let verdict = if kept { "kept" } else { "BROKEN" };
    let _infallible = writeln!(
        text,
        "{verdict:<6} {server:<14} {what}: {:.3}, {word} {}",
        found * unit,
        bound * unit
    );
}
