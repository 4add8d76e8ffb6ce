use std::sync::Arc;

use bytes::Bytes;
use prost::Message;

use super::walk::fields;
use super::{BadRequest, Batch, Packed, Reason, Scanned, Shared, convert, limits};
use crate::model::{Resource, Scope};

// Field numbers of opentelemetry/proto/trace/v1/trace.proto and collector/trace/v1/trace_service.proto.
const REQUEST_RESOURCE_SPANS: u32 = 1;
const RESOURCE_SPANS_RESOURCE: u32 = 1;
const RESOURCE_SPANS_SCOPE_SPANS: u32 = 2;
const SCOPE_SPANS_SCOPE: u32 = 1;
const SCOPE_SPANS_SPANS: u32 = 2;

/// Takes an `ExportTraceServiceRequest` in protobuf apart, span by span. `see` is shown each that is kept.
///
/// # Errors
/// The envelope around the spans is broken, so that where they begin and end is not certain.
pub fn from_protobuf(
    request: Bytes,
    mut see: impl FnMut(&Packed, &Scanned<'_>),
) -> Result<Batch, BadRequest> {
    let mut batch = Batch::default();
    each(request, limits::RESOURCE_BYTES, |span, resource, scope| {
        let small = span.len() <= limits::SPAN_BYTES;
        batch.add(
            small.then_some(span).ok_or(Reason::TooLarge),
            resource,
            scope,
            &mut see,
        );
    })?;
    Ok(batch)
}

/// Takes a request apart that [`request`](super::request) has written, whatever the limits are now. `None` if these bytes
/// are none.
pub fn from_request(request: Bytes) -> Option<Vec<Packed>> {
    let mut spans = Some(Vec::new());
    let walked = each(request, usize::MAX, |span, resource, scope| {
        let packed = match (resource, scope) {
            (Ok(resource), Ok(scope)) => Packed::new(span, resource, scope, |_| Ok(()), |_, _| {}).ok(),
            _ => None,
        };
        match (&mut spans, packed) {
            (Some(spans), Some(packed)) => spans.push(packed),
            (spans, _) => *spans = None,
        }
    });
    walked.ok().and(spans)
}

/// Shows each span of a request with its resource and scope, of which each has at most so many bytes.
fn each(
    request: Bytes,
    limit: usize,
    mut see: impl FnMut(Bytes, &Shared<Resource>, &Shared<Scope>),
) -> Result<(), BadRequest> {
    for group in fields(request, REQUEST_RESOURCE_SPANS) {
        let group = group?;
        let resource = merged(&group, RESOURCE_SPANS_RESOURCE, limit)?.and_then(convert::resource);
        let resource = resource.map(Arc::new);
        for scoped in fields(group, RESOURCE_SPANS_SCOPE_SPANS) {
            let scoped = scoped?;
            let scope = merged(&scoped, SCOPE_SPANS_SCOPE, limit)?.and_then(convert::scope);
            let scope = scope.map(Arc::new);
            for span in fields(scoped, SCOPE_SPANS_SPANS) {
                see(span?, &resource, &scope);
            }
        }
    }
    Ok(())
}

/// The message in a field that should stand once. Where it stands several times the parts are merged, as protobuf
/// asks; where it does not stand it is empty. The outer error is the envelope's, the inner one the message's.
fn merged<M: Message + Default>(
    outer: &Bytes,
    number: u32,
    limit: usize,
) -> Result<Result<M, Reason>, BadRequest> {
    let mut message = Ok(M::default());
    let mut size = 0;
    for part in fields(outer.clone(), number) {
        let part = part?;
        size += part.len();
        message = message.and_then(|mut message| {
            if size > limit {
                return Err(Reason::Resource);
            }
            message.merge(part).map_err(|_| Reason::Resource)?;
            Ok(message)
        });
    }
    Ok(message)
}
