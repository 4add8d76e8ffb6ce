//! Traces as files: export and import.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;

use super::answer::{Counted, Problem, Refused, answer};
use super::ask::Asked;
use super::{Answer, Shared, one};
use crate::analysis::reading::Reading;
use crate::api::jaeger;
use crate::files::import::Format as Imported;
use crate::files::{html, import, text};
use crate::metrics::Transport;
use crate::sources::Sources;
use crate::time;

/// Bytes of a file that is imported.
pub(super) const FILE_BYTES: usize = 64 << 20;
/// Traces that the answer to an import names.
const NAMED: usize = 100;

#[derive(Clone, Copy)]
enum Format {
    Otlp,
    Jaeger,
    Text,
    Html,
}

const FORMATS: [(&str, Format); 4] = [
    ("otlp", Format::Otlp),
    ("jaeger", Format::Jaeger),
    ("text", Format::Text),
    ("html", Format::Html),
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ImportJson {
    format: &'static str,
    stored: u64,
    repeated: u64,
    refused: Vec<Counted<'static>>,
    trace_ids: Vec<String>,
}

pub(super) async fn export(
    State(Sources { store, .. }): Shared,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let mut asked = Asked::new(query.as_deref());
    let format = asked.choice("format", &FORMATS).unwrap_or(Format::Otlp);
    asked.finish(Ok(()))?;
    let trace = one(&*store, &id).await?;
    let reading = || Reading::new(&trace.spans);
    let (kind, ending, body) = match format {
        Format::Otlp => {
            let json = otlp::json::traces([(trace.id, &trace.spans[..])]);
            ("application/json", "otlp.json", json.to_string())
        }
        Format::Jaeger => ("application/json", "jaeger.json", jaeger::document(&trace)),
        Format::Text => (
            "text/plain; charset=utf-8",
            "txt",
            text::log(trace.id, &reading()),
        ),
        Format::Html => (
            "text/html; charset=utf-8",
            "html",
            html::page(trace.id, &reading()),
        ),
    };
    let name = format!("attachment; filename=\"trace-{}.{ending}\"", trace.id);
    let head = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((head, body).into_response())
}

pub(super) async fn import(
    State(Sources { store, metrics, .. }): Shared,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let file = body.map_err(|error| {
        let problem = Problem::new(error.body_text()).at("body");
        Refused::new(
            error.status(),
            problem.allowed(format!("at most {} MiB", FILE_BYTES >> 20)),
        )
    })?;
    let read = tokio::task::spawn_blocking(move || import::read(&file)).await;
    let read =
        read.map_err(|error| Refused::new(StatusCode::SERVICE_UNAVAILABLE, Problem::new(error.to_string())))?;
    let (format, batch): (Imported, _) = read.map_err(|error| {
        let problem = Problem::new(error.to_string()).at("body");
        Refused::bad_request(vec![problem.allowed("OTLP JSON, or what Jaeger UI downloads")])
    })?;
    metrics.received(Transport::File, batch.spans.len() as u64, &batch.refused);
    let mut ids: Vec<_> = batch.spans.iter().map(|span| span.trace_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let appended = store.append(batch.spans, time::now()).await?;
    metrics.appended(&appended);
    let refused = batch.refused.iter().map(|(reason, count)| Counted {
        name: reason.as_str(),
        count,
    });
    Ok(answer(&ImportJson {
        format: format.name(),
        stored: appended.stored,
        repeated: appended.repeated,
        refused: refused.collect(),
        trace_ids: ids.iter().take(NAMED).map(ToString::to_string).collect(),
    }))
}
