use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::{BadRequest, Batch, Reason, convert, limits};

// The envelope. What it holds stays text until its turn comes; unknown keys are ignored, as OTLP asks.

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    resource_spans: Option<Vec<ResourceSpans<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
    #[serde(borrow)]
    scope_spans: Option<Vec<ScopeSpans<'a>>>,
}

#[derive(Deserialize)]
struct ScopeSpans<'a> {
    #[serde(borrow)]
    scope: Option<&'a RawValue>,
    #[serde(borrow)]
    spans: Option<Vec<&'a RawValue>>,
}

/// Takes an `ExportTraceServiceRequest` in OTLP's JSON encoding apart, span by span.
///
/// # Errors
/// It is not JSON, or the envelope around the spans has another shape.
pub fn from_json(request: &[u8]) -> Result<Batch, BadRequest> {
    let request: Request<'_> =
        serde_json::from_slice(request).map_err(|error| BadRequest::new(error.to_string()))?;
    let mut batch = Batch::default();
    for group in request.resource_spans.into_iter().flatten() {
        let resource = part::<Resource>(group.resource)
            .and_then(convert::resource)
            .map(Arc::new);
        for scoped in group.scope_spans.into_iter().flatten() {
            let scope = part::<InstrumentationScope>(scoped.scope)
                .and_then(convert::scope)
                .map(Arc::new);
            for span in scoped.spans.into_iter().flatten() {
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

fn decode(text: &RawValue) -> Result<Span, Reason> {
    if text.get().len() > limits::SPAN_BYTES {
        return Err(Reason::TooLarge);
    }
    serde_json::from_str(text.get()).map_err(|_| Reason::Malformed)
}

fn part<T: DeserializeOwned + Default>(text: Option<&RawValue>) -> Result<T, Reason> {
    match text {
        None => Ok(T::default()),
        Some(text) if text.get().len() > limits::RESOURCE_BYTES => Err(Reason::Resource),
        Some(text) => serde_json::from_str(text.get()).map_err(|_| Reason::Resource),
    }
}
