//! What happens now, as tables: services, operations, who calls whom, how calls got their parents.

use super::ours::{
    AddedLatency, Finding, Graph, Links, Mesh, Named, Operations, Report, Services, Stats, Traced,
};
use super::text::{duration, plain};
use crate::style::{Look, Style};

/// Columns of a table, and which of them are numbers.
struct Table<'a> {
    headings: &'a [&'a str],
    numbers: std::ops::Range<usize>,
    /// Each with whether something in it is wrong.
    rows: Vec<(Vec<String>, bool)>,
}

impl Table<'_> {
    fn text(&self, style: Style) -> String {
        let mut widths: Vec<_> = self
            .headings
            .iter()
            .map(|heading| heading.chars().count())
            .collect();
        for (row, _) in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let line = |cells: &[String]| {
            let cells = cells.iter().zip(&widths).enumerate();
            let cells: Vec<_> = cells
                .map(|(column, (cell, width))| match self.numbers.contains(&column) {
                    true => format!("{cell:>width$}"),
                    false => format!("{cell:width$}"),
                })
                .collect();
            cells.join("  ").trim_end().to_owned()
        };
        let headings: Vec<_> = self
            .headings
            .iter()
            .map(|heading| (*heading).to_owned())
            .collect();
        let mut text = style.paint(Look::Faint, line(&headings)) + "\n";
        for (row, wrong) in &self.rows {
            text += &match wrong {
                true => style.paint(Look::Bad, line(row)),
                false => line(row),
            };
            text.push('\n');
        }
        text
    }
}

/// Rate, errors, median, 95th and 99th percentile.
fn stats(stats: &Stats) -> [String; 5] {
    let took = |nanos: Option<u64>| nanos.map_or_else(|| "-".to_owned(), |nanos| duration(nanos / 1000));
    [
        format!("{:.2}/s", stats.rate),
        format!("{:.1} %", stats.error_ratio * 100.0),
        took(stats.p50),
        took(stats.p95),
        took(stats.p99),
    ]
}

const NOTHING: &str = "nothing was counted in this time; spans are counted as they arrive\n";

pub(super) fn services(found: &Services, style: Style) -> String {
    if found.services.is_empty() {
        return NOTHING.to_owned();
    }
    let rows = found.services.iter().map(|service| {
        let cells = [plain(&service.name)].into_iter().chain(stats(&service.stats));
        (cells.collect(), service.stats.errors > 0)
    });
    let table = Table {
        headings: &["SERVICE", "RATE", "ERRORS", "P50", "P95", "P99"],
        numbers: 1..6,
        rows: rows.collect(),
    };
    table.text(style)
}

pub(super) fn operations(found: &Operations, style: Style) -> String {
    if found.operations.is_empty() {
        return NOTHING.to_owned();
    }
    let rows = found.operations.iter().map(|operation| {
        let numbers = stats(&operation.stats);
        let names = [&operation.service, &operation.kind, &operation.name].map(|name| plain(name));
        (
            numbers.into_iter().chain(names).collect(),
            operation.stats.errors > 0,
        )
    });
    let table = Table {
        headings: &[
            "RATE",
            "ERRORS",
            "P50",
            "P95",
            "P99",
            "SERVICE",
            "KIND",
            "OPERATION",
        ],
        numbers: 0..5,
        rows: rows.collect(),
    };
    table.text(style)
}

pub(super) fn graph(found: &Graph, style: Style) -> String {
    if found.edges.is_empty() {
        return NOTHING.to_owned();
    }
    let name = |id: &str| match found.nodes.iter().find(|node| node.id == id) {
        Some(node) if node.kind == "service" => plain(&node.name),
        Some(node) => format!("{} ({})", plain(&node.name), plain(&node.kind)),
        None => plain(id),
    };
    let rows = found.edges.iter().map(|edge| {
        let none = || ["-"; 5].map(str::to_owned);
        let numbers = edge.stats.as_ref().map_or_else(none, stats);
        let ends = [name(&edge.from), name(&edge.to), edge.calls.to_string()];
        let wrong = edge.stats.as_ref().is_some_and(|stats| stats.errors > 0);
        (ends.into_iter().chain(numbers).collect(), wrong)
    });
    let table = Table {
        headings: &["FROM", "TO", "CALLS", "RATE", "ERRORS", "P50", "P95", "P99"],
        numbers: 2..8,
        rows: rows.collect(),
    };
    table.text(style)
}

