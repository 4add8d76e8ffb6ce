//! Files of spans, as tracing tools write them.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use crate::replay::{Kind, Span};

/// Spans in one of the lines of OTLP.
const LINE: usize = 200;

/// In which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// What Jaeger's `/api/traces` answers: `{"data": […]}`, in microseconds.
    Jaeger,
    /// One of Jaeger's traces on each line.
    JaegerLines,
    /// OTLP's export request, one document.
    Otlp,
    /// An export request on each line, as the OpenTelemetry collector writes files.
    OtlpLines,
}

/// Writes all spans in a form.
///
/// # Errors
///
/// What writing fails with.
pub fn write(spans: &[Span], form: Form, mut to: impl Write) -> io::Result<()> {
    match form {
        Form::Jaeger => {
            let traces: Vec<Value> = traces(spans).iter().map(|spans| jaeger(spans)).collect();
            let answer = json!({"data": traces, "total": 0, "limit": 0, "offset": 0, "errors": null});
            serde_json::to_writer(&mut to, &answer)?;
        }
        Form::JaegerLines => {
            for spans in traces(spans) {
                serde_json::to_writer(&mut to, &jaeger(&spans))?;
                to.write_all(b"\n")?;
            }
        }
        Form::Otlp => serde_json::to_writer(&mut to, &otlp(spans))?,
        Form::OtlpLines => {
            for line in spans.chunks(LINE) {
                serde_json::to_writer(&mut to, &otlp(line))?;
                to.write_all(b"\n")?;
            }
        }
    }
    to.flush()
}

fn traces(spans: &[Span]) -> Vec<Vec<&Span>> {
    let mut traces: BTreeMap<&str, Vec<&Span>> = BTreeMap::new();
    for span in spans {
        traces.entry(&span.trace).or_default().push(span);
    }
    traces.into_values().collect()
}

fn jaeger(spans: &[&Span]) -> Value {
    let trace = spans.first().map(|span| span.trace.clone());
    let mut processes: BTreeMap<&str, String> = BTreeMap::new();
    let mut listed = serde_json::Map::new();
    for span in spans {
        let next = format!("p{}", processes.len() + 1);
        if processes.contains_key(span.service.as_str()) {
            continue;
        }
        let tags = json!([{"key": "hostname", "type": "string", "value": span.instance}]);
        listed.insert(next.clone(), json!({"serviceName": span.service, "tags": tags}));
        processes.insert(&span.service, next);
    }
    let written = spans.iter().map(|span| {
        let above = span.parent.iter();
        let above = above.map(|id| json!({"refType": "CHILD_OF", "traceID": span.trace, "spanID": id}));
        let kind = match span.kind {
            Kind::Server => Some("server"),
            Kind::Client => Some("client"),
            _ => None,
        };
        let tags = kind
            .iter()
            .map(|kind| json!({"key": "span.kind", "type": "string", "value": kind}));
        let start = span.start / 1_000;
        json!({
            "traceID": span.trace,
            "spanID": span.id,
            "flags": 1,
            "operationName": span.operation,
            "references": above.collect::<Vec<_>>(),
            "startTime": start,
            "duration": span.end / 1_000 - start,
            "tags": tags.collect::<Vec<_>>(),
            "logs": [],
            "processID": processes.get(span.service.as_str()),
            "warnings": null,
        })
    });
    json!({"traceID": trace, "spans": written.collect::<Vec<_>>(), "processes": listed, "warnings": null})
}

fn otlp(spans: &[Span]) -> Value {
    let mut services: BTreeMap<&str, Vec<&Span>> = BTreeMap::new();
    for span in spans {
        services.entry(&span.service).or_default().push(span);
    }
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let groups = services.into_iter().map(|(service, spans)| {
        let instance = spans.first().map_or("", |span| &span.instance);
        let attributes = json!([text("service.name", service), text("k8s.pod.name", instance)]);
        let written = spans.into_iter().map(|span| {
            json!({
                "traceId": format!("{:0>32}", span.trace),
                "spanId": span.id,
                "parentSpanId": span.parent.as_deref().unwrap_or_default(),
                "name": span.operation,
                "kind": match span.kind { Kind::Internal => 1, Kind::Server => 2, Kind::Client => 3, _ => 0 },
                "startTimeUnixNano": span.start.to_string(),
                "endTimeUnixNano": span.end.to_string(),
                "attributes": [text("rpc.system", "grpc")],
                "status": {},
            })
        });
        let written: Vec<Value> = written.collect();
        json!({
            "resource": {"attributes": attributes},
            "scopeSpans": [{"scope": {"name": "bench"}, "spans": written}],
        })
    });
    json!({"resourceSpans": groups.collect::<Vec<_>>()})
}
