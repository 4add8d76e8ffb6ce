//! The engine: told of what one sidecar sees in the order in which it happens, it says what caused each outbound call.

use std::collections::VecDeque;

use crate::calibration::{cautious, corroborated};
use crate::echo::{Echo, Echoes, Holder};
use crate::event::{Callee, Connection, Inbound, Nanos, Outbound, Process, Route, Token, Trace};
use crate::joint::{self, CALLS, Joint, Settled};
use crate::link::{Certainty, Decision, Link, Method, Resolved, Unknown};
use crate::model::Model;
use crate::null::Background;
use crate::process::Owners;
use crate::shares::{Hints, REQUESTS, Shares};

/// A call is settled at the latest after so long, in nanoseconds.
const WINDOW_MAX: Nanos = 10_000_000_000;

/// The most last words that wait to be asked for.
const RESOLVED_MAX: usize = 8192;

/// Speaks against whatever is impossible: a logarithm of a factor.
const IMPOSSIBLE: f64 = -40.0;

/// Evidence that speaks against the model at such odds is not believed to be exact.
const ABSURD: f64 = 1e-7;

/// The most values of one call that count.
const ECHOES_MAX: usize = 4;

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
    /// Requests in flight, by place.
    requests: Vec<Option<Held<P>>>,
    vacant: Vec<usize>,
    /// Requests that [`Joint`] follows, by its numbers; they stay until it has done with them.
    followed: Vec<Option<Followed<P>>>,
    /// Calls that it follows.
    asked: Vec<Option<Asked<C>>>,
    /// Requests in flight that are not remembered.
    beyond: usize,
    /// Those that are, but are not followed.
    unfollowed: usize,
    unseen: usize,
    /// How many calls there were.
    calls: u64,
    model: Model,
    joint: Joint,
    background: Background,
    echoes: Echoes,
    owners: Owners,
    resolved: VecDeque<Resolved<P, C>>,
}

