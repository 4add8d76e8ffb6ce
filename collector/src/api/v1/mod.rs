//! Our own API, as `openapi.yaml` describes it. `tests/api.rs` holds the two together.

mod answer;
mod ask;
mod cursor;
mod found;
mod live;
mod mesh;
mod search;
mod tail;
mod trace;
mod window;

use std::ops::Range;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use span::TraceId;

use self::answer::{Problem, Refused, answer};
use self::ask::Asked;
use self::live::OperationOrder;
use self::mesh::IngestJson;
use self::search::{KINDS, Search};
use crate::analysis::reading::Reading;
use crate::live::{Operation, Totals};
use crate::propagation::report;
use crate::query::Query;
use crate::sources::Sources;
use crate::store::{self, Store};
use crate::tail::READERS;
use crate::time;

type Answer = Result<Response, Refused>;
type Shared = State<Sources>;

/// The document that says what is answered here.
const DOCUMENT: &str = include_str!("../../../openapi.yaml");

pub(super) fn router(sources: Sources) -> Router {
    Router::new()
        .route("/openapi.yaml", get(document))
        .route("/overview", get(overview))
        .route("/services", get(services))
        .route("/operations", get(operations))
        .route("/graph", get(graph))
        .route("/tail", get(tail))
        .route("/mesh", get(mesh))
        .route("/propagation", get(propagation))
        .route("/ingest", get(ingest))
        .route("/traces", get(search_by_parameters).post(search))
        .route("/traces/{id}", get(trace))
        .fallback(async || Refused::unknown_path())
        .method_not_allowed_fallback(async || Refused::unknown_method())
        .with_state(sources)
}

async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/yaml")], DOCUMENT).into_response()
}

async fn search_by_parameters(State(Sources { store, .. }): Shared, RawQuery(query): RawQuery) -> Answer {
    let now = time::now();
    let mut asked = Asked::new(query.as_deref());
    let query = Search::from_parameters(&mut asked).query(now);
    find(&*store, asked.finish(query)?, now).await
}

async fn search(State(Sources { store, .. }): Shared, body: Bytes) -> Answer {
    let now = time::now();
    find(&*store, Search::from_body(&body)?.query(now)?, now).await
}

async fn find(store: &dyn Store, mut query: Query, now: u64) -> Answer {
    // one more than asked for says whether there is a next page
    let limit = query.limit;
    query.limit += 1;
    let mut found = store.search(&query).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more);
    let next = last.map(|last| cursor::write(&query, last.place(query.order)));
    Ok(answer(&found::page(&found, next, now)))
}

async fn trace(State(Sources { store, .. }): Shared, Path(id): Path<String>) -> Answer {
    let trace = one(&*store, &id).await?;
    Ok(answer(&trace::whole(
        trace.id,
        &Reading::new(&trace.spans),
        time::now(),
    )))
}

async fn overview(State(sources): Shared, RawQuery(query): RawQuery) -> Answer {
    let now = time::now();
    let window = asked_window(query.as_deref(), now)?;
    let services = sources.live.services(&window, now);
    let ingest = ingest_now(&sources).await?;
    Ok(answer(&live::overview(&window, &services, ingest)))
}

async fn services(State(sources): Shared, RawQuery(query): RawQuery) -> Answer {
    let now = time::now();
    let window = asked_window(query.as_deref(), now)?;
    let counted = sources.live.services(&window, now);
    let mut kept = sources.store.services().await?;
    kept.retain(|name| counted.iter().all(|counted| *counted.name != **name));
    let points = sources.live.no_points(&window, now);
    let kept: Vec<_> = kept
        .iter()
        .map(|name| live::uncounted(name, points.clone()))
        .collect();
    Ok(answer(&live::services(&window, &counted, &kept)))
}

