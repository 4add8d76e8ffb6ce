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

/// What a call's process says about the followed requests that may have made it, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owned {
    /// Those that the same process serves.
    same: u64,
    /// Those that others serve.
    others: u64,
    /// Those of which that is not known, and how many processes each may be of.
    unknown: u64,
    processes: u32,
}

impl Owned {
    /// The only one that the same process serves, if all others are known to be served by others, and some are.
    pub(crate) fn only(&self) -> Option<usize> {
        let only = self.same.is_power_of_two() && self.unknown == 0 && self.others != 0;
        only.then(|| self.same.trailing_zeros() as usize)
    }

    /// The logarithm of the factor that speaks for a request, and less for or against all others; `trust` is that of the
    /// odds that a call's process serves its parent.
    pub(crate) fn factor(&self, request: usize, trust: f64) -> f64 {
        let of = 1_u64.checked_shl(request as u32).unwrap_or_default();
        if self.others & of != 0 && self.only().is_none() {
            -trust
        } else if self.unknown & of != 0 {
            // it may be this process that serves it, or any
            -f64::from(self.processes.max(1)).ln()
        } else if self.only() == Some(request) {
            trust
        } else {
            0.0
        }
    }
}

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

    /// What a call's process, if that is known, says of these requests with theirs.
    pub(crate) fn compare(
        process: Option<Process>,
        requests: impl Iterator<Item = (usize, Option<Process>)>,
    ) -> Owned {
        let mut owned = Owned::default();
        let Some(process) = process else { return owned };
        let mut known: Vec<Process> = vec![process];
        for (request, of) in requests {
            let bit = 1_u64.checked_shl(request as u32).unwrap_or_default();
            match of {
                Some(of) if of == process => owned.same |= bit,
                Some(of) => {
                    owned.others |= bit;
                    if !known.contains(&of) {
                        known.push(of);
                    }
                }
                None => owned.unknown |= bit,
            }
        }
        owned.processes = known.len() as u32;
        owned
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_other_processes_are_excluded_although_one_is_unknown() {
        let of = |number| Some(Process(number));
        let requests = [(0, of(1)), (1, of(2)), (2, None)];
        let owned = Owners::compare(of(2), requests.into_iter());
        assert_eq!(owned.only(), None);
        assert_eq!(owned.factor(0, 8.0), -8.0);
        assert_eq!(owned.factor(1, 8.0), 0.0);
        // the unknown one may be of either
        assert_eq!(owned.factor(2, 8.0), -f64::from(2).ln());

        let all_known = Owners::compare(of(2), requests.into_iter().take(2));
        assert_eq!(all_known.only(), Some(1));
        assert_eq!((all_known.factor(0, 8.0), all_known.factor(1, 8.0)), (0.0, 8.0));
    }
}
