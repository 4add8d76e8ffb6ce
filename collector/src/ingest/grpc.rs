use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use otlp::receive::{grpc, retry_details};
use tonic::{Code, Status};

use super::{Failure, Ingest, READ_TIMEOUT, REPORT_BYTES, REQUEST_BYTES, RETRY_AFTER};
use crate::metrics::{RequestFailure, Transport};

/// OTLP over gRPC: `TraceService.Export`, and `MetricsService.Export` for what sidecars tell of themselves. Other methods are
/// answered with UNIMPLEMENTED.
pub fn router(ingest: Arc<Ingest>) -> Router {
    Router::new()
        .route(grpc::EXPORT, post(export))
        .route(grpc::REPORT, post(report))
        .fallback(async || {
            Status::unimplemented("only TraceService/Export and MetricsService/Export are served here")
                .into_http::<Body>()
        })
        .with_state(ingest)
}

async fn export(State(ingest): State<Arc<Ingest>>, request: Request) -> Response {
    let refuse = |failure: Failure| {
        ingest.count(&failure);
        status(&failure).into_http()
    };
    let Ok(_turn) = ingest.turn().await else {
        return refuse(Failure::Busy);
    };
    let whole = AtomicBool::new(false);
    let keep = async |message| {
        whole.store(true, Ordering::Relaxed);
        let kept = ingest.keep(Transport::Grpc, message).await;
        kept.map(|reply| reply.to_protobuf()).map_err(|failure| {
            ingest.count(&failure);
            status(&failure)
        })
    };
    let serving = grpc::serve(request, REQUEST_BYTES, keep);
    let Ok(response) = tokio::time::timeout(READ_TIMEOUT, serving).await else {
        return refuse(Failure::TooSlow);
    };
    if !whole.into_inner() {
        // tonic has answered by itself what it could not read
        ingest.sources.metrics.failed(
            match Status::from_header_map(response.headers()).map(|status| status.code()) {
                Some(Code::OutOfRange | Code::ResourceExhausted) => RequestFailure::TooLarge,
                Some(Code::Unimplemented) => RequestFailure::Unsupported,
                _ => RequestFailure::Malformed,
            },
        );
    }
    response.map(Body::new)
}

/// Small and rare: it neither waits for its turn nor takes one from spans.
async fn report(State(ingest): State<Arc<Ingest>>, request: Request) -> Response {
    let refuse = |failure: Failure| {
        ingest.count(&failure);
        status(&failure)
    };
    let note = async |message| {
        let noted = ingest.note(message).map_err(refuse);
        noted.map(|reply| reply.to_protobuf())
    };
    let serving = grpc::serve(request, REPORT_BYTES, note);
    match tokio::time::timeout(READ_TIMEOUT, serving).await {
        Ok(response) => response.map(Body::new),
        Err(_) => refuse(Failure::TooSlow).into_http(),
    }
}

fn status(failure: &Failure) -> Status {
    let (code, message) = (failure.code(), failure.to_string());
    if code != Code::ResourceExhausted {
        return Status::new(code, message);
    }
    let details = retry_details(code as i32, &message, RETRY_AFTER);
    Status::with_details(code, message, details.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;

    #[test]
    fn who_comes_too_fast_is_told_when_to_come_again() {
        let behind = Failure::Store(StoreError::Behind("a reason".to_owned()));
        for failure in [Failure::Busy, behind] {
            let status = status(&failure);
            assert_eq!(status.code(), Code::ResourceExhausted);
            // RetryInfo of one second, as other implementations write it
            let info = b"\x0a\x28type.googleapis.com/google.rpc.RetryInfo\x12\x04\x0a\x02\x08\x01";
            let details = status.details();
            assert!(
                details.windows(info.len()).any(|part| part == info),
                "{details:?}"
            );
        }
    }
}
