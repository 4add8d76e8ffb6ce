//! Between the generated protobuf types and ours.

use ::span::{SpanId, TraceId};
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value,
};
use opentelemetry_proto::tonic::resource::v1 as proto_resource;
use opentelemetry_proto::tonic::trace::v1 as proto;

use super::{Reason, limits};
use crate::model::{Attribute, Event, Kind, Link, Outcome, Resource, Scope, Span, Status, Value};

pub(super) fn resource(from: proto_resource::Resource) -> Result<Resource, Reason> {
    Ok(Resource {
        attributes: attributes(from.attributes).map_err(|_| Reason::Resource)?,
    })
}

pub(super) fn scope(from: InstrumentationScope) -> Result<Scope, Reason> {
    Ok(Scope {
        name: from.name,
        version: from.version,
        attributes: attributes(from.attributes).map_err(|_| Reason::Resource)?,
    })
}

fn trace_id(bytes: &[u8]) -> Option<TraceId> {
    TraceId::from_bytes(bytes.try_into().ok()?)
}

fn span_id(bytes: &[u8]) -> Option<SpanId> {
    SpanId::from_bytes(bytes.try_into().ok()?)
}

/// A kind from a later version of the protocol is one that we do not know, not an error.
pub(super) fn kind(number: i32) -> Kind {
    match proto::span::SpanKind::try_from(number) {
        Ok(proto::span::SpanKind::Internal) => Kind::Internal,
        Ok(proto::span::SpanKind::Server) => Kind::Server,
        Ok(proto::span::SpanKind::Client) => Kind::Client,
        Ok(proto::span::SpanKind::Producer) => Kind::Producer,
        Ok(proto::span::SpanKind::Consumer) => Kind::Consumer,
        Ok(proto::span::SpanKind::Unspecified) | Err(_) => Kind::Unspecified,
    }
}

/// The outcome that a code says; one from a later version says nothing.
pub(super) fn outcome(code: i32) -> Outcome {
    match proto::status::StatusCode::try_from(code) {
        Ok(proto::status::StatusCode::Ok) => Outcome::Ok,
        Ok(proto::status::StatusCode::Error) => Outcome::Error,
        Ok(proto::status::StatusCode::Unset) | Err(_) => Outcome::Unset,
    }
}

pub(super) fn event(from: proto::span::Event) -> Result<Event, Reason> {
    Ok(Event {
        time: from.time_unix_nano,
        name: from.name,
        attributes: attributes(from.attributes)?,
    })
}

/// The links that name a span, and how many do not. A bad link is no reason to lose the span.
pub(super) fn links(from: Vec<proto::span::Link>) -> Result<(Vec<Link>, u32), Reason> {
    let mut links = Vec::with_capacity(from.len());
    let mut bad = 0;
    for link in from {
        match (trace_id(&link.trace_id), span_id(&link.span_id)) {
            (Some(trace_id), Some(span_id)) => links.push(Link {
                trace_id,
                span_id,
                trace_state: link.trace_state,
                attributes: attributes(link.attributes)?,
            }),
            _ => bad += 1,
        }
    }
    Ok((links, bad))
}

fn attributes(from: Vec<KeyValue>) -> Result<Vec<Attribute>, Reason> {
    if from.len() > limits::ATTRIBUTES {
        return Err(Reason::TooManyAttributes);
    }
    let mut attributes: Vec<_> = from.into_iter().map(attribute).collect();
    // spans are kept for long, and decoding leaves up to half of a list's room empty
    attributes.shrink_to_fit();
    Ok(attributes)
}

fn attribute(from: KeyValue) -> Attribute {
    Attribute {
        key: from.key,
        value: value(from.value.and_then(|any| any.value)),
    }
}

