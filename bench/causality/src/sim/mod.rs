//! A simulator of services that call each other, with one sidecar beside each: the same seed gives the same recordings.
//!
//! Discrete events, one queue. A program is a set of tasks that compete for cores as [`workload::Server`] says; a call
//! leaves when its task gets a core, which is where the order of calls comes from. The sidecar stands a few microseconds
//! away and sees heads and ends of messages, never tasks.
//!
//! Left out: losses and delays of the network beyond a constant and an exponential part, clients that give up, bodies
//! that are streamed for long, and cores that other pods use.

pub mod applications;
pub mod catalogue;
mod plan;
mod site;
mod values;
pub mod workload;
mod world;

pub use self::values::place;

use self::workload::Workload;
use self::world::World;
use crate::log::{Event, Recording};

/// Rounds in which the rate of arrivals is found that gives the wanted number of requests in flight.
const ROUNDS: u32 = 8;
/// Requests of each such round.
const ROUND_REQUESTS: u32 = 1_500;

/// One recording for each service of the workload.
pub fn simulate(workload: &Workload) -> Vec<Recording> {
    let rate = rate_for(workload);
    World::new(workload, rate, workload.requests).run()
}

/// Requests per nanosecond from outside that give the first service as many in flight as the workload says.
fn rate_for(workload: &Workload) -> f64 {
    // one at a time at first: what a request takes when it is alone
    let mut rate = 1e-9;
    let alone = in_flight(&World::new(workload, rate, 200).run()) / rate;
    rate = workload.in_flight / alone;
    for round in 1..=ROUNDS {
        let found = in_flight(&World::new(workload, rate, ROUND_REQUESTS.min(workload.requests)).run());
        // smaller steps towards the end: near saturation a little more is much more
        let step = 1.0 / (1.0 + 0.3 * f64::from(round));
        rate *= (workload.in_flight / found).powf(step).clamp(0.3, 3.0);
    }
    rate
}

/// How many requests the first service has in flight on average over time.
fn in_flight(recordings: &[Recording]) -> f64 {
    let Some(recording) = recordings.first() else {
        return 0.0;
    };
    let (mut open, mut sum, mut from, mut until) = (0_i64, 0.0, None, 0);
    for &(now, event) in &recording.log.events {
        let change = match event {
            Event::Begin { .. } => 1,
            Event::End { .. } => -1,
            _ => continue,
        };
        sum += open as f64 * now.saturating_sub(until) as f64;
        (from, until) = (from.or(Some(now)), now);
        open += change;
    }
    sum / until.saturating_sub(from.unwrap_or_default()).max(1) as f64
}

/// How many requests a call finds in flight on average, the one that caused it included.
pub fn in_flight_at_calls(recordings: &[Recording]) -> f64 {
    let (mut calls, mut sum) = (0_u64, 0_i64);
    for recording in recordings {
        let mut open = 0;
        for (_, event) in &recording.log.events {
            match event {
                Event::Begin { .. } => open += 1,
                Event::End { .. } => open -= 1,
                Event::Call { .. } => {
                    calls += 1;
                    sum += open;
                }
                _ => {}
            }
        }
    }
    sum as f64 / calls.max(1) as f64
}

#[cfg(test)]
mod tests;
