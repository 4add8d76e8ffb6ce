//! The engine: told of what one sidecar sees in the order in which it happens, it says what caused each outbound call.
//!
//! Here is what it is told. [`places`] is what it remembers of that, [`evidence`] what speaks for whom when a call leaves,
//! [`decide`] what is said of it at once, and [`settle`] the last words.

mod decide;
mod evidence;
mod places;
mod settle;

use std::collections::VecDeque;

use self::evidence::only;
use self::places::{Asked, Follow, Followed, Held, put};
use crate::calibration::{Calibration, doubt};
use crate::echo::{Echoes, Holder};
use crate::event::{Connection, Inbound, Nanos, Outbound, Process, Token};
use crate::joint::{Joint, Leave};
use crate::link::{Decision, Resolved};
use crate::model::Model;
use crate::null::Background;
use crate::process::Owners;
use crate::shares::Hints;
use crate::split::requests;

/// One in so many calls whose parent is known for certain is kept from the hypotheses, to measure them by.
const WITHHELD: u64 = 8;

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
pub struct Request(Option<usize>);

/// An outbound call's place in the engine, to be given back when it ends.
#[derive(Debug, PartialEq, Eq, Hash)]
#[must_use]
pub struct Call(Option<(usize, u64)>);

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
    now: Nanos,
    /// Requests in flight, by place, and the places that are vacant.
    requests: Vec<Option<Held>>,
    vacant: Vec<usize>,
    /// What calls need to know of requests that [`Joint`] follows, by its numbers: it may need them once they are over.
    followed: Vec<Option<Followed<P>>>,
    parents: Vec<Option<P>>,
    /// Calls that it follows, by its numbers.
    asked: Vec<Option<Asked<C>>>,
    /// Requests in flight that are not remembered, and those that are, but are not followed.
    beyond: usize,
    unfollowed: usize,
    /// How many connections may bring requests that cannot be seen.
    unseen: usize,
    /// How many calls there were.
    calls: u64,
    joint: Joint,
    model: Model,
    background: Background,
    echoes: Echoes,
    owners: Owners,
    /// Of what is said when a call leaves, and of last words.
    online: Calibration,
    deferred: Calibration,
    resolved: VecDeque<Resolved<P, C>>,
}

