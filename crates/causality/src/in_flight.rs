//! The inbound requests in flight, of which one alone can be a cause.

use std::collections::BTreeMap;

/// What is known of the inbound request that caused an outbound call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause<P> {
    /// This one, because no other was in flight.
    Exact(P),
    /// Several were in flight, or none, or some that cannot be seen: it cannot be known.
    Unknown,
}

/// A request's place in [`InFlight`], to be given back when it ends. Not to be copied: a request ends once.
#[derive(Debug, PartialEq, Eq, Hash)]
#[must_use]
pub struct Ticket(u64);

/// The inbound requests of one pod that have begun and not ended, each with what a call caused by it needs to know
/// (`P`, its span's context).
#[derive(Debug)]
pub struct InFlight<P> {
    /// Oldest first. Few at a time, so that an ordered map is quicker than a hashed one.
    requests: BTreeMap<u64, P>,
    next: u64,
    /// How many requests may be remembered; those beyond are counted only.
    bound: usize,
    uncounted: usize,
}

impl<P: Copy> InFlight<P> {
    /// At most `bound` requests are remembered at a time. Beyond that every cause is unknown, which with so many in
    /// flight it would be anyway.
    pub fn new(bound: usize) -> Self {
        Self {
            requests: BTreeMap::new(),
            next: 0,
            bound,
            uncounted: 0,
        }
    }

    /// An inbound request has begun.
    pub fn begin(&mut self, request: P) -> Ticket {
        let ticket = Ticket(self.next);
        self.next = self.next.wrapping_add(1);
        if self.requests.len() < self.bound {
            self.requests.insert(ticket.0, request);
        } else {
            self.uncounted = self.uncounted.saturating_add(1);
        }
        ticket
    }

    /// Requests may come in that cannot be seen, by an encrypted connection, say. Until this has ended as a request
    /// does, no cause is certain.
    pub fn begin_unseen(&mut self) -> Ticket {
        let ticket = Ticket(self.next);
        self.next = self.next.wrapping_add(1);
        self.uncounted = self.uncounted.saturating_add(1);
        ticket
    }

    /// It has ended: the last byte of its response has passed, or its connection is gone.
    #[allow(clippy::needless_pass_by_value, reason = "a ticket is used up")]
    pub fn end(&mut self, ticket: Ticket) {
        if self.requests.remove(&ticket.0).is_none() {
            self.uncounted = self.uncounted.saturating_sub(1);
        }
    }

    /// What caused an outbound call that leaves the pod now.
    pub fn cause(&self) -> Cause<P> {
        let mut requests = self.requests.values();
        match (requests.next(), requests.next(), self.uncounted) {
            (Some(request), None, 0) => Cause::Exact(*request),
            _ => Cause::Unknown,
        }
    }

    /// How many inbound requests are in flight.
    pub fn len(&self) -> usize {
        self.requests.len().saturating_add(self.uncounted)
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_request_in_flight_is_the_cause() {
        let mut in_flight = InFlight::new(8);
        assert_eq!(in_flight.cause(), Cause::Unknown);
        let a = in_flight.begin('a');
        assert_eq!(in_flight.cause(), Cause::Exact('a'));
        let b = in_flight.begin('b');
        assert_eq!(in_flight.cause(), Cause::Unknown);
        in_flight.end(a);
        assert_eq!(in_flight.cause(), Cause::Exact('b'));
        in_flight.end(b);
        assert_eq!(in_flight.cause(), Cause::Unknown);
    }

    #[test]
    fn beyond_the_bound_requests_are_counted_and_nothing_is_claimed() {
        let mut in_flight = InFlight::new(1);
        let a = in_flight.begin('a');
        let b = in_flight.begin('b');
        assert_eq!((in_flight.len(), in_flight.cause()), (2, Cause::Unknown));
        in_flight.end(b);
        assert_eq!((in_flight.len(), in_flight.cause()), (1, Cause::Exact('a')));
        in_flight.end(a);
        assert!(in_flight.is_empty());
    }

    #[test]
    fn while_requests_may_come_in_unseen_nothing_is_claimed() {
        let mut in_flight = InFlight::new(8);
        let a = in_flight.begin('a');
        let unseen = in_flight.begin_unseen();
        assert_eq!(in_flight.cause(), Cause::Unknown);
        in_flight.end(unseen);
        assert_eq!(in_flight.cause(), Cause::Exact('a'));
        in_flight.end(a);
        assert!(in_flight.is_empty());
    }

    #[test]
    fn when_the_remembered_one_ends_first_the_one_beyond_the_bound_is_not_claimed() {
        let mut in_flight = InFlight::new(1);
        let a = in_flight.begin('a');
        let b = in_flight.begin('b');
        in_flight.end(a);
        assert_eq!((in_flight.len(), in_flight.cause()), (1, Cause::Unknown));
        in_flight.end(b);
        assert!(in_flight.is_empty());
    }
}
