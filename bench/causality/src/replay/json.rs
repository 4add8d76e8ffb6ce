//! Traces in JSON, of Jaeger or of OTLP, read as liberally as published files ask for.
//!
//! A file holds one document after another. What a document is is not asked: wherever in it a list of Jaeger's spans or
//! of OTLP's resource spans stands, it is taken. So `{"data": [...]}`, a list of traces, one trace, a list of spans,
//! documents of Elasticsearch and answers of Jaeger's and Tempo's APIs are all read.
//!
//! Lists are read one element after the other: no more than one trace, or one service's spans of an OTLP request, stands
//! in memory as JSON at a time.

use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Deserializer, Map, Value};

use super::files::Found;
use super::span::{INSTANCE, PEER, identifier, template};
use super::{Kind, Span};

/// Fields whose content may be, or hold, traces.
const HOLDS_TRACES: [&str; 8] = [
    "data", "traces", "trace", "result", "results", "hits", "_source", "items",
];

/// Fields whose content is a list of OTLP's resource spans.
const GROUPS: [&str; 3] = ["resourceSpans", "resource_spans", "batches"];

pub(super) fn add(found: &mut Found, bytes: &[u8]) -> Result<(), serde_json::Error> {
    let mut documents = Deserializer::from_slice(bytes);
    while documents.end().is_err() {
        Walk { found, groups: false }.deserialize(&mut documents)?;
    }
    Ok(())
}

/// Takes every span of what is read next: anything, or a list of OTLP's resource spans.
struct Walk<'s> {
    found: &'s mut Found,
    groups: bool,
}

impl<'d> DeserializeSeed<'d> for Walk<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'d>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'d> Visitor<'d> for Walk<'_> {
    type Value = ();

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("traces")
    }

    fn visit_seq<A: SeqAccess<'d>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { found, groups } = self;
        while list.next_element_seed(Walk { found, groups })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'d>>(self, mut fields: A) -> Result<(), A::Error> {
        let mut kept = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let groups = GROUPS.contains(&name.as_str());
            if !self.groups && (groups || HOLDS_TRACES.contains(&name.as_str())) {
                let found = &mut *self.found;
                fields.next_value_seed(Walk { found, groups })?;
            } else {
                kept.insert(name, fields.next_value()?);
            }
        }
        match self.groups {
            true => otlp(self.found, &Value::Object(kept)),
            false => walk(self.found, &Value::Object(kept), None),
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Takes every span in a value, whose processes are those of the closest document that has some.
fn walk(found: &mut Found, value: &Value, processes: Option<&Value>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| walk(found, value, processes)),
        Value::Object(fields) => {
            let processes = fields.get("processes").or(processes);
            if one_of(fields, &["spanID", "spanId", "span_id"]).is_some() {
                found.add(jaeger(fields, processes));
                return;
            }
            if let Some(list) = fields.get("spans") {
                walk(found, list, processes);
            }
        }
        _ => {}
    }
}

fn jaeger(fields: &Map<String, Value>, processes: Option<&Value>) -> Option<Span> {
    let trace = text(one_of(fields, &["traceID", "traceId", "trace_id"])?)?;
    let id = text(one_of(fields, &["spanID", "spanId", "span_id"])?)?;
    let process_id = one_of(fields, &["processID", "processId", "process_id"]).and_then(text);
    let process = fields
        .get("process")
        .or_else(|| processes?.get(process_id.as_deref()?));
    let own = Attributes(one_of(fields, &["tags", "attributes"]), fields.get("tag"));
    let tags = process.and_then(|process| process.get("tags"));
    let shared = Attributes(tags, process.and_then(|process| process.get("tag")));
    let service = process
        .and_then(|process| text(one_of(process.as_object()?, &["serviceName", "service_name"])?))
        .or_else(|| text(one_of(fields, &["serviceName", "service_name", "service"])?))
        .or_else(|| own.first(&["service.name"]))
        .or_else(|| process_id.clone())
        .unwrap_or_default();
    let start = number(one_of(fields, &["startTime", "start_time", "startTimeUnixNano"])?)?;
    let duration = one_of(fields, &["duration"]).and_then(number);
    let end = one_of(fields, &["endTime", "end_time", "endTimeUnixNano"]).and_then(number);
    // what Jaeger writes is microseconds; nanoseconds since 1970 are a thousand times as many
    let unit = if start >= 100_000_000_000_000_000 {
        1
    } else {
        1_000
    };
    let end = duration.map_or(end, |duration| start.checked_add(duration));
    let end = end.unwrap_or(start).max(start);
    let name = one_of(fields, &["operationName", "operation_name", "name"]).and_then(text);
    Some(Span {
        trace: identifier(&trace),
        id: identifier(&id),
        parent: parent(fields)
            .map(|id| identifier(&id))
            .filter(|id| !id.is_empty()),
        service,
        instance: shared.first(&INSTANCE).unwrap_or_default(),
        operation: template(&name.unwrap_or_default()),
        kind: own
            .first(&["span.kind", "spanKind", "span_kind"])
            .or_else(|| text(one_of(fields, &["kind", "spanKind"])?))
            .map_or(Kind::Unsaid, |kind| Kind::named(&kind)),
        peer: own.first(&PEER),
        start: start.saturating_mul(unit),
        end: end.saturating_mul(unit),
    })
}

