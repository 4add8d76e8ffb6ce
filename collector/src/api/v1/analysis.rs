//! What traces say together: where the time goes, two groups side by side, features.

use serde::{Deserialize, Serialize};

use super::answer::Instant;
use super::search::{Search, kind_name};
use crate::analysis::compare::{Group, Part, Row};
use crate::analysis::features::Features;
use crate::analysis::spent::{Spent, TimeSpent};

#[derive(Serialize)]
pub(super) struct TimeJson<'a> {
    traces: u64,
    duration: u64,
    services: Vec<ShareJson<'a>>,
    operations: Vec<ShareJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShareJson<'a> {
    service: &'a str,
    operation: Option<&'a str>,
    spans: u64,
    errors: u64,
    self_time: u64,
    critical_time: u64,
    share: f64,
}

/// Where the time went.
pub(super) fn time(spent: &TimeSpent) -> TimeJson<'_> {
    let share = |service, operation, part: &Spent| ShareJson {
        service,
        operation,
        spans: part.spans,
        errors: part.errors,
        self_time: part.self_time,
        critical_time: part.critical_time,
        share: spent.share(part),
    };
    let services = spent.services();
    let operations = spent.operations();
    TimeJson {
        traces: spent.traces,
        duration: spent.duration,
        services: services
            .iter()
            .map(|(service, part)| share(service, None, part))
            .collect(),
        operations: operations
            .iter()
            .map(|(service, operation, part)| share(service, Some(operation), part))
            .collect(),
    }
}

/// What is to be compared.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sides {
    pub(super) a: Side,
    pub(super) b: Side,
}

/// One side of a comparison: these traces, or those that a search finds.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Side {
    pub(super) trace_ids: Option<Vec<String>>,
    pub(super) search: Option<Search>,
}

#[derive(Serialize)]
pub(super) struct ComparisonJson<'a> {
    a: TotalsJson,
    b: TotalsJson,
    operations: Vec<RowJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TotalsJson {
    traces: u64,
    spans: u64,
    errors: u64,
    duration: u64,
    spans_per_trace: f64,
}

#[derive(Serialize)]
struct RowJson<'a> {
    service: &'a str,
    operation: &'a str,
    kind: &'static str,
    a: PartJson,
    b: PartJson,
    verdict: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PartJson {
    spans: u64,
    spans_per_trace: f64,
    error_ratio: f64,
    duration: u64,
    self_time: u64,
    critical_time: u64,
}

/// Two groups side by side.
pub(super) fn comparison<'a>(a: &Group, b: &Group, rows: &[Row<'a>]) -> ComparisonJson<'a> {
    let rows = rows.iter().map(|row| {
        let (service, operation, kind) = row.operation;
        RowJson {
            service,
            operation,
            kind: kind_name(*kind),
            a: part(a, row.a),
            b: part(b, row.b),
            verdict: row.verdict.name(),
        }
    });
    ComparisonJson {
        operations: rows.collect(),
        a: totals(a),
        b: totals(b),
    }
}

fn totals(group: &Group) -> TotalsJson {
    TotalsJson {
        traces: group.traces,
        spans: group.spans,
        errors: group.errors,
        duration: group.duration(),
        spans_per_trace: group.per_trace(group.spans),
    }
}

fn part(group: &Group, part: Option<&Part>) -> PartJson {
    let none = Part::default();
    let part = part.unwrap_or(&none);
    PartJson {
        spans: part.spans,
        spans_per_trace: group.per_trace(part.spans),
        error_ratio: part.errors as f64 / part.spans.max(1) as f64,
        duration: part.duration(),
        self_time: group.per_trace(part.self_time()) as u64,
        critical_time: group.per_trace(part.critical_time()) as u64,
    }
}

#[derive(Serialize)]
pub(super) struct FeaturesJson<'a> {
    traces: Vec<RowOfFeatures<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RowOfFeatures<'a> {
    trace_id: String,
    start: Instant,
    duration: u64,
    spans: usize,
    errors: usize,
    services: usize,
    depth: usize,
    max_fan_out: usize,
    mean_fan_out: f64,
    gaps: usize,
    confidence: f64,
    span_counts: Vec<CountJson<'a>>,
}

#[derive(Serialize)]
struct CountJson<'a> {
    service: &'a str,
    operation: &'a str,
    spans: usize,
    errors: usize,
}

/// The features of some traces.
pub(super) fn features(rows: &[Features]) -> FeaturesJson<'_> {
    let rows = rows.iter().map(|row| RowOfFeatures {
        trace_id: row.trace_id.to_string(),
        start: Instant(row.start),
        duration: row.duration,
        spans: row.spans,
        errors: row.errors,
        services: row.services,
        depth: row.depth,
        max_fan_out: row.max_fan_out,
        mean_fan_out: row.mean_fan_out,
        gaps: row.gaps,
        confidence: row.confidence,
        span_counts: row
            .counts
            .iter()
            .map(|((service, operation), (spans, errors))| CountJson {
                service,
                operation,
                spans: *spans,
                errors: *errors,
            })
            .collect(),
    });
    FeaturesJson {
        traces: rows.collect(),
    }
}
