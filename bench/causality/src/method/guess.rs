//! The baselines that learn nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Answer;
use crate::log::{Event, Log};

/// Which of the requests in flight a call is taken to come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guess {
    /// See [`super::Baseline::Fifo`].
    Fifo,
    /// See [`super::Baseline::Lifo`].
    Lifo,
    /// See [`super::Baseline::Single`].
    Single,
}

/// How often each request in flight has called whom; the oldest request first.
type InFlight = BTreeMap<u32, BTreeMap<u64, u32>>;

pub(super) fn run(log: &Log, guess: Guess) -> (Vec<Option<Answer>>, Vec<Duration>) {
    let mut in_flight = InFlight::new();
    let (mut answers, mut took) = (Vec::new(), Vec::new());
    for (_, event) in &log.events {
        match event {
            Event::Begin { request, .. } => {
                in_flight.insert(*request, BTreeMap::new());
            }
            Event::End { request } => {
                in_flight.remove(request);
            }
            Event::Call { callee, .. } => {
                let from = Instant::now();
                let parent = choose(&in_flight, guess, *callee);
                if let Some(calls) = parent.and_then(|parent| in_flight.get_mut(&parent)) {
                    *calls.entry(*callee).or_default() += 1;
                }
                took.push(from.elapsed());
                answers.push(parent.map(|parent| Answer {
                    parent,
                    confidence: 1.0,
                }));
            }
            _ => {}
        }
    }
    (answers, took)
}

fn choose(in_flight: &InFlight, guess: Guess, callee: u64) -> Option<u32> {
    match guess {
        Guess::Fifo => {
            let calls = |calls: &BTreeMap<u64, u32>| calls.get(&callee).copied().unwrap_or_default();
            let fewest = in_flight.iter().min_by_key(|(_, made)| calls(made))?;
            Some(*fewest.0)
        }
        Guess::Lifo => in_flight.keys().next_back().copied(),
        Guess::Single if in_flight.len() == 1 => in_flight.keys().next().copied(),
        Guess::Single => None,
    }
}
