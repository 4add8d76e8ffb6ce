//! What requests do next, and after how long: learned from what they did.
//!
//! For each state of a request ([`Doing`]) it is counted what came next: a call to this or that callee, the response, or
//! somebody else's doing (an answer, the body's end), each with how long it took. Of a request in state `s` since `d` this
//! gives the density of calling `c` now, `p(c|s)·f(d|c,s)`, and the probability of having done nothing yet,
//! `1 − Σ p(o|s)·F(d|o,s)` over all that it may do itself.
//!
//! A state that was seen `n` times is believed as far as `n / (n + k)`; for the rest, the next coarser one is asked: the
//! same route after the same call, then any route, and last what most programs do.

use crate::delay::{Class, Delays};
use crate::doing::{After, Doing};
use crate::event::{Callee, Nanos, Route};
use crate::hash::Map;

/// The most states that something is remembered of.
const STATES_MAX: usize = 2048;

/// The most distributions of delays that are remembered, over all states.
const DELAYS_MAX: usize = 2048;

/// The most different outcomes of one state.
const OUTCOMES_MAX: usize = 24;

/// What was seen of a state counts half once it has been seen so often.
const FADE_AT: f32 = 1500.0;

/// What was seen clearly counts less by this factor with each further request of the kind.
const CLEAR_FADES: f64 = 0.999;

/// How often a state has to be seen until it is believed as much as the next coarser one.
const BELIEVE_AFTER: f64 = 1.5;

/// The natural logarithm of the range over which delays are taken to be spread before any was seen, evenly in their
/// logarithm: a microsecond to half a minute.
const SPREAD: f64 = 17.0;

/// What a request does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Call(Callee),
    /// The response's head, or, after that, its end.
    Finish,
    /// Nothing, before something happened to it.
    Wait,
}

/// Of a request at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Outlook {
    /// The probability density that it does now what was asked about, for each nanosecond.
    pub(crate) density: f64,
    /// The probability that it has not done anything yet.
    pub(crate) idle: f64,
    /// The probability that the next thing it does is a call.
    pub(crate) calls: f64,
}

#[derive(Debug)]
pub(crate) struct Model {
    states: Map<u64, State>,
    delays: usize,
    callees: Map<u64, f32>,
    calls: f32,
    experience: Map<u64, Experience>,
}

/// Of requests of a kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Experience {
    /// How many were seen to their end.
    pub(crate) requests: f64,
    /// How many of the latest of them were seen clearly: in part, if others were in flight.
    pub(crate) clear: f64,
}

#[derive(Debug, Default)]
struct State {
    /// How often it was seen, with weights.
    seen: f32,
    /// How often it ended with a call.
    called: f32,
    outcomes: Vec<Outcome>,
    /// How long each of them took.
    delays: Vec<Delays>,
    /// Weight of all outcomes that are the request's own doing: the sum of their delays.
    done: Option<Box<Delays>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Call(Callee),
    AnyCall,
    Finish,
}

impl Model {
    pub(crate) fn new() -> Self {
        Self {
            states: Map::default(),
            delays: 0,
            callees: Map::default(),
            calls: 0.0,
            experience: Map::default(),
        }
    }

    /// Forgets what requests do: it was learned under a wrong assumption.
    pub(crate) fn unlearn(&mut self) {
        self.states.clear();
        self.delays = 0;
        self.experience.clear();
    }

    /// What was learned from of a kind of requests.
    pub(crate) fn experience(&self, route: Route) -> Experience {
        self.experience.get(&route.0).copied().unwrap_or_default()
    }

    /// A request of this kind was learned from.
    pub(crate) fn experienced(&mut self, route: Route) {
        if self.experience.len() < STATES_MAX || self.experience.contains_key(&route.0) {
            let seen = self.experience.entry(route.0).or_default();
            seen.requests = (seen.requests + 1.0).min(1e6);
            seen.clear *= CLEAR_FADES;
        }
    }

    /// It was seen as clearly as that, from 0 to 1.
    pub(crate) fn seen_clearly(&mut self, route: Route, clear: f64) {
        if let Some(seen) = self.experience.get_mut(&route.0) {
            seen.clear += clear;
        }
    }

    /// What a request in this state does at this moment.
    pub(crate) fn outlook(&self, doing: &Doing, next: Next, now: Nanos) -> Outlook {
        let delay = now.saturating_sub(doing.since);
        let at = Class::of(delay);
        let mut outlook = usual(doing, next, delay, at);
        let (exact, any, share) = match next {
            Next::Call(callee) => (
                Some(Outcome::Call(callee)),
                Some(Outcome::AnyCall),
                self.share(callee),
            ),
            Next::Finish => (Some(Outcome::Finish), Some(Outcome::Finish), 1.0),
            Next::Wait => (None, None, 0.0),
        };
        outlook.density *= share;
        for (key, outcome, share) in [
            (doing.general(), any, share),
            (doing.coarse(), exact, 1.0),
            (doing.fine(), exact, 1.0),
        ] {
            let Some(state) = self.states.get(&key) else {
                continue;
            };
            let density = outcome.map_or(0.0, |outcome| state.density(outcome, at)) * share;
            let done = state.done.as_ref().map_or(0.0, |done| f64::from(done.below(at)));
            let seen = f64::from(state.seen);
            let all = seen + BELIEVE_AFTER;
            let coarser = BELIEVE_AFTER / all;
            outlook.density = outlook.density * coarser + density / all;
            outlook.calls = outlook.calls * coarser + f64::from(state.called) / all;
            outlook.idle = (outlook.idle * coarser + (seen - done) / all).max(1e-9);
        }
        outlook
    }