/// The first reference to a cause in the same trace, that it is a child of rather than that it follows.
fn parent(fields: &Map<String, Value>) -> Option<String> {
    let trace = one_of(fields, &["traceID", "traceId", "trace_id"]).and_then(text);
    let trace = trace.map(|trace| identifier(&trace));
    let references = fields.get("references").map(list).into_iter().flatten();
    let mut references: Vec<(bool, String)> = references
        .filter_map(|reference| {
            let reference = reference.as_object()?;
            let of = one_of(reference, &["traceID", "traceId", "trace_id"]).and_then(text);
            if of.is_some_and(|of| Some(identifier(&of)) != trace) {
                return None;
            }
            let kind = one_of(reference, &["refType", "ref_type"]).and_then(text);
            let follows = kind.is_some_and(|kind| kind.to_ascii_uppercase().contains("FOLLOW"));
            let span = text(one_of(reference, &["spanID", "spanId", "span_id"])?)?;
            Some((follows, span))
        })
        .collect();
    references.sort_by_key(|(follows, _)| *follows);
    let first = references.into_iter().next().map(|(_, span)| span);
    let names = ["parentSpanID", "parentSpanId", "parent_span_id", "parentId"];
    first.or_else(|| text(one_of(fields, &names)?))
}

fn otlp(found: &mut Found, group: &Value) {
    let resource = Attributes(group.get("resource").and_then(|it| it.get("attributes")), None);
    let service = resource.first(&["service.name"]).unwrap_or_default();
    let instance = resource.first(&INSTANCE).unwrap_or_default();
    let names = [
        "scopeSpans",
        "scope_spans",
        "instrumentationLibrarySpans",
        "instrumentation_library_spans",
    ];
    let scopes = group.as_object().and_then(|group| one_of(group, &names));
    let all = scopes.map(list).into_iter().flatten();
    for span in all.filter_map(|scope| scope.get("spans")).flat_map(list) {
        let read = || {
            let fields = span.as_object()?;
            let own = Attributes(fields.get("attributes"), None);
            let moment = |names: &[&str]| one_of(fields, names).and_then(number);
            let start = moment(&["startTimeUnixNano", "start_time_unix_nano"])?;
            let end = moment(&["endTimeUnixNano", "end_time_unix_nano"]).unwrap_or(start);
            let id = |names: &[&str]| Some(identifier(&text(one_of(fields, names)?)?));
            Some(Span {
                trace: id(&["traceId", "trace_id", "traceID"])?,
                id: id(&["spanId", "span_id", "spanID"])?,
                parent: id(&["parentSpanId", "parent_span_id", "parentSpanID"]).filter(|id| !id.is_empty()),
                service: service.clone(),
                instance: instance.clone(),
                operation: template(&fields.get("name").and_then(text).unwrap_or_default()),
                kind: (fields.get("kind").and_then(text)).map_or(Kind::Unsaid, |kind| Kind::named(&kind)),
                peer: own.first(&PEER),
                start,
                end: end.max(start),
            })
        };
        found.add(read());
    }
}

/// Tags, in a list of keys and values or as fields of an object, which in Elasticsearch's documents stands beside.
struct Attributes<'v>(Option<&'v Value>, Option<&'v Value>);

impl Attributes<'_> {
    /// The text of the first of these that is there.
    fn first(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| {
            let listed = self.0.map(list).into_iter().flatten().find_map(|tag| {
                let is_it = tag.get("key").and_then(Value::as_str) == Some(name);
                is_it
                    .then(|| tag.get("value").or_else(|| tag.get("vStr")))
                    .flatten()
            });
            let field = [self.0, self.1]
                .into_iter()
                .flatten()
                // Elasticsearch has no dots in names
                .find_map(|tags| tags.get(name).or_else(|| tags.get(name.replace('.', "@"))));
            text(listed.or(field)?)
        })
    }
}

fn one_of<'v>(fields: &'v Map<String, Value>, names: &[&str]) -> Option<&'v Value> {
    names
        .iter()
        .filter_map(|name| fields.get(*name))
        .find(|value| !value.is_null())
}

fn list(value: &Value) -> std::slice::Iter<'_, Value> {
    value.as_array().map(Vec::as_slice).unwrap_or_default().iter()
}

/// Text, also of a number, and of OTLP's `{"stringValue": …}`.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(fields) => one_of(fields, &["stringValue", "string_value", "intValue"]).and_then(text),
        _ => None,
    }
}

/// A whole number, also as text. Nanoseconds do not fit into a floating-point number, which is the last resort.
fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or(number.as_f64().map(|number| number as u64)),
        Value::String(text) => (text.parse().ok()).or(text.parse::<f64>().ok().map(|number| number as u64)),
        _ => None,
    }
}
