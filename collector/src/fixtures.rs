//! Spans for tests.

use std::sync::Arc;

use otlp::model::{
    Attribute, Dropped, Event, Kind, Link, PROVISIONAL_TRACE_ID, Resource, Scope, Span, Status, Value,
};
use otlp::receive::Packed;
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof};
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

/// Spans as a store takes them.
pub(crate) fn packed(spans: Vec<Span>) -> Vec<Packed> {
    spans.into_iter().map(|span| Packed::from(&span)).collect()
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

/// Spans of every shape: all kinds of values, nested ones too, texts of any script, times of any clock.
pub(crate) fn any_spans() -> impl Strategy<Value = Vec<Span>> {
    let shared = (attributes(), "[a-z]{0,4}", "[0-9.]{0,4}", attributes());
    let groups = proptest::collection::vec((shared, proptest::collection::vec(any_span(), 0..4)), 1..4);
    groups.prop_map(|groups| {
        let spans = groups
            .into_iter()
            .flat_map(|((resource, name, version, attributes), spans)| {
                let resource = Arc::new(Resource { attributes: resource });
                let scope = Arc::new(Scope {
                    name,
                    version,
                    attributes,
                });
                spans.into_iter().map(move |span| Span {
                    resource: Arc::clone(&resource),
                    scope: Arc::clone(&scope),
                    ..span
                })
            });
        spans.collect()
    })
}

fn any_span() -> impl Strategy<Value = Span> {
    let identity = (
        1..u128::MAX,
        1..u64::MAX,
        proptest::option::of(1..u64::MAX),
        prop::sample::select(&Kind::ALL[..]),
    );
    let times = (any::<u64>(), any::<u64>(), any::<u32>(), any::<[u32; 3]>());
    let status = prop_oneof![
        Just(Status::Unset),
        Just(Status::Ok),
        ".*".prop_map(Status::Error)
    ];
    let events = proptest::collection::vec((any::<u64>(), ".*", attributes()), 0..3);
    let links = proptest::collection::vec((1..u128::MAX, 1..u64::MAX, ".*", attributes()), 0..3);
    (identity, times, (".*", ".*", status), attributes(), events, links).prop_map(
        |(identity, times, (name, trace_state, status), attributes, events, links)| {
            let event = |(time, name, attributes)| Event {
                time,
                name,
                attributes,
            };
            let link = |(trace, span, trace_state, attributes)| Link {
                trace_id: TraceId::from_u128(trace).unwrap(),
                span_id: span_id(span),
                trace_state,
                attributes,
            };
            Span {
                trace_id: TraceId::from_u128(identity.0).unwrap(),
                parent_id: identity.2.and_then(SpanId::from_u64),
                kind: identity.3,
                start: times.0,
                end: times.1,
                flags: times.2,
                dropped: Dropped {
                    attributes: times.3[0],
                    events: times.3[1],
                    links: times.3[2],
                },
                name,
                trace_state,
                status,
                attributes,
                events: events.into_iter().map(event).collect(),
                links: links.into_iter().map(link).collect(),
                span_id: span_id(identity.1),
                ..span("a", 1, 1)
            }
        },
    )
}

fn attributes() -> impl Strategy<Value = Vec<Attribute>> {
    let leaf = prop_oneof![
        Just(Value::Empty),
        ".*".prop_map(Value::String),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::INFINITY), Just(-0.0)].prop_map(Value::Double),
        any::<Vec<u8>>().prop_map(Value::Bytes),
    ];
    let value = leaf.prop_recursive(3, 8, 3, |inner| {
        let entry = ("[a-c]{0,2}", inner.clone()).prop_map(|(key, value)| Attribute { key, value });
        prop_oneof![
            proptest::collection::vec(inner, 0..3).prop_map(Value::Array),
            proptest::collection::vec(entry, 0..3).prop_map(Value::Map),
        ]
    });
    let key = prop_oneof!["[a-c]{1,2}", Just("http.request.method".to_owned()), ".*"];
    proptest::collection::vec((key, value), 0..5).prop_map(|list| {
        list.into_iter()
            .map(|(key, value)| Attribute { key, value })
            .collect()
    })
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
