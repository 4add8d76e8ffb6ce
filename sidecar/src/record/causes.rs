//! What one pod knows of causes: the engine, told of every request and call, and the spans that wait for its word.
//!
//! One lock for both, because a call is remembered before anyone can have the last word on it. It is taken twice for a
//! request that comes in, for a place in a list, and oftener only in a pod whose application makes calls without a context
//! of their own: only there is the engine told of requests, and values are hashed.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use causality::{
    Call, Callee, Certainty, Connection, Decision, Engine, Inbound, Link, Method, Nanos, Outbound, Process,
    Request, Route, Settings, Trace, Unknown, Unseen,
};
use otlp::encode::SpanEncoder;
use span::{Field, SpanContext, SpanId};
use tokio::sync::Notify;

use super::clock::{Moment, nanos};
use super::flights::{Flights, Quiet};
use super::held::{Free, Held};
use super::lineage::Word;
use super::names::Names;
use super::propagation;
use super::redact::Target;
use super::tokens::Tokens;

/// How long after a call without a context the next one is expected.
const EXPECTED_FOR: Duration = Duration::from_secs(600);

/// How exactly that is kept: written down anew for every call it would be fought over by the workers.
const EXPECTED_STEP: Duration = Duration::from_secs(1);

/// Which inbound request caused which outbound call, in one pod.
pub(super) struct Causes {
    state: Mutex<State>,
    /// What moments are counted from.
    began: Moment,
    key: RandomState,
    /// Until when calls without a context are expected.
    expected: AtomicU64,
    /// The number of the last connection.
    connections: AtomicU64,
    opened: Notify,
}

struct State {
    engine: Engine<SpanContext, Known>,
    held: Held,
    flights: Flights,
    names: Names,
    /// Requests in flight that are sampled.
    sampled: usize,
    /// Requests in flight of whose values not all are known, so that none can be said to be in another only.
    unlisted: usize,
    /// Calls on which the last word has not been said.
    open: usize,
}

/// What a call is known by.
#[derive(Clone, Copy, Debug)]
struct Known {
    span_id: SpanId,
    callee: propagation::Callee,
}

/// What the engine was told of, to be given back to it.
pub(super) enum Part {
    /// Nothing.
    Nothing,
    /// An inbound request.
    Request(InFlight),
    /// An outbound call.
    Call(Call),
}

/// An inbound request in flight.
pub(super) struct InFlight {
    place: usize,
    sampled: bool,
    listed: bool,
    /// The engine is told how it goes on.
    followed: bool,
    /// Its id, hashed, if that is remembered.
    name: Option<u64>,
}

/// A message, as far as it matters here.
#[derive(Clone, Copy)]
pub(super) struct Message<'a> {
    /// The method and route, hashed.
    pub(super) route: u64,
    pub(super) connection: Connection,
    /// Of a call, whom it goes to.
    pub(super) callee: propagation::Callee,
    pub(super) target: &'a Target<'a>,
    pub(super) fields: &'a [Field<'a>],
    /// Its `x-request-id`, be it the sidecar's own.
    pub(super) request_id: Option<&'a [u8]>,
}

/// A last word that has been said.
pub(super) struct Settled {
    pub(super) callee: propagation::Callee,
    pub(super) word: Word,
    /// The call's span, if it has ended and was held.
    pub(super) free: Option<Free>,
}

impl Causes {
    pub(super) fn new(settings: Settings) -> Self {
        let mut engine = Engine::new(settings);
        // from here on, that nothing happens is something to learn from
        drop(engine.resolve(1));
        let state = State {
            engine,
            held: Held::default(),
            flights: Flights::default(),
            names: Names::default(),
            sampled: 0,
            unlisted: 0,
            open: 0,
        };
        Self {
            state: Mutex::new(state),
            began: Moment::now(),
            key: RandomState::new(),
            expected: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            opened: Notify::new(),
        }
    }

    /// From now on links need this confidence.
    pub(super) fn decide_from(&self, threshold: f64) {
        self.state().engine.decide_from(threshold);
    }

    /// A number for a connection that begins.
    pub(super) fn connection(&self) -> Connection {
        Connection(self.connections.fetch_add(1, Ordering::Relaxed))
    }

    /// This process holds the application's end of a connection.
    pub(super) fn owned(&self, connection: Connection, process: Process) {
        self.state().engine.owned(connection, process);
    }

