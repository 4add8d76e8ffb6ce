//! Workloads, how their calls got their parents, and how ingest is doing.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

use super::answer::{Counted, Instant};
use super::window::{self, WindowJson};
use crate::analysis::link::LinkKind;
use crate::live::{Fill, Latency, Links, SERIES, Sidecar, Told, Workload};
use crate::metrics::Report;
use crate::propagation::{Propagation, Verdict, details, mean_confidence};
use crate::store::Size;

/// Why sidecars lose spans, how bad that is, and what would help.
const LOSSES: [(&str, &str, &str, &str); 4] = [
    (
        "queue_full",
        "warning",
        "the collector was away or too slow, and the sidecar's queue was full",
        "see whether the collector is up and keeps pace (`meshtrace check`); `export.queue_bytes` holds longer bursts",
    ),
    (
        "unreachable",
        "warning",
        "the collector could not be reached for as long as a batch is tried",
        "see whether the collector is up and a network policy lets the pod reach port 4317 (`meshtrace check`)",
    ),
    (
        "refused",
        "warning",
        "the collector refused them",
        "see `refused` at /api/meshtrace/v1/ingest, and the collector's log",
    ),
    (
        "stopped",
        "info",
        "sidecars had to stop before the collector had taken them",
        "give the pods a longer terminationGracePeriodSeconds",
    ),
];
/// Heads from which on their time in the sidecar is worth a word,
const SLOW_REQUESTS: u64 = 100;
/// and how many nanoseconds are too many for one of a hundred.
const SLOW: u64 = 1_000_000;

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
    sidecars: Option<SidecarsJson<'a>>,
    links: LinkCounts,
    findings: Vec<Finding>,
}

/// What a workload's sidecars told of themselves.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SidecarsJson<'a> {
    reporting: usize,
    exported: u64,
    unrecorded: Vec<Counted<'a>>,
    added_latency: LatencyJson,
    cpu: f64,
    memory: u64,
}

#[derive(Serialize)]
struct LatencyJson {
    requests: u64,
    mean: Option<u64>,
    p50: Option<u64>,
    p99: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InstanceJson<'a> {
    name: &'a str,
    version: Option<&'a str>,
    last_seen: Instant,
    sidecar: Option<SidecarJson<'a>>,
}

/// What one sidecar told last, of itself since it began.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SidecarJson<'a> {
    since: Instant,
    reported: Instant,
    exported: u64,
    losses: Vec<Counted<'a>>,
    added_latency: LatencyJson,
    cpu: Option<f64>,
    memory: u64,
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
                    sidecar: instance.sidecar.as_ref().map(sidecar),
                })
                .collect(),
            versions: versions.collect(),
            spans: workload.spans,
            spans_per_second: workload.spans as f64 / seconds,
            last_seen: Instant(workload.last),
            losses: workload.told.as_ref().map(|told| by_reason(&told.lost)),
            sidecars: workload.told.as_ref().map(|told| sidecars(workload, told)),
            links: LinkCounts::from(&links),
            findings: findings(workload, propagation),
        }
    });
    MeshJson {
        window: window::json(window),
        workloads: shown.collect(),
    }
}

fn sidecar(sidecar: &Sidecar) -> SidecarJson<'_> {
    SidecarJson {
        since: Instant(sidecar.since),
        reported: Instant(sidecar.at),
        exported: sidecar.told.exported,
        losses: by_reason(&sidecar.told.lost),
        added_latency: latency(&sidecar.told.latency),
        cpu: sidecar.cpu,
        memory: sidecar.memory,
    }
}

/// Of those that still say what they cost: a pod that is gone costs nothing.
fn sidecars<'a>(workload: &Workload, told: &'a Told) -> SidecarsJson<'a> {
    let here: Vec<_> = workload.reporting().collect();
    SidecarsJson {
        reporting: here.len(),
        exported: told.exported,
        unrecorded: by_reason(&told.unrecorded),
        added_latency: latency(&told.latency),
        cpu: here.iter().filter_map(|sidecar| sidecar.cpu).sum(),
        memory: here
            .iter()
            .fold(0, |sum, sidecar| sum.saturating_add(sidecar.memory)),
    }
}

fn latency(latency: &Latency) -> LatencyJson {
    LatencyJson {
        requests: latency.count(),
        mean: latency.mean(),
        p50: latency.within(0.5),
        p99: latency.within(0.99),
    }
}

/// Those that occurred, the most frequent first.
fn by_reason(counts: &BTreeMap<Arc<str>, u64>) -> Vec<Counted<'_>> {
    let mut counts: Vec<_> = counts
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(name, count)| Counted { name, count: *count })
        .collect();
    counts.sort_by_key(|counted| Reverse(counted.count));
    counts
}

/// What a workload's sidecars tell of themselves, and what is to be done about it.
fn told_findings(told: &Told) -> Vec<Finding> {
    let count = |counts: &BTreeMap<Arc<str>, u64>, reason| counts.get(reason).copied().unwrap_or(0);
    let finding = |severity, text, fix| Finding {
        severity,
        text,
        fix: Some(fix),
    };
    let mut findings = Vec::new();
    for (reason, severity, why, fix) in LOSSES {
        let lost = count(&told.lost, reason);
        if lost > 0 {
            findings.push(finding(severity, format!("{lost} spans are lost: {why}"), fix));
        }
    }
    let followed = count(&told.unrecorded, "too_many_open");
    if followed > 0 {
        let text = format!("{followed} requests have no span: too many were open on one connection");
        findings.push(finding(
            "info",
            text,
            "nothing has to be done unless it goes on: see `too_many_open` in docs/guides/sidecar.md",
        ));
    }
    let (requests, slow) = (told.latency.count(), told.latency.within(0.99));
    if requests >= SLOW_REQUESTS && slow.is_none_or(|slow| slow > SLOW) {
        let text = "one request head in a hundred is longer than a millisecond in the sidecar".to_owned();
        findings.push(finding(
            "warning",
            text,
            "its node has no processor to spare: raise the sidecar's CPU request by meshtrace.io/cpu, or move the pod",
        ));
    }
    findings
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
    findings.extend(workload.told.iter().flat_map(told_findings));
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