/// Decoding has bounded how deep this goes: protobuf to 100 levels, JSON to 128.
pub(super) fn value(from: Option<any_value::Value>) -> Value {
    match from {
        // an index into a table of strings exists in profiles only
        None | Some(any_value::Value::StringValueStrindex(_)) => Value::Empty,
        Some(any_value::Value::StringValue(text)) => Value::String(text),
        Some(any_value::Value::BoolValue(flag)) => Value::Bool(flag),
        Some(any_value::Value::IntValue(number)) => Value::Int(number),
        Some(any_value::Value::DoubleValue(number)) => Value::Double(number),
        Some(any_value::Value::BytesValue(bytes)) => Value::Bytes(bytes),
        Some(any_value::Value::ArrayValue(array)) => {
            Value::Array(array.values.into_iter().map(|item| value(item.value)).collect())
        }
        Some(any_value::Value::KvlistValue(list)) => {
            Value::Map(list.values.into_iter().map(attribute).collect())
        }
    }
}

/// A span as it is sent, without its resource and scope.
pub(super) fn to_protobuf(from: &Span) -> proto::Span {
    let event = |event: &Event| proto::span::Event {
        time_unix_nano: event.time,
        name: event.name.clone(),
        attributes: pairs(&event.attributes),
        ..Default::default()
    };
    let link = |link: &Link| proto::span::Link {
        trace_id: link.trace_id.as_bytes().to_vec(),
        span_id: link.span_id.as_bytes().to_vec(),
        trace_state: link.trace_state.clone(),
        attributes: pairs(&link.attributes),
        ..Default::default()
    };
    let status = |code: proto::status::StatusCode, message: &str| proto::Status {
        code: code as i32,
        message: message.to_owned(),
    };
    proto::Span {
        trace_id: from.trace_id.as_bytes().to_vec(),
        span_id: from.span_id.as_bytes().to_vec(),
        parent_span_id: from.parent_id.map_or_else(Vec::new, |id| id.as_bytes().to_vec()),
        trace_state: from.trace_state.clone(),
        flags: from.flags,
        name: from.name.clone(),
        // the numbers are the same
        kind: from.kind as i32,
        start_time_unix_nano: from.start,
        end_time_unix_nano: from.end,
        attributes: pairs(&from.attributes),
        dropped_attributes_count: from.dropped.attributes,
        events: from.events.iter().map(event).collect(),
        dropped_events_count: from.dropped.events,
        links: from.links.iter().map(link).collect(),
        dropped_links_count: from.dropped.links,
        status: match &from.status {
            Status::Unset => None,
            Status::Ok => Some(status(proto::status::StatusCode::Ok, "")),
            Status::Error(message) => Some(status(proto::status::StatusCode::Error, message)),
        },
    }
}

pub(super) fn resource_to_protobuf(from: &Resource) -> proto_resource::Resource {
    proto_resource::Resource {
        attributes: pairs(&from.attributes),
        ..Default::default()
    }
}

pub(super) fn scope_to_protobuf(from: &Scope) -> InstrumentationScope {
    InstrumentationScope {
        name: from.name.clone(),
        version: from.version.clone(),
        attributes: pairs(&from.attributes),
        ..Default::default()
    }
}

fn pairs(from: &[Attribute]) -> Vec<KeyValue> {
    let pair = |attribute: &Attribute| KeyValue {
        key: attribute.key.clone(),
        value: Some(any(&attribute.value)),
        ..Default::default()
    };
    from.iter().map(pair).collect()
}

fn any(from: &Value) -> AnyValue {
    let value = match from {
        Value::Empty => None,
        Value::String(text) => Some(any_value::Value::StringValue(text.clone())),
        Value::Bool(flag) => Some(any_value::Value::BoolValue(*flag)),
        Value::Int(number) => Some(any_value::Value::IntValue(*number)),
        Value::Double(number) => Some(any_value::Value::DoubleValue(*number)),
        Value::Bytes(bytes) => Some(any_value::Value::BytesValue(bytes.clone())),
        Value::Array(items) => Some(any_value::Value::ArrayValue(ArrayValue {
            values: items.iter().map(any).collect(),
        })),
        Value::Map(entries) => Some(any_value::Value::KvlistValue(KeyValueList {
            values: pairs(entries),
        })),
    };
    AnyValue { value }
}
