//! From the generated protobuf types to ours, with every check that a span has to pass.

use std::sync::Arc;

use ::span::{SpanId, TraceId};
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1 as proto_resource;
use opentelemetry_proto::tonic::trace::v1 as proto;

use super::{Reason, limits};
use crate::model::{Attribute, Dropped, Event, Kind, Link, Resource, Scope, Span, Status, Value};

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

pub(super) fn span(from: proto::Span, resource: &Arc<Resource>, scope: &Arc<Scope>) -> Result<Span, Reason> {
    let trace_id = trace_id(&from.trace_id).ok_or(Reason::TraceId)?;
    let span_id = span_id(&from.span_id).ok_or(Reason::SpanId)?;
    let parent_id = parent_id(&from.parent_span_id, span_id)?;
    let (start, end) = (from.start_time_unix_nano, from.end_time_unix_nano);
    if !limits::TIMES.contains(&start) || !(end == 0 || limits::TIMES.contains(&end)) {
        return Err(Reason::Time);
    }
    if from.name.len() > limits::NAME_BYTES {
        return Err(Reason::NameTooLong);
    }
    if from.events.len() > limits::EVENTS {
        return Err(Reason::TooManyEvents);
    }
    if from.links.len() > limits::LINKS {
        return Err(Reason::TooManyLinks);
    }
    let (links, bad_links) = links(from.links)?;
    Ok(Span {
        resource: Arc::clone(resource),
        scope: Arc::clone(scope),
        trace_id,
        span_id,
        parent_id,
        trace_state: from.trace_state,
        flags: from.flags,
        name: from.name,
        kind: kind(from.kind),
        start,
        end,
        attributes: attributes(from.attributes)?,
        events: from.events.into_iter().map(event).collect::<Result<_, _>>()?,
        links,
        status: from.status.map(status).unwrap_or_default(),
        dropped: Dropped {
            attributes: from.dropped_attributes_count,
            events: from.dropped_events_count,
            links: from.dropped_links_count.saturating_add(bad_links),
        },
    })
}

fn trace_id(bytes: &[u8]) -> Option<TraceId> {
    TraceId::from_bytes(bytes.try_into().ok()?)
}

fn span_id(bytes: &[u8]) -> Option<SpanId> {
    SpanId::from_bytes(bytes.try_into().ok()?)
}

/// Some SDKs write "no parent" as eight zero bytes.
fn parent_id(bytes: &[u8], own: SpanId) -> Result<Option<SpanId>, Reason> {
    if bytes.is_empty() || bytes == [0; 8] {
        return Ok(None);
    }
    match span_id(bytes) {
        Some(parent) if parent != own => Ok(Some(parent)),
        _ => Err(Reason::ParentId),
    }
}

/// A kind from a later version of the protocol is one that we do not know, not an error.
fn kind(number: i32) -> Kind {
    match proto::span::SpanKind::try_from(number) {
        Ok(proto::span::SpanKind::Internal) => Kind::Internal,
        Ok(proto::span::SpanKind::Server) => Kind::Server,
        Ok(proto::span::SpanKind::Client) => Kind::Client,
        Ok(proto::span::SpanKind::Producer) => Kind::Producer,
        Ok(proto::span::SpanKind::Consumer) => Kind::Consumer,
        Ok(proto::span::SpanKind::Unspecified) | Err(_) => Kind::Unspecified,
    }
}

fn status(from: proto::Status) -> Status {
    match proto::status::StatusCode::try_from(from.code) {
        Ok(proto::status::StatusCode::Ok) => Status::Ok,
        Ok(proto::status::StatusCode::Error) => Status::Error(from.message),
        Ok(proto::status::StatusCode::Unset) | Err(_) => Status::Unset,
    }
}

fn event(from: proto::span::Event) -> Result<Event, Reason> {
    Ok(Event {
        time: from.time_unix_nano,
        name: from.name,
        attributes: attributes(from.attributes)?,
    })
}

/// The links that name a span, and how many do not. A bad link is no reason to lose the span.
fn links(from: Vec<proto::span::Link>) -> Result<(Vec<Link>, u32), Reason> {
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
fn value(from: Option<any_value::Value>) -> Value {
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
