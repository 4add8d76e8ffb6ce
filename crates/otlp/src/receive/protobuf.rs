use std::sync::Arc;

use bytes::Bytes;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use super::walk::fields;
use super::{BadRequest, Batch, Reason, convert, limits};

// Field numbers of opentelemetry/proto/trace/v1/trace.proto and collector/trace/v1/trace_service.proto.
const REQUEST_RESOURCE_SPANS: u32 = 1;
const RESOURCE_SPANS_RESOURCE: u32 = 1;
const RESOURCE_SPANS_SCOPE_SPANS: u32 = 2;
const SCOPE_SPANS_SCOPE: u32 = 1;
const SCOPE_SPANS_SPANS: u32 = 2;

/// Takes an `ExportTraceServiceRequest` in protobuf apart, span by span.
///
/// # Errors
/// The envelope around the spans is broken, so that where they begin and end is not certain.
pub fn from_protobuf(request: Bytes) -> Result<Batch, BadRequest> {
    let mut batch = Batch::default();
    for group in fields(request, REQUEST_RESOURCE_SPANS) {
        let group = group?;
        let resource = merged::<Resource>(&group, RESOURCE_SPANS_RESOURCE)?
            .and_then(convert::resource)
            .map(Arc::new);
        for scoped in fields(group, RESOURCE_SPANS_SCOPE_SPANS) {
            let scoped = scoped?;
            let scope = merged::<InstrumentationScope>(&scoped, SCOPE_SPANS_SCOPE)?
                .and_then(convert::scope)
                .map(Arc::new);
            for span in fields(scoped, SCOPE_SPANS_SPANS) {
                let span = span?;
                batch.add(match (&resource, &scope) {
                    (Ok(resource), Ok(scope)) => {
                        decode(span).and_then(|span| convert::span(span, resource, scope))
                    }
                    _ => Err(Reason::Resource),
                });
            }
        }
    }
    Ok(batch)
}

fn decode(bytes: Bytes) -> Result<Span, Reason> {
    if bytes.len() > limits::SPAN_BYTES {
        return Err(Reason::TooLarge);
    }
    Span::decode(bytes).map_err(|_| Reason::Malformed)
}

/// The message in a field that should stand once. Where it stands several times the parts are merged, as protobuf
/// asks; where it does not stand it is empty. The outer error is the envelope's, the inner one the message's.
fn merged<M: Message + Default>(outer: &Bytes, number: u32) -> Result<Result<M, Reason>, BadRequest> {
    let mut message = Ok(M::default());
    let mut size = 0;
    for part in fields(outer.clone(), number) {
        let part = part?;
        size += part.len();
        message = message.and_then(|mut message| {
            if size > limits::RESOURCE_BYTES {
                return Err(Reason::Resource);
            }
            message.merge(part).map_err(|_| Reason::Resource)?;
            Ok(message)
        });
    }
    Ok(message)
}
