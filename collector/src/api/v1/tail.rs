//! Spans as they arrive, by server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use otlp::model::{Span, Status};
use serde::Serialize;

use super::answer::Instant;
use super::search::kind_name;
use super::trace::LinkJson;
use crate::analysis::link::link;
use crate::query::{Outcome, Query};
use crate::tail::{News, Reader};

/// How often a connection on which nothing happens is kept alive.
const ALIVE: Duration = Duration::from_secs(15);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TailSpan<'a> {
    trace_id: String,
    span_id: String,
    parent_id: Option<String>,
    service: &'a str,
    operation: &'a str,
    kind: &'static str,
    start: Instant,
    duration: u64,
    status: &'static str,
    message: &'a str,
    link: Option<LinkJson<'a>>,
}

#[derive(Serialize)]
struct Lost {
    spans: u64,
}

/// The stream of what a reader gets, as far as it matches. `roots` wants only spans that begin a trace.
pub(super) fn stream(reader: Reader, query: Query, roots: bool) -> Response {
    let events = stream::unfold((reader, query), move |(mut reader, query)| async move {
        loop {
            let event = match reader.next().await? {
                News::Span(span) if roots && span.parent_id.is_some() || !query.matches(&span) => continue,
                News::Span(span) => Event::default().event("span").data(text(&shown(&span))),
                News::Lost(spans) => Event::default().event("lost").data(text(&Lost { spans })),
            };
            return Some((Ok::<_, Infallible>(event), (reader, query)));
        }
    });
    let keep_alive = KeepAlive::new().interval(ALIVE);
    Sse::new(events).keep_alive(keep_alive).into_response()
}

fn text<T: Serialize>(data: &T) -> String {
    serde_json::to_string(data).unwrap_or_default()
}

fn shown(span: &Span) -> TailSpan<'_> {
    TailSpan {
        trace_id: span.trace_id.to_string(),
        span_id: span.span_id.to_string(),
        parent_id: span.parent_id.map(|parent| parent.to_string()),
        service: span.service(),
        operation: &span.name,
        kind: kind_name(span.kind),
        start: Instant(span.start),
        duration: span.duration(),
        status: Outcome::of(&span.status).name(),
        message: match &span.status {
            Status::Error(message) => message,
            Status::Unset | Status::Ok => "",
        },
        link: link(span).map(LinkJson::from),
    }
}
