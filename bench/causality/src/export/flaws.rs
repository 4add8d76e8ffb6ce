//! What is wrong with real recordings.

use std::collections::BTreeMap;

use crate::random::{Random, mix};
use crate::replay::{Kind, Span};

/// One thing that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Flaw {
    /// Spans do not say their kind.
    Kindless,
    /// Callers recorded nothing.
    ServersOnly,
    /// Both sides of a call have one id, as in Zipkin.
    SharedIds,
    /// Clocks differ by up to five milliseconds from service to service.
    Skew,
    /// Two of a hundred spans were lost.
    Lost,
}

/// How far clocks differ at most, in nanoseconds.
const SKEW: u64 = 5_000_000;

/// The share of spans that are lost.
const LOST: f64 = 0.02;

/// Makes spans as they would have been with a flaw.
pub fn spoil(spans: &mut Vec<Span>, flaw: Flaw) {
    match flaw {
        Flaw::Kindless => spans.iter_mut().for_each(|span| span.kind = Kind::Unsaid),
        Flaw::ServersOnly => lift(spans, false),
        Flaw::SharedIds => lift(spans, true),
        Flaw::Skew => {
            for span in spans {
                let name = span
                    .service
                    .bytes()
                    .fold(1, |hash, byte| mix(hash ^ u64::from(byte)));
                let ahead = name % SKEW;
                span.start += ahead;
                span.end += ahead;
            }
        }
        Flaw::Lost => {
            let mut random = Random::new(spans.len() as u64);
            spans.retain(|_| !random.chance(LOST));
        }
    }
}

/// Hangs what is below a caller's span below the span above it: without that span at all, or with its id for the callee's.
fn lift(spans: &mut Vec<Span>, shared: bool) {
    let callers = spans.iter().filter(|span| span.kind == Kind::Client);
    let above: BTreeMap<String, Option<String>> = callers
        .map(|span| (span.id.clone(), span.parent.clone()))
        .collect();
    let mut ids = BTreeMap::new();
    for span in spans.iter_mut().filter(|span| span.kind == Kind::Server) {
        let Some(caller) = span.parent.clone() else {
            continue;
        };
        span.parent = above.get(&caller).cloned().flatten();
        if shared {
            ids.insert(std::mem::replace(&mut span.id, caller.clone()), caller);
        }
    }
    for parent in spans.iter_mut().filter_map(|span| span.parent.as_mut()) {
        if let Some(id) = ids.get(parent) {
            parent.clone_from(id);
        }
    }
    if !shared {
        spans.retain(|span| span.kind != Kind::Client);
    }
}
