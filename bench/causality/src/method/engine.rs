//! Ours: [`causality::Engine`], told of a log as a sidecar would tell it.

use std::time::{Duration, Instant};

use causality::{
    Call, Callee, Connection, Decision, Engine, Inbound, Link, Nanos, Outbound, Request, Route, Settings,
};

use super::Answer;
use crate::log::{Event, Log};

/// How often a sidecar asks for the last words that are due.
const RESOLVE_EVERY: Nanos = 20_000_000;
/// How long after the last event it still asks.
const RESOLVE_UNTIL: Nanos = 60_000_000_000;

/// Of so many engines the memory is measured together, because a process grows by pages.
const ENGINES: usize = 32;

/// Nothing is too doubtful to be linked.
const ANY: f64 = 1e-9;

/// Nothing but what is exact is sure enough.
const EXACT: f64 = 1.0;

/// What an engine said of each call of a log, by number.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// What it thought most probable when the call left.
    pub online: Vec<Option<Answer>>,
    /// What it thought when everything had been said, of calls that it had not linked exactly before.
    pub last: Vec<Option<Answer>>,
    /// What that cost.
    pub costs: Costs,
}

impl Run {
    /// What links say in the end that have at least this confidence: the last words stand where nothing was linked when
    /// the call left.
    pub fn deferred(&self, at_least: f64) -> Vec<Option<Answer>> {
        let sure = |answer: &Answer| answer.confidence >= at_least;
        let both = self.online.iter().zip(&self.last);
        both.map(|(online, last)| online.filter(sure).or(*last)).collect()
    }
}

/// What an engine cost.
#[derive(Clone, Debug, Default)]
pub struct Costs {
    /// Of each decision when a call left: the shorter of two times that it was made, because what this machine does
    /// besides can only make it longer.
    pub decisions: Vec<Duration>,
    /// Of all last words together.
    pub solver: Duration,
    /// Of the longest time that it was asked for last words.
    pub solver_max: Duration,
}

/// Tells an engine of everything in a log, and takes its answers.
///
/// That is done twice, because a call that is linked when it leaves gets no last word: once everything is linked at once,
/// and once only what is exact. What an engine learns does not depend on what it is asked to link.
pub fn run_engine(log: &Log) -> Run {
    let first = tell_all(log, ANY).run;
    let waiting = tell_all(log, EXACT).run;
    let both = first.costs.decisions.iter().zip(&waiting.costs.decisions);
    Run {
        online: first.online,
        last: waiting.last,
        costs: Costs {
            decisions: both.map(|(one, other)| *one.min(other)).collect(),
            ..waiting.costs
        },
    }
}

/// About how many bytes an engine holds after a log: what the process grew by while several of them were told of it.
/// `None` where the system does not say.
pub fn engine_bytes(log: &Log) -> Option<usize> {
    let before = resident()?;
    let engines: Vec<Engine<u32, u32>> = (0..ENGINES).map(|_| tell_all(log, EXACT).engine).collect();
    let grown = resident()?.saturating_sub(before);
    Some(grown / engines.len().max(1))
}

/// Bytes of this process that are in memory (Linux's `/proc/self/status`).
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Links are made at once from this confidence on, and in the end whatever their confidence.
fn tell_all(log: &Log, at_once: f64) -> Teller<'_> {
    let settings = Settings {
        threshold: ANY,
        ..Settings::default()
    };
    let mut teller = Teller {
        log,
        engine: Engine::new(settings),
        at_once,
        requests: slots(log.requests),
        calls: slots(log.calls),
        run: Run {
            online: vec![None; log.calls as usize],
            last: vec![None; log.calls as usize],
            costs: Costs::default(),
        },
    };
    let mut resolved = log.events.first().map_or(0, |(now, _)| *now);
    for &(now, event) in &log.events {
        if now.saturating_sub(resolved) > RESOLVE_UNTIL {
            // nothing has happened for long: what was due is said, and the rest of the time left out
            teller.resolve(resolved + RESOLVE_UNTIL);
            resolved = now - RESOLVE_EVERY;
        }
        while now.saturating_sub(resolved) >= RESOLVE_EVERY {
            resolved += RESOLVE_EVERY;
            teller.resolve(resolved);
        }
        teller.tell(now, event);
    }
    let last = resolved + RESOLVE_UNTIL;
    while resolved < last {
        resolved += RESOLVE_EVERY;
        teller.resolve(resolved);
    }
    teller
}

