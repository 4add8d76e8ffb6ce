//! What the engine remembers of requests and calls, by their places.

use super::{Call, Engine, Request};
use crate::event::{Callee, Connection, Nanos, Process, Route, Trace};
use crate::joint::CALLS;
use crate::process::Owned;
use crate::shares::REQUESTS;

const _: () = assert!(REQUESTS <= 64 && CALLS < 254, "masks and numbers are that wide");

/// A request in flight.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) trace: Trace,
    pub(super) responded: Option<Nanos>,
    /// What [`crate::echo::Echoes`] remembers of it.
    pub(super) values: Vec<u64>,
    pub(super) followed: Follow,
}

/// Whether [`crate::joint::Joint`] follows a request, and by which number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follow {
    As(usize),
    /// There was no room.
    Not,
    /// There was, but all that can be its calls have been made.
    NoLonger,
}

impl Follow {
    pub(super) fn number(self) -> Option<usize> {
        match self {
            Self::As(number) => Some(number),
            Self::Not | Self::NoLonger => None,
        }
    }
}

/// A request that is followed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Followed<P> {
    pub(super) parent: P,
    pub(super) route: Route,
    pub(super) connection: Connection,
    pub(super) process: Option<Process>,
}

/// A call that is followed.
#[derive(Debug)]
pub(super) struct Asked<C> {
    pub(super) number: u64,
    /// None if nothing is left to say.
    pub(super) open: Option<C>,
    pub(super) callee: Callee,
    pub(super) connection: Connection,
    pub(super) process: Option<Process>,
    /// How many requests were in flight when it left, and those of them that are followed, one bit each.
    pub(super) in_flight: usize,
    pub(super) suspects: u64,
    pub(super) said: Vec<Said>,
    /// What its process says of its suspects.
    pub(super) owned: Owned,
    /// What was most probable by the hypotheses alone when it left, and the doubt about it.
    pub(super) guess: Option<(usize, f64)>,
    /// Its parent, if that is known for certain, and whether it was kept from the hypotheses.
    pub(super) certain: Option<usize>,
    pub(super) withheld: bool,
    /// What [`crate::echo::Echoes`] remembers of its answer.
    pub(super) values: Vec<u64>,
}

/// What a value of a call said: at which places, of which followed request, and how probable that was without it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    pub(super) places: u64,
    pub(super) of: usize,
    pub(super) blind: f64,
}

impl<P: Copy, C> Engine<P, C> {
    pub(super) fn followed_as(&self, request: &Request) -> Option<usize> {
        self.followed_at(request.0?)
    }

    pub(super) fn followed_at(&self, place: usize) -> Option<usize> {
        self.requests.get(place)?.as_ref()?.followed.number()
    }

    pub(super) fn asked_as(&self, call: &Call) -> Option<usize> {
        let (call, number) = call.0?;
        let asked = self.asked.get(call)?.as_ref()?;
        (asked.number == number).then_some(call)
    }

    /// The followed requests in flight, one bit each.
    pub(super) fn followed_in_flight(&self) -> u64 {
        let followed = self
            .requests
            .iter()
            .flatten()
            .filter_map(|held| held.followed.number());
        followed.fold(0, |set, followed| set | bit(followed))
    }
}

pub(super) fn bit(number: usize) -> u64 {
    if number < REQUESTS { 1 << number } else { 0 }
}

/// Puts something at a place, of which there are bounded many.
pub(super) fn put<T>(places: &mut Vec<Option<T>>, place: usize, what: T) {
    if places.len() <= place {
        places.resize_with(place.saturating_add(1), || None);
    }
    if let Some(at) = places.get_mut(place) {
        *at = Some(what);
    }
}
