//! What can be asked of a store, and how one trace answers. Pure.

use std::cmp::Reverse;
use std::ops::RangeInclusive;
use std::sync::Arc;

use otlp::model::Span;
use span::TraceId;

use crate::tags;

/// A search for traces: those with at least one span that matches all of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The span's service.
    pub service: Option<String>,
    /// The span's name.
    pub operation: Option<String>,
    /// What the span says, wherever it says it; see [`tags::says`].
    pub tags: Vec<(String, String)>,
    /// How long the span took, in nanoseconds.
    pub duration: RangeInclusive<u64>,
    /// When the span began, in nanoseconds since the Unix epoch.
    pub start: RangeInclusive<u64>,
    /// Which traces come first.
    pub order: Order,
    /// How many traces at most.
    pub limit: usize,
}

impl Default for Query {
    /// The twenty latest traces of all.
    fn default() -> Self {
        Self {
            service: None,
            operation: None,
            tags: Vec::new(),
            duration: 0..=u64::MAX,
            start: 0..=u64::MAX,
            order: Order::Time,
            limit: 20,
        }
    }
}

/// The order of what was found, always the most first. Equal ones stand in the order of their trace ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Order {
    /// The trace that began last.
    #[default]
    Time,
    /// The trace that took longest, from its earliest start to its latest end.
    Duration,
    /// The trace with the longest span among those that match.
    SpanDuration,
    /// The trace with the most spans.
    Spans,
    /// The trace with the most failed spans.
    Errors,
}

/// What a search says of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The trace.
    pub trace_id: TraceId,
    /// When its first span began, in nanoseconds since the Unix epoch.
    pub start: u64,
    /// Nanoseconds from there to the end of its last span.
    pub duration: u64,
    /// The longest of the spans that match, in nanoseconds.
    pub longest_match: u64,
    /// How many spans it has.
    pub spans: usize,
    /// How many of them failed.
    pub errors: usize,
}

impl Query {
    /// Whether one span matches all of it.
    pub fn matches(&self, span: &Span) -> bool {
        self.start.contains(&span.start)
            && self.duration.contains(&span.duration())
            && self
                .service
                .as_deref()
                .is_none_or(|service| span.service() == service)
            && self
                .operation
                .as_deref()
                .is_none_or(|operation| span.name == operation)
            && self.tags.iter().all(|(key, value)| tags::says(span, key, value))
    }

    /// What to say of a trace, if it has a span that matches.
    pub fn summary(&self, trace_id: TraceId, spans: &[Arc<Span>]) -> Option<Summary> {
        let matching = spans.iter().filter(|span| self.matches(span));
        let longest_match = matching.map(|span| span.duration()).max()?;
        let start = spans.iter().map(|span| span.start).min()?;
        let end = spans.iter().map(|span| span.end).max()?;
        Some(Summary {
            trace_id,
            start,
            duration: end.saturating_sub(start),
            longest_match,
            spans: spans.len(),
            errors: spans.iter().filter(|span| span.is_error()).count(),
        })
    }

    /// Puts what was found in order and cuts it to the limit.
    pub fn rank(&self, found: &mut Vec<Summary>) {
        found.sort_unstable_by_key(|summary| (Reverse(self.order.measure(summary)), summary.trace_id));
        found.truncate(self.limit);
    }
}

impl Order {
    fn measure(self, summary: &Summary) -> u64 {
        match self {
            Self::Time => summary.start,
            Self::Duration => summary.duration,
            Self::SpanDuration => summary.longest_match,
            Self::Spans => summary.spans as u64,
            Self::Errors => summary.errors as u64,
        }
    }
}
