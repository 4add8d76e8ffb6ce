//! What tracing tools would have recorded of a simulation: spans, with the flaws that real recordings have, and files of
//! them as such tools write them. [`crate::replay`] is the way back.

mod flaws;
mod write;

pub use flaws::{Flaw, spoil};
pub use write::{Form, write};

use crate::log::{Event, Recording};
use crate::random::mix;
use crate::replay::{Kind, Span};
use crate::sim::workload::{Target, Workload};

/// When everything began: some moment of 2023, in nanoseconds.
const EPOCH: u64 = 1_700_000_000_000_000_000;

/// What the services of a workload, called so, would have recorded, had they been instrumented: a span for each request
/// and one for each call.
pub fn spans(workload: &Workload, services: &[&str], recordings: &[Recording]) -> Vec<Span> {
    let mut spans = Vec::new();
    for (site, recording) in recordings.iter().enumerate() {
        let mut open = [
            vec![0; recording.log.requests as usize],
            vec![0; recording.log.calls as usize],
        ];
        for &(now, event) in &recording.log.events {
            let at = EPOCH + now;
            match event {
                Event::Begin { request, route, .. } => {
                    put(&mut open, 0, request, spans.len());
                    let origin = recording.truth.origins.get(request as usize).copied().flatten();
                    let parent = origin.map(|(site, call)| id(site, call, Kind::Client));
                    let operation = operation(services, site, route.saturating_sub(1) as usize);
                    let of = (site, request, Kind::Server);
                    spans.push(span(recordings, services, of, parent, operation, at));
                }
                Event::Call { call, callee, .. } => {
                    put(&mut open, 1, call, spans.len());
                    let cause = recording.truth.parents.get(call as usize).copied().flatten();
                    let parent = cause.map(|request| id(site, request, Kind::Server));
                    let callee = callee.saturating_sub(1) as usize;
                    let to = workload.services.get(site).and_then(|it| it.callees.get(callee));
                    let operation = match to.map(|callee| callee.target) {
                        Some(Target::Service(to, route)) => operation(services, to, route),
                        _ => format!("store-{}", letter(callee)),
                    };
                    let of = (site, call, Kind::Client);
                    spans.push(span(recordings, services, of, parent, operation, at));
                }
                Event::End { request } => end(&mut spans, &open, 0, request, at),
                Event::EndCall { call } => end(&mut spans, &open, 1, call, at),
                _ => {}
            }
        }
    }
    spans
}

/// A request or call of a site, by its number.
type Of = (usize, u32, Kind);

fn span(
    recordings: &[Recording],
    services: &[&str],
    of: Of,
    parent: Option<String>,
    operation: String,
    start: u64,
) -> Span {
    let (site, number, kind) = of;
    let service = services.get(site).copied().unwrap_or("service");
    Span {
        trace: trace(recordings, of),
        id: id(site, number, kind),
        parent,
        service: service.to_owned(),
        instance: format!("{service}-7d4b9c-x2x1z"),
        operation,
        kind,
        peer: None,
        start,
        end: start,
    }
}

/// The trace: the request from outside, or the call without cause, that everything comes from.
fn trace(recordings: &[Recording], (mut site, mut number, mut kind): Of) -> String {
    while let Some(recording) = recordings.get(site) {
        let truth = &recording.truth;
        let above = match kind {
            Kind::Server => {
                let origin = truth.origins.get(number as usize).copied().flatten();
                origin.map(|(site, call)| (site, call, Kind::Client))
            }
            _ => {
                let cause = truth.parents.get(number as usize).copied().flatten();
                cause.map(|request| (site, request, Kind::Server))
            }
        };
        let Some(above) = above else { break };
        (site, number, kind) = above;
    }
    id(site, number, kind)
}

fn id(site: usize, number: u32, kind: Kind) -> String {
    let side = u64::from(kind == Kind::Server);
    let number = (site as u64) << 40 | u64::from(number) << 1 | side;
    format!("{:016x}", mix(number + 1))
}

/// A name without digits, as a path's changing parts would have them.
fn operation(services: &[&str], site: usize, route: usize) -> String {
    let service = services.get(site).copied().unwrap_or("service");
    format!("/{service}/Route{}", letter(route))
}

fn letter(number: usize) -> char {
    char::from(b'A' + (number % 26) as u8)
}

fn put(open: &mut [Vec<usize>; 2], side: usize, number: u32, span: usize) {
    if let Some(place) = open.get_mut(side).and_then(|open| open.get_mut(number as usize)) {
        *place = span;
    }
}

fn end(spans: &mut [Span], open: &[Vec<usize>; 2], side: usize, number: u32, at: u64) {
    let span = open.get(side).and_then(|open| open.get(number as usize));
    if let Some(span) = span.and_then(|span| spans.get_mut(*span)) {
        span.end = at;
    }
}
