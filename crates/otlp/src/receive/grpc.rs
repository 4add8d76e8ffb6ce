//! The gRPC side of receiving: unary methods whose messages are left as bytes, so that they can be taken apart span
//! by span like the body of an HTTP request.

use std::future::Future;

use bytes::{Buf, BufMut, Bytes};
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, UnaryService};
use tonic::{Request, Response, Status};

/// The path of the one method of `TraceService`.
pub const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// The path of the one method of `MetricsService`.
pub const REPORT: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

/// Answers one call of either with what `export` makes of the request's bytes: the bytes of the response.
///
/// A message of more than `limit` bytes, before or after decompression (gzip, zstd), is answered with an error and not kept.
pub async fn serve<B, F, Fut>(
    request: http::Request<B>,
    limit: usize,
    export: F,
) -> http::Response<tonic::body::Body>
where
    B: http_body::Body + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    F: Fn(Bytes) -> Fut,
    Fut: Future<Output = Result<Vec<u8>, Status>>,
{
    let answer = |message| {
        let reply = export(message);
        async { reply.await.map(Response::new) }
    };
    Grpc::new(Raw)
        .accept_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Zstd)
        .max_decoding_message_size(limit)
        .unary(Method(answer), request)
        .await
}

struct Method<F>(F);

impl<F, Fut> UnaryService<Bytes> for Method<F>
where
    F: Fn(Bytes) -> Fut,
    Fut: Future<Output = Result<Response<Vec<u8>>, Status>>,
{
    type Response = Vec<u8>;
    type Future = Fut;

    fn call(&mut self, request: Request<Bytes>) -> Fut {
        (self.0)(request.into_inner())
    }
}

/// Messages as the bytes that they are.
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
