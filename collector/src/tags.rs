//! What the standard keeps in fields of their own and Jaeger shows as tags; and values as text.
//!
//! Searching and showing both read spans through here, so that whatever is shown as a tag can be searched for.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use otlp::model::{Attribute, Kind, Span, Status, Value};
use serde_json::json;

/// The names of all derived tags.
pub(crate) const DERIVED: [&str; 7] = [
    "span.kind",
    "error",
    "otel.status_code",
    STATUS_DESCRIPTION,
    "otel.scope.name",
    "otel.scope.version",
    TRACE_STATE,
];
pub(crate) const STATUS_DESCRIPTION: &str = "otel.status_description";
pub(crate) const TRACE_STATE: &str = "w3c.tracestate";

/// The tags that follow from a span's fields, by the rules of OpenTelemetry's "Jaeger" mapping. One that the span
/// has as an attribute is left out.
pub fn derived(span: &Span) -> impl Iterator<Item = (&'static str, Value)> {
    let text = |text: &str| (!text.is_empty()).then(|| Value::String(text.to_owned()));
    let (error, code, description) = match &span.status {
        Status::Unset => (None, None, None),
        Status::Ok => (None, text("OK"), None),
        Status::Error(message) => (Some(Value::Bool(true)), text("ERROR"), text(message)),
    };
    let values = [
        kind_name(span.kind).and_then(text),
        error,
        code,
        description,
        text(&span.scope.name),
        text(&span.scope.version),
        text(&span.trace_state),
    ];
    let tags = DERIVED.into_iter().zip(values);
    tags.filter_map(|(key, value)| Some((key, value?)))
        .filter(|(key, _)| span.attribute(key).is_none())
}

/// `span.kind` as Jaeger writes it; none if the span did not say.
pub fn kind_name(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Unspecified => None,
        Kind::Internal => Some("internal"),
        Kind::Server => Some("server"),
        Kind::Client => Some("client"),
        Kind::Producer => Some("producer"),
        Kind::Consumer => Some("consumer"),
    }
}

/// All attributes of a span, wherever they stand: its own, those of its resource, scope, events and links.
pub fn attributes(span: &Span) -> impl Iterator<Item = &Attribute> {
    let own = [
        &span.attributes,
        &span.resource.attributes,
        &span.scope.attributes,
    ];
    let events = span.events.iter().map(|event| &event.attributes);
    let links = span.links.iter().map(|link| &link.attributes);
    own.into_iter().chain(events).chain(links).flatten()
}

/// Whether any value that the span has under `key` passes: in its [`attributes`], the names of its events (under `event`), or a
/// derived tag.
pub fn any(span: &Span, key: &str, passes: impl Fn(&Value) -> bool) -> bool {
    let event_named = || {
        let mut names = span.events.iter().map(|event| Value::String(event.name.clone()));
        names.any(|name| passes(&name))
    };
    attributes(span).any(|attribute| attribute.key == key && passes(&attribute.value))
        || (key == "event" && event_named())
        || derived(span).any(|(name, value)| name == key && passes(&value))
}

/// A value as text: as it would be typed into a search. Bytes in base64; lists and maps as JSON.
pub fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Empty => Cow::Borrowed(""),
        Value::String(text) => Cow::Borrowed(text),
        Value::Bool(flag) => Cow::Borrowed(if *flag { "true" } else { "false" }),
        Value::Int(number) => Cow::Owned(number.to_string()),
        Value::Double(number) => Cow::Owned(number.to_string()),
        Value::Bytes(bytes) => Cow::Owned(STANDARD.encode(bytes)),
        Value::Array(_) | Value::Map(_) => Cow::Owned(as_json(value).to_string()),
    }
}

/// A value as JSON. NaN and the infinities, which JSON does not have, become text.
pub fn as_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Empty => serde_json::Value::Null,
        Value::Bool(flag) => json!(flag),
        Value::Int(number) => json!(number),
        Value::Double(number) if number.is_finite() => json!(number),
        Value::String(_) | Value::Double(_) | Value::Bytes(_) => json!(text(value)),
        Value::Array(items) => items.iter().map(as_json).collect(),
        Value::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key.clone(), as_json(&entry.value)))
            .collect(),
    }
}
