//! Traces as Jaeger's HTTP JSON has them, read strictly: what a test relies on has to be there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// One trace, as Jaeger's API gives it.
#[derive(Debug)]
pub struct Trace {
    /// 32 hexadecimal digits.
    pub id: String,
    /// In no order.
    pub spans: Vec<Span>,
}

/// A search for requests of this path, which holds no other characters than those of words and slashes.
pub fn of_path(path: &str) -> String {
    format!("tags=%7B%22url.path%22%3A%22{}%22%7D", path.replace('/', "%2F"))
}

/// One span, as Jaeger's API gives it.
#[derive(Debug)]
pub struct Span {
    /// 16 hexadecimal digits.
    pub id: String,
    /// The id of the span that caused it.
    pub parent: Option<String>,
    /// Its name.
    pub name: String,
    /// `service.name`.
    pub service: String,
    /// Microseconds.
    pub duration: u64,
    /// Attributes and what Jaeger shows as such, as text.
    pub tags: BTreeMap<String, String>,
    /// Attributes of the resource, as text.
    pub resource: BTreeMap<String, String>,
}

impl Trace {
    pub(super) fn read(json: &Value) -> Self {
        let texts = |tags: &Value| -> BTreeMap<String, String> {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let tags = tags.as_array().unwrap().iter();
            tags.map(|tag| (tag["key"].as_str().unwrap().to_owned(), text(&tag["value"])))
                .collect()
        };
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let span = |span: &Value| {
            let process = &json["processes"][span["processID"].as_str().unwrap()];
            let parent = span["references"]
                .as_array()
                .unwrap()
                .iter()
                .find(|it| it["refType"] == "CHILD_OF");
            Span {
                id: text(&span["spanID"]),
                parent: parent.map(|reference| text(&reference["spanID"])),
                name: text(&span["operationName"]),
                service: text(&process["serviceName"]),
                duration: span["duration"].as_u64().unwrap(),
                tags: texts(&span["tags"]),
                resource: texts(&process["tags"]),
            }
        };
        Self {
            id: text(&json["traceID"]),
            spans: json["spans"].as_array().unwrap().iter().map(span).collect(),
        }
    }

    /// The one span of that service and kind (`server`, `client`).
    pub fn span(&self, service: &str, kind: &str) -> &Span {
        let mut spans = self
            .spans
            .iter()
            .filter(|span| span.service == service && span.tag("span.kind") == kind);
        match (spans.next(), spans.next()) {
            (Some(span), None) => span,
            _ => panic!("not one {kind} span of {service}: {self:#?}"),
        }
    }

    /// The spans whose parent is not in the trace.
    pub fn roots(&self) -> Vec<&Span> {
        let ids: BTreeSet<_> = self.spans.iter().map(|span| &span.id).collect();
        self.spans
            .iter()
            .filter(|span| span.parent.as_ref().is_none_or(|parent| !ids.contains(parent)))
            .collect()
    }

    /// The services that took part.
    pub fn services(&self) -> BTreeSet<&str> {
        self.spans.iter().map(|span| span.service.as_str()).collect()
    }
}

impl Span {
    /// An attribute, as text; empty if there is none of that name.
    pub fn tag(&self, key: &str) -> &str {
        self.tags.get(key).map_or("", String::as_str)
    }

    /// How its parent was found.
    pub fn link(&self) -> &str {
        self.tag("meshtrace.link.kind")
    }

    /// Whether a sidecar has found out what caused it, because the application did not say.
    pub fn is_joined(&self) -> bool {
        ["exact", "inferred"].contains(&self.link())
    }

    /// Whether this is the span that caused `other`.
    pub fn is_parent_of(&self, other: &Self) -> bool {
        other.parent.as_ref() == Some(&self.id)
    }
}
