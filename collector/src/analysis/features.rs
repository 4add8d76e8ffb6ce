//! What a trace is in numbers, a row for each: how many spans of which service and operation, how deep, how wide, how
//! many failures.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use span::TraceId;

use super::reading::Reading;

/// The features of one trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    /// The trace.
    pub trace_id: TraceId,
    /// When it began, in nanoseconds since the Unix epoch.
    pub start: u64,
    /// Nanoseconds to the end of its last span.
    pub duration: u64,
    /// Its spans.
    pub spans: usize,
    /// How many of them failed.
    pub errors: usize,
    /// Its services.
    pub services: usize,
    /// Spans on the longest way from a root to a leaf.
    pub depth: usize,
    /// The most children of one span.
    pub max_fan_out: usize,
    /// Children per span that has any.
    pub mean_fan_out: f64,
    /// What is missing.
    pub gaps: usize,
    /// The product of the confidences of its links.
    pub confidence: f64,
    /// Spans, and those that failed, by service and operation.
    pub counts: BTreeMap<(String, String), (usize, usize)>,
}

/// The features of a trace that is read.
pub fn features(trace_id: TraceId, reading: &Reading<'_>) -> Features {
    let nodes = reading.tree.nodes();
    let services: BTreeSet<_> = nodes.iter().map(|node| node.span.service()).collect();
    let mut counts: BTreeMap<_, (usize, usize)> = BTreeMap::new();
    for node in nodes {
        let key = (node.span.service().to_owned(), node.span.name.clone());
        let (spans, errors) = counts.entry(key).or_default();
        *spans += 1;
        *errors += usize::from(node.span.is_error());
    }
    let widths: Vec<_> = nodes
        .iter()
        .map(|node| node.children.len())
        .filter(|width| *width > 0)
        .collect();
    let children: usize = widths.iter().sum();
    Features {
        trace_id,
        start: reading.start(),
        duration: reading.duration(),
        spans: nodes.len(),
        errors: nodes.iter().filter(|node| node.span.is_error()).count(),
        services: services.len(),
        depth: nodes.iter().map(|node| node.depth + 1).max().unwrap_or(0),
        max_fan_out: widths.iter().max().copied().unwrap_or(0),
        mean_fan_out: children as f64 / widths.len().max(1) as f64,
        gaps: reading.gaps.len(),
        confidence: reading.confidence,
        counts,
    }
}

/// The rows as CSV (RFC 4180): the features, and a column for every service and operation that any of the traces has,
/// named `spans: service operation`.
pub fn csv(rows: &[Features]) -> String {
    let operations: BTreeSet<_> = rows.iter().flat_map(|row| row.counts.keys()).collect();
    let mut text = String::from(
        "trace_id,start,duration,spans,errors,services,depth,max_fan_out,mean_fan_out,gaps,confidence",
    );
    for (service, operation) in &operations {
        text.push(',');
        text.push_str(&field(&format!("spans: {service} {operation}")));
    }
    text.push_str("\r\n");
    for row in rows {
        let numbers = [row.spans, row.errors, row.services, row.depth, row.max_fan_out];
        let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
        let line = format_args!(
            "{},{},{},{},{},{},{}",
            row.trace_id,
            row.start,
            row.duration,
            numbers.join(","),
            row.mean_fan_out,
            row.gaps,
            row.confidence,
        )
        .to_string();
        text.push_str(&line);
        for operation in &operations {
            let spans = row.counts.get(*operation).map_or(0, |(spans, _)| *spans);
            // writing to a String cannot fail
            write!(text, ",{spans}").unwrap_or_default();
        }
        text.push_str("\r\n");
    }
    text
}

/// A text as a field of CSV. What a spreadsheet would take for a formula is kept from being one by an apostrophe.
fn field(text: &str) -> String {
    let text = match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{text}"),
        false => text.to_owned(),
    };
    match text.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use otlp::model::{Kind, Status};

    use super::*;
    use crate::fixtures::*;

    fn row(trace: u64) -> Features {
        let failed = |span: &mut otlp::model::Span| span.status = Status::Error(String::new());
        let spans: Vec<_> = [
            span("edge", trace, 1),
            span("edge", trace, 2).with(child_of(1, Kind::Client)),
            span("edge", trace, 3).with(child_of(1, Kind::Client)),
            span("bank", trace, 4)
                .with(child_of(2, Kind::Server))
                .with(failed),
            span("bank", trace, 5)
                .with(child_of(3, Kind::Server))
                .with(|span| span.name = "operation 4".to_owned()),
        ]
        .into_iter()
        .map(Arc::new)
        .collect();
        features(trace_id(trace), &Reading::new(&spans))
    }

    #[test]
    fn a_trace_is_counted_by_service_and_operation() {
        let row = row(1);
        assert_eq!((row.spans, row.errors, row.services), (5, 1, 2));
        assert_eq!((row.depth, row.max_fan_out), (3, 2));
        assert!((row.mean_fan_out - 4.0 / 3.0).abs() < 1e-9);
        assert_eq!(row.counts[&("bank".to_owned(), "operation 4".to_owned())], (2, 1));
    }

    #[test]
    fn rows_are_csv_with_a_column_for_every_operation() {
        let odd = Features {
            counts: BTreeMap::from([(("edge".to_owned(), "GET /a,\"b\"".to_owned()), (7, 0))]),
            ..row(2)
        };
        let text = csv(&[row(1), odd]);
        let lines: Vec<_> = text.split_terminator("\r\n").collect();
        assert!(lines[0].ends_with(
            ",spans: bank operation 4,\"spans: edge GET /a,\"\"b\"\"\",spans: edge operation 1,spans: edge operation 2,spans: edge operation 3"
        ), "{}", lines[0]);
        assert!(lines[1].ends_with(",2,0,1,1,1"), "{}", lines[1]);
        assert!(lines[2].ends_with(",0,7,0,0,0"), "{}", lines[2]);
        assert_eq!(lines.len(), 3);
    }
}
