//! Receiving spans: OTLP over gRPC and over HTTP, and Zipkin's, all ending in `Ingest::keep`.
//!
//! A request is read, taken apart span by span and handed to the store before it is answered, so that what was
//! acknowledged is kept. What it may cost is bounded: its bytes, the time to read it, and how many are worked on at
//! once.

mod body;
mod grpc;
mod http;
mod zipkin;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use otlp::receive::{
    BadRequest, Batch, Packed, Reply, Scanned, from_json, from_metrics, from_protobuf, from_zipkin_json,
    from_zipkin_protobuf,
};
use tokio::sync::{Semaphore, SemaphorePermit};
use tonic::Code;

use crate::live::{Live, Observed};
use crate::metrics::{RequestFailure, Transport};
use crate::sources::Sources;
use crate::store::StoreError;
use crate::time;

pub use grpc::router as grpc_router;
pub use http::router as http_router;
pub use zipkin::router as zipkin_router;

/// Bytes of a request, decompressed.
pub const REQUEST_BYTES: usize = 16 << 20;
/// Bytes of a request in which a sidecar tells of itself: ten times what it takes.
pub const REPORT_BYTES: usize = 64 << 10;
/// Bytes of a request that is not taken apart in passing.
const LARGE_REQUEST_BYTES: usize = 1 << 20;
/// Requests that are read and worked on at once. Others wait for [`TURN_TIMEOUT`].
pub const REQUESTS: usize = 32;
/// How long a request waits for its turn before it is told to come again.
pub const TURN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a request may take to arrive once it has its turn; over gRPC, to arrive and to be kept.
pub const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// When whoever was told to come again may.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Where requests come in.
pub struct Ingest {
    sources: Sources,
    turns: Semaphore,
}

/// A request failed as a whole.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It is not what it says it is.
    #[error(transparent)]
    Malformed(#[from] BadRequest),
    /// Its media type or its compression is not one that we take.
    #[error("{0}")]
    Unsupported(String),
    /// It has more than [`REQUEST_BYTES`].
    #[error("a request has at most {REQUEST_BYTES} bytes, decompressed; send smaller batches")]
    TooLarge,
    /// It did not arrive within [`READ_TIMEOUT`], or its connection broke.
    #[error("the request did not arrive whole within {} s", READ_TIMEOUT.as_secs())]
    TooSlow,
    /// Too many others are being worked on.
    #[error("too many requests at once; try again later")]
    Busy,
    /// The store could not keep it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Failure {
    /// The same of a request that had to be Zipkin's.
    fn of_zipkin(self) -> Self {
        match self {
            Self::Malformed(bad) => Self::Malformed(bad.of_zipkin()),
            other => other,
        }
    }

    /// What it is called by gRPC, and in what HTTP answers. It says whether trying again helps (OTLP 1.x, "Failures"): after
    /// UNAVAILABLE it does, after INVALID_ARGUMENT it does not, and after RESOURCE_EXHAUSTED it does if the details say when.
    fn code(&self) -> Code {
        match self {
            Self::Malformed(_) | Self::Unsupported(_) | Self::TooLarge => Code::InvalidArgument,
            Self::Busy | Self::Store(StoreError::Behind(_)) => Code::ResourceExhausted,
            Self::TooSlow | Self::Store(StoreError::Unavailable(_)) => Code::Unavailable,
        }
    }
}

impl Ingest {
    /// Spans go to the store, are counted, and are shown to who watches.
    pub fn new(sources: Sources) -> Self {
        Self {
            sources,
            turns: Semaphore::new(REQUESTS),
        }
    }

    /// Waits for a request's turn.
    async fn turn(&self) -> Result<SemaphorePermit<'_>, Failure> {
        match tokio::time::timeout(TURN_TIMEOUT, self.turns.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(Failure::Busy),
        }
    }

    /// Takes a request apart and hands its spans to the store. When it returns they are as durable as the store
    /// promises.
    async fn keep(&self, transport: Transport, request: Bytes) -> Result<Reply, Failure> {
        let Sources {
            store,
            metrics,
            live,
            tail,
        } = &self.sources;
        let (Batch { spans, refused }, observed) = take_apart(transport, request, live).await?;
        metrics.received(transport, spans.len() as u64, &refused);
        let shown = tail.pick(&spans);
        let now = time::now();
        let appended = store.append(spans, now).await?;
        metrics.appended(&appended);
        live.count(&observed, now);
        tail.show(shown);
        Ok(Reply::new(&refused))
    }

    /// Takes what sidecars tell of themselves. What others tell is refused: nobody would look at it here.
    fn note(&self, request: Bytes) -> Result<Reply, Failure> {
        let reports = from_metrics(request)?;
        let refused = self.sources.live.report(&reports, time::now());
        Ok(Reply::of(refused, || {
            "only what meshtrace's sidecars tell of themselves is taken; send metrics elsewhere".to_owned()
        }))
    }

    fn count(&self, failure: &Failure) {
        self.sources.metrics.failed(match failure {
            Failure::Malformed(_) => RequestFailure::Malformed,
            Failure::Unsupported(_) => RequestFailure::Unsupported,
            Failure::TooLarge => RequestFailure::TooLarge,
            Failure::TooSlow => RequestFailure::TooSlow,
            Failure::Busy => RequestFailure::Busy,
            Failure::Store(_) => RequestFailure::Store,
        });
    }
}

/// A large request, which takes long, is taken apart on a thread where that holds nobody up.
async fn take_apart(
    transport: Transport,
    request: Bytes,
    live: &Arc<Live>,
) -> Result<(Batch, Observed), Failure> {
    let large = request.len() > LARGE_REQUEST_BYTES;
    let live = Arc::clone(live);
    let work = move || {
        let mut observed = Observed::default();
        let see = |span: &Packed, scanned: &Scanned<'_>| live.observe(span, scanned, &mut observed);
        let batch = match transport {
            Transport::Grpc | Transport::HttpProtobuf => from_protobuf(request, see),
            Transport::HttpJson | Transport::File => from_json(&request, see),
            Transport::ZipkinJson => from_zipkin_json(&request, see),
            Transport::ZipkinProtobuf => from_zipkin_protobuf(request, see),
        };
        Ok((batch?, observed))
    };
    if large {
        return tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| Failure::Busy)?;
    }
    work()
}