    /// A connection is gone.
    pub(super) fn closed(&self, connection: Connection) {
        self.state().engine.closed(connection);
    }

    /// A hash of anything, the same for as long as this process runs.
    pub(super) fn hash(&self, value: impl std::hash::Hash) -> u64 {
        self.key.hash_one(value)
    }

    /// Whether the application makes calls without a context of their own.
    pub(super) fn are_asked_for(&self, now: Moment) -> bool {
        self.nanos(now) < self.expected.load(Ordering::Relaxed)
    }

    /// Whether a request is in flight whose trace is sampled.
    pub(super) fn any_sampled(&self) -> bool {
        self.state().sampled > 0
    }

    /// Requests may come in that cannot be seen.
    pub(super) fn begin_unseen(&self) -> Unseen {
        self.state().engine.begin_unseen()
    }

    /// By that connection none can any more.
    pub(super) fn end_unseen(&self, unseen: Unseen) {
        self.state().engine.end_unseen(unseen);
    }

    /// An inbound request's head is complete. `body` says whether a body follows.
    pub(super) fn request(
        &self,
        now: Moment,
        message: &Message<'_>,
        body: bool,
        context: SpanContext,
    ) -> Part {
        let followed = self.are_asked_for(now);
        let tokens = followed.then(|| self.tokens(message));
        let listed = tokens.as_ref().is_some_and(|tokens| !tokens.more());
        let sampled = context.flags.is_sampled();
        let now = self.nanos(now);
        let name = message.request_id.filter(|_| followed).map(|id| self.hash(id));
        let mut state = self.state();
        let named = name.is_none_or(|name| state.names.begin(name, context));
        let (name, listed) = (name.filter(|_| named), listed && named);
        state.sampled += usize::from(sampled);
        state.unlisted += usize::from(!listed);
        let State { engine, flights, .. } = &mut *state;
        let connection = message.connection;
        let place = if followed {
            let inbound = Inbound {
                route: Route(message.route),
                connection,
                trace: trace(&context),
                tokens: tokens.as_ref().map(Tokens::as_slice).unwrap_or_default(),
            };
            let request = engine.begin(now, inbound, context);
            if !body {
                engine.body_complete(now, &request);
            }
            flights.told(request)
        } else {
            flights.quiet(Quiet {
                begun: now,
                connection,
                context,
            })
        };
        Part::Request(InFlight {
            place,
            sampled,
            listed,
            followed,
            name,
        })
    }

    /// A call that the application has put into a trace itself leaves. There is something to learn from it where others
    /// are without.
    pub(super) fn forwarded(&self, now: Moment, message: &Message<'_>, context: &SpanContext) -> Part {
        if !self.are_asked_for(now) {
            return Part::Nothing;
        }
        let tokens = self.tokens(message);
        let outbound = Outbound {
            callee: Callee(message.route),
            connection: message.connection,
            forwarded: Some(trace(context)),
            tokens: tokens.as_slice(),
        };
        // it will not be asked about
        let known_by = Known {
            span_id: context.span_id,
            callee: message.callee,
        };
        let (call, _) = self.state().engine.call(self.nanos(now), outbound, known_by);
        Part::Call(call)
    }

    /// A call without a context is about to leave. If it stays open and has a span, `recorded`, that is waited for.
    pub(super) fn call(
        &self,
        now: Moment,
        message: &Message<'_>,
        span_id: SpanId,
        recorded: bool,
    ) -> (Part, Decision<SpanContext>) {
        let now_nanos = self.nanos(now);
        self.expect_more(now_nanos);
        // a value that one request alone has may be in another as well whose values are not known
        let comparable = self.state().unlisted == 0;
        let tokens = comparable.then(|| self.tokens(message));
        let name = message.request_id.filter(|_| comparable).map(|id| self.hash(id));
        let mut state = self.state();
        let State { engine, flights, .. } = &mut *state;
        flights.wake(engine);
        let named = name.and_then(|name| state.names.only(name));
        let outbound = Outbound {
            callee: Callee(message.route),
            connection: message.connection,
            // who copies the id says as much as who forwards the context
            forwarded: named.as_ref().map(trace),
            tokens: tokens.as_ref().map(Tokens::as_slice).unwrap_or_default(),
        };
        let known_by = Known {
            span_id,
            callee: message.callee,
        };
        let (call, mut decision) = state.engine.call(now_nanos, outbound, known_by);
        if let Some(parent) = named {
            decision = Decision::Link(Link {
                parent,
                certainty: Certainty::Exact,
                method: Method::Echo,
            });
        } else if decision == Decision::Open {
            state.open += 1;
            if recorded && !state.held.open(span_id) {
                decision = Decision::Unknown(Unknown::TooMany);
            }
            if state.open == 1 {
                self.opened.notify_one();
            }
        }
        (Part::Call(call), decision)
    }

