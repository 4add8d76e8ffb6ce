//! From spans to what sidecars would have seen.
//!
//! - One sidecar for each service instance.
//! - A span of kind server is a request that came in. Where the callee recorded none, the caller's span stands for it.
//! - A span of kind client is a call that went out. Where the caller recorded none, the callee's span stands for it,
//!   with the callee's times: the network's share is missing then.
//! - A span that does not say its kind is told by its neighbours: it is a request if its parent is in another instance or
//!   it has none, and a call if a child of it is in another instance.
//! - What caused a call is the closest request above it in the same instance. If there is none but the trace's first
//!   span, or a message that no sidecar sees, nothing caused it. If the way up ends at a span that was not recorded, it
//!   cannot be known, and the call is left out.
//!
//! Values, connections and processes are not in such data: connections are taken to be HTTP/2's, one for each pair.

use std::collections::{BTreeMap, BTreeSet};

use causality::{Nanos, Trace};

use super::{Kind, Span};
use crate::log::{Event, Recording};
use crate::random::mix;

/// The longest way up from a span that is followed; longer ones are taken for circles.
const DEPTH_MAX: usize = 1_000;

/// What sidecars would have seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replay {
    /// One for each instance.
    pub recordings: Vec<Recording>,
    /// Their services and instances.
    pub names: Vec<String>,
    /// What is not in there.
    pub left_out: LeftOut,
}

/// What of the spans was not replayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Spans that were there twice.
    pub repeated: usize,
    /// Calls whose cause was not recorded.
    pub causeless: usize,
}

/// A request or a call, as one side saw it.
#[derive(Clone, Copy, Debug)]
struct Exchange {
    /// The span that it is seen by.
    span: usize,
    /// Where it is seen.
    site: usize,
    start: Nanos,
    end: Nanos,
}

/// What is above a call.
enum Above {
    /// This request.
    Request(usize),
    /// Nothing that a sidecar sees.
    Nothing,
    /// A span that is not there.
    Lost,
}

/// Rebuilds what sidecars would have seen, with all traces `compress` times as close together; within a trace all times
/// stay as they are. 1 leaves everything as it was.
pub fn rebuild(mut spans: Vec<Span>, compress: f64) -> Replay {
    let all = spans.len();
    spans.sort_by(|a, b| {
        let key = |span: &Span| {
            (
                span.trace.clone(),
                span.id.clone(),
                span.kind,
                span.service.clone(),
            )
        };
        key(a).cmp(&key(b))
    });
    spans.dedup_by(|a, b| {
        (&a.trace, &a.id, a.kind, &a.service, a.start) == (&b.trace, &b.id, b.kind, &b.service, b.start)
    });
    let repeated = all - spans.len();
    squeeze(&mut spans, compress);
    let forest = Forest::new(&spans);
    let (requests, calls) = forest.exchanges();
    let mut replay = forest.record(&requests, &calls);
    replay.left_out.repeated = repeated;
    replay
}

/// Moves traces closer together, each as a whole.
fn squeeze(spans: &mut [Span], compress: f64) {
    let mut starts: BTreeMap<String, u64> = BTreeMap::new();
    for span in &*spans {
        let start = starts.entry(span.trace.clone()).or_insert(span.start);
        *start = span.start.min(*start);
    }
    let origin = starts.values().copied().min().unwrap_or_default();
    for span in spans {
        let start = starts.get(&span.trace).copied().unwrap_or_default();
        let begun = ((start - origin) as f64 / compress) as u64;
        let length = span.end - span.start;
        span.start = begun + (span.start - start);
        // what takes no time still begins before it ends
        span.end = span.start + length.max(1);
    }
}

/// Spans with what is between them.
struct Forest<'s> {
    spans: &'s [Span],
    /// For each span, the instance that recorded it.
    sites: Vec<usize>,
    names: Vec<String>,
    /// For each span, its parent; the outer none is a span without, the inner one a parent that is not there.
    parents: Vec<Option<Option<usize>>>,
    /// For each span, its children in other instances.
    remote: Vec<Vec<usize>>,
}

