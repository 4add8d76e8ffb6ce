//! The receiving half: OTLP requests, and Zipkin's, in; plain spans out, one at a time.
//!
//! A request is taken apart in two steps. Its envelope (resources, scopes, where each span begins and ends) has to be
//! whole, or the request is refused as a whole. Each span is then decoded by itself: one that is broken, or larger
//! than the limits in [`limits`], is refused with a reason from a closed set and counted, and the rest is kept.
//! Protobuf and JSON go the same way. Nothing here does I/O or knows what becomes of the spans.

mod convert;
pub mod grpc;
mod json;
pub mod limits;
mod packed;
mod protobuf;
mod refusal;
mod reply;
pub mod report;
mod scan;
mod walk;
mod zipkin;

use std::sync::Arc;

use bytes::Bytes;

use crate::model::{Resource, Scope, Span};

pub use json::from_json;
pub use packed::{Packed, request};
pub use protobuf::{from_protobuf, from_request};
pub use refusal::{Reason, Refusals};
pub use reply::{Reply, fault_json, fault_protobuf, retry_details};
pub use report::from_metrics;
pub use scan::{Said, Scanned};
pub use zipkin::{from_zipkin_json, from_zipkin_protobuf};

/// What a request held.
#[derive(Debug, Default)]
pub struct Batch {
    /// The spans that are as they should be, in the order of the request.
    pub spans: Vec<Packed>,
    /// The others, counted by reason.
    pub refused: Refusals,
}

/// The request is not one of those that are taken. Sending it again does not help.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadRequest {
    /// It is no export request of OTLP.
    #[error("not an OTLP trace export request: {0}; send ExportTraceServiceRequest as the Content-Type says")]
    Otlp(String),
    /// It is no list of Zipkin's spans.
    #[error(
        "not a list of Zipkin's spans: {0}; send version 2 as the Content-Type says: JSON, or protobuf's ListOfSpans"
    )]
    Zipkin(String),
}

impl BadRequest {
    /// `what` is wrong with it.
    pub fn new(what: impl Into<String>) -> Self {
        Self::Otlp(what.into())
    }

    /// The same of a request that had to be Zipkin's.
    pub fn of_zipkin(self) -> Self {
        let (Self::Otlp(what) | Self::Zipkin(what)) = self;
        Self::Zipkin(what)
    }
}

impl Batch {
    /// The spans in types of their own.
    pub fn unpack(&self) -> Vec<Span> {
        self.spans.iter().map(Packed::unpack).collect()
    }

    /// Keeps the span in these bytes, or counts why not.
    fn add(
        &mut self,
        bytes: Result<Bytes, Reason>,
        resource: &Shared<Resource>,
        scope: &Shared<Scope>,
        see: impl FnOnce(&Packed, &Scanned<'_>),
    ) {
        let check = |span: &Scanned<'_>| {
            limits::check(span)?;
            let room = self.spans.len() < limits::SPANS;
            room.then_some(()).ok_or(Reason::TooManySpans)
        };
        let packed = match (resource, scope) {
            (Ok(resource), Ok(scope)) => {
                bytes.and_then(|bytes| Packed::new(bytes, resource, scope, check, see))
            }
            _ => Err(Reason::Resource),
        };
        match packed {
            Ok(span) => self.spans.push(span),
            Err(reason) => self.refused.add(reason, 1),
        }
    }
}

/// What many spans have in common, or why it could not be read.
type Shared<T> = Result<Arc<T>, Reason>;
