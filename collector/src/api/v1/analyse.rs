//! Answering what traces say together. Reading many traces takes a while, and is done where that holds nobody up.

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use span::TraceId;

use super::analysis::{self, Side, Sides};
use super::answer::{Problem, Refused, answer};
use super::ask::Asked;
use super::search::Search;
use super::{Answer, Shared};
use crate::analysis::compare::{Group, compare};
use crate::analysis::features::{csv, features};
use crate::analysis::reading::Reading;
use crate::analysis::spent::TimeSpent;
use crate::files::parquet;
use crate::sources::Sources;
use crate::store::{Store, Trace};
use crate::time;

/// Traces that are looked at where the search does not say how many, and at most.
const TRACES: (u64, usize) = (100, 1000);

#[derive(Clone, Copy)]
enum Table {
    Json,
    Csv,
    Parquet,
}

const TABLES: [(&str, Table); 3] = [
    ("json", Table::Json),
    ("csv", Table::Csv),
    ("parquet", Table::Parquet),
];

pub(super) async fn time(State(Sources { store, .. }): Shared, body: Bytes) -> Answer {
    let traces = found(&*store, &Search::from_body(&body)?).await?;
    aside(move || {
        let mut spent = TimeSpent::default();
        for trace in &traces {
            spent.add(&Reading::new(&trace.spans));
        }
        answer(&analysis::time(&spent))
    })
    .await
}

pub(super) async fn comparison(State(Sources { store, .. }): Shared, body: Bytes) -> Answer {
    let sides: Sides = serde_json::from_slice(&body).map_err(|error| {
        let problem = Problem::new(format!("this is not a comparison: {error}")).at("body");
        Refused::bad_request(vec![
            problem.allowed("{\"a\": ..., \"b\": ...}, each with traceIds or a search"),
        ])
    })?;
    let a = side(&*store, "a", &sides.a).await?;
    let b = side(&*store, "b", &sides.b).await?;
    aside(move || {
        let (a, b) = (group(&a), group(&b));
        answer(&analysis::comparison(&a, &b, &compare(&a, &b)))
    })
    .await
}

pub(super) async fn features_of(
    State(Sources { store, .. }): Shared,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Answer {
    let mut asked = Asked::new(query.as_deref());
    let format = asked.choice("format", &TABLES);
    let search = asked.finish(Search::from_body(&body))?;
    let traces = found(&*store, &search).await?;
    aside(move || {
        let rows: Vec<_> = traces
            .iter()
            .map(|trace| features(trace.id, &Reading::new(&trace.spans)))
            .collect();
        match format.unwrap_or(Table::Json) {
            Table::Json => answer(&analysis::features(&rows)),
            Table::Csv => file("csv", "text/csv; charset=utf-8", csv(&rows)),
            Table::Parquet => match parquet::features(&rows) {
                Ok(table) => file("parquet", "application/vnd.apache.parquet", table),
                Err(error) => {
                    Refused::new(StatusCode::INTERNAL_SERVER_ERROR, Problem::new(error.to_string()))
                        .into_response()
                }
            },
        }
    })
    .await
}

fn file(ending: &str, media_type: &'static str, body: impl Into<Body>) -> Response {
    let name = format!("attachment; filename=\"meshtrace-features.{ending}\"");
    let head = [
        (header::CONTENT_TYPE, media_type.to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    (head, body.into()).into_response()
}

async fn aside(work: impl FnOnce() -> Response + Send + 'static) -> Answer {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Refused::new(StatusCode::SERVICE_UNAVAILABLE, Problem::new(error.to_string())))
}

fn group(traces: &[Trace]) -> Group {
    let mut group = Group::default();
    for trace in traces {
        group.add(&Reading::new(&trace.spans));
    }
    group
}

/// The traces that a search finds, whole.
async fn found(store: &dyn Store, search: &Search) -> Result<Vec<Trace>, Refused> {
    let query = search.all_at_once(TRACES.0).query(time::now())?;
    let found = store.search(&query).await?;
    let ids: Vec<_> = found.iter().map(|summary| summary.trace_id).collect();
    Ok(store.traces(&ids).await?)
}

async fn side(store: &dyn Store, name: &str, side: &Side) -> Result<Vec<Trace>, Refused> {
    let refuse = |place: &str, message: &str, allowed: &str| {
        let place = format!("{name}{place}");
        Err(Refused::bad_request(vec![
            Problem::new(message).at(place).allowed(allowed),
        ]))
    };
    let ids = match (&side.trace_ids, &side.search) {
        (None, Some(search)) => return found(store, search).await.map_err(|refused| refused.within(name)),
        (Some(ids), None) => ids,
        _ => return refuse("", "it takes one of the two", "traceIds or search"),
    };
    if ids.is_empty() || ids.len() > TRACES.1 {
        return refuse(".traceIds", "there are none, or too many", "1 to 1000 trace ids");
    }
    let read: Option<Vec<_>> = ids.iter().map(|id| TraceId::from_hex(id.as_bytes())).collect();
    let Some(read) = read else {
        return refuse(
            ".traceIds",
            "one of them is not a trace id",
            "32 hexadecimal digits, not all zero",
        );
    };
    let traces = store.traces(&read).await?;
    if traces.is_empty() {
        let problem = Problem::new("none of these traces is here").at(format!("{name}.traceIds"));
        return Err(Refused::new(StatusCode::NOT_FOUND, problem));
    }
    Ok(traces)
}