impl<'s> Forest<'s> {
    fn new(spans: &'s [Span]) -> Self {
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        let mut sites = Vec::with_capacity(spans.len());
        for span in spans {
            let name = format!("{} {}", span.service, span.instance);
            let next = names.len();
            sites.push(*names.entry(name.trim_end().to_owned()).or_insert(next));
        }
        let mut ids: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
        for (index, span) in spans.iter().enumerate() {
            ids.entry((&span.trace, &span.id)).or_default().push(index);
        }
        let find = |index: usize, span: &Span| -> Option<Option<usize>> {
            // in Zipkin's way both sides of a call have one id: the caller's is above the callee's
            let twins = ids.get(&(span.trace.as_str(), span.id.as_str()));
            if span.kind == Kind::Server
                && let Some(client) = twins
                    .into_iter()
                    .flatten()
                    .find(|twin| is(spans, **twin, Kind::Client))
            {
                return Some(Some(*client));
            }
            let parent = span.parent.as_deref()?;
            let found = ids.get(&(span.trace.as_str(), parent)).into_iter().flatten();
            // and a child of both is a child of the callee
            let found = found.copied().filter(|found| *found != index);
            Some(found.max_by_key(|found| (sites.get(*found) == sites.get(index), *found)))
        };
        let parents: Vec<_> = spans.iter().enumerate().map(|(i, span)| find(i, span)).collect();
        let mut remote = vec![Vec::new(); spans.len()];
        for (index, parent) in parents.iter().enumerate() {
            if let Some(Some(parent)) = parent
                && sites.get(*parent) != sites.get(index)
                && let Some(children) = remote.get_mut(*parent)
            {
                children.push(index);
            }
        }
        let mut in_order: Vec<(String, usize)> = names.into_iter().collect();
        in_order.sort_by_key(|(_, site)| *site);
        Self {
            spans,
            sites,
            names: in_order.into_iter().map(|(name, _)| name).collect(),
            parents,
            remote,
        }
    }

    fn kind(&self, span: usize) -> Kind {
        self.spans.get(span).map_or(Kind::Unsaid, |span| span.kind)
    }

    fn parent(&self, span: usize) -> Option<Option<usize>> {
        self.parents.get(span).copied().flatten()
    }

    fn site(&self, span: usize) -> usize {
        self.sites.get(span).copied().unwrap_or_default()
    }