/// A line for each workload, and below it what is to be done about it.
pub(super) fn mesh(found: &Mesh, style: Style) -> String {
    if found.workloads.is_empty() {
        return "no workload has sent spans in this time\n".to_owned();
    }
    let none = || "-".to_owned();
    let rows = found.workloads.iter().map(|workload| {
        let sidecars = workload.sidecars.as_ref();
        let cells = [
            plain(&workload.name),
            workload.instances.len().to_string(),
            sidecars.map_or_else(none, |sidecars| latency(&sidecars.added_latency)),
            sidecars.map_or_else(none, |sidecars| format!("{:.1} %", sidecars.cpu * 100.0)),
            sidecars.map_or_else(none, |sidecars| {
                format!("{:.1} MiB", sidecars.memory as f64 / f64::from(1 << 20))
            }),
            format!("{:.2}/s", workload.spans_per_second),
            workload.losses.as_deref().map_or_else(none, losses),
            shares(workload),
            plain(&workload.versions.join(", ")),
        ];
        (cells.into(), warnings(workload).next().is_some())
    });
    let table = Table {
        headings: &[
            "WORKLOAD",
            "PODS",
            "ADDED 99 %",
            "CPU",
            "MEMORY",
            "SPANS",
            "LOST",
            "LINKS",
            "SIDECAR",
        ],
        numbers: 1..6,
        rows: rows.collect(),
    };
    let mut text = table.text(style);
    for workload in &found.workloads {
        for warning in warnings(workload) {
            let name = style.paint(Look::Bad, plain(&workload.name));
            text += &format!("\n{name}: {}\n", plain(&warning.text));
            if let Some(fix) = &warning.fix {
                text += &format!("  fix: {}\n", plain(fix));
            }
        }
    }
    text
}

fn warnings(workload: &Traced) -> impl Iterator<Item = &Finding> {
    let findings = workload.findings.iter();
    findings.filter(|finding| finding.severity == "warning")
}

fn latency(added: &AddedLatency) -> String {
    match added.p99 {
        _ if added.requests == 0 => "-".to_owned(),
        Some(nanos) => format!("≤ {}", duration(nanos / 1000)),
        None => "> 50 ms".to_owned(),
    }
}

fn losses(losses: &[Named]) -> String {
    let lost: Vec<_> = losses
        .iter()
        .map(|named| format!("{} {}", named.count, plain(&named.name)))
        .collect();
    match lost.is_empty() {
        true => "none".to_owned(),
        false => lost.join(", "),
    }
}

/// What part of a workload's calls got their parents in which way.
fn shares(workload: &Traced) -> String {
    let links = &workload.links;
    let parts = [
        (links.propagated, "propagated"),
        (links.exact, "exact"),
        (links.inferred, "inferred"),
        (links.unknown, "unknown"),
    ];
    let all: u64 = parts.iter().map(|(count, _)| count).sum();
    let shares: Vec<_> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, kind)| format!("{:.0} % {kind}", *count as f64 * 100.0 / all as f64))
        .collect();
    match shares.is_empty() {
        true => "-".to_owned(),
        false => shares.join(", "),
    }
}

/// How each workload's calls got their parents, and what would make it better.
pub(super) fn propagation(report: &Report, style: Style) -> String {
    if report.workloads.is_empty() {
        return "no outbound calls were counted in this time\n".to_owned();
    }
    let mut text = String::new();
    for workload in &report.workloads {
        let look = match workload.verdict.as_str() {
            "partly" => Look::Bad,
            "forwards" => Look::Good,
            _ => Look::Strong,
        };
        text += &format!("{}\n", style.paint(look, plain(&workload.workload)));
        text += &format!("  {}\n", plain(&workload.text));
        for callee in &workload.edges {
            text += &format!("  → {}: {}\n", plain(&callee.to), links(&callee.links));
        }
        if let Some(fix) = &workload.fix {
            text += &format!("  fix: {}\n", plain(fix));
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

fn links(links: &Links) -> String {
    let said = |names: &[Named]| {
        let names: Vec<_> = names
            .iter()
            .map(|named| format!("{} {}", plain(&named.name), named.count))
            .collect();
        match names.is_empty() {
            true => String::new(),
            false => format!(" ({})", names.join(", ")),
        }
    };
    let confidence = links.mean_confidence.map(|mean| format!(" at {mean:.3}"));
    let counts = &links.counts;
    let parts = [
        (counts.propagated, format!("propagated{}", said(&links.dialects))),
        (counts.exact, "exact".to_owned()),
        (
            counts.inferred,
            format!("inferred{}", confidence.unwrap_or_default()),
        ),
        (counts.unknown, format!("unknown{}", said(&links.reasons))),
    ];
    let parts: Vec<_> = parts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    format!(
        "{} calls: {}{}",
        links.calls,
        parts.join(", "),
        said(&links.methods)
    )
}