    /// How often calls go to this callee, of all calls.
    fn share(&self, callee: Callee) -> f64 {
        let seen = self.callees.get(&callee.0).copied().unwrap_or_default();
        f64::from(seen + 1.0) / (f64::from(self.calls) + self.callees.len() as f64 + 1.0)
    }

    /// A request in this state did this.
    pub(crate) fn learn(&mut self, doing: &Doing, next: Next, now: Nanos, weight: f32) {
        let delay = now.saturating_sub(doing.since);
        let (exact, any) = match next {
            Next::Call(callee) => {
                self.count(callee, weight);
                (Some(Outcome::Call(callee)), Some(Outcome::AnyCall))
            }
            Next::Finish => (Some(Outcome::Finish), Some(Outcome::Finish)),
            Next::Wait => (None, None),
        };
        for (key, outcome) in [
            (doing.general(), any),
            (doing.coarse(), exact),
            (doing.fine(), exact),
        ] {
            if self.states.len() >= STATES_MAX && !self.states.contains_key(&key) {
                self.tidy();
            }
            if self.states.len() < STATES_MAX || self.states.contains_key(&key) {
                let state = self.states.entry(key).or_default();
                let room = DELAYS_MAX.saturating_sub(self.delays);
                let before = state.outcomes.len();
                state.learn(outcome, delay, weight, room);
                self.delays = self
                    .delays
                    .saturating_add(state.outcomes.len().saturating_sub(before));
            }
        }
    }

    fn count(&mut self, callee: Callee, weight: f32) {
        if self.callees.len() < STATES_MAX || self.callees.contains_key(&callee.0) {
            *self.callees.entry(callee.0).or_default() += weight;
            self.calls += weight;
        }
        if self.calls > 16.0 * FADE_AT {
            self.calls = 0.0;
            for seen in self.callees.values_mut() {
                *seen *= 0.5;
                self.calls += *seen;
            }
        }
    }

    /// Makes room by forgetting what was seldom seen.
    fn tidy(&mut self) {
        self.states.retain(|_, state| {
            state.fade();
            state.seen >= 1.0
        });
        self.delays = self.states.values().map(|state| state.outcomes.len()).sum();
    }
}

impl State {
    fn density(&self, outcome: Outcome, at: Class) -> f64 {
        let index = self.outcomes.iter().position(|seen| *seen == outcome);
        let delays = index.and_then(|index| self.delays.get(index));
        delays.map_or(0.0, |delays| f64::from(delays.density(at)))
    }

    fn learn(&mut self, outcome: Option<Outcome>, delay: Nanos, weight: f32, room: usize) {
        self.seen += weight;
        if !matches!(outcome, None | Some(Outcome::Finish)) {
            self.called += weight;
        }
        if let Some(outcome) = outcome {
            self.done
                .get_or_insert_with(|| Box::new(Delays::new()))
                .add(delay, weight);
            let index = self.outcomes.iter().position(|seen| *seen == outcome);
            if let Some(delays) = index.and_then(|index| self.delays.get_mut(index)) {
                delays.add(delay, weight);
            } else if self.outcomes.len() < OUTCOMES_MAX.min(self.outcomes.len().saturating_add(room)) {
                let mut delays = Delays::new();
                delays.add(delay, weight);
                self.outcomes.push(outcome);
                self.delays.push(delays);
            }
        }
        if self.seen > FADE_AT {
            self.fade();
        }
    }

    fn fade(&mut self) {
        self.seen *= 0.5;
        self.called *= 0.5;
        for delays in &mut self.delays {
            delays.fade(0.5);
        }
        if let Some(done) = &mut self.done {
            done.fade(0.5);
        }
    }
}

/// What most programs do, before this one was seen doing anything.
fn usual(doing: &Doing, next: Next, delay: Nanos, at: Class) -> Outlook {
    let (call, finish) = match (doing.after, doing.open) {
        (After::Head, _) => (0.3, 0.1),
        (After::Body, _) => (0.6, 0.4),
        (After::Answer, 0) => (0.5, 0.5),
        (After::Answer | After::Call, _) => (0.1, 0.01),
        (After::Response, _) => (0.03, 0.97),
        (After::End, _) => (0.0, 0.0),
    };
    let p = match next {
        Next::Call(_) => call,
        Next::Finish => finish,
        Next::Wait => 0.0,
    };
    Outlook {
        density: p / (SPREAD * (delay as f64).max(1000.0)),
        idle: 1.0 - (call + finish) * at.place(),
        calls: call,
    }
}
