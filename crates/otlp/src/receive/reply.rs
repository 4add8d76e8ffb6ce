//! What a sender is told.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message;

use super::Refusals;

/// The answer to a request whose envelope was whole: all kept, or how many not and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply(ExportTraceServiceResponse);

impl Reply {
    /// The answer for a request of which these spans were refused.
    pub fn new(refused: &Refusals) -> Self {
        Self::of(refused.total(), || format!("spans refused: {refused}"))
    }

    /// The answer for a request of which so many parts were refused; `why` says why, if there are any. Those for spans and for
    /// metrics are the same on the wire.
    pub fn of(refused: u64, why: impl FnOnce() -> String) -> Self {
        Self(ExportTraceServiceResponse {
            partial_success: (refused > 0).then(|| ExportTracePartialSuccess {
                rejected_spans: i64::try_from(refused).unwrap_or(i64::MAX),
                error_message: why(),
            }),
        })
    }

    /// How many spans were refused and why, in words; none if all were kept.
    pub fn refused(&self) -> Option<&str> {
        let partial = self.0.partial_success.as_ref()?;
        Some(&partial.error_message)
    }

    /// As protobuf.
    pub fn to_protobuf(&self) -> Vec<u8> {
        self.0.encode_to_vec()
    }

    /// As OTLP's JSON: numbers of 64 bits are text there.
    pub fn to_json(&self) -> String {
        match &self.0.partial_success {
            None => "{}".to_owned(),
            Some(partial) => serde_json::json!({"partialSuccess": {
                "rejectedSpans": partial.rejected_spans.to_string(),
                "errorMessage": partial.error_message,
            }})
            .to_string(),
        }
    }
}

/// The body of an OTLP/HTTP error: a `google.rpc.Status`, of which OTLP asks for the message and allows the code.
#[derive(Clone, PartialEq, Message)]
struct Fault {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`, and the `google.protobuf.Duration` in it.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    delay: Option<Delay>,
}

#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(uint64, tag = "1")]
    seconds: u64,
    #[prost(uint32, tag = "2")]
    nanos: u32,
}

/// The details of a gRPC status that say when to come again: without them RESOURCE_EXHAUSTED says never (OTLP 1.x, "OTLP/gRPC
/// Throttling").
pub fn retry_details(code: i32, message: &str, after: Duration) -> Vec<u8> {
    let info = RetryInfo {
        delay: Some(Delay {
            seconds: after.as_secs(),
            nanos: after.subsec_nanos(),
        }),
    };
    let details = Any {
        type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
        value: info.encode_to_vec(),
    };
    Fault {
        code,
        message: message.to_owned(),
        details: vec![details],
    }
    .encode_to_vec()
}

/// An OTLP/HTTP error body as protobuf; `code` is gRPC's.
pub fn fault_protobuf(code: i32, message: &str) -> Vec<u8> {
    Fault {
        code,
        message: message.to_owned(),
        details: Vec::new(),
    }
    .encode_to_vec()
}

/// An OTLP/HTTP error body as JSON; `code` is gRPC's.
pub fn fault_json(code: i32, message: &str) -> String {
    serde_json::json!({"code": code, "message": message}).to_string()
}
