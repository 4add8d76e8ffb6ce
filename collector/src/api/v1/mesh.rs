//! Workloads, how their calls got their parents, and how ingest is doing.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::Serialize;

use super::answer::{Counted, Instant};
use super::window::{self, WindowJson};
use crate::analysis::link::LinkKind;
use crate::live::{Fill, Links, SERIES, Workload};
use crate::metrics::Report;
use crate::propagation::{Propagation, Verdict, details, mean_confidence};
use crate::store::Size;

#[derive(Serialize)]
pub(super) struct LinkCounts {
    propagated: u64,
    exact: u64,
    inferred: u64,
    unknown: u64,
}

impl From<&Links> for LinkCounts {
    fn from(links: &Links) -> Self {
        Self {
            propagated: links.of(LinkKind::Propagated),
            exact: links.of(LinkKind::Exact),
            inferred: links.of(LinkKind::Inferred),
            unknown: links.of(LinkKind::Unknown),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LinksJson {
    calls: u64,
    counts: LinkCounts,
    dialects: Vec<Named>,
    methods: Vec<Named>,
    reasons: Vec<Named>,
    mean_confidence: Option<f64>,
}

#[derive(Serialize)]
struct Named {
    name: String,
    count: u64,
}

#[derive(Serialize)]
pub(super) struct PropagationsJson<'a> {
    window: WindowJson,
    workloads: Vec<PropagationJson<'a>>,
}

#[derive(Serialize)]
struct PropagationJson<'a> {
    workload: &'a str,
    links: LinksJson,
    verdict: &'static str,
    text: String,
    fix: Option<&'static str>,
    edges: Vec<EdgeJson<'a>>,
}

#[derive(Serialize)]
struct EdgeJson<'a> {
    to: &'a str,
    links: LinksJson,
}

#[derive(Serialize)]
pub(super) struct MeshJson<'a> {
    window: WindowJson,
    workloads: Vec<WorkloadJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WorkloadJson<'a> {
    name: &'a str,
    instances: Vec<InstanceJson<'a>>,
    versions: BTreeSet<&'a str>,
    spans: u64,
    spans_per_second: f64,
    last_seen: Instant,
    losses: Option<Vec<Counted<'a>>>,
    links: LinkCounts,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InstanceJson<'a> {
    name: &'a str,
    version: Option<&'a str>,
    last_seen: Instant,
}

#[derive(Serialize)]
struct Finding {
    severity: &'static str,
    text: String,
    fix: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IngestJson {
    received: Vec<Counted<'static>>,
    refused: Vec<Counted<'static>>,
    failed_requests: Vec<Counted<'static>>,
    stored: u64,
    repeated: u64,
    dropped: Vec<Counted<'static>>,
    store: StoreJson,
    aggregates: AggregatesJson,
    tail: TailJson,
}

#[derive(Serialize)]
struct StoreJson {
    traces: u64,
    spans: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct AggregatesJson {
    series: usize,
    limit: usize,
    other: u64,
}

#[derive(Serialize)]
struct TailJson {
    readers: usize,
}

/// How ingest is doing.
pub(super) fn ingest(report: Report, size: &Size, fill: Fill, readers: usize) -> IngestJson {
    let counted = |counts: Vec<(&'static str, u64)>| {
        let counts = counts.into_iter().map(|(name, count)| Counted { name, count });
        counts.collect()
    };
    IngestJson {
        received: counted(report.received),
        refused: counted(report.refused),
        failed_requests: counted(report.failed),
        stored: report.stored,
        repeated: report.repeated,
        dropped: counted(report.dropped),
        store: StoreJson {
            traces: size.traces,
            spans: size.spans,
            bytes: size.bytes,
        },
        aggregates: AggregatesJson {
            series: fill.series,
            limit: SERIES,
            other: fill.other,
        },
        tail: TailJson { readers },
    }
}

/// The propagation report.
pub(super) fn propagation<'a>(window: &Range<u64>, report: &'a [Propagation]) -> PropagationsJson<'a> {
    let workloads = report.iter().map(|workload| PropagationJson {
        workload: &workload.workload,
        links: links(&workload.links),
        verdict: workload.verdict.name(),
        text: workload.text(),
        fix: workload.fix(),
        edges: workload
            .edges
            .iter()
            .map(|(to, of_edge)| EdgeJson {
                to,
                links: links(of_edge),
            })
            .collect(),
    });
    PropagationsJson {
        window: window::json(window),
        workloads: workloads.collect(),
    }
}

fn links(links: &Links) -> LinksJson {
    let named = |kinds: &[LinkKind]| {
        let details = details(links, kinds).into_iter();
        details
            .map(|(name, count)| Named {
                name: name.to_string(),
                count,
            })
            .collect()
    };
    LinksJson {
        calls: links.calls(),
        counts: LinkCounts::from(links),
        dialects: named(&[LinkKind::Propagated]),
        methods: named(&[LinkKind::Exact, LinkKind::Inferred]),
        reasons: named(&[LinkKind::Unknown]),
        mean_confidence: mean_confidence(links),
    }
}

/// Every workload, with what is to be done about it.
pub(super) fn mesh<'a>(
    window: &Range<u64>,
    workloads: &'a [Workload],
    report: &[Propagation],
) -> MeshJson<'a> {
    let seconds = window::seconds(window);
    let shown = workloads.iter().map(|workload| {
        let propagation = report.iter().find(|found| *found.workload == *workload.name);
        let links = propagation.map(|found| found.links.clone()).unwrap_or_default();
        let versions = workload
            .instances
            .iter()
            .filter_map(|instance| instance.version.as_deref());
        WorkloadJson {
            name: &workload.name,
            instances: workload
                .instances
                .iter()
                .map(|instance| InstanceJson {
                    name: &instance.name,
                    version: instance.version.as_deref(),
                    last_seen: Instant(instance.last),
                })
                .collect(),
            versions: versions.collect(),
            spans: workload.spans,
            spans_per_second: workload.spans as f64 / seconds,
            last_seen: Instant(workload.last),
            losses: None,
            links: LinkCounts::from(&links),
            findings: findings(workload, propagation),
        }
    });
    MeshJson {
        window: window::json(window),
        workloads: shown.collect(),
    }
}

fn findings(workload: &Workload, propagation: Option<&Propagation>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(found) = propagation {
        findings.push(Finding {
            severity: match found.verdict {
                Verdict::Partly => "warning",
                Verdict::Joined | Verdict::Background | Verdict::Silent => "info",
                Verdict::Forwards => "good",
            },
            text: found.text(),
            fix: found.fix(),
        });
    }
    let versions: BTreeSet<_> = workload
        .instances
        .iter()
        .filter_map(|instance| instance.version.as_deref())
        .collect();
    if versions.len() > 1 {
        let versions: Vec<_> = versions.into_iter().collect();
        findings.push(Finding {
            severity: "info",
            text: format!("its sidecars have different versions: {}", versions.join(", ")),
            fix: Some("restart the workload, so that all of its pods get the latest sidecar"),
        });
    }
    findings
}
