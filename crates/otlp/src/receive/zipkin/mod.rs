//! Zipkin's spans, version 2 (openzipkin/zipkin-api), taken for OTLP's: what OpenTelemetry writes for Zipkin ("OpenTelemetry to
//! Zipkin Transformation"), read backwards.
//!
//! JSON and protobuf are both read into [`Reported`], and from there on go the way of every other span, through the same
//! limits. A client and a server that share a span id keep it: whoever reads a trace tells them apart by their kind.

mod json;
mod protobuf;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use ::span::{SpanId, TraceId};
use bytes::Bytes;
use prost::Message;

use super::{Batch, Packed, Reason, Scanned, Shared, convert, limits};
use crate::model::{Attribute, Dropped, Event, Kind, Resource, Scope, Span, Status, Value};

pub use json::from_zipkin_json;
pub use protobuf::from_zipkin_protobuf;

/// A span as Zipkin has it; times in microseconds, zero where they are not known.
#[derive(Debug)]
struct Reported {
    trace_id: TraceId,
    span_id: SpanId,
    /// One that is the span's own is none: Zipkin writes roots like that.
    parent_id: Option<SpanId>,
    kind: Kind,
    name: String,
    timestamp: u64,
    duration: u64,
    local: Endpoint,
    remote: Endpoint,
    annotations: Vec<Annotation>,
    tags: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
struct Endpoint {
    /// Empty if it is not known.
    service: String,
    address: Option<IpAddr>,
    /// Zero if it is not known.
    port: u16,
}

#[derive(Debug)]
struct Annotation {
    timestamp: u64,
    value: String,
}

/// What becomes of the spans of one request. Those of one service share its resource.
#[derive(Default)]
struct Taken {
    batch: Batch,
    services: HashMap<String, Shared<Resource>>,
}

impl Taken {
    fn add(&mut self, reported: Result<Reported, Reason>, see: impl FnOnce(&Packed, &Scanned<'_>)) {
        let mut reported = match reported {
            Ok(reported) => reported,
            Err(reason) => return self.batch.refused.add(reason, 1),
        };
        let resource = self.resource(&reported.local.service);
        let scope = Ok(Arc::new(reported.scope()));
        let span = convert::to_protobuf(&reported.into_span()).encode_to_vec();
        self.batch.add(Ok(Bytes::from(span)), &resource, &scope, see);
    }

    fn resource(&mut self, service: &str) -> Shared<Resource> {
        if let Some(known) = self.services.get(service) {
            return known.clone();
        }
        let attributes = match service {
            "" => Vec::new(),
            service if service.len() > limits::RESOURCE_BYTES => return Err(Reason::Resource),
            service => vec![text("service.name", service.to_owned())],
        };
        let resource = Ok(Arc::new(Resource { attributes }));
        self.services.insert(service.to_owned(), resource.clone());
        resource
    }
}

impl Reported {
    /// Takes the scope out of the tags in which OpenTelemetry writes it.
    fn scope(&mut self) -> Scope {
        let mut tag = |name, older| self.tags.remove(name).or_else(|| self.tags.remove(older));
        Scope {
            name: tag("otel.scope.name", "otel.library.name").unwrap_or_default(),
            version: tag("otel.scope.version", "otel.library.version").unwrap_or_default(),
            attributes: Vec::new(),
        }
    }

    fn into_span(mut self) -> Span {
        let status = self.status();
        let mut count = |name| {
            let count = self.tags.remove(name).and_then(|count| count.parse().ok());
            count.unwrap_or(0)
        };
        let dropped = Dropped {
            attributes: count("otel.dropped_attributes_count"),
            events: count("otel.dropped_events_count"),
            links: count("otel.dropped_links_count"),
        };
        // of a span whose start was lost it is known that it was there when it said something
        let start = match self.timestamp {
            0 => self
                .annotations
                .iter()
                .map(|annotation| annotation.timestamp)
                .min(),
            timestamp => Some(timestamp),
        };
        let start = nanos(start.unwrap_or(0));
        let end = match self.duration {
            0 => 0,
            duration => start.saturating_add(nanos(duration)),
        };
        let attributes = self.attributes();
        let event = |annotation: Annotation| Event {
            time: nanos(annotation.timestamp),
            name: annotation.value,
            attributes: Vec::new(),
        };
        Span {
            resource: Arc::default(),
            scope: Arc::default(),
            trace_id: self.trace_id,
            span_id: self.span_id,
            parent_id: self.parent_id.filter(|parent| *parent != self.span_id),
            trace_state: String::new(),
            flags: 0,
            name: self.name,
            kind: self.kind,
            start,
            end,
            attributes,
            events: self.annotations.into_iter().map(event).collect(),
            links: Vec::new(),
            status,
            dropped,
        }
    }

    /// Takes it out of the tags that say it. In Zipkin whatever `error` says is an error, but some tracers write `false`.
    fn status(&mut self) -> Status {
        let code = self.tags.remove("otel.status_code");
        let error = self.tags.remove("error").filter(|error| error != "false");
        match (code.as_deref(), error) {
            (_, Some(error)) if error == "true" => Status::Error(String::new()),
            (_, Some(error)) => Status::Error(error),
            (Some("ERROR"), None) => Status::Error(String::new()),
            (Some("OK"), None) => Status::Ok,
            (_, None) => Status::Unset,
        }
    }

    /// The tags, and what endpoints say beyond the service that the span is of. A tag wins over an endpoint.
    fn attributes(&mut self) -> Vec<Attribute> {
        let remote = std::mem::take(&mut self.remote);
        let service = (!remote.service.is_empty()).then(|| text("peer.service", remote.service));
        let here = place(
            ["network.local.address", "network.local.port"],
            self.local.address,
            self.local.port,
        );
        let there = place(
            ["network.peer.address", "network.peer.port"],
            remote.address,
            remote.port,
        );
        let tags = std::mem::take(&mut self.tags);
        let added = service.into_iter().chain(here).chain(there);
        let added: Vec<_> = added.filter(|added| !tags.contains_key(&added.key)).collect();
        let tags = tags.into_iter().map(|(key, value)| text(&key, value));
        tags.chain(added).collect()
    }
}

fn place(keys: [&str; 2], address: Option<IpAddr>, port: u16) -> impl Iterator<Item = Attribute> {
    let [address_key, port_key] = keys;
    let address = address.map(|address| text(address_key, address.to_string()));
    let port = (port > 0).then(|| Attribute {
        key: port_key.to_owned(),
        value: Value::Int(port.into()),
    });
    address.into_iter().chain(port)
}

fn text(key: &str, value: String) -> Attribute {
    Attribute {
        key: key.to_owned(),
        value: Value::String(value),
    }
}

fn nanos(micros: u64) -> u64 {
    micros.saturating_mul(1000)
}
