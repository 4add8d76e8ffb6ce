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

/// A request (kind server) or a call (kind client), by its site and number.
#[derive(Clone, Copy)]
struct Of(usize, u32, Kind);

/// What services would have recorded, had they been instrumented.
pub struct Tracer<'t> {
    /// The services.
    pub workload: &'t Workload,
    /// What they are called.
    pub services: &'t [&'t str],
    /// What happened.
    pub recordings: &'t [Recording],
}

impl Tracer<'_> {
    /// A span for each request and one for each call.
    pub fn spans(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        for (site, recording) in self.recordings.iter().enumerate() {
            let log = &recording.log;
            let mut requests = vec![0; log.requests as usize];
            let mut calls = vec![0; log.calls as usize];
            for &(now, event) in &log.events {
                match event {
                    Event::Begin { request, route, .. } => {
                        put(&mut requests, request, spans.len());
                        let operation = self.operation(site, route.saturating_sub(1) as usize);
                        spans.push(self.span(Of(site, request, Kind::Server), operation, now));
                    }
                    Event::Call { call, callee, .. } => {
                        put(&mut calls, call, spans.len());
                        let operation = self.called(site, callee.saturating_sub(1) as usize);
                        spans.push(self.span(Of(site, call, Kind::Client), operation, now));
                    }
                    Event::End { request } => end(&mut spans, &requests, request, now),
                    Event::EndCall { call } => end(&mut spans, &calls, call, now),
                    _ => {}
                }
            }
        }
        spans
    }

    fn span(&self, of: Of, operation: String, at: u64) -> Span {
        let service = self.service(of.0);
        let mut top = of;
        while let Some(above) = self.above(top) {
            top = above;
        }
        Span {
            trace: self.id(top),
            id: self.id(of),
            parent: self.above(of).map(|above| self.id(above)),
            service: service.to_owned(),
            instance: format!("{service}-7d4b9c-x2x1z"),
            operation,
            kind: of.2,
            peer: None,
            start: EPOCH + at,
            end: EPOCH + at,
        }
    }

    /// The call that a request is, or the request that caused a call.
    fn above(&self, Of(site, number, kind): Of) -> Option<Of> {
        let truth = &self.recordings.get(site)?.truth;
        if kind == Kind::Server {
            let (site, call) = (*truth.origins.get(number as usize)?)?;
            Some(Of(site, call, Kind::Client))
        } else {
            let request = (*truth.parents.get(number as usize)?)?;
            Some(Of(site, request, Kind::Server))
        }
    }

    /// An identifier that no other has, of this workload or another.
    fn id(&self, Of(site, number, kind): Of) -> String {
        let side = u64::from(kind == Kind::Server);
        let number = (site as u64) << 40 | u64::from(number) << 1 | side;
        format!("{:016x}", mix(mix(self.workload.seed) ^ number))
    }

    fn service(&self, site: usize) -> &str {
        self.services.get(site).copied().unwrap_or("service")
    }

    /// A route's name, without digits, which would be taken for what differs from request to request.
    fn operation(&self, site: usize, route: usize) -> String {
        format!("/{}/Route{}", self.service(site), letter(route))
    }

    fn called(&self, site: usize, callee: usize) -> String {
        let service = self.workload.services.get(site);
        match service
            .and_then(|service| service.callees.get(callee))
            .map(|it| it.target)
        {
            Some(Target::Service(to, route)) => self.operation(to, route),
            _ => format!("store-{}", letter(callee)),
        }
    }
}

fn letter(number: usize) -> char {
    char::from(b'A' + (number % 26) as u8)
}

fn put(spans: &mut [usize], number: u32, span: usize) {
    if let Some(place) = spans.get_mut(number as usize) {
        *place = span;
    }
}

fn end(spans: &mut [Span], begun: &[usize], number: u32, at: u64) {
    let begun = begun.get(number as usize);
    if let Some(span) = begun.and_then(|begun| spans.get_mut(*begun)) {
        span.end = EPOCH + at;
    }
}
