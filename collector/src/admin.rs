//! Metrics and probes, on a port of their own.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::watch;

use crate::sources::Sources;
use crate::time;

#[derive(Clone)]
struct Admin {
    sources: Sources,
    stopping: watch::Receiver<bool>,
}

/// `/metrics` for Prometheus; `/live`, always 200; `/ready`, 503 once the collector has been asked to stop or while
/// its store does not answer.
pub fn router(sources: Sources, stopping: watch::Receiver<bool>) -> Router {
    Router::new()
        .route("/metrics", get(render))
        .route("/live", get(async || "live\n"))
        .route("/ready", get(ready))
        .with_state(Admin { sources, stopping })
}

async fn render(State(admin): State<Admin>) -> Response {
    let unavailable = |error: &dyn std::error::Error| {
        (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response()
    };
    let size = match admin.sources.store.size().await {
        Ok(size) => size,
        Err(error) => return unavailable(&error),
    };
    match admin.sources.metrics.render(&size) {
        Ok(mut text) => {
            admin.sources.live.render(&mut text, time::now());
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
        }
        Err(error) => unavailable(&error),
    }
}

async fn ready(State(admin): State<Admin>) -> Response {
    if *admin.stopping.borrow() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    match admin.sources.store.size().await {
        Ok(_) => "ready\n".into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}
