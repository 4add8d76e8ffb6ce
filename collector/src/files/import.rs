//! Files of other tools, read span by span with the limits of ingest: OTLP JSON, and the JSON that Jaeger UI downloads.
//!
//! Jaeger's is rewritten as OTLP's and then read as that, so that there is one place that decides what a span may be.

use otlp::receive::{BadRequest, Batch, from_json};
use serde_json::{Map, Value, json};

/// What a file was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OTLP JSON.
    Otlp,
    /// Jaeger JSON.
    Jaeger,
}

impl Format {
    /// As JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Otlp => "otlp",
            Self::Jaeger => "jaeger",
        }
    }
}

/// Reads a file: an OTLP request, or several, one a line; or Jaeger's traces.
///
/// # Errors
/// It is neither.
pub fn read(file: &[u8]) -> Result<(Format, Batch), BadRequest> {
    let whole: Result<Map<String, Value>, _> = serde_json::from_slice(file);
    match whole {
        Ok(object) if object.contains_key("resourceSpans") => Ok((Format::Otlp, from_json(file, |_, _| {})?)),
        Ok(object) => match object.get("data").and_then(Value::as_array) {
            Some(traces) => Ok((Format::Jaeger, from_json(&otlp(traces), |_, _| {})?)),
            None => Err(BadRequest::new(
                "there is neither `resourceSpans`, as OTLP has it, nor `data`, as Jaeger has it",
            )),
        },
        Err(_) => Ok((Format::Otlp, lines(file)?)),
    }
}

fn lines(file: &[u8]) -> Result<Batch, BadRequest> {
    let mut whole = Batch::default();
    for line in file
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.trim_ascii().is_empty())
    {
        let Batch { mut spans, refused } = from_json(line, |_, _| {})?;
        whole.spans.append(&mut spans);
        for (reason, count) in refused.iter() {
            whole.refused.add(reason, count);
        }
    }
    if whole.spans.is_empty() && whole.refused.total() == 0 {
        return Err(BadRequest::new("the file holds no spans"));
    }
    Ok(whole)
}

/// Jaeger's traces as an OTLP request: a resource for each process, and in it the spans that name it.
fn otlp(traces: &[Value]) -> Vec<u8> {
    let mut resources = Vec::new();
    for trace in traces {
        let none = Map::new();
        let processes = trace["processes"].as_object().unwrap_or(&none);
        let spans = || trace["spans"].as_array().into_iter().flatten();
        for (id, process) in processes {
            let of_process = spans().filter(|span| span["processID"].as_str() == Some(id));
            resources.push(resource(process, &of_process.map(span).collect::<Vec<_>>()));
        }
        let known = |span: &&Value| {
            let process = span["processID"].as_str();
            process.is_some_and(|process| processes.contains_key(process))
        };
        let orphans: Vec<_> = spans().filter(|span| !known(span)).map(span).collect();
        if !orphans.is_empty() {
            resources.push(resource(&Value::Null, &orphans));
        }
    }
    json!({"resourceSpans": resources}).to_string().into_bytes()
}

fn resource(process: &Value, spans: &[Value]) -> Value {
    let mut attributes = attributes(&process["tags"], &[]);
    if let Some(name) = process["serviceName"].as_str() {
        attributes.insert(0, json!({"key": "service.name", "value": {"stringValue": name}}));
    }
    json!({"resource": {"attributes": attributes}, "scopeSpans": [{"spans": spans}]})
}

/// The tags that Jaeger makes of what OTLP keeps in fields.
const FIELDS: [&str; 5] = [
    "span.kind",
    "error",
    "otel.status_code",
    "otel.status_description",
    "w3c.tracestate",
];

fn span(span: &Value) -> Value {
    let tag = |key: &str| {
        let tags = span["tags"].as_array().into_iter().flatten();
        tags.into_iter()
            .find(|tag| tag["key"] == key)
            .map(|tag| &tag["value"])
    };
    let text = |key: &str| tag(key).and_then(Value::as_str).unwrap_or_default();
    let trace_id = padded(&span["traceID"], 32);
    let references = || span["references"].as_array().into_iter().flatten();
    let is_parent = |reference: &&Value| {
        reference["refType"] == "CHILD_OF" && padded(&reference["traceID"], 32) == trace_id
    };
    let parent = references().find(is_parent);
    let others = references().filter(|reference| Some(*reference) != parent);
    let links: Vec<_> = others
        .map(
            |other| json!({"traceId": padded(&other["traceID"], 32), "spanId": padded(&other["spanID"], 16)}),
        )
        .collect();
    let failed = tag("error").is_some_and(|error| *error == true || *error == "true");
    let code = match text("otel.status_code") {
        "ERROR" => 2,
        "OK" => 1,
        _ if failed => 2,
        _ => 0,
    };
    let start = span["startTime"].as_u64().unwrap_or(0).saturating_mul(1000);
    let duration = span["duration"].as_u64().unwrap_or(0).saturating_mul(1000);
    json!({
        "traceId": trace_id,
        "spanId": padded(&span["spanID"], 16),
        "parentSpanId": parent.map_or_else(String::new, |parent| padded(&parent["spanID"], 16)),
        "traceState": text("w3c.tracestate"),
        "flags": span["flags"].as_u64().and_then(|flags| u32::try_from(flags).ok()).unwrap_or(0),
        "name": span["operationName"].as_str().unwrap_or_default(),
        "kind": kind(text("span.kind")),
        "startTimeUnixNano": start.to_string(),
        "endTimeUnixNano": start.saturating_add(duration).to_string(),
        "attributes": attributes(&span["tags"], &FIELDS),
        "events": span["logs"].as_array().into_iter().flatten().map(event).collect::<Vec<_>>(),
        "links": links,
        "status": {"code": code, "message": text("otel.status_description")},
    })
}

