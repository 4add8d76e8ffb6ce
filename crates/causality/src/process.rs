//! Which process holds the application's end of which connection.
//!
//! A call goes out from the process that serves the request which caused it, unless programs hand requests to each other
//! in ways that cannot be seen. So this too is believed only as far as it agrees with everything else.

use crate::event::{Connection, Process};
use crate::hash::Map;

/// The most connections whose owners are remembered.
const CONNECTIONS_MAX: usize = 8192;

/// Agreements that its reliability starts with, and disagreements.
const BEFORE: (f64, f64) = (200.0, 0.05);

/// The share of wrong owners below which an owner makes a link exact.
const RARE: f64 = 0.001;

#[derive(Debug, Default)]
pub(crate) struct Owners {
    processes: Map<u64, Process>,
    right: f64,
    wrong: f64,
}

impl Owners {
    pub(crate) fn owned(&mut self, connection: Connection, process: Process) {
        if self.processes.len() < CONNECTIONS_MAX || self.processes.contains_key(&connection.0) {
            self.processes.insert(connection.0, process);
        }
    }

    pub(crate) fn closed(&mut self, connection: Connection) {
        self.processes.remove(&connection.0);
    }

    pub(crate) fn of(&self, connection: Connection) -> Option<Process> {
        self.processes.get(&connection.0).copied()
    }

    /// The logarithm of the odds that a call's process serves its parent.
    pub(crate) fn factor(&self) -> f64 {
        ((self.right + BEFORE.0) / (self.wrong + BEFORE.1)).ln()
    }

    /// Whether owners almost never point at the wrong request.
    pub(crate) fn is_exact(&self) -> bool {
        self.wrong / (self.right + self.wrong + 500.0) < RARE
    }

    /// With this probability, a call that one request in flight shared its process with was that request's.
    pub(crate) fn learn(&mut self, right: f64) {
        self.right += right;
        self.wrong += 1.0 - right;
        if self.right + self.wrong > 20_000.0 {
            self.right *= 0.5;
            self.wrong *= 0.5;
        }
    }
}
