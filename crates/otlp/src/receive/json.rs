use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{BadRequest, Batch, Packed, Reason, Scanned, convert, limits};

// The envelope. What it holds stays text until its turn comes; unknown keys are ignored, as OTLP asks.

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    resource_spans: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
    #[serde(borrow)]
    scope_spans: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ScopeSpans<'a> {
    #[serde(borrow)]
    scope: Option<&'a RawValue>,
    #[serde(borrow)]
    spans: Option<&'a RawValue>,
}

/// Takes an `ExportTraceServiceRequest` in OTLP's JSON encoding apart, span by span. `see` is shown each that is kept.
///
/// # Errors
/// It is not JSON, or the envelope around the spans has another shape.
pub fn from_json(request: &[u8], mut see: impl FnMut(&Packed, &Scanned<'_>)) -> Result<Batch, BadRequest> {
    let request: Request<'_> = serde_json::from_slice(request)?;
    let mut batch = Batch::default();
    each(request.resource_spans, |group: ResourceSpans<'_>| {
        let resource = part::<Resource>(group.resource)
            .and_then(convert::resource)
            .map(Arc::new);
        each(group.scope_spans, |scoped: ScopeSpans<'_>| {
            let scope = part::<InstrumentationScope>(scoped.scope)
                .and_then(convert::scope)
                .map(Arc::new);
            each(scoped.spans, |span: &RawValue| {
                batch.add(encode(span), &resource, &scope, &mut see);
                Ok(())
            })
        })
    })?;
    Ok(batch)
}

/// The span in protobuf.
fn encode(text: &RawValue) -> Result<Bytes, Reason> {
    if text.get().len() > limits::SPAN_BYTES {
        return Err(Reason::TooLarge);
    }
    let span: Span = serde_json::from_str(text.get()).map_err(|_| Reason::Malformed)?;
    Ok(span.encode_to_vec().into())
}

fn part<T: DeserializeOwned + Default>(text: Option<&RawValue>) -> Result<T, Reason> {
    match text {
        None => Ok(T::default()),
        Some(text) if text.get().len() > limits::RESOURCE_BYTES => Err(Reason::Resource),
        Some(text) => serde_json::from_str(text.get()).map_err(|_| Reason::Resource),
    }
}

/// Gives every element of a list to `take`, one at a time: a list of millions of nothings costs no memory.
pub(super) fn each<'a, T, F>(list: Option<&'a RawValue>, take: F) -> Result<(), BadRequest>
where
    T: Deserialize<'a>,
    F: FnMut(T) -> Result<(), BadRequest>,
{
    let Some(list) = list else {
        return Ok(());
    };
    let elements = Elements {
        take,
        element: PhantomData,
    };
    Ok(serde_json::Deserializer::from_str(list.get()).deserialize_seq(elements)?)
}

struct Elements<T, F> {
    take: F,
    element: PhantomData<T>,
}

impl<'de, T, F> Visitor<'de> for Elements<T, F>
where
    T: Deserialize<'de>,
    F: FnMut(T) -> Result<(), BadRequest>,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(element) = list.next_element()? {
            (self.take)(element)
                .map_err(|(BadRequest::Otlp(what) | BadRequest::Zipkin(what))| A::Error::custom(what))?;
        }
        Ok(())
    }
}

impl From<serde_json::Error> for BadRequest {
    fn from(error: serde_json::Error) -> Self {
        Self::new(error.to_string())
    }
}