impl<P: Copy, C> Engine<P, C> {
    /// An engine that has seen nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            now: 0,
            requests: Vec::new(),
            vacant: Vec::new(),
            followed: Vec::new(),
            parents: Vec::new(),
            asked: Vec::new(),
            beyond: 0,
            unfollowed: 0,
            unseen: 0,
            calls: 0,
            joint: Joint::new(settings.calls_max),
            model: Model::new(),
            background: Background::default(),
            echoes: Echoes::new(),
            owners: Owners::default(),
            online: Calibration::default(),
            deferred: Calibration::default(),
            resolved: VecDeque::new(),
        }
    }

    /// From now on links below this confidence are not made; see [`Settings::threshold`].
    pub fn decide_from(&mut self, threshold: f64) {
        self.settings.threshold = threshold;
    }

    /// An inbound request's head is complete.
    pub fn begin(&mut self, now: Nanos, request: Inbound<'_>, parent: P) -> Request {
        let now = self.pass(now);
        let Some(place) = self.room() else {
            self.beyond = self.beyond.saturating_add(1);
            return Request(None);
        };
        put(&mut self.parents, place, parent);
        let followed = self.joint.begin(now, request.route);
        match followed {
            Some(followed) => put(
                &mut self.followed,
                followed,
                Followed {
                    parent,
                    route: request.route,
                    connection: request.connection,
                    process: self.owners.of(request.connection),
                },
            ),
            None => self.unfollowed = self.unfollowed.saturating_add(1),
        }
        let held = Held {
            trace: request.trace,
            responded: None,
            values: self.echoes.carry(Holder::Request(place), request.tokens),
            followed: followed.map_or(Follow::Not, Follow::As),
        };
        put(&mut self.requests, place, held);
        Request(Some(place))
    }

    /// An inbound request's body is complete.
    pub fn body_complete(&mut self, now: Nanos, request: &Request) {
        let now = self.pass(now);
        if let Some(followed) = self.followed_as(request) {
            self.joint.body_complete(now, &self.model, followed);
        }
    }

    /// The head of an inbound request's response has been sent.
    pub fn responded(&mut self, now: Nanos, request: &Request) {
        let now = self.pass(now);
        if let Some(Some(held)) = request.0.and_then(|place| self.requests.get_mut(place)) {
            held.responded = held.responded.or(Some(now));
        }
        if let Some(followed) = self.followed_as(request) {
            self.joint.responded(now, &self.model, followed);
        }
    }

    /// An inbound request has ended: the last byte of its response has passed, or its connection is gone.
    #[allow(clippy::needless_pass_by_value, reason = "a place is given back")]
    pub fn end(&mut self, now: Nanos, request: Request) {
        let now = self.pass(now);
        let Some(place) = request.0 else {
            self.beyond = self.beyond.saturating_sub(1);
            return;
        };
        let Some(held) = self.requests.get_mut(place).and_then(Option::take) else {
            return;
        };
        self.vacant.push(place);
        self.echoes.drop(Holder::Request(place), held.values);
        match held.followed {
            Follow::As(followed) => {
                self.joint.end(now, &self.model, followed);
                self.settle(now);
            }
            Follow::Not => self.unfollowed = self.unfollowed.saturating_sub(1),
            Follow::NoLonger => {}
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
    pub fn call(&mut self, now: Nanos, call: Outbound<'_>, known_by: C) -> (Call, Decision<P>) {
        let now = self.pass(now);
        self.calls = self.calls.wrapping_add(1);
        let in_flight = self.in_flight();
        self.background.called(call.callee, in_flight);

        let forwarded = call.forwarded.map(|trace| self.forwarded(trace));
        let echoes = self.heard(call.tokens);
        let process = self.owners.of(call.connection);
        let suspects = self.followed_in_flight();
        let owned = self.owned_by(process, suspects);
        let same_process = owned.only();
        let certain = self.certain(forwarded, &echoes, same_process);
        let withheld = certain.is_some() && self.calls.is_multiple_of(WITHHELD);
        let hints = match forwarded {
            _ if withheld => Hints::none(),
            Some(parents) => only(parents),
            None => self.hints(&echoes, &owned, suspects),
        };

        let left = self.joint.call(
            &self.model,
            &Leave {
                now,
                callee: call.callee,
                hints: &hints,
                background: self.background.rate(call.callee, in_flight),
                hidden: self.unseen > 0 || self.beyond > 0 || self.unfollowed > 0,
                certain: certain.is_some() && !withheld,
            },
        );
        let decision = self.decide(&call, forwarded, &echoes, same_process, left.as_ref());
        let Some(left) = left else {
            return (Call(None), decision);
        };
        let (best, share) = left.blind.best();
        let asked = Asked {
            number: self.calls,
            open: matches!(decision, Decision::Open).then_some(known_by),
            callee: call.callee,
            connection: call.connection,
            process,
            in_flight,
            suspects,
            said: self.said(&echoes, &left.blind),
            owned,
            guess: (in_flight > 1).then(|| (best, doubt(share, 0.0))),
            certain,
            withheld,
            values: Vec::new(),
        };
        if let Some(before) = self.asked.get_mut(left.call).and_then(Option::take) {
            self.echoes.drop(Holder::Call(left.call), before.values);
        }
        put(&mut self.asked, left.call, asked);
        (Call(Some((left.call, self.calls))), decision)
    }

    /// The head of an outbound call's response has come, with these values.
    pub fn answered(&mut self, now: Nanos, call: &Call, tokens: &[Token]) {
        let now = self.pass(now);
        let Some(call) = self.asked_as(call) else { return };
        self.joint.answered(now, &self.model, call);
        let values = self.echoes.carry(Holder::Call(call), tokens);
        if let Some(Some(asked)) = self.asked.get_mut(call) {
            let before = std::mem::replace(&mut asked.values, values);
            self.echoes.drop(Holder::Call(call), before);
        }
    }

    /// An outbound call has ended.
    #[allow(clippy::needless_pass_by_value, reason = "a place is given back")]
    pub fn end_call(&mut self, now: Nanos, call: Call) {
        let now = self.pass(now);
        if let Some(call) = self.asked_as(&call) {
            self.joint.end_call(now, &self.model, call);
        }
    }

    /// It has been found out which process holds the application's end of a connection.
    pub fn owned(&mut self, connection: Connection, process: Process) {
        self.owners.owned(connection, process);
        for followed in self.followed.iter_mut().flatten() {
            if followed.connection == connection {
                followed.process = Some(process);
            }
        }
        for asked in self.asked.iter_mut().flatten() {
            if asked.connection == connection {
                asked.process = Some(process);
            }
        }
        let trust = self.owners.factor();
        for call in 0..self.asked.len() {
            let Some(Some(asked)) = self.asked.get(call) else {
                continue;
            };
            let (before, withheld, suspects) = (asked.owned, asked.withheld, asked.suspects);
            let owned = self.owned_by(asked.process, suspects);
            if owned == before || withheld {
                continue;
            }
            for suspect in requests(suspects) {
                let change = owned.factor(suspect, trust) - before.factor(suspect, trust);
                if change != 0.0 {
                    self.joint.hint(call, suspect, change);
                }
            }
            if let Some(Some(asked)) = self.asked.get_mut(call) {
                asked.owned = owned;
            }
        }
    }

    /// A connection is gone.
    pub fn closed(&mut self, connection: Connection) {
        self.owners.closed(connection);
    }

    /// The last words that are due: on calls that were left open and whose window has closed by now. To be asked every
    /// few tens of milliseconds.
    pub fn resolve(&mut self, now: Nanos) -> impl Iterator<Item = Resolved<P, C>> + '_ {
        let now = self.pass(now);
        self.let_go(now);
        self.settle(now);
        self.resolved.drain(..)
    }

    /// How many inbound requests are in flight that are seen.
    pub fn in_flight(&self) -> usize {
        let remembered = self.requests.len().saturating_sub(self.vacant.len());
        remembered.saturating_add(self.beyond)
    }

    /// Time goes by; never backwards.
    fn pass(&mut self, now: Nanos) -> Nanos {
        self.now = self.now.max(now);
        let in_flight = self.in_flight();
        self.background.pass(self.now, in_flight);
        self.now
    }

    /// A place for a request, unless there are too many.
    fn room(&mut self) -> Option<usize> {
        if let Some(place) = self.vacant.pop() {
            return Some(place);
        }
        if self.requests.len() >= self.settings.requests_max {
            return None;
        }
        self.requests.push(None);
        Some(self.requests.len().saturating_sub(1))
    }
}
