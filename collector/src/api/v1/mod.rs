//! Our own API, as `openapi.yaml` describes it. `tests/api.rs` holds the two together.

mod analyse;
mod analysis;
mod answer;
mod ask;
mod cursor;
mod files;
mod found;
mod live;
mod mesh;
mod now;
mod search;
mod tail;
mod trace;
mod window;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use span::TraceId;

use self::answer::{Refused, answer};
use self::ask::Asked;
use self::search::Search;
use crate::analysis::link;
use crate::analysis::reading::Reading;
use crate::query::Query;
use crate::sources::Sources;
use crate::store::{self, Store};
use crate::time;

type Answer = Result<Response, Refused>;
type Shared = State<Sources>;

/// The document that says what is answered here.
const DOCUMENT: &str = include_str!("../../../openapi.yaml");

pub(super) fn router(sources: Sources) -> Router {
    Router::new()
        .route("/openapi.yaml", get(document))
        .route("/overview", get(now::overview))
        .route("/services", get(now::services))
        .route("/operations", get(now::operations))
        .route("/graph", get(now::graph))
        .route("/tail", get(now::tail))
        .route("/mesh", get(now::mesh))
        .route("/propagation", get(now::propagation))
        .route("/ingest", get(now::ingest))
        .route("/traces", get(search_by_parameters).post(search))
        .route("/traces/{id}", get(trace))
        .route("/traces/{id}/export", get(files::export))
        .route(
            "/import",
            post(files::import).layer(DefaultBodyLimit::max(files::FILE_BYTES)),
        )
        .route("/analysis/time", post(analyse::time))
        .route("/analysis/compare", post(analyse::comparison))
        .route("/analysis/features", post(analyse::features_of))
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

async fn trace(
    State(Sources { store, .. }): Shared,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let mut asked = Asked::new(query.as_deref());
    let all = asked
        .choice("links", &[("all", true), ("exact", false)])
        .unwrap_or(true);
    asked.finish(Ok(()))?;
    let mut trace = one(&*store, &id).await?;
    if !all {
        link::cut_inferred(&mut trace.spans);
    }
    let reading = Reading::new(&trace.spans);
    Ok(answer(&trace::whole(trace.id, &reading, time::now())))
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
