//! Sending batches of encoded spans, and what is told beside them, by OTLP/gRPC.
//!
//! The request is already protobuf when it comes here, so gRPC only frames it, and nothing copies it on its way to the
//! socket's buffer.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::Uri;
use http::uri::PathAndQuery;
use http_body::{Body, Frame};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tower::ServiceExt;

use crate::encode::Sender;
use crate::gather::Gather;

/// Bytes that gRPC puts before a message: whether it is compressed, and its length.
const FRAME_HEAD: usize = 5;

/// Bytes that are written at a time. HTTP/2 frames are of 16 KiB, and a system call, a segment and a wake-up of the
/// collector for each would cost more than making the spans did.
const WRITE_BYTES: usize = 64 * 1024;

const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

/// The collector's address is not one.
#[derive(Debug, thiserror::Error)]
#[error("collector `{address}`: not an address; use http://host:port")]
pub struct BadAddress {
    address: String,
}

/// A batch was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It may be taken later.
    #[error("the collector did not take the batch: {0}")]
    Retryable(String),
    /// It will never be.
    #[error("the collector refused the batch: {0}")]
    Final(String),
}

/// A connection to a collector, made when it is first needed and again whenever it breaks.
#[derive(Clone, Debug)]
pub struct Client {
    channel: Channel,
    sender: Sender,
    timeout: Duration,
}

impl Client {
    /// `address` is `http://host:port`. `timeout` is for one request. `dial` makes the connection to a host and port:
    /// whose traffic is redirected has to mark its own.
    ///
    /// # Errors
    /// The address is none, or not http.
    pub fn new<D, F>(address: &str, sender: Sender, timeout: Duration, dial: D) -> Result<Self, BadAddress>
    where
        D: Fn(String, u16) -> F + Clone + Send + 'static,
        F: Future<Output = io::Result<TcpStream>> + Send + 'static,
    {
        let bad = || BadAddress {
            address: address.to_owned(),
        };
        let endpoint = Endpoint::from_shared(address.to_owned()).map_err(|_| bad())?;
        let uri = endpoint.uri();
        if uri.scheme_str() != Some("http") || uri.host().is_none() {
            return Err(bad());
        }
        let endpoint = endpoint
            .connect_timeout(timeout)
            .http2_keep_alive_interval(Duration::from_secs(30))
            .keep_alive_while_idle(false);
        let connector = tower::service_fn(move |uri: Uri| {
            let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
            let dialled = dial(host, uri.port_u16().unwrap_or(80));
            async { Ok::<_, io::Error>(TokioIo::new(Gather::new(WRITE_BYTES, dialled.await?))) }
        });
        Ok(Self {
            channel: endpoint.connect_with_connector_lazy(connector),
            sender,
            timeout,
        })
    }

    /// Sends one batch, as [`crate::encode::append`] made it. Returns how many of its spans the collector refused.
    ///
    /// # Errors
    /// The batch as a whole was not taken, for now or for good (OTLP specification, "Failures").
    pub async fn export(&self, spans: Bytes) -> Result<u64, ExportError> {
        self.send(TRACES, spans).await
    }

    /// Sends metrics, as [`MetricsEncoder`](crate::metrics::MetricsEncoder) wrote them, on the same connection.
    ///
    /// # Errors
    /// They were not taken, for now or for good: not every collector takes any.
    pub async fn report(&self, metrics: Bytes) -> Result<(), ExportError> {
        match self.send(METRICS, metrics).await? {
            0 => Ok(()),
            points => Err(ExportError::Final(format!("it refused {points} of the values"))),
        }
    }

    /// Sends the tail of a request. Returns how many of what it holds were refused.
    async fn send(&self, path: &'static str, tail: Bytes) -> Result<u64, ExportError> {
        let mut request = Request::new(());
        request.set_timeout(self.timeout);
        let message = Message::new(&self.sender.head(&tail), tail);
        // tonic would copy the message into a body of its own
        let channel = self
            .channel
            .clone()
            .map_request(move |request: http::Request<_>| {
                request.map(|_: tonic::body::Body| tonic::body::Body::new(message.clone()))
            });
        let mut grpc = tonic::client::Grpc::new(channel);
        grpc.ready()
            .await
            .map_err(|error| ExportError::Retryable(sources(&error)))?;
        let call = grpc.unary(request, PathAndQuery::from_static(path), Answers);
        let response = call.await.map_err(|status| classify(&status))?.into_inner();
        Ok(response
            .partial_success
            .map_or(0, |partial| partial.rejected.max(0).cast_unsigned()))
    }
}

/// Which answers may be tried again, by the table of the OTLP specification.
fn classify(status: &Status) -> ExportError {
    let text = format!("{}: {}", status.code(), status.message());
    match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => ExportError::Retryable(text),
        // only if the server says when; otherwise there will never be room for it
        Code::ResourceExhausted if names_a_time(status.details()) => ExportError::Retryable(text),
        // a connection that breaks under a request comes to us as this
        Code::Unknown if std::error::Error::source(status).is_some() => ExportError::Retryable(text),
        _ => ExportError::Final(text),
    }
}

/// Whether a status' details hold a `google.rpc.RetryInfo`, by the name of its type.
fn names_a_time(details: &[u8]) -> bool {
    let name = b"google.rpc.RetryInfo";
    details.windows(name.len()).any(|window| window == name)
}

/// An error with what caused it: tonic's own text says only "transport error".
fn sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text = format!("{text}: {error}");
        next = error.source();
    }
    text
}

/// `ExportTraceServiceResponse`, or that of metrics, which is the same, as far as we look at it.
#[derive(Clone, PartialEq, prost::Message)]
struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected: i64,
}

/// A gRPC message in two pieces: its frame's head with the request's, and the request's tail.
#[derive(Clone)]
struct Message(std::array::IntoIter<Bytes, 2>);

impl Message {
    fn new(head: &[u8], tail: Bytes) -> Self {
        let length = head.len() + tail.len();
        let mut first = BytesMut::with_capacity(FRAME_HEAD + head.len());
        first.put_u8(0);
        // the queue's bound, far below, is what a batch may hold
        first.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
        first.extend_from_slice(head);
        Self([first.freeze(), tail].into_iter())
    }
}

impl Body for Message {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.len() == 0
    }
}

/// Reads the collector's answers. What is sent to it is a [`Message`].
#[derive(Clone, Copy)]
struct Answers;

impl Codec for Answers {
    type Encode = ();
    type Decode = ExportResponse;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Answers {
    type Item = ();
    type Error = Status;

    fn encode(&mut self, (): (), _: &mut EncodeBuf<'_>) -> Result<(), Status> {
        Ok(())
    }
}

impl Decoder for Answers {
    type Item = ExportResponse;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<ExportResponse>, Status> {
        let body = from.copy_to_bytes(from.remaining());
        prost::Message::decode(body)
            .map(Some)
            .map_err(|error| Status::internal(format!("the collector's answer is not OTLP: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_exhausted_is_tried_again_only_when_the_server_says_when() {
        let details = b"\x12\x2btype.googleapis.com/google.rpc.RetryInfo".as_slice();
        let later = Status::with_details(Code::ResourceExhausted, "busy", Bytes::from_static(details));
        assert!(matches!(classify(&later), ExportError::Retryable(_)));
        assert!(matches!(
            classify(&Status::resource_exhausted("too large")),
            ExportError::Final(_)
        ));
        assert!(matches!(
            classify(&Status::unavailable("away")),
            ExportError::Retryable(_)
        ));
        assert!(matches!(
            classify(&Status::invalid_argument("no")),
            ExportError::Final(_)
        ));
    }
}