    fn remote(&self, span: usize) -> &[usize] {
        self.remote.get(span).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether a span is the first of its instance on the way down.
    fn enters(&self, span: usize) -> bool {
        match self.parent(span) {
            None | Some(None) => true,
            Some(Some(parent)) => self.site(parent) != self.site(span),
        }
    }

    /// Whether a span is a request that came in.
    fn is_request(&self, span: usize) -> bool {
        match self.kind(span) {
            // a server's span below another of the same instance is a part of that one's work
            Kind::Server => {
                self.enters(span)
                    || self
                        .parent(span)
                        .flatten()
                        .is_some_and(|it| self.kind(it) == Kind::Client)
            }
            Kind::Unsaid => self.enters(span),
            Kind::Internal => {
                self.enters(span)
                    && self
                        .parent(span)
                        .flatten()
                        .is_some_and(|it| self.kind(it) != Kind::Producer)
            }
            Kind::Client | Kind::Producer | Kind::Consumer => false,
        }
    }

    /// Whether the caller's span above this one stands for a request that its own instance did not record.
    fn stands_for_request(&self, span: usize) -> bool {
        let caller = self.parent(span).flatten();
        self.enters(span)
            && !self.is_request(span)
            && caller.is_some_and(|caller| self.kind(caller) != Kind::Producer)
    }

    /// Whether a span is a call that went out.
    fn is_call(&self, span: usize) -> bool {
        match self.kind(span) {
            Kind::Client => true,
            Kind::Unsaid => !self.is_request(span) && !self.remote(span).is_empty(),
            Kind::Internal | Kind::Server | Kind::Producer | Kind::Consumer => false,
        }
    }

    /// All requests that came in, each with the span of the call that it is; and all calls.
    fn exchanges(&self) -> (Vec<(Exchange, Option<usize>)>, Vec<Exchange>) {
        let (mut requests, mut calls) = (Vec::new(), Vec::new());
        let mut stood_for = BTreeSet::new();
        for (index, span) in self.spans.iter().enumerate() {
            let seen = |site, by: &Span| Exchange {
                span: index,
                site,
                start: by.start,
                end: by.end,
            };
            let site = self.site(index);
            if self.is_call(index) {
                calls.push(seen(site, span));
            }
            let above = self.parent(index).flatten();
            if self.is_request(index) {
                let caller = above.filter(|above| self.kind(*above) != Kind::Producer);
                requests.push((seen(site, span), caller.map(|caller| self.call_of(caller, index))));
                if let Some(caller) = caller
                    && !self.is_call(caller)
                {
                    calls.push(seen(self.site(caller), span));
                }
            } else if self.stands_for_request(index)
                && let Some(caller) = above
                && let Some(span) = self.spans.get(caller)
                && stood_for.insert((site, caller))
            {
                let exchange = Exchange {
                    span: caller,
                    ..seen(site, span)
                };
                requests.push((exchange, Some(caller).filter(|caller| self.is_call(*caller))));
            }
        }
        (requests, calls)
    }

    /// The span that a call is seen by: the caller's, or, if it has none, the callee's.
    fn call_of(&self, above: usize, request: usize) -> usize {
        if self.is_call(above) { above } else { request }
    }

    /// The request that is above a call in its instance.
    fn above(&self, call: &Exchange) -> Above {
        let mut span = call.span;
        if !self.is_call(span) {
            // seen by the callee's span, the call begins above that
            let Some(Some(parent)) = self.parent(span) else {
                return Above::Lost;
            };
            span = parent;
        }
        for _ in 0..DEPTH_MAX {
            if self.is_request(span) {
                return Above::Request(span);
            }
            match (self.kind(span), self.parent(span)) {
                (Kind::Consumer, _) | (_, None) => return Above::Nothing,
                (_, Some(None)) => return Above::Lost,
                (_, Some(Some(parent))) if self.site(parent) != call.site => {
                    return if self.stands_for_request(span) {
                        Above::Request(parent)
                    } else {
                        Above::Lost
                    };
                }
                (_, Some(Some(parent))) => span = parent,
            }
        }
        Above::Lost
    }

    fn record(&self, requests: &[(Exchange, Option<usize>)], calls: &[Exchange]) -> Replay {
        let mut replay = Replay {
            recordings: vec![Recording::default(); self.names.len()],
            names: self.names.clone(),
            left_out: LeftOut::default(),
        };
        // what happens; at the same moment in the order of the second number, then of the lot that was drawn
        let mut moments: Vec<(Nanos, u8, u64, usize, Moment)> = Vec::new();
        for (index, (request, _)) in requests.iter().enumerate() {
            moments.push((
                request.start,
                1,
                self.lot(request.span),
                request.site,
                Moment::Begin(index),
            ));
            moments.push((
                request.end,
                3,
                self.lot(request.span),
                request.site,
                Moment::End(index),
            ));
        }
        let mut causes = Vec::with_capacity(calls.len());
        for (index, call) in calls.iter().enumerate() {
            let cause = match self.above(call) {
                Above::Request(span) => Some(span),
                Above::Nothing => None,
                Above::Lost => {
                    replay.left_out.causeless += 1;
                    causes.push(None);
                    continue;
                }
            };
            causes.push(Some(cause));
            moments.push((call.start, 2, self.lot(call.span), call.site, Moment::Call(index)));
            moments.push((
                call.end,
                0,
                self.lot(call.span),
                call.site,
                Moment::EndCall(index),
            ));
        }
        moments.sort_by_key(|(now, rank, lot, ..)| (*now, *rank, *lot));

        // numbers in the sidecars' logs, by instance and by the span that they are seen by
        let mut request_numbers: BTreeMap<(usize, usize), u32> = BTreeMap::new();
        let mut call_numbers: BTreeMap<usize, (usize, u32)> = BTreeMap::new();
        let mut call_causes: Vec<Vec<Option<usize>>> = vec![Vec::new(); self.names.len()];
        let mut request_calls: Vec<Vec<Option<usize>>> = vec![Vec::new(); self.names.len()];
        for (now, _, _, site, moment) in moments {
            let Some(recording) = replay.recordings.get_mut(site) else {
                continue;
            };
            let log = &mut recording.log;
            match moment {
                Moment::Begin(index) => {
                    let Some((exchange, call)) = requests.get(index) else {
                        continue;
                    };
                    let number = log.next_request();
                    request_numbers.insert((site, exchange.span), number);
                    if let Some(calls) = request_calls.get_mut(site) {
                        calls.push(*call);
                    }
                    let tokens = log.keep([]);
                    log.add(
                        now,
                        Event::Begin {
                            request: number,
                            route: self.operation(exchange.span),
                            connection: 0,
                            trace: Trace(mix(u64::from(number))),
                            tokens,
                        },
                    );
                    log.add(now, Event::BodyComplete { request: number });
                }
                Moment::End(index) => {
                    let span = requests.get(index).map(|(exchange, _)| exchange.span);
                    if let Some(&request) = span.and_then(|span| request_numbers.get(&(site, span))) {
                        log.add(now, Event::Responded { request });
                        log.add(now, Event::End { request });
                    }
                }
                Moment::Call(index) => {
                    let (Some(exchange), Some(Some(cause))) = (calls.get(index), causes.get(index)) else {
                        continue;
                    };
                    let number = log.next_call();
                    call_numbers.insert(exchange.span, (site, number));
                    if let Some(causes) = call_causes.get_mut(site) {
                        causes.push(*cause);
                    }
                    let tokens = log.keep([]);
                    let callee = self.callee(exchange.span);
                    log.add(
                        now,
                        Event::Call {
                            call: number,
                            callee,
                            connection: callee,
                            forwarded: None,
                            tokens,
                        },
                    );
                }
                Moment::EndCall(index) => {
                    let span = calls.get(index).map(|exchange| exchange.span);
                    if let Some(&(_, call)) = span.and_then(|span| call_numbers.get(&span)) {
                        let tokens = log.keep([]);
                        log.add(now, Event::Answered { call, tokens });
                        log.add(now, Event::EndCall { call });
                    }
                }
            }
        }
        for (site, (recording, causes)) in replay.recordings.iter_mut().zip(call_causes).enumerate() {
            let parent = |cause: Option<usize>| request_numbers.get(&(site, cause?)).copied();
            recording.truth.signed = vec![false; causes.len()];
            recording.truth.parents = causes.into_iter().map(parent).collect();
        }
        for (recording, calls) in replay.recordings.iter_mut().zip(request_calls) {
            let origin = |call: Option<usize>| call_numbers.get(&call?).copied();
            recording.truth.origins = calls.into_iter().map(origin).collect();
        }
        replay
    }

    /// What decides which of two things comes first that happen at the same moment: nothing that tells their trace.
    fn lot(&self, span: usize) -> u64 {
        (self.spans.get(span)).map_or(0, |span| hash(&[&span.trace, &span.id]))
    }

    /// The kind of a request.
    fn operation(&self, span: usize) -> u64 {
        self.spans.get(span).map_or(0, |span| hash(&[&span.operation]))
    }

    /// The kind of a call: whom it goes to, as well as that is known, and with what operation.
    fn callee(&self, call: usize) -> u64 {
        let Some(span) = self.spans.get(call) else {
            return 0;
        };
        if !self.is_call(call) {
            return hash(&[&span.service, &span.operation]);
        }
        match self.remote(call).first().and_then(|child| self.spans.get(*child)) {
            Some(child) => hash(&[&child.service, &child.operation]),
            None => hash(&[span.peer.as_deref().unwrap_or_default(), &span.operation]),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Moment {
    Begin(usize),
    End(usize),
    Call(usize),
    EndCall(usize),
}

fn is(spans: &[Span], index: usize, kind: Kind) -> bool {
    spans.get(index).is_some_and(|span| span.kind == kind)
}

fn hash(texts: &[&str]) -> u64 {
    texts.iter().fold(1, |hash, text| {
        let hash = mix(hash);
        text.bytes().fold(hash, |hash, byte| mix(hash ^ u64::from(byte)))
    })
}
