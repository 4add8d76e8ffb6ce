use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use otlp::receive::{from_protobuf, grpc};
use tonic::Status;

use super::{Failure, Ingest, READ_TIMEOUT, REQUEST_BYTES};
use crate::metrics::Transport;

/// OTLP over gRPC: `TraceService.Export`. Other methods are answered with UNIMPLEMENTED.
pub fn router(ingest: Arc<Ingest>) -> Router {
    Router::new()
        .route(grpc::EXPORT, post(export))
        .fallback(async || {
            Status::unimplemented("only TraceService/Export is served here").into_http::<Body>()
        })
        .with_state(ingest)
}

async fn export(State(ingest): State<Arc<Ingest>>, request: Request) -> Response {
    let refuse = |failure: Failure| {
        ingest.count(&failure);
        status(&failure)
    };
    let response = async {
        let _turn = ingest.turn().await.map_err(refuse)?;
        let keep = async |message| {
            let reply = ingest
                .keep(Transport::Grpc, from_protobuf(message))
                .await
                .map_err(refuse)?;
            Ok(reply.to_protobuf())
        };
        tokio::time::timeout(READ_TIMEOUT, grpc::serve(request, REQUEST_BYTES, keep))
            .await
            .map_err(|_| refuse(Failure::TooSlow))
    };
    let response = response.await.unwrap_or_else(|status: Status| status.into_http());
    response.map(Body::new)
}

/// The code says whether trying again helps (OTLP 1.x, "Failures"): UNAVAILABLE and ABORTED do, INVALID_ARGUMENT
/// does not.
fn status(failure: &Failure) -> Status {
    let message = failure.to_string();
    match failure {
        Failure::Malformed(_) | Failure::Unsupported(_) | Failure::TooLarge => {
            Status::invalid_argument(message)
        }
        Failure::TooSlow => Status::aborted(message),
        Failure::Busy | Failure::Store(_) => Status::unavailable(message),
    }
}
