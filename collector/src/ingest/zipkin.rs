use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use otlp::receive::Reply;

use super::http::{Encoding, refusal};
use super::{Failure, Ingest, body};
use crate::metrics::Transport;

/// What is said in words is said like this.
const TEXT: &str = "text/plain; charset=utf-8";

/// Zipkin's version 2: `POST /api/v2/spans`, JSON or protobuf, plain, gzip or zstd.
///
/// Answered with 202 as Zipkin does. It knows no partial success: where spans are refused, the body says how many and why.
pub fn router(ingest: Arc<Ingest>) -> Router {
    Router::new()
        .route("/api/v2/spans", post(spans))
        .with_state(ingest)
}

async fn spans(State(ingest): State<Arc<Ingest>>, request: Request) -> Response {
    match report(&ingest, request).await {
        Ok(reply) => {
            let words = reply.refused().unwrap_or_default().to_owned();
            (StatusCode::ACCEPTED, [(header::CONTENT_TYPE, TEXT)], words).into_response()
        }
        Err(failure) => {
            let failure = failure.of_zipkin();
            ingest.count(&failure);
            refusal(&failure, TEXT, failure.to_string())
        }
    }
}

async fn report(ingest: &Ingest, request: Request) -> Result<Reply, Failure> {
    let transport = transport(request.headers())?;
    let _turn = ingest.turn().await?;
    let body = body::read(request).await?;
    ingest.keep(transport, body).await
}

/// By the media type; without one it is JSON, as Zipkin has it.
fn transport(headers: &HeaderMap) -> Result<Transport, Failure> {
    if !headers.contains_key(header::CONTENT_TYPE) {
        return Ok(Transport::ZipkinJson);
    }
    match Encoding::of(headers) {
        Some(Encoding::Json) => Ok(Transport::ZipkinJson),
        Some(Encoding::Protobuf) => Ok(Transport::ZipkinProtobuf),
        None => Err(Failure::Unsupported(
            "Content-Type has to be application/json or application/x-protobuf".to_owned(),
        )),
    }
}
