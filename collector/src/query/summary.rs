use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use otlp::model::{Kind, Span};
use span::TraceId;

use super::order::{Order, Place};
use crate::analysis::gaps::gaps;
use crate::analysis::link;
use crate::analysis::tree::Tree;

/// How long after its last span a trace may still be waiting for others, in nanoseconds. Sidecars send spans about a
/// second after their ends, and again for a while if the collector was away.
const SETTLED: u64 = 30 * 1_000_000_000;

/// What a search says of a trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The trace.
    pub trace_id: TraceId,
    /// When its first span began, in nanoseconds since the Unix epoch.
    pub start: u64,
    /// Nanoseconds from there to the end of its last span.
    pub duration: u64,
    /// The longest of the spans that match, in nanoseconds.
    pub longest_match: u64,
    /// The span that it all began with, as far as it is there.
    pub root: Root,
    /// Whose spans they are, the most first.
    pub services: Vec<ServiceCount>,
    /// How many spans it has.
    pub spans: usize,
    /// How many of them failed.
    pub errors: usize,
    /// How many gaps it has; see [`crate::analysis::gaps`].
    pub gaps: usize,
    /// How many of them may still close.
    pub closing: usize,
    /// The product of the confidences of its links.
    pub confidence: f64,
}

/// The span that a trace began with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// Its service.
    pub service: String,
    /// Its name.
    pub operation: String,
    /// Its kind.
    pub kind: Kind,
}

/// A service's part in a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceCount {
    /// Its name.
    pub name: String,
    /// Its spans.
    pub spans: usize,
    /// How many of them failed.
    pub errors: usize,
}

/// Whether a trace is all there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing is missing.
    Complete,
    /// Something is missing that may still come.
    Open,
    /// Something is missing.
    Gaps,
}

impl State {
    /// The state at `now` of a trace whose last span ended at `last` (nanoseconds since the Unix epoch), with so many
    /// gaps, of which so many may still close.
    pub fn of(gaps: usize, closing: usize, last: u64, now: u64) -> Self {
        if gaps == 0 {
            Self::Complete
        } else if closing > 0 && now < last.saturating_add(SETTLED) {
            Self::Open
        } else {
            Self::Gaps
        }
    }

    /// As JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Open => "open",
            Self::Gaps => "gaps",
        }
    }
}

impl Summary {
    pub(super) fn new(trace_id: TraceId, spans: &[Arc<Span>], longest_match: u64) -> Option<Self> {
        let (start, duration) = extent(spans)?;
        let tree = Tree::new(spans);
        let root = tree.root()?.span;
        let gaps = gaps(&tree);
        Some(Self {
            trace_id,
            start,
            duration,
            longest_match,
            root: Root {
                service: root.service().to_owned(),
                operation: root.name.clone(),
                kind: root.kind,
            },
            services: services(spans),
            spans: spans.len(),
            errors: spans.iter().filter(|span| span.is_error()).count(),
            gaps: gaps.len(),
            closing: gaps.iter().filter(|gap| gap.reason.may_close()).count(),
            confidence: link::product(spans.iter().map(|span| &**span)),
        })
    }

    /// Where it stands in an order: what [`super::Query::after`] is for the next page.
    pub fn place(&self, order: Order) -> Place {
        let measure = match order {
            Order::Time => self.start,
            Order::Duration => self.duration,
            Order::SpanDuration => self.longest_match,
            Order::Errors => self.errors as u64,
            Order::Spans => self.spans as u64,
        };
        Place {
            measure,
            trace_id: self.trace_id,
        }
    }

    /// Whether it is all there, at `now` (nanoseconds since the Unix epoch).
    pub fn state(&self, now: u64) -> State {
        let last = self.start.saturating_add(self.duration);
        State::of(self.gaps, self.closing, last, now)
    }
}

/// When the first span began, and how long it is from there to the end of the last one.
pub(super) fn extent(spans: &[Arc<Span>]) -> Option<(u64, u64)> {
    let start = spans.iter().map(|span| span.start).min()?;
    let end = spans.iter().map(|span| span.end).max()?;
    Some((start, end.saturating_sub(start)))
}

fn services(spans: &[Arc<Span>]) -> Vec<ServiceCount> {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for span in spans {
        let (count, errors) = counts.entry(span.service()).or_default();
        *count += 1;
        *errors += usize::from(span.is_error());
    }
    let mut services: Vec<_> = counts
        .into_iter()
        .map(|(name, (spans, errors))| ServiceCount {
            name: name.to_owned(),
            spans,
            errors,
        })
        .collect();
    services.sort_by_key(|service| Reverse(service.spans));
    services
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::*;

    fn summary(spans: Vec<Span>) -> Summary {
        let spans: Vec<_> = spans.into_iter().map(Arc::new).collect();
        Summary::new(trace_id(1), &spans, 0).unwrap()
    }

    #[test]
    fn a_trace_with_a_gap_is_open_until_nothing_more_can_be_expected() {
        let orphan = summary(vec![span("a", 1, 1).with(child_of(9, Kind::Server))]);
        let end = orphan.start + orphan.duration;
        assert_eq!(orphan.state(end + SETTLED - 1), State::Open);
        assert_eq!(orphan.state(end + SETTLED), State::Gaps);
        let cut = summary(vec![span("a", 1, 1).with(|span| span.dropped.attributes = 3)]);
        assert_eq!(cut.state(end), State::Gaps);
        assert_eq!(summary(vec![span("a", 1, 1)]).state(end), State::Complete);
    }

    #[test]
    fn a_summary_names_the_root_and_counts_every_service() {
        let failed = |span: &mut Span| span.status = otlp::model::Status::Error(String::new());
        let summary = summary(vec![
            span("edge", 1, 1),
            span("bank", 1, 2).with(child_of(1, Kind::Server)),
            span("bank", 1, 3).with(child_of(2, Kind::Internal)).with(failed),
        ]);
        assert_eq!(summary.root.service, "edge");
        assert_eq!(summary.root.operation, "operation 1");
        let services: Vec<_> = summary
            .services
            .iter()
            .map(|service| (service.name.as_str(), service.spans, service.errors))
            .collect();
        assert_eq!(services, [("bank", 2, 1), ("edge", 1, 0)]);
        assert_eq!((summary.spans, summary.errors, summary.gaps), (3, 1, 0));
    }
}
