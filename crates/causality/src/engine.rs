//! The engine: told of what one sidecar sees in the order in which it happens, it says what caused each outbound call.

use std::collections::BTreeMap;

use crate::event::{Connection, Inbound, Nanos, Outbound, Process, Token};
use crate::link::{Certainty, Decision, Link, Method, Resolved, Unknown};

/// How the engine decides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Links below this confidence are not made; above 0, at most 1. At 1 only exact links are.
    pub threshold: f64,
    /// The most inbound requests that are remembered at a time. Beyond that causes are unknown.
    pub requests_max: usize,
    /// The most outbound calls that are remembered at a time.
    pub calls_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            threshold: 0.99,
            requests_max: 4096,
            calls_max: 4096,
        }
    }
}

/// An inbound request's place in the engine, to be given back when it ends. Not to be copied: a request ends once.
#[derive(Debug, PartialEq, Eq, Hash)]
#[must_use]
pub struct Request(u64);

/// An outbound call's place in the engine, to be given back when it ends.
#[derive(Debug, PartialEq, Eq, Hash)]
#[must_use]
pub struct Call(u64);

/// What may bring requests that cannot be seen, to be given back when it is gone.
#[derive(Debug, PartialEq, Eq, Hash)]
#[must_use]
pub struct Unseen(());

/// Which inbound request caused which outbound call, in one pod.
///
/// `P` is what a call needs to know of its parent, and `C` what the caller needs to know a call again by.
#[derive(Debug)]
pub struct Engine<P, C> {
    settings: Settings,
    /// Oldest first.
    requests: BTreeMap<u64, P>,
    next: u64,
    /// Requests in flight that are not remembered.
    beyond: usize,
    unseen: usize,
    resolved: Vec<Resolved<P, C>>,
}

impl<P: Copy, C> Engine<P, C> {
    /// An engine that has seen nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            requests: BTreeMap::new(),
            next: 0,
            beyond: 0,
            unseen: 0,
            resolved: Vec::new(),
        }
    }

    /// An inbound request's head is complete.
    pub fn begin(&mut self, _now: Nanos, _request: Inbound<'_>, parent: P) -> Request {
        let id = self.number();
        if self.requests.len() < self.settings.requests_max {
            self.requests.insert(id, parent);
        } else {
            self.beyond = self.beyond.saturating_add(1);
        }
        Request(id)
    }

    /// An inbound request's body is complete.
    pub fn body_complete(&mut self, _now: Nanos, _request: &Request) {}

    /// The head of an inbound request's response has been sent.
    pub fn responded(&mut self, _now: Nanos, _request: &Request) {}

    /// An inbound request has ended: the last byte of its response has passed, or its connection is gone.
    #[allow(clippy::needless_pass_by_value, reason = "a place is given back")]
    pub fn end(&mut self, _now: Nanos, request: Request) {
        if self.requests.remove(&request.0).is_none() {
            self.beyond = self.beyond.saturating_sub(1);
        }
    }

    /// Requests may come in from now on that cannot be seen, by an encrypted connection, say.
    pub fn begin_unseen(&mut self) -> Unseen {
        self.unseen = self.unseen.saturating_add(1);
        Unseen(())
    }

    /// By that connection none can any more.
    #[allow(clippy::needless_pass_by_value, reason = "a place is given back")]
    pub fn end_unseen(&mut self, _unseen: Unseen) {
        self.unseen = self.unseen.saturating_sub(1);
    }

    /// The head of an outbound call is complete, and about to leave.
    pub fn call(&mut self, _now: Nanos, _call: Outbound<'_>, _known_by: C) -> (Call, Decision<P>) {
        let mut requests = self.requests.values();
        let decision = match (requests.next(), requests.next()) {
            _ if self.unseen > 0 => Decision::Unknown(Unknown::Unseen),
            _ if self.beyond > 0 => Decision::Unknown(Unknown::TooMany),
            (None, _) => Decision::Unknown(Unknown::Background),
            (Some(_), Some(_)) => Decision::Unknown(Unknown::Ambiguous),
            (Some(parent), None) => Decision::Link(Link {
                parent: *parent,
                certainty: Certainty::Exact,
                method: Method::Single,
            }),
        };
        (Call(self.number()), decision)
    }

    /// The head of an outbound call's response has come, with these values.
    pub fn answered(&mut self, _now: Nanos, _call: &Call, _tokens: &[Token]) {}

    /// An outbound call has ended.
    #[allow(clippy::needless_pass_by_value, reason = "a place is given back")]
    pub fn end_call(&mut self, _now: Nanos, _call: Call) {}

    /// It has been found out which process holds the application's end of a connection.
    pub fn owned(&mut self, _connection: Connection, _process: Process) {}

    /// A connection is gone.
    pub fn closed(&mut self, _connection: Connection) {}

    /// The last words that are due: on calls that were left open and whose window has closed by now. To be asked every
    /// few tens of milliseconds.
    pub fn resolve(&mut self, _now: Nanos) -> impl Iterator<Item = Resolved<P, C>> + '_ {
        self.resolved.drain(..)
    }

    /// How many inbound requests are in flight that are seen.
    pub fn in_flight(&self) -> usize {
        self.requests.len().saturating_add(self.beyond)
    }

    fn number(&mut self) -> u64 {
        self.next = self.next.wrapping_add(1);
        self.next
    }
}