async fn operations(State(sources): Shared, RawQuery(query): RawQuery) -> Answer {
    let now = time::now();
    let mut asked = Asked::new(query.as_deref());
    let service = asked.text("service");
    let kind = asked.choice("kind", &KINDS);
    let order = asked
        .choice("order", &OperationOrder::ALL)
        .unwrap_or(OperationOrder::Name);
    let limit = asked.number("limit", 1..=1000).unwrap_or(100);
    let window = window::live(&mut asked, now);
    let window = asked.finish(window)?;
    let mut operations = sources.live.operations(service.as_deref(), &window, now);
    if let Some(service) = &service {
        for kept in sources.store.operations(service).await? {
            let known = |counted: &Operation| *counted.name == *kept.name && counted.kind == kept.kind;
            if !operations.iter().any(known) {
                operations.push(Operation {
                    service: service.as_str().into(),
                    name: kept.name.into(),
                    kind: kept.kind,
                    totals: Totals::default(),
                });
            }
        }
        operations.sort_by(|one, other| (&one.name, one.kind).cmp(&(&other.name, other.kind)));
    }
    Ok(answer(&live::operations(
        &window,
        &operations,
        kind,
        order,
        limit,
    )))
}

async fn graph(State(sources): Shared, RawQuery(query): RawQuery) -> Answer {
    let now = time::now();
    let mut asked = Asked::new(query.as_deref());
    let window = window::any(&mut asked, now);
    let window = asked.finish(window)?;
    if !window::is_live(&window, now) {
        let calls = sources.store.dependencies(window.start..=window.end).await?;
        let services = sources.store.services().await?;
        return Ok(answer(&live::graph_of_store(&window, &calls, &services)));
    }
    let (edges, uncounted) = sources.live.edges(&window, now);
    let services = sources.live.services(&window, now);
    let links = sources.live.links(&window);
    let between = |from: &str, to: &str| links.get(from)?.get(to).cloned();
    Ok(answer(&live::graph(
        &window, &edges, &services, between, uncounted,
    )))
}

async fn tail(State(sources): Shared, RawQuery(query): RawQuery) -> Answer {
    let mut asked = Asked::new(query.as_deref());
    let wanted = Search::of_spans(&mut asked).query(time::now());
    let roots = asked.flag("roots");
    let wanted = asked.finish(wanted)?;
    let reader = sources.tail.watch().ok_or_else(|| {
        let problem = Problem::new("too many watch already").allowed(format!("at most {READERS} at once"));
        Refused::new(StatusCode::SERVICE_UNAVAILABLE, problem)
    })?;
    Ok(tail::stream(reader, wanted, roots))
}

async fn mesh(State(sources): Shared, RawQuery(query): RawQuery) -> Answer {
    let window = asked_window(query.as_deref(), time::now())?;
    let workloads = sources.live.workloads(&window);
    let report = report(sources.live.links(&window));
    Ok(answer(&mesh::mesh(&window, &workloads, &report)))
}

async fn propagation(State(sources): Shared, RawQuery(query): RawQuery) -> Answer {
    let mut asked = Asked::new(query.as_deref());
    let workload = asked.text("workload");
    let window = window::live(&mut asked, time::now());
    let window = asked.finish(window)?;
    let mut report = report(sources.live.links(&window));
    report.retain(|found| workload.as_ref().is_none_or(|wanted| found.workload == *wanted));
    Ok(answer(&mesh::propagation(&window, &report)))
}

async fn ingest(State(sources): Shared, RawQuery(query): RawQuery) -> Answer {
    Asked::new(query.as_deref()).finish(Ok(()))?;
    Ok(answer(&ingest_now(&sources).await?))
}

async fn ingest_now(sources: &Sources) -> Result<IngestJson, Refused> {
    let size = sources.store.size().await?;
    let (fill, readers) = (sources.live.fill(), sources.tail.readers());
    Ok(mesh::ingest(sources.metrics.report(), &size, fill, readers))
}

/// The window of a question that asks for nothing else.
fn asked_window(query: Option<&str>, now: u64) -> Result<Range<u64>, Refused> {
    let mut asked = Asked::new(query);
    let window = window::live(&mut asked, now);
    asked.finish(window)
}

/// The trace of that id.
async fn one(store: &dyn Store, id: &str) -> Result<store::Trace, Refused> {
    let wanted = TraceId::from_hex(id.as_bytes()).ok_or_else(|| Refused::not_an_id(id))?;
    let found = store.traces(&[wanted]).await?;
    found
        .into_iter()
        .next()
        .ok_or_else(|| Refused::no_such_trace(wanted))
}
