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

use std::collections::BTreeMap;

use causality::{Nanos, Trace};

use super::Span;
use super::forest::{Above, Exchange, Forest};
use crate::log::{Event, Recording};
use crate::random::mix;

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

/// Rebuilds what sidecars would have seen, with all traces `compress` times as close together; within a trace all times
/// stay as they are. 1 leaves everything as it was.
pub fn rebuild(mut spans: Vec<Span>, compress: f64) -> Replay {
    let all = spans.len();
    spans.sort_by(|a, b| {
        let names = (&a.trace, &a.id).cmp(&(&b.trace, &b.id));
        names.then_with(|| (a.kind, &a.service, a.start).cmp(&(b.kind, &b.service, b.start)))
    });
    spans.dedup_by(|a, b| {
        (&a.trace, &a.id, a.kind, &a.service, a.start) == (&b.trace, &b.id, b.kind, &b.service, b.start)
    });
    let repeated = all - spans.len();
    squeeze(&mut spans, compress);
    let forest = Forest::new(&spans);
    let (requests, calls) = forest.exchanges();
    let (moments, causeless) = moments(&forest, &requests, &calls);
    let mut recorder = Recorder::new(&forest);
    for moment in moments {
        recorder.see(&moment);
    }
    Replay {
        recordings: recorder.finish(),
        names: forest.names,
        left_out: LeftOut { repeated, causeless },
    }
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
        span.start = begun.saturating_add(span.start - start);
        // what takes no time still begins before it ends
        span.end = span.start.saturating_add(length.max(1));
    }
}

/// Something that a sidecar would have seen.
struct Moment {
    now: Nanos,
    site: usize,
    /// The span that it is seen by.
    span: usize,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    EndCall,
    /// With the span of the call that the request is.
    Begin(Option<usize>),
    /// With the span of the request that caused the call.
    Call(Option<usize>),
    End,
}

impl What {
    /// What is seen first of what happens at the same moment: responses before what they lead to.
    fn rank(self) -> u8 {
        match self {
            Self::EndCall => 0,
            Self::Begin(_) => 1,
            Self::Call(_) => 2,
            Self::End => 3,
        }
    }
}

/// Everything that sidecars would have seen, in order, and how many calls are not in there.
fn moments(
    forest: &Forest<'_>,
    requests: &[(Exchange, Option<usize>)],
    calls: &[Exchange],
) -> (Vec<Moment>, usize) {
    let mut moments = Vec::new();
    let mut add = |exchange: &Exchange, now, what| {
        let (site, span) = (exchange.site, exchange.span);
        moments.push(Moment {
            now,
            site,
            span,
            what,
        });
    };
    for (request, call) in requests {
        add(request, request.start, What::Begin(*call));
        add(request, request.end, What::End);
    }
    let mut causeless = 0;
    for call in calls {
        let cause = match forest.above(call) {
            Above::Request(span) => Some(span),
            Above::Nothing => None,
            Above::Lost => {
                causeless += 1;
                continue;
            }
        };
        add(call, call.start, What::Call(cause));
        add(call, call.end, What::EndCall);
    }
    moments.sort_by_cached_key(|it| (it.now, it.what.rank(), forest.lot(it.span)));
    (moments, causeless)
}

/// Writes logs, and keeps by which span everything in them is seen until all are numbered.
struct Recorder<'f> {
    forest: &'f Forest<'f>,
    recordings: Vec<Recording>,
    /// Numbers of requests, by instance and span.
    requests: BTreeMap<(usize, usize), u32>,
    /// Instances and numbers of calls, by span.
    calls: BTreeMap<usize, (usize, u32)>,
    /// For each instance and request, the span of the call that it is.
    origins: Vec<Vec<Option<usize>>>,
    /// For each instance and call, the span of the request that caused it.
    causes: Vec<Vec<Option<usize>>>,
}

impl<'f> Recorder<'f> {
    fn new(forest: &'f Forest<'f>) -> Self {
        let sites = forest.names.len();
        Self {
            forest,
            recordings: vec![Recording::default(); sites],
            requests: BTreeMap::new(),
            calls: BTreeMap::new(),
            origins: vec![Vec::new(); sites],
            causes: vec![Vec::new(); sites],
        }
    }

    fn see(&mut self, moment: &Moment) {
        let Moment {
            now,
            site,
            span,
            what,
        } = *moment;
        let (Some(recording), Some(origins), Some(causes)) = (
            self.recordings.get_mut(site),
            self.origins.get_mut(site),
            self.causes.get_mut(site),
        ) else {
            return;
        };
        let log = &mut recording.log;
        let tokens = log.keep([]);
        match what {
            What::Begin(call) => {
                let request = log.next_request();
                self.requests.insert((site, span), request);
                origins.push(call);
                let begin = Event::Begin {
                    request,
                    route: self.forest.operation(span),
                    connection: 0,
                    trace: Trace(mix(u64::from(request))),
                    tokens,
                };
                log.add(now, begin);
                log.add(now, Event::BodyComplete { request });
            }
            What::End => {
                if let Some(&request) = self.requests.get(&(site, span)) {
                    log.add(now, Event::Responded { request });
                    log.add(now, Event::End { request });
                }
            }
            What::Call(cause) => {
                let call = log.next_call();
                self.calls.insert(span, (site, call));
                causes.push(cause);
                let callee = self.forest.callee(span);
                let event = Event::Call {
                    call,
                    callee,
                    connection: callee,
                    forwarded: None,
                    tokens,
                };
                log.add(now, event);
            }
            What::EndCall => {
                if let Some(&(_, call)) = self.calls.get(&span) {
                    log.add(now, Event::Answered { call, tokens });
                    log.add(now, Event::EndCall { call });
                }
            }
        }
    }

    /// The logs, with the truth in their numbers.
    fn finish(mut self) -> Vec<Recording> {
        for (site, (causes, origins)) in self.causes.iter().zip(&self.origins).enumerate() {
            let Some(Recording { truth, .. }) = self.recordings.get_mut(site) else {
                continue;
            };
            let parent = |cause: &Option<usize>| self.requests.get(&(site, (*cause)?)).copied();
            truth.parents = causes.iter().map(parent).collect();
            truth.signed = vec![false; causes.len()];
            let origin = |call: &Option<usize>| self.calls.get(&(*call)?).copied();
            truth.origins = origins.iter().map(origin).collect();
        }
        self.recordings
    }
}
