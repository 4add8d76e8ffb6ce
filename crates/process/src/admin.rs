//! What an administrator and Kubernetes ask of a program, on a port of its own: metrics and probes.

use std::error::Error;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// An answer, or what is in its way, for whoever asks to read.
pub type Answer<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// What a program says of itself.
pub trait Told: Clone + Send + Sync + 'static {
    /// Its metrics, in Prometheus' text format.
    fn metrics(&self) -> impl Future<Output = Answer<String>> + Send;

    /// Whether it does its work: no error.
    fn ready(&self) -> impl Future<Output = Answer<()>> + Send;
}

/// `/metrics` for Prometheus; `/live`, always 200; `/ready`. What the program has no answer to is 503, with the reason.
pub fn router<T: Told>(told: T) -> Router {
    Router::new()
        .route("/metrics", get(metrics::<T>))
        .route("/live", get(async || "live\n"))
        .route("/ready", get(ready::<T>))
        .with_state(told)
}

async fn metrics<T: Told>(State(told): State<T>) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    respond(told.metrics().await.map(|text| (kind, text)))
}

async fn ready<T: Told>(State(told): State<T>) -> Response {
    respond(told.ready().await.map(|()| "ready\n"))
}

fn respond(answer: Answer<impl IntoResponse>) -> Response {
    match answer {
        Ok(answer) => answer.into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}
