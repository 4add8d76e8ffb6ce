//! The methods that are compared. Each reads one sidecar's log, in order, and says the parent of each call.

mod engine;
mod guess;
mod wap5;

use std::time::Duration;

pub use engine::{Costs, Run, engine_bytes, run_engine};
pub use guess::Guess;

use crate::log::Log;

/// What a method says of one call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// The inbound request that caused it, by its number.
    pub parent: u32,
    /// How sure that is: 1 is exact.
    pub confidence: f64,
}

/// A method that knows no doubt: whatever it links, it links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Baseline {
    /// The oldest of the requests in flight that have made the fewest calls of this kind: what comes first leaves first.
    Fifo,
    /// The newest request in flight.
    Lifo,
    /// The request that is alone in flight, and none if there are several.
    Single,
    /// The nearest parent by exponential delays (Reynolds et al., WAP5, WWW 2006).
    Wap5,
}

impl Baseline {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Fifo, Self::Lifo, Self::Single, Self::Wap5];

    /// As the report has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fifo => "fifo",
            Self::Lifo => "lifo",
            Self::Single => "single",
            Self::Wap5 => "wap5",
        }
    }

    /// Its answers, by call number, and how long each decision took.
    pub fn run(self, log: &Log) -> (Vec<Option<Answer>>, Vec<Duration>) {
        match self {
            Self::Fifo => guess::run(log, Guess::Fifo),
            Self::Lifo => guess::run(log, Guess::Lifo),
            Self::Single => guess::run(log, Guess::Single),
            Self::Wap5 => wap5::run(log),
        }
    }
}
