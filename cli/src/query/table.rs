//! The traces that a search found: a line each, or JSON.

use serde_json::json;

use super::model::Trace;
use super::text::{duration, plain, time};
use super::tree::tree;
use crate::style::{Look, Style};

const HEADINGS: [&str; 7] = [
    "START (UTC)",
    "DURATION",
    "SPANS",
    "ERRORS",
    "TRACE ID",
    "ROOT",
    "SERVICES",
];

/// A table with headings, or a sentence if there is nothing to show.
pub(super) fn table(traces: &[Trace], style: Style) -> String {
    if traces.is_empty() {
        return "no traces match; spans arrive within a few seconds of the request\n".to_owned();
    }
    let rows: Vec<[String; 7]> = traces.iter().map(row).collect();
    let mut widths = HEADINGS.map(|heading| heading.chars().count());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = style.paint(Look::Faint, line(&HEADINGS.map(str::to_owned), widths)) + "\n";
    for (row, trace) in rows.iter().zip(traces) {
        let line = line(row, widths);
        text += &if trace.errors() > 0 {
            style.paint(Look::Bad, line)
        } else {
            line
        };
        text.push('\n');
    }
    text
}

/// A list of objects with `traceID`, `start` and `duration` (microseconds), `spans`, `errors`, `root` and `services`.
pub(super) fn json(traces: &[Trace]) -> String {
    let list: Vec<_> = traces
        .iter()
        .map(|trace| {
            json!({
                "traceID": trace.id,
                "start": trace.start(),
                "duration": trace.duration(),
                "spans": trace.spans.len(),
                "errors": trace.errors(),
                "root": root(trace),
                "services": trace.services(),
            })
        })
        .collect();
    format!("{:#}\n", serde_json::Value::from(list))
}

fn row(trace: &Trace) -> [String; 7] {
    let services: Vec<_> = trace.services().into_iter().collect();
    [
        time(trace.start()),
        duration(trace.duration()),
        trace.spans.len().to_string(),
        trace.errors().to_string(),
        trace.id.clone(),
        plain(&root(trace)),
        plain(&services.join(", ")),
    ]
}

/// The service and name of the span that it all began with.
fn root(trace: &Trace) -> String {
    tree(trace)
        .first()
        .map(|node| format!("{} {}", node.span.service, node.span.name))
        .unwrap_or_default()
}

/// Numbers to the right, text to the left.
fn line(cells: &[String; 7], widths: [usize; 7]) -> String {
    let line: Vec<_> = cells
        .iter()
        .zip(widths)
        .enumerate()
        .map(|(column, (cell, width))| match column {
            1..=3 => format!("{cell:>width$}"),
            _ => format!("{cell:width$}"),
        })
        .collect();
    line.join("  ").trim_end().to_owned()
}
