//! A nearest-parent method after WAP5: a call's delay behind the request that caused it is taken to be exponential, with
//! a mean that is learned for each kind of request and call, and the most probable request in flight is the parent.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use causality::Nanos;

use super::Answer;
use crate::log::{Event, Log};

/// What is taken for the mean before anything was learned.
const MEAN_AT_FIRST: f64 = 5e6;
/// How much the newest delay counts.
const NEWEST: f64 = 0.02;

pub(super) fn run(log: &Log) -> (Vec<Option<Answer>>, Vec<Duration>) {
    let mut in_flight: BTreeMap<u32, (Nanos, u64)> = BTreeMap::new();
    let mut means: BTreeMap<(u64, u64), f64> = BTreeMap::new();
    let (mut answers, mut took) = (Vec::new(), Vec::new());
    for &(now, event) in &log.events {
        match event {
            Event::Begin { request, route, .. } => {
                in_flight.insert(request, (now, route));
            }
            Event::End { request } => {
                in_flight.remove(&request);
            }
            Event::Call { callee, .. } => {
                let from = Instant::now();
                let answer = nearest(&in_flight, &means, now, callee);
                if let Some((route, delay, _)) = answer {
                    let mean = means.entry((route, callee)).or_insert(MEAN_AT_FIRST);
                    *mean += NEWEST * (delay - *mean);
                }
                took.push(from.elapsed());
                answers.push(answer.map(|(_, _, answer)| answer));
            }
            _ => {}
        }
    }
    (answers, took)
}

/// The most probable parent, with its route, its delay, and its share of the probability.
fn nearest(
    in_flight: &BTreeMap<u32, (Nanos, u64)>,
    means: &BTreeMap<(u64, u64), f64>,
    now: Nanos,
    callee: u64,
) -> Option<(u64, f64, Answer)> {
    let candidates = in_flight.iter().map(|(&request, &(begun, route))| {
        let mean = means.get(&(route, callee)).copied().unwrap_or(MEAN_AT_FIRST);
        let delay = now.saturating_sub(begun) as f64;
        (request, route, delay, (-delay / mean).exp() / mean)
    });
    let all: f64 = candidates.clone().map(|(.., density)| density).sum();
    let (parent, route, delay, density) = candidates.max_by(|a, b| a.3.total_cmp(&b.3))?;
    let confidence = if all > 0.0 { density / all } else { 0.0 };
    Some((route, delay, Answer { parent, confidence }))
}