fn event(log: &Value) -> Value {
    let fields = log["fields"].as_array().into_iter().flatten();
    let name = fields
        .into_iter()
        .find(|field| field["key"] == "event")
        .map(|field| &field["value"]);
    let time = log["timestamp"].as_u64().unwrap_or(0).saturating_mul(1000);
    json!({
        "timeUnixNano": time.to_string(),
        "name": name.and_then(Value::as_str).unwrap_or_default(),
        "attributes": attributes(&log["fields"], &["event"]),
    })
}

fn kind(name: &str) -> u8 {
    match name {
        "internal" => 1,
        "server" => 2,
        "client" => 3,
        "producer" => 4,
        "consumer" => 5,
        _ => 0,
    }
}

fn attributes(tags: &Value, without: &[&str]) -> Vec<Value> {
    let tags = tags.as_array().into_iter().flatten();
    tags.filter_map(|tag| {
        let key = tag["key"].as_str().filter(|key| !without.contains(key))?;
        let value = &tag["value"];
        let any = match (tag["type"].as_str(), value) {
            (Some("binary"), Value::String(base64)) => json!({"bytesValue": base64}),
            (_, Value::String(text)) => json!({"stringValue": text}),
            (_, Value::Bool(flag)) => json!({"boolValue": flag}),
            (Some("float64"), Value::Number(number)) => json!({"doubleValue": number}),
            (_, Value::Number(number)) => match number.as_i64() {
                Some(whole) => json!({"intValue": whole.to_string()}),
                None => json!({"doubleValue": number}),
            },
            (_, other) => json!({"stringValue": other.to_string()}),
        };
        Some(json!({"key": key, "value": any}))
    })
    .collect()
}

/// An id as OTLP wants it: Jaeger leaves leading zeroes out.
fn padded(id: &Value, digits: usize) -> String {
    format!("{:0>digits$}", id.as_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use otlp::model::{Kind, Status};
    use otlp::receive::Reason;

    use super::*;

    #[test]
    fn jaegers_traces_are_read_with_what_otlp_keeps_in_fields() {
        let file = json!({"data": [{"traceID": "1f", "processes": {"p1": {"serviceName": "bank", "tags":
            [{"key": "k8s.pod.name", "type": "string", "value": "bank-1"}]}},
            "spans": [
                {"traceID": "1f", "spanID": "a", "operationName": "GET /a", "processID": "p1", "flags": 1,
                 "startTime": 1_500_000_000_000_000_u64, "duration": 7, "references":
                 [{"refType": "CHILD_OF", "traceID": "1f", "spanID": "b"},
                  {"refType": "FOLLOWS_FROM", "traceID": "2", "spanID": "c"}],
                 "tags": [{"key": "span.kind", "type": "string", "value": "server"},
                          {"key": "error", "type": "bool", "value": true},
                          {"key": "otel.status_description", "type": "string", "value": "no"},
                          {"key": "status", "type": "int64", "value": 500}],
                 "logs": [{"timestamp": 1_500_000_000_000_001_u64, "fields":
                          [{"key": "event", "type": "string", "value": "retry"}]}]},
                {"traceID": "1f", "spanID": "d", "operationName": "old", "processID": "p9", "startTime": 1}]}]});
        let (format, batch) = read(file.to_string().as_bytes()).unwrap();
        assert_eq!(format, Format::Jaeger);
        assert_eq!(batch.refused.iter().collect::<Vec<_>>(), [(Reason::Time, 1)]);
        let span = batch.spans[0].unpack();
        assert_eq!((span.service(), span.kind), ("bank", Kind::Server));
        assert_eq!((span.trace_id.low(), span.span_id.as_u64()), (0x1f, 0xa));
        assert_eq!(span.parent_id.map(|parent| parent.as_u64()), Some(0xb));
        assert_eq!((span.links.len(), span.events[0].name.as_str()), (1, "retry"));
        assert_eq!(
            (&span.status, span.duration()),
            (&Status::Error("no".to_owned()), 7000)
        );
        assert_eq!(span.attributes.len(), 1);
    }

    #[test]
    fn what_is_neither_is_refused_with_what_was_looked_for() {
        for (file, what) in [
            ("{}", "neither"),
            ("", "no spans"),
            ("{\"resourceSpans\": 7}", "list"),
            ("not json", "not an OTLP"),
        ] {
            let error = read(file.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(what), "{file}: {error}");
        }
    }

    #[test]
    fn requests_one_a_line_are_one_file() {
        let line = |id: &str| {
            json!({"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "1".repeat(32), "spanId": id.repeat(16),
                "name": "x", "startTimeUnixNano": "1500000000000000000", "endTimeUnixNano": "0"}]}]}]})
        };
        let file = format!("{}\n\n{}\n", line("1"), line("2"));
        let (format, batch) = read(file.as_bytes()).unwrap();
        assert_eq!((format, batch.spans.len()), (Format::Otlp, 2));
    }
}
