//! Attributes, events and links as OTLP's JSON has them, exactly: every type comes back as it was.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use otlp::model::{Attribute, Event, Link, Scope, Value};
use serde_json::{Map, Value as Json, json};
use span::{SpanId, TraceId};

/// How deep values may nest.
const DEPTH: usize = 256;

pub(crate) fn attributes(attributes: &[Attribute]) -> Json {
    attributes
        .iter()
        .map(|attribute| json!({"key": attribute.key, "value": value(&attribute.value)}))
        .collect()
}

/// Doubles and whole numbers are texts, as protobuf's JSON allows: so none loses a digit.
pub(crate) fn value(from: &Value) -> Json {
    match from {
        Value::Empty => json!({}),
        Value::String(text) => json!({"stringValue": text}),
        Value::Bool(flag) => json!({"boolValue": flag}),
        Value::Int(number) => json!({"intValue": number.to_string()}),
        Value::Double(number) => json!({"doubleValue": number.to_string()}),
        Value::Bytes(bytes) => json!({"bytesValue": STANDARD.encode(bytes)}),
        Value::Array(items) => {
            let items: Json = items.iter().map(value).collect();
            json!({"arrayValue": {"values": items}})
        }
        Value::Map(entries) => json!({"kvlistValue": {"values": attributes(entries)}}),
    }
}

pub(crate) fn scope(from: &Scope) -> Json {
    json!({"name": from.name, "version": from.version, "attributes": attributes(&from.attributes)})
}

pub(crate) fn events(from: &[Event]) -> Json {
    let event = |event: &Event| {
        json!({
            "timeUnixNano": event.time.to_string(),
            "name": event.name,
            "attributes": attributes(&event.attributes),
        })
    };
    from.iter().map(event).collect()
}

pub(crate) fn links(from: &[Link]) -> Json {
    let link = |link: &Link| {
        json!({
            "traceId": link.trace_id.to_string(),
            "spanId": link.span_id.to_string(),
            "traceState": link.trace_state,
            "attributes": attributes(&link.attributes),
        })
    };
    from.iter().map(link).collect()
}

/// Reads JSON however deep it is: what was written here was bounded when it came in.
pub(crate) fn parse(text: &[u8]) -> Option<Json> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    reader.disable_recursion_limit();
    serde::Deserialize::deserialize(&mut reader).ok()
}

pub(crate) fn read_attributes(from: &Json) -> Option<Vec<Attribute>> {
    attributes_within(from, DEPTH)
}

pub(crate) fn read_value(from: &Json) -> Option<Value> {
    value_within(from, DEPTH)
}

pub(crate) fn read_scope(from: &Json) -> Option<Scope> {
    Some(Scope {
        name: text(from, "name")?,
        version: text(from, "version")?,
        attributes: read_attributes(from.get("attributes")?)?,
    })
}

pub(crate) fn read_events(from: &Json) -> Option<Vec<Event>> {
    let event = |from: &Json| {
        Some(Event {
            time: text(from, "timeUnixNano")?.parse().ok()?,
            name: text(from, "name")?,
            attributes: read_attributes(from.get("attributes")?)?,
        })
    };
    from.as_array()?.iter().map(event).collect()
}

pub(crate) fn read_links(from: &Json) -> Option<Vec<Link>> {
    let link = |from: &Json| {
        Some(Link {
            trace_id: TraceId::from_hex(text(from, "traceId")?.as_bytes())?,
            span_id: SpanId::from_hex(text(from, "spanId")?.as_bytes())?,
            trace_state: text(from, "traceState")?,
            attributes: read_attributes(from.get("attributes")?)?,
        })
    };
    from.as_array()?.iter().map(link).collect()
}

fn text(from: &Json, key: &str) -> Option<String> {
    Some(from.get(key)?.as_str()?.to_owned())
}

fn attributes_within(from: &Json, depth: usize) -> Option<Vec<Attribute>> {
    let depth = depth.checked_sub(1)?;
    let attribute = |from: &Json| {
        Some(Attribute {
            key: text(from, "key")?,
            value: value_within(from.get("value")?, depth)?,
        })
    };
    from.as_array()?.iter().map(attribute).collect()
}

fn value_within(from: &Json, depth: usize) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    let object: &Map<String, Json> = from.as_object()?;
    let Some((kind, inner)) = object.iter().next() else {
        return Some(Value::Empty);
    };
    Some(match kind.as_str() {
        "stringValue" => Value::String(inner.as_str()?.to_owned()),
        "boolValue" => Value::Bool(inner.as_bool()?),
        "intValue" => Value::Int(inner.as_str()?.parse().ok()?),
        "doubleValue" => Value::Double(inner.as_str()?.parse().ok()?),
        "bytesValue" => Value::Bytes(STANDARD.decode(inner.as_str()?).ok()?),
        "arrayValue" => {
            let items = inner.get("values")?.as_array()?.iter();
            Value::Array(
                items
                    .map(|item| value_within(item, depth))
                    .collect::<Option<_>>()?,
            )
        }
        "kvlistValue" => Value::Map(attributes_within(inner.get("values")?, depth)?),
        _ => return None,
    })
}
