//! Traces in the JSON of Jaeger's query service, as far as we show them.
//!
//! Written leniently: what is absent is empty, what is unknown is skipped. Ids are text and stay text.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

/// One trace.
#[derive(Debug, Deserialize)]
#[serde(from = "TraceJson")]
pub(super) struct Trace {
    /// 32 hexadecimal digits.
    pub(super) id: String,
    /// In no particular order.
    pub(super) spans: Vec<Span>,
}

/// One span.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) id: String,
    pub(super) parent: Option<String>,
    pub(super) name: String,
    pub(super) service: String,
    pub(super) kind: Kind,
    /// Microseconds since the Unix epoch.
    pub(super) start: u64,
    /// Microseconds.
    pub(super) duration: u64,
    tags: BTreeMap<String, String>,
    process: BTreeMap<String, String>,
}

/// What a span is to the request that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The caller's side: CLIENT and PRODUCER.
    Asks,
    /// The callee's side: SERVER and CONSUMER.
    Answers,
    /// Something in between.
    Internal,
}

impl Trace {
    /// When the first span began, in microseconds since the Unix epoch.
    pub(super) fn start(&self) -> u64 {
        self.spans.iter().map(|span| span.start).min().unwrap_or(0)
    }

    /// Microseconds from there to the end of the last span.
    pub(super) fn duration(&self) -> u64 {
        self.spans
            .iter()
            .map(Span::end)
            .max()
            .unwrap_or(0)
            .saturating_sub(self.start())
    }

    /// The product of the confidences of its inferred links, if it has any.
    pub(super) fn confidence(&self) -> Option<f64> {
        let inferred = self.spans.iter().filter(|span| span.is_inferred());
        let said = inferred.map(|span| span.tag("meshtrace.link.confidence")?.parse::<f64>().ok());
        let known: Vec<_> = said.map(Option::unwrap_or_default).collect();
        (!known.is_empty()).then(|| known.into_iter().product())
    }

    /// The same without the links that were inferred.
    pub(super) fn without_inferred(mut self) -> Self {
        for span in self.spans.iter_mut().filter(|span| span.is_inferred()) {
            span.parent = None;
        }
        self
    }

    pub(super) fn services(&self) -> BTreeSet<&str> {
        self.spans.iter().map(|span| span.service.as_str()).collect()
    }

    pub(super) fn errors(&self) -> usize {
        self.spans.iter().filter(|span| span.is_error()).count()
    }
}

impl Span {
    pub(super) fn end(&self) -> u64 {
        self.start.saturating_add(self.duration)
    }

    pub(super) fn tag(&self, key: &str) -> Option<&str> {
        self.tags.get(key).map(String::as_str)
    }

    fn is_inferred(&self) -> bool {
        self.tag("meshtrace.link.kind") == Some("inferred")
    }

    /// The host, pod or instance that recorded it.
    pub(super) fn instance(&self) -> &str {
        ["k8s.pod.name", "service.instance.id", "host.name", "hostname"]
            .iter()
            .find_map(|key| self.process.get(*key))
            .map_or("", String::as_str)
    }

    pub(super) fn is_error(&self) -> bool {
        self.tag("error") == Some("true") || self.tag("otel.status_code") == Some("ERROR")
    }

    /// What went wrong, in the span's own words.
    pub(super) fn failure(&self) -> Option<&str> {
        const TELLING: [&str; 5] = [
            "otel.status_description",
            "http.response.status_code",
            "http.status_code",
            "rpc.grpc.status_code",
            "error.type",
        ];
        self.is_error()
            .then(|| TELLING.iter().find_map(|key| self.tag(key)).unwrap_or("failed"))
    }

    /// How it was joined to its parent, if not by a context that the application passed on. That a request came in
    /// without one is how traces begin; that one went out without one is a gap.
    pub(super) fn link(&self) -> Option<String> {
        let kind = self
            .tag("meshtrace.link.kind")
            .filter(|kind| *kind != "propagated")?;
        if kind == "unknown" && self.kind != Kind::Asks {
            return None;
        }
        Some(match self.tag("meshtrace.link.confidence") {
            Some(confidence) => format!("{kind} {confidence}"),
            None => kind.to_owned(),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TraceJson {
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(default)]
    spans: Vec<SpanJson>,
    #[serde(default)]
    processes: BTreeMap<String, ProcessJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpanJson {
    #[serde(rename = "spanID")]
    span_id: String,
    #[serde(default)]
    operation_name: String,
    #[serde(default)]
    references: Vec<Reference>,
    #[serde(default)]
    start_time: u64,
    #[serde(default)]
    duration: u64,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(rename = "processID", default)]
    process_id: String,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(rename = "refType")]
    kind: String,
    #[serde(rename = "spanID")]
    span_id: String,
}

#[derive(Deserialize)]
struct Tag {
    key: String,
    #[serde(default)]
    value: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProcessJson {
    #[serde(default)]
    service_name: String,
    #[serde(default)]
    tags: Vec<Tag>,
}

impl From<TraceJson> for Trace {
    fn from(json: TraceJson) -> Self {
        let nobody = ProcessJson {
            service_name: "?".to_owned(),
            tags: Vec::new(),
        };
        let spans = json
            .spans
            .into_iter()
            .map(|span| {
                let process = json.processes.get(&span.process_id).unwrap_or(&nobody);
                span.read(process)
            })
            .collect();
        // Jaeger leaves leading zeroes of an id out
        Self {
            id: format!("{:0>32}", json.trace_id),
            spans,
        }
    }
}

impl SpanJson {
    fn read(self, process: &ProcessJson) -> Span {
        let tags = texts(&self.tags);
        let kind = match tags.get("span.kind").map(String::as_str) {
            Some("client" | "producer") => Kind::Asks,
            Some("server" | "consumer") => Kind::Answers,
            _ => Kind::Internal,
        };
        let parent = self
            .references
            .into_iter()
            .find(|reference| reference.kind == "CHILD_OF");
        Span {
            id: self.span_id,
            parent: parent.map(|reference| reference.span_id),
            name: self.operation_name,
            service: process.service_name.clone(),
            kind,
            start: self.start_time,
            duration: self.duration,
            tags,
            process: texts(&process.tags),
        }
    }
}

fn texts(tags: &[Tag]) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    tags.iter()
        .map(|tag| (tag.key.clone(), text(&tag.value)))
        .collect()
}
