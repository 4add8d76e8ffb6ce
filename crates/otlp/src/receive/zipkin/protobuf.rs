use std::collections::BTreeMap;
use std::net::IpAddr;

use ::span::{SpanId, TraceId};
use bytes::Bytes;
use prost::Message;

use super::{Annotation, Endpoint, Reported, Taken};
use crate::model::Kind;
use crate::receive::walk::fields;
use crate::receive::{BadRequest, Batch, Packed, Reason, Scanned, limits};

/// The number of `spans` in `ListOfSpans`.
const LIST_SPANS: u32 = 1;

/// `zipkin.proto3.Span`, without `debug` and `shared`: the kind says as much as they do.
#[derive(Clone, PartialEq, Message)]
struct ZipkinSpan {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    parent_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    id: Vec<u8>,
    #[prost(int32, tag = "4")]
    kind: i32,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(fixed64, tag = "6")]
    timestamp: u64,
    #[prost(uint64, tag = "7")]
    duration: u64,
    #[prost(message, optional, tag = "8")]
    local_endpoint: Option<ZipkinEndpoint>,
    #[prost(message, optional, tag = "9")]
    remote_endpoint: Option<ZipkinEndpoint>,
    #[prost(message, repeated, tag = "10")]
    annotations: Vec<ZipkinAnnotation>,
    #[prost(btree_map = "string, string", tag = "11")]
    tags: BTreeMap<String, String>,
}

#[derive(Clone, PartialEq, Message)]
struct ZipkinEndpoint {
    #[prost(string, tag = "1")]
    service_name: String,
    #[prost(bytes = "vec", tag = "2")]
    ipv4: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    ipv6: Vec<u8>,
    #[prost(int32, tag = "4")]
    port: i32,
}

#[derive(Clone, PartialEq, Message)]
struct ZipkinAnnotation {
    #[prost(fixed64, tag = "1")]
    timestamp: u64,
    #[prost(string, tag = "2")]
    value: String,
}

/// Takes Zipkin's `ListOfSpans` in protobuf apart, span by span. `see` is shown each that is kept.
///
/// # Errors
/// The list around the spans is broken, so that where they begin and end is not certain.
pub fn from_zipkin_protobuf(
    request: Bytes,
    mut see: impl FnMut(&Packed, &Scanned<'_>),
) -> Result<Batch, BadRequest> {
    let mut taken = Taken::default();
    for span in fields(request, LIST_SPANS) {
        taken.add(read(span.map_err(BadRequest::of_zipkin)?), &mut see);
    }
    Ok(taken.batch)
}

fn read(bytes: Bytes) -> Result<Reported, Reason> {
    if bytes.len() > limits::SPAN_BYTES {
        return Err(Reason::TooLarge);
    }
    let span = ZipkinSpan::decode(bytes).map_err(|_| Reason::Malformed)?;
    let annotation = |annotation: ZipkinAnnotation| Annotation {
        timestamp: annotation.timestamp,
        value: annotation.value,
    };
    Ok(Reported {
        trace_id: trace_id(&span.trace_id).ok_or(Reason::TraceId)?,
        span_id: span_id(&span.id).ok_or(Reason::SpanId)?,
        parent_id: match &*span.parent_id {
            [] | [0, 0, 0, 0, 0, 0, 0, 0] => None,
            parent => Some(span_id(parent).ok_or(Reason::ParentId)?),
        },
        kind: match span.kind {
            1 => Kind::Client,
            2 => Kind::Server,
            3 => Kind::Producer,
            4 => Kind::Consumer,
            _ => Kind::Internal,
        },
        name: span.name,
        timestamp: span.timestamp,
        duration: span.duration,
        local: span.local_endpoint.map(endpoint).unwrap_or_default(),
        remote: span.remote_endpoint.map(endpoint).unwrap_or_default(),
        annotations: span.annotations.into_iter().map(annotation).collect(),
        tags: span.tags,
    })
}

/// Of 8 bytes or of 16.
fn trace_id(bytes: &[u8]) -> Option<TraceId> {
    match <[u8; 8]>::try_from(bytes) {
        Ok(low) => TraceId::from_u64(u64::from_be_bytes(low)),
        Err(_) => TraceId::from_bytes(bytes.try_into().ok()?),
    }
}

fn span_id(bytes: &[u8]) -> Option<SpanId> {
    SpanId::from_bytes(bytes.try_into().ok()?)
}

/// An address or a port that is none is not known, and no reason to lose the span.
fn endpoint(from: ZipkinEndpoint) -> Endpoint {
    let v4 = <[u8; 4]>::try_from(&*from.ipv4).map(IpAddr::from);
    let v6 = <[u8; 16]>::try_from(&*from.ipv6).map(IpAddr::from);
    Endpoint {
        service: from.service_name,
        address: v4.or(v6).ok(),
        port: from.port.try_into().unwrap_or(0),
    }
}
