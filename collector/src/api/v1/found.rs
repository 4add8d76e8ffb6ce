//! A page of what a search found.

use serde::Serialize;

use super::answer::Instant;
use super::search::kind_name;
use crate::query::Summary;

#[derive(Serialize)]
pub(super) struct Page<'a> {
    traces: Vec<SummaryJson<'a>>,
    next: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SummaryJson<'a> {
    trace_id: String,
    start: Instant,
    duration: u64,
    root: RootJson<'a>,
    services: Vec<ServiceJson<'a>>,
    spans: usize,
    errors: usize,
    longest_match: u64,
    state: &'static str,
    gaps: usize,
    confidence: f64,
}

#[derive(Serialize)]
struct RootJson<'a> {
    service: &'a str,
    operation: &'a str,
    kind: &'static str,
}

#[derive(Serialize)]
struct ServiceJson<'a> {
    name: &'a str,
    spans: usize,
    errors: usize,
}

/// The page with these traces, at `now` (nanoseconds since the Unix epoch).
pub(super) fn page(found: &[Summary], next: Option<String>, now: u64) -> Page<'_> {
    Page {
        traces: found.iter().map(|summary| summary_json(summary, now)).collect(),
        next,
    }
}

fn summary_json(summary: &Summary, now: u64) -> SummaryJson<'_> {
    let services = summary.services.iter().map(|service| ServiceJson {
        name: &service.name,
        spans: service.spans,
        errors: service.errors,
    });
    SummaryJson {
        trace_id: summary.trace_id.to_string(),
        start: Instant(summary.start),
        duration: summary.duration,
        root: RootJson {
            service: &summary.root.service,
            operation: &summary.root.operation,
            kind: kind_name(summary.root.kind),
        },
        services: services.collect(),
        spans: summary.spans,
        errors: summary.errors,
        longest_match: summary.longest_match,
        state: summary.state(now).name(),
        gaps: summary.gaps,
        confidence: summary.confidence,
    }
}
