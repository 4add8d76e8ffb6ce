use std::cmp::Ordering;

use span::TraceId;

/// The order of what was found, always the most first. Equal ones stand in the order of their trace ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Order {
    /// The trace that began last.
    #[default]
    Time,
    /// The trace that took longest, from its earliest start to its latest end.
    Duration,
    /// The trace with the longest span among those that match.
    SpanDuration,
    /// The trace with the most failed spans.
    Errors,
    /// The trace with the most spans.
    Spans,
}

impl Order {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Time,
        Self::Duration,
        Self::SpanDuration,
        Self::Errors,
        Self::Spans,
    ];

    /// As our API has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Duration => "duration",
            Self::SpanDuration => "span-duration",
            Self::Errors => "errors",
            Self::Spans => "spans",
        }
    }
}

/// Where a trace stands in an order. The smaller place comes first.
///
/// A page ends at a place and the next begins behind it. So a trace whose place does not change while the pages are
/// read is on exactly one of them, however many others come and go. One that changes meanwhile is where it stands when
/// a page is read: by then it may have moved behind the reader, or in front of them once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// By what the order goes: nanoseconds, or a number of spans.
    pub measure: u64,
    /// The trace.
    pub trace_id: TraceId,
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        let measure = other.measure.cmp(&self.measure);
        measure.then_with(|| self.trace_id.cmp(&other.trace_id))
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
