//! Spans for tests.

use std::sync::Arc;

use otlp::model::{Attribute, Dropped, Kind, PROVISIONAL_TRACE_ID, Resource, Scope, Span, Status, Value};
use span::{SpanId, TraceId};

use crate::analysis::link;

/// When the spans of tests begin: 14 July 2017, in nanoseconds.
pub(crate) const START: u64 = 1_500_000_000_000_000_000;

pub(crate) fn trace_id(number: u64) -> TraceId {
    TraceId::from_u64(number).unwrap()
}

pub(crate) fn span_id(number: u64) -> SpanId {
    SpanId::from_u64(number).unwrap()
}

pub(crate) fn text(key: &str, value: &str) -> Attribute {
    Attribute {
        key: key.to_owned(),
        value: Value::String(value.to_owned()),
    }
}

/// An inner span of one millisecond in service `service`, `id` microseconds after [`START`].
pub(crate) fn span(service: &str, trace: u64, id: u64) -> Span {
    Span {
        resource: Arc::new(Resource {
            attributes: vec![text("service.name", service)],
        }),
        scope: Arc::new(Scope::default()),
        trace_id: trace_id(trace),
        span_id: span_id(id),
        parent_id: None,
        trace_state: String::new(),
        flags: 0x101,
        name: format!("operation {id}"),
        kind: Kind::Internal,
        start: START + id * 1000,
        end: START + id * 1000 + 1_000_000,
        attributes: Vec::new(),
        events: Vec::new(),
        links: Vec::new(),
        status: Status::Unset,
        dropped: Dropped::default(),
    }
}

pub(crate) trait With: Sized {
    fn with(self, change: impl FnOnce(&mut Self)) -> Self;
}

impl With for Span {
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

pub(crate) fn child_of(parent: u64, kind: Kind) -> impl Fn(&mut Span) {
    move |span| {
        span.parent_id = SpanId::from_u64(parent);
        span.kind = kind;
    }
}

/// Makes `provisional` read as part of the span's trace.
pub(crate) fn resolves(provisional: u64) -> impl Fn(&mut Span) {
    move |span| {
        let id = trace_id(provisional).to_string();
        span.attributes.push(text(PROVISIONAL_TRACE_ID, &id));
    }
}

/// Says how the span's parent was found.
pub(crate) fn linked(kind: &str, confidence: f64) -> impl Fn(&mut Span) {
    move |span| {
        span.attributes.push(text(link::KIND, kind));
        span.attributes.push(Attribute {
            key: link::CONFIDENCE.to_owned(),
            value: Value::Double(confidence),
        });
    }
}
