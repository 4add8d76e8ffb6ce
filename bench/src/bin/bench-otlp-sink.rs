//! An OTLP/gRPC trace receiver that counts spans and keeps none, the same for every contender.
//!
//! It answers gRPC on the bare HTTP/2 server and never looks into a span, so that receiving costs the machine as
//! little as it can while a contender is measured.

use std::{
    io::{self, Write},
    net::SocketAddr,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::{Bytes, BytesMut};
use clap::Parser;
use h2::{RecvStream, server::SendResponse};
use http::{HeaderMap, HeaderValue, Response};
use prost::Message;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};

/// The one method whose messages hold spans.
const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Largest export that is taken. The batches of everyone here are far smaller.
const LARGEST: usize = 64 * 1024 * 1024;
/// Bytes of a gRPC message's prefix: compressed or not, and the length.
const PREFIX: usize = 5;

/// Counts the spans that come in by OTLP/gRPC.
#[derive(Parser)]
struct Args {
    /// Where to take exports.
    #[arg(long)]
    listen: SocketAddr,
    /// Where whoever connects is told the count of spans and exports so far, as a line `SPANS EXPORTS`.
    #[arg(long)]
    count: SocketAddr,
}

/// `ExportTraceServiceRequest`, as far as counting needs it: the spans stay bytes.
#[derive(Clone, PartialEq, Message)]
struct Export {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(bytes = "bytes", repeated, tag = "2")]
    spans: Vec<Bytes>,
}

impl Export {
    fn spans(&self) -> usize {
        self.resource_spans
            .iter()
            .flat_map(|resource| &resource.scope_spans)
            .map(|scope| scope.spans.len())
            .sum()
    }
}

#[derive(Debug, Default)]
struct Counts {
    spans: AtomicU64,
    exports: AtomicU64,
}

#[derive(Debug, thiserror::Error)]
enum SinkError {
    #[error("http/2: {0}")]
    H2(#[from] h2::Error),
    #[error("not an uncompressed gRPC message of at most 64 MiB")]
    Framing,
    #[error("not an OTLP trace export: {0}")]
    Protobuf(#[from] prost::DecodeError),
}

fn main() -> ExitCode {
    let args = Args::parse();
    let served = bench::runtime::current_thread().and_then(|runtime| runtime.block_on(serve(&args)));
    bench::exit_with("bench-otlp-sink", served)
}

async fn serve(args: &Args) -> io::Result<()> {
    let counts = Arc::new(Counts::default());
    let exports = TcpListener::bind(args.listen).await?;
    let asked = TcpListener::bind(args.count).await?;
    loop {
        tokio::select! {
            accepted = exports.accept() => {
                let counts = counts.clone();
                let (stream, _) = accepted?;
                tokio::spawn(async move {
                    if let Err(error) = receive(stream, &counts).await {
                        bench::complain("bench-otlp-sink", &error);
                    }
                });
            }
            accepted = asked.accept() => {
                let (mut stream, _) = accepted?;
                let mut line = Vec::new();
                let (spans, exports) = (counts.spans.load(Ordering::Relaxed), counts.exports.load(Ordering::Relaxed));
                writeln!(line, "{spans} {exports}")?;
                stream.write_all(&line).await?;
            }
        }
    }
}

/// Takes the exports of one connection, one task each.
async fn receive(stream: TcpStream, counts: &Arc<Counts>) -> Result<(), SinkError> {
    stream.set_nodelay(true).map_err(|_| SinkError::Framing)?;
    let mut connection = h2::server::Builder::new()
        .initial_window_size(1 << 20)
        .initial_connection_window_size(8 << 20)
        .max_concurrent_streams(1_000)
        .handshake(stream)
        .await?;
    while let Some(request) = connection.accept().await {
        let (request, respond) = request?;
        // what a sidecar tells of itself beside its spans is taken, and is none of them
        let counts = (request.uri().path() == TRACES).then(|| counts.clone());
        tokio::spawn(async move {
            if let Err(error) = take(request.into_body(), respond, counts.as_deref()).await {
                bench::complain("bench-otlp-sink", &error);
            }
        });
    }
    Ok(())
}

/// Counts one export, where that is asked for, and acknowledges it with an empty response.
async fn take(
    mut body: RecvStream,
    mut respond: SendResponse<Bytes>,
    counts: Option<&Counts>,
) -> Result<(), SinkError> {
    let mut message = BytesMut::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        if message.len() + chunk.len() > LARGEST {
            return Err(SinkError::Framing);
        }
        message.extend_from_slice(&chunk);
    }
    if let Some(counts) = counts {
        let export = Export::decode(unframed(&message.freeze())?)?;
        counts.spans.fetch_add(export.spans() as u64, Ordering::Relaxed);
        counts.exports.fetch_add(1, Ordering::Relaxed);
    }

    let mut head = Response::new(());
    head.headers_mut()
        .insert("content-type", HeaderValue::from_static("application/grpc"));
    let mut answer = respond.send_response(head, false)?;
    answer.send_data(Bytes::from_static(&[0; PREFIX]), false)?;
    let trailers = HeaderMap::from_iter([("grpc-status", "0")].map(|(name, value)| {
        (
            http::HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    }));
    answer.send_trailers(trailers)?;
    Ok(())
}

/// The one message of a unary call, without its prefix.
fn unframed(framed: &Bytes) -> Result<Bytes, SinkError> {
    let Some((&[0, a, b, c, d], message)) = framed.split_first_chunk::<PREFIX>() else {
        return Err(SinkError::Framing);
    };
    if message.len() as u64 != u64::from(u32::from_be_bytes([a, b, c, d])) {
        return Err(SinkError::Framing);
    }
    Ok(framed.slice(PREFIX..))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export(spans: &[usize]) -> Export {
        let scope_spans = spans
            .iter()
            .map(|&n| ScopeSpans {
                spans: vec![Bytes::from_static(b"\x2a\x03GET"); n],
            })
            .collect();
        Export {
            resource_spans: vec![ResourceSpans { scope_spans }],
        }
    }

    fn framed(message: &[u8]) -> Bytes {
        let mut bytes = vec![0];
        bytes.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        bytes.extend(message);
        bytes.into()
    }

    #[test]
    fn spans_are_counted_over_all_scopes() {
        let wire = framed(&export(&[2, 0, 3]).encode_to_vec());
        assert_eq!(Export::decode(unframed(&wire).unwrap()).unwrap().spans(), 5);
    }

    #[test]
    fn a_message_that_is_short_long_or_compressed_is_refused() {
        let wire = framed(&export(&[1]).encode_to_vec());
        assert!(unframed(&wire.slice(..wire.len() - 1)).is_err());
        assert!(unframed(&Bytes::from([wire.as_ref(), b"x"].concat())).is_err());
        assert!(unframed(&Bytes::from([&[1], &wire[1..]].concat())).is_err());
        assert!(unframed(&Bytes::new()).is_err());
    }
}