#[derive(Debug)]
struct Held<P> {
    parent: P,
    trace: Trace,
    connection: Connection,
    values: Vec<u64>,
    followed: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Followed<P> {
    parent: P,
    route: Route,
    connection: Connection,
    process: Option<Process>,
}

/// What a value of a call said: at which places, of which followed request, and how probable that was without it.
#[derive(Clone, Copy, Debug)]
struct Said {
    places: u64,
    of: usize,
    blind: f64,
}

#[derive(Debug)]
struct Asked<C> {
    /// Which call it is.
    number: u64,
    /// None if nothing is left to say.
    open: Option<C>,
    callee: Callee,
    connection: Connection,
    process: Option<Process>,
    /// Followed requests in flight when it left.
    suspects: u64,
    /// What its values said.
    echoes: Vec<Said>,
    /// The followed request that alone shares its process.
    same_process: Option<usize>,
    in_flight: usize,
    /// Values that its answer brought.
    given: Vec<u64>,
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
            asked: Vec::new(),
            beyond: 0,
            unfollowed: 0,
            unseen: 0,
            calls: 0,
            model: Model::new(),
            joint: Joint::new(),
            background: Background::default(),
            echoes: Echoes::new(),
            owners: Owners::default(),
            resolved: VecDeque::new(),
        }
    }

    /// An inbound request's head is complete.
    pub fn begin(&mut self, now: Nanos, request: Inbound<'_>, parent: P) -> Request {
        let now = self.pass(now);
        let Some(place) = self.room() else {
            self.beyond = self.beyond.saturating_add(1);
            return Request(None);
        };
        let followed = self.joint.begin(now, request.route);
        if let Some(slot) = followed {
            put(
                &mut self.followed,
                slot,
                Followed {
                    parent,
                    route: request.route,
                    connection: request.connection,
                    process: self.owners.of(request.connection),
                },
            );
        } else {
            self.unfollowed = self.unfollowed.saturating_add(1);
        }
        let mut values = Vec::new();
        self.echoes
            .carry(Holder::Request(place), request.tokens, &mut values);
        put(
            &mut self.requests,
            place,
            Held {
                parent,
                trace: request.trace,
                connection: request.connection,
                values,
                followed,
            },
        );
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
            Some(followed) => {
                self.joint.end(now, followed);
                self.settle(now);
            }
            None => self.unfollowed = self.unfollowed.saturating_sub(1),
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

        let mut hints = Hints::none();
        let told = call.forwarded.map(|trace| self.forwarded(trace, &mut hints));
        let echoes = self.heard(call.tokens);
        if told.is_none() {
            self.hint_echoes(&echoes, &mut hints);
        }
        let process = self.owners.of(call.connection);
        let same_process = self.same_process(process);
        if let (Some(same), None) = (same_process, told)
            && let Some(hint) = hints.of.get_mut(same)
        {
            *hint += self.owners.factor();
        }

        let followed = self.joint.call(
            now,
            &self.model,
            call.callee,
            &hints,
            self.background.rate(call.callee),
        );
        let decision = match (told, &followed) {
            (Some(decision), _) => decision,
            (None, Some(joint::Asked { blind, shares, .. })) => {
                self.decide(&call, &echoes, same_process, blind, shares)
            }
            (None, None) => self
                .exact_echo(&echoes, None)
                .map_or(Decision::Unknown(Unknown::TooMany), |(parent, _)| {
                    link(parent, Certainty::Exact, Method::Echo)
                }),
        };
        let Some(joint::Asked {
            call: slot, blind, ..
        }) = followed
        else {
            return (Call(None), decision);
        };
        let asked = Asked {
            number: self.calls,
            open: matches!(decision, Decision::Open).then_some(known_by),
            callee: call.callee,
            connection: call.connection,
            process,
            suspects: self.in_flight_mask(),
            echoes: self.said(&echoes, &blind),
            same_process,
            in_flight,
            given: Vec::new(),
        };
        if let Some(before) = self.asked.get_mut(slot).and_then(Option::take) {
            self.echoes.drop(Holder::Call(slot), before.given);
        }
        put(&mut self.asked, slot, asked);
        (Call(Some((slot, self.calls))), decision)
    }

    /// The head of an outbound call's response has come, with these values.
    pub fn answered(&mut self, now: Nanos, call: &Call, tokens: &[Token]) {
        let now = self.pass(now);
        if let Some(slot) = self.asked_as(call) {
            self.joint.answered(now, &self.model, slot);
            if let Some(Some(asked)) = self.asked.get_mut(slot) {
                self.echoes.carry(Holder::Call(slot), tokens, &mut asked.given);
            }
        }
    }

    /// An outbound call has ended.
    #[allow(clippy::needless_pass_by_value, reason = "a place is given back")]
    pub fn end_call(&mut self, now: Nanos, call: Call) {
        let now = self.pass(now);
        if let Some(slot) = self.asked_as(&call) {
            self.joint.end_call(now, &self.model, slot);
            self.settle(now);
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
        for slot in 0..self.asked.len() {
            let Some(Some(asked)) = self.asked.get_mut(slot) else {
                continue;
            };
            if asked.connection == connection {
                asked.process = Some(process);
            }
            let (process, suspects, before) = (asked.process, asked.suspects, asked.same_process);
            let same = self.only_one_with(process, suspects);
            if same != before {
                let factor = self.owners.factor();
                if let Some(before) = before {
                    self.joint.hint(slot, before, -factor);
                }
                if let Some(same) = same {
                    self.joint.hint(slot, same, factor);
                }
                if let Some(Some(asked)) = self.asked.get_mut(slot) {
                    asked.same_process = same;
                }
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
        self.settle(now);
        self.resolved.drain(..)
    }

    /// How many inbound requests are in flight that are seen.
    pub fn in_flight(&self) -> usize {
        self.requests
            .len()
            .saturating_sub(self.vacant.len())
            .saturating_add(self.beyond)
    }

    /// What is said when a call leaves.
    fn decide(
        &self,
        call: &Outbound<'_>,
        echoes: &[Echo],
        same_process: Option<usize>,
        blind: &Shares,
        shares: &Shares,
    ) -> Decision<P> {
        if let Some((parent, slot)) = self.exact_echo(echoes, Some(blind))
            && slot.is_some()
        {
            return link(parent, Certainty::Exact, Method::Echo);
        }
        if self.unseen > 0 {
            return Decision::Unknown(Unknown::Unseen);
        }
        if self.beyond > 0 || self.unfollowed > 0 {
            return Decision::Unknown(Unknown::TooMany);
        }
        let (best, share) = shares.best();
        let Some(parent) = self.parent(best).filter(|_| share > 0.0) else {
            return Decision::Unknown(Unknown::Background);
        };
        let method = self.method(best, echoes, same_process, self.in_flight());
        let exact = match method {
            Method::Single => self.background.is_rare(call.callee) && share > 0.99,
            Method::Process => self.owners.is_exact() && share > 0.99,
            _ => false,
        };
        if exact {
            return link(parent, Certainty::Exact, method);
        }
        let confidence = match method {
            Method::Learned => cautious(share * (1.0 - shares.lost), self.experience(best)),
            _ => corroborated(share * (1.0 - shares.lost)),
        };
        if confidence >= self.settings.threshold && confidence > 0.0 {
            return link(parent, Certainty::Inferred(confidence), method);
        }
        Decision::Open
    }

    /// How a followed request was found out to be the parent.
    fn method(&self, best: usize, echoes: &[Echo], same_process: Option<usize>, in_flight: usize) -> Method {
        if in_flight == 1 {
            return Method::Single;
        }
        if echoes
            .iter()
            .any(|echo| self.slot_of(echo.holder) == Some(Holder::Request(best)))
        {
            return Method::Echo;
        }
        if same_process == Some(best) {
            return Method::Process;
        }
        Method::Learned
    }

    /// Passes on the last words, and learns from them.
    fn settle(&mut self, now: Nanos) {
        let mut words: Vec<Settled> = Vec::new();
        self.joint
            .settle(now, &mut self.model, now.saturating_sub(WINDOW_MAX), |settled| {
                words.push(settled);
            });
        for Settled { call, shares } in words {
            let Some(Some(asked)) = self.asked.get_mut(call) else {
                continue;
            };
            if asked.in_flight > 0 {
                self.background.orphan(asked.callee, shares.none);
            }
            let others = asked.in_flight.saturating_sub(1).max(1) as f64;
            let weight = others.powi(-2);
            for said in &asked.echoes {
                let right = shares.of.get(said.of).copied().unwrap_or_default();
                self.echoes.learn(said.places, right, said.blind, weight);
            }
            if let Some(same) = asked.same_process {
                self.owners
                    .learn(shares.of.get(same).copied().unwrap_or_default());
            }
            let Some(known_by) = asked.open.take() else {
                continue;
            };
            let same_process = asked.same_process;
            let link = self.last_word(&shares, same_process);
            if self.resolved.len() < RESOLVED_MAX {
                self.resolved.push_back(Resolved { call: known_by, link });
            }
        }
    }

    fn last_word(&self, shares: &Shares, same_process: Option<usize>) -> Result<Link<P>, Unknown> {
        let (best, share) = shares.best();
        if shares.none > share {
            return Err(Unknown::Background);
        }
        let parent = self.parent(best).ok_or(Unknown::Ambiguous)?;
        let confidence = cautious(share * (1.0 - shares.lost), self.experience(best));
        if same_process == Some(best) && self.owners.is_exact() && share > 0.99 {
            return Ok(Link {
                parent,
                certainty: Certainty::Exact,
                method: Method::Process,
            });
        }
        if confidence >= self.settings.threshold && confidence > 0.0 {
            return Ok(Link {
                parent,
                certainty: Certainty::Inferred(confidence),
                method: Method::Joint,
            });
        }
        Err(if shares.lost > 0.5 {
            Unknown::Budget
        } else {
            Unknown::Ambiguous
        })
    }

    /// Time goes by.
    fn pass(&mut self, now: Nanos) -> Nanos {
        self.now = self.now.max(now);
        let in_flight = self.in_flight();
        self.background.pass(self.now, in_flight);
        self.now
    }

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

    fn followed_as(&self, request: &Request) -> Option<usize> {
        self.requests.get(request.0?)?.as_ref()?.followed
    }

    fn asked_as(&self, call: &Call) -> Option<usize> {
        let (slot, number) = call.0?;
        let asked = self.asked.get(slot)?.as_ref()?;
        (asked.number == number).then_some(slot)
    }

    fn parent(&self, followed: usize) -> Option<P> {
        Some(self.followed.get(followed)?.as_ref()?.parent)
    }

    fn experience(&self, followed: usize) -> f64 {
        let route = self
            .followed
            .get(followed)
            .and_then(|followed| followed.as_ref().map(|f| f.route));
        route.map_or(0.0, |route| self.model.experience(route))
    }

    fn in_flight_mask(&self) -> u64 {
        self.requests
            .iter()
            .flatten()
            .filter_map(|held| held.followed)
            .fold(0, |mask, slot| mask | 1 << (slot % REQUESTS))
    }

    /// The application itself says which trace a call belongs to.
    fn forwarded(&self, trace: Trace, hints: &mut Hints) -> Decision<P> {
        let mut parents = Vec::new();
        for held in self.requests.iter().flatten() {
            if held.trace == trace {
                parents.push(held);
            } else if let Some(hint) = held.followed.and_then(|slot| hints.of.get_mut(slot)) {
                *hint = IMPOSSIBLE;
            }
        }
        if !parents.is_empty() {
            hints.none = IMPOSSIBLE;
        }
        match parents.as_slice() {
            [only] => link(only.parent, Certainty::Exact, Method::Propagated),
            [] => Decision::Unknown(Unknown::Background),
            _ => Decision::Unknown(Unknown::Ambiguous),
        }
    }

    fn heard(&mut self, tokens: &[Token]) -> Vec<Echo> {
        let mut echoes = Vec::new();
        self.echoes.heard(tokens, |echo| {
            if echoes.len() < ECHOES_MAX {
                echoes.push(echo);
            }
        });
        echoes
    }

    fn said(&self, echoes: &[Echo], blind: &Shares) -> Vec<Said> {
        let said = echoes.iter().filter_map(|echo| {
            let of = match self.slot_of(echo.holder)? {
                Holder::Request(of) => of,
                Holder::Call(call) => self.joint.likely_parent(call)?,
            };
            let blind = blind.of.get(of).copied()?;
            Some(Said {
                places: echo.places,
                of,
                blind,
            })
        });
        said.collect()
    }

    fn hint_echoes(&self, echoes: &[Echo], hints: &mut Hints) {
        for echo in echoes {
            match self.slot_of(echo.holder) {
                Some(Holder::Request(slot)) => {
                    if let Some(hint) = hints.of.get_mut(slot) {
                        *hint += echo.factor;
                    }
                }
                Some(Holder::Call(call)) => hints.like = Some((call, echo.factor)),
                None => {}
            }
        }
    }

    /// The same holder, by the numbers of [`Joint`].
    fn slot_of(&self, holder: Holder) -> Option<Holder> {
        match holder {
            Holder::Request(place) => {
                let followed = self.requests.get(place)?.as_ref()?.followed?;
                Some(Holder::Request(followed))
            }
            Holder::Call(slot) => Some(Holder::Call(slot)),
        }
    }

    /// The request that a value points to which almost never lies, and its number if it is followed.
    fn exact_echo(&self, echoes: &[Echo], blind: Option<&Shares>) -> Option<(P, Option<usize>)> {
        let mut found: Option<(usize, P, Option<usize>)> = None;
        for echo in echoes.iter().filter(|echo| echo.exact) {
            let Holder::Request(place) = echo.holder else {
                continue;
            };
            let held = self.requests.get(place)?.as_ref()?;
            let absurd = match (blind, held.followed) {
                (Some(blind), Some(slot)) => blind.of.get(slot).is_none_or(|share| *share < ABSURD),
                _ => false,
            };
            if absurd || found.is_some_and(|(known, ..)| known != place) {
                return None;
            }
            found = Some((place, held.parent, held.followed));
        }
        found.map(|(_, parent, followed)| (parent, followed))
    }

    fn same_process(&self, process: Option<Process>) -> Option<usize> {
        self.only_one_with(process, self.in_flight_mask())
    }

    fn only_one_with(&self, process: Option<Process>, among: u64) -> Option<usize> {
        let process = process?;
        let mut only = None;
        let mut others = false;
        for (slot, followed) in self.followed.iter().enumerate() {
            if among & (1 << (slot % REQUESTS)) == 0 {
                continue;
            }
            let Some(followed) = followed else { continue };
            match followed.process {
                None => return None,
                Some(owner) if owner != process => others = true,
                Some(_) if only.is_some() => return None,
                Some(_) => only = Some(slot),
            }
        }
        only.filter(|_| others)
    }
}

fn link<P>(parent: P, certainty: Certainty, method: Method) -> Decision<P> {
    Decision::Link(Link {
        parent,
        certainty,
        method,
    })
}

/// Puts something at a place, which is at most [`CALLS`] or as many requests as may be held.
fn put<T>(places: &mut Vec<Option<T>>, place: usize, what: T) {
    if places.len() <= place {
        places.resize_with(place.saturating_add(1), || None);
    }
    if let Some(at) = places.get_mut(place) {
        *at = Some(what);
    }
}

const _: () = assert!(REQUESTS <= 64 && CALLS < 254, "masks and numbers are that wide");
