//! Answering questions in Jaeger's HTTP JSON, for Grafana's Jaeger data source, Jaeger UI and our own CLI.
//!
//! Reads only. What Jaeger does not know (`order`, searching all services) is added where its clients do not see it.

mod answer;
mod json;
mod params;
mod v3;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use span::TraceId;

use self::answer::{Problem, Refused, answer};
use self::params::Params;
use crate::store::{self, Operation, Store};
use crate::tags::kind_name;
use crate::time;

type Answer = Result<Response, Refused>;
type Kept = State<Arc<dyn Store>>;

/// Jaeger's query API over `store`.
pub(super) fn router(store: Arc<dyn Store>) -> Router {
    Router::new()
        .route("/api/services", get(services))
        .route("/api/services/{service}/operations", get(operation_names))
        .route("/api/operations", get(operations))
        .route("/api/traces", get(search))
        .route("/api/traces/{id}", get(trace))
        .route("/api/dependencies", get(dependencies))
        .route("/api/metrics/{*metric}", get(metrics))
        .merge(v3::router())
        .with_state(store)
}

async fn services(State(store): Kept) -> Answer {
    Ok(answer(&store.services().await?))
}

async fn operation_names(State(store): Kept, Path(service): Path<String>) -> Answer {
    let mut names: Vec<_> = store
        .operations(&service)
        .await?
        .into_iter()
        .map(|operation| operation.name)
        .collect();
    names.dedup();
    Ok(answer(&names))
}

async fn operations(State(store): Kept, RawQuery(query): RawQuery) -> Answer {
    let mut params = Params::new(query.as_deref());
    let service = params.required("service");
    let kind = params.text("spanKind");
    params.finish()?;
    let wanted = |operation: &Operation| kind.is_none() || kind_name(operation.kind) == kind.as_deref();
    let operations = store.operations(&service).await?;
    let named: Vec<_> = operations
        .iter()
        .filter(|operation| wanted(operation))
        .map(json::operation)
        .collect();
    Ok(answer(&named))
}

async fn search(State(store): Kept, RawQuery(query): RawQuery) -> Answer {
    let mut params = Params::new(query.as_deref());
    let mut ids = params.trace_ids("traceID");
    let search = params.search(time::now());
    params.finish()?;
    if ids.is_empty() {
        ids = store
            .search(&search)
            .await?
            .into_iter()
            .map(|summary| summary.trace_id)
            .collect();
    }
    let traces = store.traces(&ids).await?;
    let traces: Vec<_> = traces.iter().map(json::trace).collect();
    Ok(answer(&traces))
}

async fn trace(State(store): Kept, Path(id): Path<String>) -> Answer {
    let id = params::trace_id(&id).map_err(|what| Refused::bad_request([("trace id", what)]))?;
    match store.traces(&[id]).await?.first() {
        Some(trace) => Ok(answer(&[json::trace(trace)])),
        None => Err(not_found(id)),
    }
}

async fn dependencies(State(store): Kept, RawQuery(query): RawQuery) -> Answer {
    let mut params = Params::new(query.as_deref());
    let window = params.dependency_window(time::now());
    params.finish()?;
    let dependencies = store.dependencies(window).await?;
    let dependencies: Vec<_> = dependencies.iter().map(json::dependency).collect();
    Ok(answer(&dependencies))
}

/// A trace as the file that Jaeger UI downloads and uploads.
pub(super) fn document(trace: &store::Trace) -> String {
    answer::text(&[json::trace(trace)])
}

/// What Jaeger answers where it has no metrics store to ask; its UI hides the page then.
async fn metrics() -> Refused {
    let what = "metrics querying is not supported here: rates, errors and latencies are at /api/meshtrace/v1/overview and \
                /api/meshtrace/v1/operations, and in Prometheus' format on the admin port";
    Refused::new(StatusCode::NOT_IMPLEMENTED, Problem::new(what))
}

fn not_found(id: TraceId) -> Refused {
    Refused::new(
        StatusCode::NOT_FOUND,
        Problem::new("trace not found: it was never received here, or retention has dropped it").of_trace(id),
    )
}

/// What whoever asks for anything else is told.
pub(super) async fn unknown_path() -> Response {
    let what = "no such path; there are /api/services, /api/services/{service}/operations, /api/operations, /api/traces, \
                /api/traces/{id} and /api/dependencies, the same under /api/v3, and our own under /api/meshtrace/v1";
    Refused::new(StatusCode::NOT_FOUND, Problem::new(what)).into_response()
}
