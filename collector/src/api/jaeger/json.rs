//! Spans, operations and dependencies in the JSON that Jaeger's query service answers with.
//!
//! By OpenTelemetry's "Jaeger" mapping: attributes and scope become typed tags, resources become processes, events
//! become logs, links become FOLLOWS_FROM references. Times are microseconds.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use otlp::model::{Attribute, Dropped, Event, Resource, Span, Value};
use serde::Serialize;
use serde_json::{Map, json};
use span::{SpanId, TraceId};

use crate::dependencies::Dependency;
use crate::store;
use crate::tags;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TraceJson<'a> {
    #[serde(rename = "traceID")]
    trace_id: String,
    spans: Vec<SpanJson<'a>>,
    processes: Map<String, serde_json::Value>,
    warnings: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SpanJson<'a> {
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
    flags: u32,
    operation_name: &'a str,
    references: Vec<Reference>,
    start_time: u64,
    duration: u64,
    tags: Vec<Tag<'a>>,
    logs: Vec<Log<'a>>,
    #[serde(rename = "processID")]
    process_id: String,
    warnings: Option<Vec<String>>,
}

#[derive(Serialize)]
struct Reference {
    #[serde(rename = "refType")]
    kind: &'static str,
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
}

#[derive(Serialize)]
struct Log<'a> {
    timestamp: u64,
    fields: Vec<Tag<'a>>,
}

#[derive(Serialize)]
struct Tag<'a> {
    key: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    value: serde_json::Value,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OperationJson<'a> {
    name: &'a str,
    span_kind: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DependencyJson<'a> {
    parent: &'a str,
    child: &'a str,
    call_count: u64,
}

pub(super) fn trace(trace: &store::Trace) -> TraceJson<'_> {
    let mut processes = Processes::default();
    let known: HashSet<SpanId> = trace.spans.iter().map(|span| span.span_id).collect();
    let spans = trace.spans.iter();
    TraceJson {
        trace_id: trace.id.to_string(),
        spans: spans
            .map(|span| span_json(trace.id, span, processes.id(&span.resource), &known))
            .collect(),
        processes: processes.list,
        warnings: None,
    }
}

pub(super) fn operation(operation: &store::Operation) -> OperationJson<'_> {
    OperationJson {
        name: &operation.name,
        span_kind: tags::kind_name(operation.kind).unwrap_or_default(),
    }
}

pub(super) fn dependency(dependency: &Dependency) -> DependencyJson<'_> {
    DependencyJson {
        parent: &dependency.parent,
        child: &dependency.child,
        call_count: dependency.calls,
    }
}

/// The resources of a trace, equal ones under one id.
#[derive(Default)]
struct Processes {
    list: Map<String, serde_json::Value>,
    by_address: HashMap<*const Resource, String>,
    by_content: HashMap<String, String>,
}

impl Processes {
    fn id(&mut self, resource: &Arc<Resource>) -> String {
        if let Some(id) = self.by_address.get(&Arc::as_ptr(resource)) {
            return id.clone();
        }
        let process = process(resource);
        let content = process.to_string();
        let next = format!("p{}", self.list.len() + 1);
        let id = self.by_content.entry(content).or_insert(next).clone();
        self.list.entry(&id).or_insert(process);
        self.by_address.insert(Arc::as_ptr(resource), id.clone());
        id
    }
}

fn process(resource: &Resource) -> serde_json::Value {
    let others = resource
        .attributes
        .iter()
        .filter(|attribute| attribute.key != "service.name");
    let tags: Vec<_> = others.map(attribute_tag).collect();
    json!({"serviceName": resource.service(), "tags": tags})
}

fn span_json<'a>(
    trace_id: TraceId,
    span: &'a Span,
    process_id: String,
    known: &HashSet<SpanId>,
) -> SpanJson<'a> {
    let own = span.attributes.iter().map(attribute_tag);
    let derived = tags::derived(span).map(|(key, value)| tag(key, &value));
    let warnings = warnings(span, known);
    SpanJson {
        trace_id: trace_id.to_string(),
        span_id: span.span_id.to_string(),
        flags: span.flags & 0xff,
        operation_name: &span.name,
        references: references(trace_id, span),
        start_time: span.start / 1000,
        duration: span.duration() / 1000,
        tags: own.chain(derived).collect(),
        logs: span.events.iter().map(log).collect(),
        process_id,
        warnings: (!warnings.is_empty()).then_some(warnings),
    }
}

fn references(trace_id: TraceId, span: &Span) -> Vec<Reference> {
    let parent = span.parent_id.map(|id| ("CHILD_OF", trace_id, id));
    let links = span
        .links
        .iter()
        .map(|link| ("FOLLOWS_FROM", link.trace_id, link.span_id));
    let references = parent.into_iter().chain(links);
    references
        .map(|(kind, trace_id, span_id)| Reference {
            kind,
            trace_id: trace_id.to_string(),
            span_id: span_id.to_string(),
        })
        .collect()
}

fn log(event: &Event) -> Log<'_> {
    let name = Tag {
        key: "event",
        kind: "string",
        value: json!(event.name),
    };
    let named = (!event.name.is_empty()).then_some(name);
    Log {
        timestamp: event.time / 1000,
        fields: named
            .into_iter()
            .chain(event.attributes.iter().map(attribute_tag))
            .collect(),
    }
}

fn attribute_tag(attribute: &Attribute) -> Tag<'_> {
    tag(&attribute.key, &attribute.value)
}

/// A value as one of Jaeger's five types; what has none of its own is text.
fn tag<'a>(key: &'a str, value: &Value) -> Tag<'a> {
    let (kind, value) = match value {
        Value::Bool(_) => ("bool", tags::as_json(value)),
        Value::Int(_) => ("int64", tags::as_json(value)),
        Value::Double(number) if number.is_finite() => ("float64", tags::as_json(value)),
        Value::Bytes(_) => ("binary", tags::as_json(value)),
        _ => ("string", json!(tags::text(value))),
    };
    Tag { key, kind, value }
}

/// What a reader should know before trusting the picture.
fn warnings(span: &Span, known: &HashSet<SpanId>) -> Vec<String> {
    let mut warnings = Vec::new();
    if span.end == 0 {
        warnings.push("the span has no end; its duration is shown as zero".to_owned());
    } else if span.end < span.start {
        let early = span.start - span.end;
        warnings.push(format!(
            "the span ends {early} ns before it starts; its duration is shown as zero"
        ));
    }
    if let Some(parent) = span.parent_id.filter(|parent| !known.contains(parent)) {
        warnings.push(format!("its parent {parent} has not been received"));
    }
    let Dropped {
        attributes,
        events,
        links,
    } = span.dropped;
    if span.dropped != Dropped::default() {
        warnings.push(format!(
            "its sender left out {attributes} attributes, {events} events, {links} links"
        ));
    }
    warnings
}
