//! The receiving half: OTLP requests in, plain spans out, one at a time.
//!
//! A request is taken apart in two steps. Its envelope (resources, scopes, where each span begins and ends) has to be
//! whole, or the request is refused as a whole. Each span is then decoded by itself: one that is broken, or larger
//! than the limits in [`limits`], is refused with a reason from a closed set and counted, and the rest is kept.
//! Protobuf and JSON go the same way. Nothing here does I/O or knows what becomes of the spans.

mod convert;
pub mod grpc;
mod json;
pub mod limits;
mod protobuf;
mod refusal;
mod reply;
mod walk;

use crate::model::Span;

pub use json::from_json;
pub use protobuf::from_protobuf;
pub use refusal::{Reason, Refusals};
pub use reply::{Reply, fault_json, fault_protobuf};

/// What a request held.
#[derive(Debug, Default)]
pub struct Batch {
    /// The spans that are as they should be, in the order of the request.
    pub spans: Vec<Span>,
    /// The others, counted by reason.
    pub refused: Refusals,
}

/// The request is not an OTLP export request. Sending it again does not help.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not an OTLP trace export request: {0}; send ExportTraceServiceRequest as the Content-Type says")]
pub struct BadRequest(String);

impl BadRequest {
    /// `what` is wrong with it.
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl Batch {
    /// Keeps the span, or counts why not.
    fn add(&mut self, decoded: Result<Span, Reason>) {
        match decoded {
            Ok(_) if self.spans.len() >= limits::SPANS => self.refused.add(Reason::TooManySpans, 1),
            Ok(span) => self.spans.push(span),
            Err(reason) => self.refused.add(reason, 1),
        }
    }
}
