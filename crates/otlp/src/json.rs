//! Spans as OTLP JSON: what an export request, or a file of one, holds.
//!
//! By OTLP's JSON encoding: ids are hexadecimal, numbers of 64 bits are text, enums are numbers.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json, json};
use span::TraceId;

use crate::model::{Attribute, Event, Link, Resource, Scope, Span, Status, Value};

/// An `ExportTraceServiceRequest`, or `TracesData`, with these traces: spans grouped by who made them, each with the id
/// of the trace that it stands under here rather than the one that it says.
pub fn traces<'a>(traces: impl IntoIterator<Item = (TraceId, &'a [Arc<Span>])>) -> Json {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for (id, spans) in traces {
        for span in spans {
            let known = groups.iter_mut().rev().find(|group| group.holds(span));
            let json = span_json(id, span);
            match known {
                Some(group) => group.spans.push(json),
                None => groups.push(Group {
                    resource: &span.resource,
                    scope: &span.scope,
                    spans: vec![json],
                }),
            }
        }
    }
    let groups: Vec<_> = groups.into_iter().map(Group::json).collect();
    json!({"resourceSpans": groups})
}

struct Group<'a> {
    resource: &'a Arc<Resource>,
    scope: &'a Arc<Scope>,
    spans: Vec<Json>,
}

impl Group<'_> {
    fn holds(&self, span: &Span) -> bool {
        let same_resource = Arc::ptr_eq(self.resource, &span.resource) || *self.resource == span.resource;
        same_resource && (Arc::ptr_eq(self.scope, &span.scope) || *self.scope == span.scope)
    }

    fn json(self) -> Json {
        let scope = json!({
            "name": self.scope.name,
            "version": self.scope.version,
            "attributes": attributes(&self.scope.attributes),
        });
        json!({
            "resource": {"attributes": attributes(&self.resource.attributes)},
            "scopeSpans": [{"scope": scope, "spans": self.spans}],
        })
    }
}

fn span_json(id: TraceId, span: &Span) -> Json {
    let (code, message) = match &span.status {
        Status::Unset => (0, ""),
        Status::Ok => (1, ""),
        Status::Error(message) => (2, message.as_str()),
    };
    let parent = span.parent_id.map(|parent| parent.to_string());
    json!({
        "traceId": id.to_string(),
        "spanId": span.span_id.to_string(),
        "parentSpanId": parent.unwrap_or_default(),
        "traceState": span.trace_state,
        "flags": span.flags,
        "name": span.name,
        "kind": span.kind as u8,
        "startTimeUnixNano": span.start.to_string(),
        "endTimeUnixNano": span.end.to_string(),
        "attributes": attributes(&span.attributes),
        "droppedAttributesCount": span.dropped.attributes,
        "events": span.events.iter().map(event).collect::<Vec<_>>(),
        "droppedEventsCount": span.dropped.events,
        "links": span.links.iter().map(link).collect::<Vec<_>>(),
        "droppedLinksCount": span.dropped.links,
        "status": {"code": code, "message": message},
    })
}

fn event(event: &Event) -> Json {
    json!({
        "timeUnixNano": event.time.to_string(),
        "name": event.name,
        "attributes": attributes(&event.attributes),
    })
}

fn link(link: &Link) -> Json {
    json!({
        "traceId": link.trace_id.to_string(),
        "spanId": link.span_id.to_string(),
        "traceState": link.trace_state,
        "attributes": attributes(&link.attributes),
    })
}

fn attributes(attributes: &[Attribute]) -> Vec<Json> {
    let pairs = attributes.iter();
    pairs
        .map(|attribute| json!({"key": attribute.key, "value": value(&attribute.value)}))
        .collect()
}

fn value(from: &Value) -> Json {
    let (kind, value) = match from {
        Value::Empty => return Json::Object(Map::new()),
        Value::String(text) => ("stringValue", json!(text)),
        Value::Bool(flag) => ("boolValue", json!(flag)),
        Value::Int(number) => ("intValue", json!(number.to_string())),
        Value::Double(number) if number.is_finite() => ("doubleValue", json!(number)),
        // JSON has no such numbers, and readers do not agree on how to write them
        Value::Double(number) => ("stringValue", json!(number.to_string())),
        Value::Bytes(bytes) => ("bytesValue", json!(STANDARD.encode(bytes))),
        Value::Array(items) => (
            "arrayValue",
            json!({"values": items.iter().map(value).collect::<Vec<_>>()}),
        ),
        Value::Map(entries) => ("kvlistValue", json!({"values": attributes(entries)})),
    };
    json!({kind: value})
}
