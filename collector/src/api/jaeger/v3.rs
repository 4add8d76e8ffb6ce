//! Jaeger's second API, `/api/v3`: the same questions, answered with OTLP JSON.

use std::ops::RangeInclusive;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::params::{Params, trace_id};
use crate::query::Query;
use crate::store::{Store, StoreError, Trace};
use crate::tags::kind_name;

type Kept = State<Arc<dyn Store>>;

/// A question that is not answered, in the words of gRPC's gateway.
struct Refused(StatusCode, String);

type Answer = Result<Response, Refused>;

pub(super) fn router() -> Router<Arc<dyn Store>> {
    Router::new()
        .route("/api/v3/services", get(services))
        .route("/api/v3/operations", get(operations))
        .route("/api/v3/traces", get(search))
        .route("/api/v3/traces/{id}", get(trace))
}

async fn services(State(store): Kept) -> Answer {
    Ok(answer(&json!({"services": store.services().await?})))
}

async fn operations(State(store): Kept, RawQuery(query): RawQuery) -> Answer {
    let mut params = Params::new(query.as_deref());
    let service = params.required("service");
    let kind = params.text("span_kind");
    params.finish()?;
    let operations = store.operations(&service).await?;
    let named: Vec<_> = operations
        .iter()
        .map(|operation| (&operation.name, kind_name(operation.kind).unwrap_or_default()))
        .filter(|(_, of)| kind.as_ref().is_none_or(|kind| kind == of))
        .map(|(name, kind)| json!({"name": name, "spanKind": kind}))
        .collect();
    Ok(answer(&json!({"operations": named})))
}

async fn search(State(store): Kept, RawQuery(query): RawQuery) -> Answer {
    let mut params = Params::new(query.as_deref());
    let query = params.search_v3();
    params.finish()?;
    let found = store.search(&query).await?;
    let ids: Vec<_> = found.iter().map(|summary| summary.trace_id).collect();
    Ok(spans(&store.traces(&ids).await?))
}

async fn trace(State(store): Kept, Path(id): Path<String>, RawQuery(query): RawQuery) -> Answer {
    let id = trace_id(&id).map_err(|what| Refused(StatusCode::BAD_REQUEST, format!("trace_id: {what}")))?;
    let mut params = Params::new(query.as_deref());
    let window = params.window_v3(false);
    params.finish()?;
    let mut found = store.traces(&[id]).await?;
    found.retain(|trace| within(trace, &window));
    if found.is_empty() {
        let what = "trace not found: it was never received here, or retention has dropped it";
        return Err(Refused(StatusCode::NOT_FOUND, what.to_owned()));
    }
    Ok(spans(&found))
}

fn within(trace: &Trace, window: &RangeInclusive<u64>) -> bool {
    trace.spans.iter().any(|span| window.contains(&span.start))
}

fn spans(traces: &[Trace]) -> Response {
    let traces = traces.iter().map(|trace| (trace.id, &trace.spans[..]));
    answer(&json!({"result": otlp::json::traces(traces)}))
}

fn answer(json: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], json.to_string()).into_response()
}

impl From<super::Refused> for Refused {
    fn from(refused: super::Refused) -> Self {
        Self(StatusCode::BAD_REQUEST, refused.to_string())
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(status, message) = self;
        let body = json!({"error": {"httpCode": status.as_u16(), "message": message}});
        (status, answer(&body)).into_response()
    }
}

impl Params {
    /// Jaeger's `query.*` parameters. Both ends of the window are required, as Jaeger has it.
    fn search_v3(&mut self) -> Query {
        let shortest = self.duration("query.duration_min").unwrap_or(0);
        let longest = self.duration("query.duration_max").unwrap_or(u64::MAX);
        Query {
            service: self.text("query.service_name"),
            operation: self.text("query.operation_name"),
            conditions: self.map("query.attributes"),
            duration: shortest..=longest,
            start: self.window_v3(true),
            limit: self.limit(&["query.num_traces", "query.search_depth"]),
            ..Query::default()
        }
    }

    fn window_v3(&mut self, required: bool) -> RangeInclusive<u64> {
        let (min, max) = match required {
            true => ("query.start_time_min", "query.start_time_max"),
            false => ("start_time", "end_time"),
        };
        if required {
            self.required(min);
            self.required(max);
        }
        self.instant(min).unwrap_or(0)..=self.instant(max).unwrap_or(u64::MAX)
    }
}