fn slots<T>(count: u32) -> Vec<Option<T>> {
    (0..count).map(|_| None).collect()
}

struct Teller<'l> {
    log: &'l Log,
    engine: Engine<u32, u32>,
    at_once: f64,
    /// What the engine gave for each request and call that is open.
    requests: Vec<Option<Request>>,
    calls: Vec<Option<Call>>,
    run: Run,
}

impl Teller<'_> {
    fn tell(&mut self, now: Nanos, event: Event) {
        match event {
            Event::Begin {
                request,
                route,
                connection,
                trace,
                tokens,
            } => {
                let inbound = Inbound {
                    route: Route(route),
                    connection: Connection(connection),
                    trace,
                    tokens: self.log.tokens(tokens),
                };
                let place = self.engine.begin(now, inbound, request);
                put(&mut self.requests, request, place);
            }
            Event::BodyComplete { request } => {
                if let Some(Some(request)) = self.requests.get(request as usize) {
                    self.engine.body_complete(now, request);
                }
            }
            Event::Responded { request } => {
                if let Some(Some(request)) = self.requests.get(request as usize) {
                    self.engine.responded(now, request);
                }
            }
            Event::End { request } => {
                if let Some(request) = take(&mut self.requests, request) {
                    self.engine.end(now, request);
                }
            }
            Event::Call {
                call,
                callee,
                connection,
                forwarded,
                tokens,
            } => {
                let outbound = Outbound {
                    callee: Callee(callee),
                    connection: Connection(connection),
                    forwarded,
                    tokens: self.log.tokens(tokens),
                };
                self.engine.decide_from(self.at_once);
                let from = Instant::now();
                let (place, decision) = self.engine.call(now, outbound, call);
                self.run.costs.decisions.push(from.elapsed());
                self.engine.decide_from(ANY);
                put(&mut self.calls, call, place);
                if let Decision::Link(link) = decision {
                    put(&mut self.run.online, call, answer(link));
                    put(&mut self.run.last, call, answer(link));
                }
            }
            Event::Answered { call, tokens } => {
                if let Some(Some(call)) = self.calls.get(call as usize) {
                    self.engine.answered(now, call, self.log.tokens(tokens));
                }
            }
            Event::EndCall { call } => {
                if let Some(call) = take(&mut self.calls, call) {
                    self.engine.end_call(now, call);
                }
            }
            Event::Owned { connection, process } => self.engine.owned(Connection(connection), process),
            Event::Closed { connection } => self.engine.closed(Connection(connection)),
        }
    }

    fn resolve(&mut self, now: Nanos) {
        let from = Instant::now();
        for resolved in self.engine.resolve(now) {
            if let Ok(link) = resolved.link {
                put(&mut self.run.last, resolved.call, answer(link));
            }
        }
        let took = from.elapsed();
        let costs = &mut self.run.costs;
        costs.solver += took;
        costs.solver_max = costs.solver_max.max(took);
    }
}

fn answer(link: Link<u32>) -> Answer {
    Answer {
        parent: link.parent,
        confidence: link.certainty.confidence(),
    }
}

fn put<T>(slots: &mut [Option<T>], number: u32, value: T) {
    if let Some(slot) = slots.get_mut(number as usize) {
        *slot = Some(value);
    }
}

fn take<T>(slots: &mut [Option<T>], number: u32) -> Option<T> {
    slots.get_mut(number as usize)?.take()
}