    /// A request's body is complete.
    pub(super) fn body_complete(&self, part: &Part) {
        self.follow(part, Engine::body_complete);
    }

    /// A response's head has come.
    pub(super) fn answered(&self, part: &Part, fields: &[Field<'_>]) {
        self.follow(part, Engine::responded);
        if let Part::Call(call) = part {
            let now = Moment::now();
            let tokens = Tokens::of_response(&self.key, fields);
            self.state()
                .engine
                .answered(self.nanos(now), call, tokens.as_slice());
        }
    }

    /// Tells how a request goes on of which it matters.
    fn follow(&self, part: &Part, tell: impl FnOnce(&mut Engine<SpanContext, Known>, Nanos, &Request)) {
        if let Part::Request(InFlight {
            place,
            followed: true,
            ..
        }) = part
        {
            let now = self.nanos(Moment::now());
            let mut state = self.state();
            let State { engine, flights, .. } = &mut *state;
            if let Some(request) = flights.request(*place) {
                tell(engine, now, request);
            }
        }
    }

    /// A request or call has ended.
    pub(super) fn ended(&self, now: Moment, part: Part) {
        match part {
            Part::Request(flight) => {
                let mut state = self.state();
                state.sampled -= usize::from(flight.sampled);
                state.unlisted -= usize::from(!flight.listed);
                if let Some(name) = flight.name {
                    state.names.end(name);
                }
                let State { engine, flights, .. } = &mut *state;
                flights.end(engine, self.nanos(now), flight.place);
            }
            Part::Call(call) => self.state().engine.end_call(self.nanos(now), call),
            Part::Nothing => {}
        }
    }

    /// The span of a call that was left open is finished but for the word on its cause. Given back if that is known.
    pub(super) fn hold(&self, root: SpanContext, span: SpanEncoder) -> Option<Free> {
        self.state().held.ended(root, span)
    }

    /// The last words that are due, or, without a moment, all that there are.
    pub(super) fn settle(&self, now: Option<Moment>) -> Vec<Settled> {
        let now = now.map_or(Nanos::MAX, |now| self.nanos(now));
        let mut state = self.state();
        let State {
            engine, held, open, ..
        } = &mut *state;
        engine
            .resolve(now)
            .map(|resolved| {
                *open = open.saturating_sub(1);
                let (call, word) = (resolved.call, resolved.link);
                Settled {
                    callee: call.callee,
                    word,
                    free: held.known(call.span_id, word),
                }
            })
            .collect()
    }

    /// The spans on whose causes no word will be said any more.
    pub(super) fn give_up(&self) -> Vec<Free> {
        self.state().held.give_up(Unknown::Budget)
    }

    /// Whether a call is open.
    pub(super) fn any_open(&self) -> bool {
        self.state().open > 0
    }

    /// Resolves when a call was left open and none was before.
    pub(super) async fn opened(&self) {
        self.opened.notified().await;
    }

    /// Calls that are open, and the spans that wait with their bytes.
    pub(super) fn open(&self) -> (usize, usize, usize) {
        let state = self.state();
        let (spans, bytes) = state.held.waiting();
        (state.open, spans, bytes)
    }

    fn tokens(&self, message: &Message<'_>) -> Tokens {
        Tokens::of_request(&self.key, message.target, message.fields)
    }

    fn expect_more(&self, now: Nanos) {
        let until = now.saturating_add(nanos(EXPECTED_FOR));
        if until.saturating_sub(self.expected.load(Ordering::Relaxed)) > nanos(EXPECTED_STEP) {
            self.expected.store(until, Ordering::Relaxed);
        }
    }

    fn nanos(&self, moment: Moment) -> Nanos {
        moment.since(self.began)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As much of a trace's id as every dialect keeps.
pub(super) fn trace(context: &SpanContext) -> Trace {
    Trace(context.trace_id.low())
}
