//! The engine: told of what one sidecar sees in the order in which it happens, it says what caused each outbound call.

use std::collections::VecDeque;

use crate::calibration::{Calibration, cautious, corroborated};
use crate::echo::{Echo, Echoes, Holder};
use crate::event::{Callee, Connection, Inbound, Nanos, Outbound, Process, Route, Token, Trace};
use crate::joint::{CALLS, Joint, Leave, Left, Settled};
use crate::link::{Certainty, Decision, Link, Method, Resolved, Unknown};
use crate::model::{Experience, Model};
use crate::null::Background;
use crate::process::Owners;
use crate::shares::{Hints, REQUESTS, Shares};

/// A call is settled at the latest after so long, in nanoseconds.
const WINDOW_MAX: Nanos = 10_000_000_000;

/// A response that has been under way for longer than this, in nanoseconds, is a stream.
const STREAM: Nanos = 10_000_000_000;

/// The most last words that wait to be asked for.
const RESOLVED_MAX: usize = 8192;

/// The most values of one call that count.
const ECHOES_MAX: usize = 4;

/// One in so many calls whose parent is known for certain is kept from the hypotheses, to measure them by.
const WITHHELD: u64 = 8;

/// Speaks against what is impossible: a logarithm of a factor.
const IMPOSSIBLE: f64 = -40.0;

/// Speaks for what is exact, unless it is hardly possible by everything else: a logarithm of a factor.
const EXACT: f64 = 16.0;

/// The least share with which the only candidate is an exact one.
const PLAIN: f64 = 0.99;

/// With a larger share of the weight dropped for want of room, nothing can be said.
const LOST_MAX: f64 = 0.5;

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

/// A request in flight.
#[derive(Debug)]
struct Held {
    trace: Trace,
    responded: Option<Nanos>,
    /// What [`Echoes`] remembers of it.
    values: Vec<u64>,
    followed: Follow,
}

/// Whether [`Joint`] follows a request, and by which number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Follow {
    As(usize),
    /// There was no room.
    Not,
    /// There was, but all that can be its calls have been made.
    NoLonger,
}

impl Follow {
    fn number(self) -> Option<usize> {
        match self {
            Self::As(number) => Some(number),
            Self::Not | Self::NoLonger => None,
        }
    }
}

/// A request that is followed.
#[derive(Clone, Copy, Debug)]
struct Followed<P> {
    parent: P,
    route: Route,
    connection: Connection,
    process: Option<Process>,
}

/// A call that is followed.
#[derive(Debug)]
struct Asked<C> {
    number: u64,
    /// None if nothing is left to say.
    open: Option<C>,
    callee: Callee,
    connection: Connection,
    process: Option<Process>,
    /// How many requests were in flight when it left, and those of them that are followed, one bit each.
    in_flight: usize,
    suspects: u64,
    said: Vec<Said>,
    /// The followed request that alone shares its process.
    same_process: Option<usize>,
    /// What was most probable by the hypotheses alone when it left, and the doubt about it.
    guess: Option<(usize, f64)>,
    /// Its parent, if that is known for certain, and whether it was kept from the hypotheses.
    certain: Option<usize>,
    withheld: bool,
    /// What [`Echoes`] remembers of its answer.
    values: Vec<u64>,
}

/// What a value of a call said: at which places, of which followed request, and how probable that was without it.
#[derive(Clone, Copy, Debug)]
struct Said {
    places: u64,
    of: usize,
    blind: f64,
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
        let same_process = self.only_one_with(process, suspects);
        let certain = self.certain(forwarded, &echoes, same_process);
        let withheld = certain.is_some() && self.calls.is_multiple_of(WITHHELD);
        let hints = match forwarded {
            _ if withheld => Hints::none(),
            Some(parents) => only(parents),
            None => self.hints(&echoes, same_process),
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
            same_process,
            guess: (in_flight > 1).then(|| (best, self.doubt(best, share * (1.0 - left.lost)))),
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
        let factor = self.owners.factor();
        for call in 0..self.asked.len() {
            let Some(Some(asked)) = self.asked.get(call) else {
                continue;
            };
            let (before, withheld) = (asked.same_process, asked.withheld);
            let same_process = self.only_one_with(asked.process, asked.suspects);
            if same_process == before || withheld {
                continue;
            }
            if let Some(before) = before {
                self.joint.hint(call, before, -factor);
            }
            if let Some(same) = same_process {
                self.joint.hint(call, same, factor);
            }
            if let Some(Some(asked)) = self.asked.get_mut(call) {
                asked.same_process = same_process;
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

    /// What is said when a call leaves: what is certain first, then what is impossible to know, then what is probable.
    fn decide(
        &self,
        call: &Outbound<'_>,
        forwarded: Option<Parents>,
        echoes: &[Echo],
        same_process: Option<usize>,
        left: Option<&Left>,
    ) -> Decision<P> {
        if let Some(parents) = forwarded {
            return match parents {
                Parents::One { place, .. } => self.link(place, Certainty::Exact, Method::Propagated),
                Parents::None => Decision::Unknown(Unknown::Background),
                Parents::Several(_) => Decision::Unknown(Unknown::Ambiguous),
            };
        }
        if let Some(place) = self.exact_echo(echoes) {
            return self.link(place, Certainty::Exact, Method::Echo);
        }
        if self.unseen > 0 {
            return Decision::Unknown(Unknown::Unseen);
        }
        let Some(left) = left.filter(|_| self.beyond == 0 && self.unfollowed == 0) else {
            return Decision::Unknown(Unknown::TooMany);
        };
        if self.in_flight() == 0 {
            return Decision::Unknown(Unknown::Background);
        }
        let (best, share) = left.shares.best();
        let Some(Some(followed)) = self.followed.get(best).filter(|_| share > 0.0) else {
            return Decision::Open;
        };
        let method = self.method(best, echoes, same_process, &left.shares);
        let exact = match method {
            Method::Single => self.background.is_rare(call.callee),
            Method::Process => self.owners.is_exact(),
            _ => false,
        };
        let share = share * (1.0 - left.lost);
        let confidence = match method {
            Method::Learned | Method::Stage => {
                let doubt = self.doubt(best, share);
                self.online.confidence(doubt)
            }
            Method::Echo => {
                let factor: f64 = echoes
                    .iter()
                    .filter(|echo| self.is_of(echo, best))
                    .map(|echo| echo.factor)
                    .sum();
                1.0 - corroborated(share, self.alone(factor), self.experience(best))
            }
            Method::Process => {
                1.0 - corroborated(share, self.alone(self.owners.factor()), self.experience(best))
            }
            _ => 1.0 - corroborated(share, 1.0, self.experience(best)),
        };
        let certainty = if exact && share > PLAIN {
            Certainty::Exact
        } else if confidence >= self.settings.threshold && confidence > 0.0 {
            Certainty::Inferred(confidence)
        } else {
            return Decision::Open;
        };
        Decision::Link(Link {
            parent: followed.parent,
            certainty,
            method,
        })
    }

    /// How the most probable parent was found.
    fn method(&self, best: usize, echoes: &[Echo], same_process: Option<usize>, shares: &Shares) -> Method {
        if self.in_flight() == 1 {
            Method::Single
        } else if same_process == Some(best) {
            Method::Process
        } else if echoes
            .iter()
            .any(|echo| echo.factor > 0.0 && self.is_of(echo, best))
        {
            Method::Echo
        } else if shares.only() {
            Method::Stage
        } else {
            Method::Learned
        }
    }

    /// Whether a followed request brought a value.
    fn is_of(&self, echo: &Echo, followed: usize) -> bool {
        match echo.holder {
            Holder::Request(place) => self.followed_at(place) == Some(followed),
            Holder::Call(_) => false,
        }
    }

    /// The share of a request for which this factor speaks, a logarithm, if those in flight were alike in all else.
    fn alone(&self, factor: f64) -> f64 {
        let others = self.in_flight().saturating_sub(1) as f64;
        1.0 / others.mul_add((-factor).exp(), 1.0)
    }

    /// Takes requests whose responses have been under way for long for streams that make no calls any more.
    fn let_go(&mut self, now: Nanos) {
        for held in self.requests.iter_mut().flatten() {
            let stream = held.responded.is_some_and(|at| now.saturating_sub(at) > STREAM);
            match held.followed {
                Follow::As(followed) if stream => self.joint.end(now, &self.model, followed),
                Follow::Not if stream => self.unfollowed = self.unfollowed.saturating_sub(1),
                _ => continue,
            }
            held.followed = Follow::NoLonger;
        }
    }

    /// Says the last words that are due, and learns from what they are about.
    fn settle(&mut self, now: Nanos) {
        let late = now.saturating_sub(WINDOW_MAX);
        for Settled { call, shares } in self.joint.settle(now, &mut self.model, late) {
            let Some(Some(asked)) = self.asked.get_mut(call) else {
                continue;
            };
            let open = asked.open.take();
            let same_process = asked.same_process;
            self.learn(call, &shares);
            if let Some(known_by) = open
                && self.resolved.len() < RESOLVED_MAX
            {
                let link = self.last_word(&shares, same_process);
                self.resolved.push_back(Resolved { call: known_by, link });
            }
        }
    }

    fn learn(&mut self, call: usize, shares: &Shares) {
        let Some(Some(asked)) = self.asked.get(call) else {
            return;
        };
        if asked.in_flight > 0 {
            self.background.orphan(asked.callee, shares.none);
        }
        // in a crowd, what the hypotheses say is a weak witness
        let crowd = asked.in_flight.saturating_sub(1).max(1) as f64;
        for said in &asked.said {
            self.echoes
                .learn(said.places, shares.share(said.of), said.blind, crowd.powi(-2));
        }
        if let Some(same) = asked.same_process.filter(|_| !asked.withheld) {
            self.owners.learn(shares.share(same));
        }
        if let Some((guess, doubt)) = asked.guess {
            let right = match asked.certain {
                Some(certain) => f64::from(u8::from(certain == guess)),
                None => shares.share(guess),
            };
            self.online.learn(doubt, right);
        }
        if let Some(certain) = asked.certain.filter(|_| asked.withheld && asked.in_flight > 1) {
            let (best, share) = shares.best();
            let doubt = self.doubt(best, share * (1.0 - shares.lost));
            self.deferred.learn(doubt, f64::from(u8::from(certain == best)));
        }
    }

    fn last_word(&self, shares: &Shares, same_process: Option<usize>) -> Result<Link<P>, Unknown> {
        let (best, share) = shares.best();
        let followed = self.followed.get(best).and_then(Option::as_ref);
        let Some(followed) = followed.filter(|_| share > shares.none) else {
            return Err(Unknown::Background);
        };
        let doubt = self.doubt(best, share * (1.0 - shares.lost));
        let confidence = self.deferred.confidence(doubt * self.online.overconfidence());
        let (certainty, method) = if same_process == Some(best) && self.owners.is_exact() && share > PLAIN {
            (Certainty::Exact, Method::Process)
        } else if confidence >= self.settings.threshold && confidence > 0.0 {
            (Certainty::Inferred(confidence), Method::Joint)
        } else if shares.lost > LOST_MAX {
            return Err(Unknown::Budget);
        } else {
            return Err(Unknown::Ambiguous);
        };
        Ok(Link {
            parent: followed.parent,
            certainty,
            method,
        })
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

    fn followed_as(&self, request: &Request) -> Option<usize> {
        self.followed_at(request.0?)
    }

    fn followed_at(&self, place: usize) -> Option<usize> {
        self.requests.get(place)?.as_ref()?.followed.number()
    }

    fn asked_as(&self, call: &Call) -> Option<usize> {
        let (call, number) = call.0?;
        let asked = self.asked.get(call)?.as_ref()?;
        (asked.number == number).then_some(call)
    }

    fn link(&self, place: usize, certainty: Certainty, method: Method) -> Decision<P> {
        match self.parents.get(place) {
            Some(Some(parent)) => Decision::Link(Link {
                parent: *parent,
                certainty,
                method,
            }),
            _ => Decision::Unknown(Unknown::TooMany),
        }
    }

    /// The doubt about a share of a followed request.
    fn doubt(&self, followed: usize, share: f64) -> f64 {
        cautious(share, self.experience(followed), self.joint.is_queued())
    }

    /// What was learned from requests of a followed one's kind.
    fn experience(&self, followed: usize) -> Experience {
        match self.followed.get(followed) {
            Some(Some(followed)) => self.model.experience(followed.route),
            _ => Experience::default(),
        }
    }

    /// The followed requests in flight, one bit each.
    fn followed_in_flight(&self) -> u64 {
        let followed = self
            .requests
            .iter()
            .flatten()
            .filter_map(|held| held.followed.number());
        followed.fold(0, |set, followed| set | bit(followed))
    }

    /// The requests in flight that are part of the trace into which the application itself put a call.
    fn forwarded(&self, trace: Trace) -> Parents {
        let mut parents = Parents::None;
        for (place, held) in self.requests.iter().enumerate() {
            let Some(held) = held.as_ref().filter(|held| held.trace == trace) else {
                continue;
            };
            let followed = held.followed.number().map_or(0, bit);
            parents = match parents {
                Parents::None => Parents::One { place, followed },
                Parents::One { followed: others, .. } | Parents::Several(others) => {
                    Parents::Several(others | followed)
                }
            };
        }
        parents
    }

    /// What the values of a call say.
    fn heard(&mut self, tokens: &[Token]) -> Vec<Echo> {
        let mut echoes = Vec::new();
        self.echoes.heard(tokens, |echo| {
            if echoes.len() < ECHOES_MAX {
                echoes.push(echo);
            }
        });
        echoes
    }

    /// Of which followed request they say it.
    fn said(&self, echoes: &[Echo], blind: &Shares) -> Vec<Said> {
        let said = echoes.iter().filter_map(|echo| {
            let of = match echo.holder {
                Holder::Request(place) => self.followed_at(place)?,
                Holder::Call(call) => self.joint.likely_parent(call)?,
            };
            Some(Said {
                places: echo.places,
                of,
                blind: blind.share(of),
            })
        });
        said.collect()
    }

    fn hints(&self, echoes: &[Echo], same_process: Option<usize>) -> Hints {
        let mut hints = Hints::none();
        for echo in echoes {
            match echo.holder {
                Holder::Request(place) => {
                    if let Some(followed) = self.followed_at(place) {
                        hints.add(followed, if echo.exact { EXACT } else { echo.factor });
                    }
                }
                Holder::Call(call) => hints.like = Some((call, echo.factor)),
            }
        }
        if let Some(same) = same_process {
            hints.add(same, self.owners.factor());
        }
        hints
    }

    /// The followed request that is a call's parent for certain.
    fn certain(
        &self,
        forwarded: Option<Parents>,
        echoes: &[Echo],
        same_process: Option<usize>,
    ) -> Option<usize> {
        match forwarded {
            Some(Parents::One { place, .. }) => self.followed_at(place),
            Some(_) => None,
            None => {
                let echoed = self.exact_echo(echoes);
                let echoed = echoed.and_then(|place| self.followed_at(place));
                echoed.or(same_process.filter(|_| self.owners.is_exact()))
            }
        }
    }

    /// The request to which values point that almost never lie, unless they contradict each other.
    fn exact_echo(&self, echoes: &[Echo]) -> Option<usize> {
        let mut found = None;
        for echo in echoes.iter().filter(|echo| echo.exact) {
            let Holder::Request(place) = echo.holder else {
                continue;
            };
            if found.is_some_and(|found| found != place) {
                return None;
            }
            found = Some(place);
        }
        found
    }

    /// The only one of these followed requests that has the same process, if the others have others.
    fn only_one_with(&self, process: Option<Process>, among: u64) -> Option<usize> {
        let process = process?;
        let mut only = None;
        let mut others = false;
        for (number, followed) in self.followed.iter().enumerate() {
            let Some(followed) = followed.as_ref().filter(|_| among & bit(number) != 0) else {
                continue;
            };
            if followed.process? != process {
                others = true;
            } else if only.is_some() {
                return None;
            } else {
                only = Some(number);
            }
        }
        only.filter(|_| others)
    }
}

/// The requests in flight of one trace, those of them that are followed as one bit each.
#[derive(Clone, Copy, Debug)]
enum Parents {
    None,
    One { place: usize, followed: u64 },
    Several(u64),
}

/// Nobody else can be the parent. If nobody is, the call began a trace of its own, and may be anyone's.
fn only(parents: Parents) -> Hints {
    let mut hints = Hints::none();
    let (Parents::One { followed, .. } | Parents::Several(followed)) = parents else {
        return hints;
    };
    hints.none = IMPOSSIBLE;
    for request in (0..REQUESTS).filter(|request| followed & bit(*request) == 0) {
        hints.add(request, IMPOSSIBLE);
    }
    hints
}

fn bit(number: usize) -> u64 {
    if number < REQUESTS { 1 << number } else { 0 }
}

/// Puts something at a place, of which there are bounded many.
fn put<T>(places: &mut Vec<Option<T>>, place: usize, what: T) {
    if places.len() <= place {
        places.resize_with(place.saturating_add(1), || None);
    }
    if let Some(at) = places.get_mut(place) {
        *at = Some(what);
    }
}

const _: () = assert!(REQUESTS <= 64 && CALLS < 254, "masks and numbers are that wide");
