//! What can be asked of a store, and how one trace answers. Pure: every backend searches by the same functions, or by
//! something faster that finds the same.

mod condition;
mod order;
mod summary;

use std::ops::RangeInclusive;
use std::sync::Arc;

use otlp::model::{Kind, Span};
use otlp::receive::Packed;
use span::TraceId;

use crate::analysis::link::{LinkKind, link};

pub(crate) use condition::number_in;
pub use condition::{Comparison, Condition, Test};
pub use order::{Order, Place};
pub use otlp::model::Outcome;
pub use summary::{Root, ServiceCount, State, Summary};

/// A search for traces: those with at least one span that matches all that is said of spans, and that match all that
/// is said of the trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The span's service.
    pub service: Option<String>,
    /// The span's name.
    pub operation: Option<String>,
    /// The span's kind.
    pub kind: Option<Kind>,
    /// How the span went.
    pub status: Option<Outcome>,
    /// How the span's parent was found.
    pub link: Option<LinkKind>,
    /// What the span says, wherever it says it; see [`crate::tags::any`].
    pub conditions: Vec<Condition>,
    /// How long the span took, in nanoseconds.
    pub duration: RangeInclusive<u64>,
    /// When the span began, in nanoseconds since the Unix epoch.
    pub start: RangeInclusive<u64>,
    /// How long the trace took, from its earliest start to its latest end, in nanoseconds.
    pub trace_duration: RangeInclusive<u64>,
    /// The trace's id, or the id that a span of it says; see [`ids_beginning`].
    pub ids: RangeInclusive<TraceId>,
    /// Which traces come first.
    pub order: Order,
    /// Only traces that stand behind this place in the order: where the page before ended.
    pub after: Option<Place>,
    /// How many traces at most.
    pub limit: usize,
}

/// Every trace id there is.
pub fn all_ids() -> RangeInclusive<TraceId> {
    TraceId::from_random(0)..=TraceId::from_random(u128::MAX)
}

/// The trace ids that begin with these 1 to 32 hexadecimal digits. `None` if they are something else, or only zeroes
/// in full length.
pub fn ids_beginning(digits: &str) -> Option<RangeInclusive<TraceId>> {
    let bits = u32::try_from(digits.len()).ok().filter(|count| *count <= 32)? * 4;
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let rest = 128 - bits;
    let first = u128::from_str_radix(digits, 16)
        .ok()?
        .checked_shl(rest)
        .unwrap_or(0);
    let last = first | u128::MAX.checked_shr(bits).unwrap_or(0);
    // zero is no id
    let first = TraceId::from_u128(first.max(1))?;
    Some(first..=TraceId::from_u128(last)?)
}

impl Default for Query {
    /// The twenty latest traces of all.
    fn default() -> Self {
        Self {
            service: None,
            operation: None,
            kind: None,
            status: None,
            link: None,
            conditions: Vec::new(),
            duration: 0..=u64::MAX,
            start: 0..=u64::MAX,
            trace_duration: 0..=u64::MAX,
            ids: all_ids(),
            order: Order::Time,
            after: None,
            limit: 20,
        }
    }
}

impl Query {
    /// Whether one span matches all that is said of spans.
    pub fn matches(&self, span: &Span) -> bool {
        fn is<T: PartialEq + ?Sized>(wanted: Option<&T>, found: &T) -> bool {
            wanted.is_none_or(|wanted| wanted == found)
        }
        self.start.contains(&span.start)
            && self.duration.contains(&span.duration())
            && is(self.service.as_deref(), span.service())
            && is(self.operation.as_deref(), span.name.as_str())
            && is(self.kind.as_ref(), &span.kind)
            && is(self.status.as_ref(), &Outcome::of(&span.status))
            && self
                .link
                .is_none_or(|kind| link(span).is_some_and(|link| link.kind == kind))
            && self.conditions.iter().all(|condition| condition.holds(span))
    }

    /// Whether a span may match: no, if what stands beside its bytes or in them at first sight says so.
    pub(crate) fn may_match(&self, span: &Packed) -> bool {
        self.start.contains(&span.start)
            && self.duration.contains(&span.duration())
            && self.kind.is_none_or(|kind| kind == span.kind)
            && self
                .status
                .is_none_or(|status| (status == Outcome::Error) == span.is_error)
            && self
                .service
                .as_deref()
                .is_none_or(|service| service == span.service())
            && self.operation.as_deref().is_none_or(|name| name == span.name())
            && (self.conditions.is_empty() || {
                let scanned = span.scan();
                let mut conditions = self.conditions.iter();
                conditions.all(|condition| condition.may_hold(span, &scanned))
            })
    }

    /// Whether a trace matches all that is said of traces.
    fn matches_trace(&self, id: TraceId, spans: &[Arc<Span>], duration: u64) -> bool {
        let named = || spans.iter().any(|span| self.ids.contains(&span.trace_id));
        self.trace_duration.contains(&duration) && (self.ids.contains(&id) || named())
    }

    /// Where a trace stands in the order, if it matches and stands behind [`Query::after`].
    pub fn place(&self, id: TraceId, spans: &[Arc<Span>]) -> Option<Place> {
        let matching = spans.iter().filter(|span| self.matches(span));
        let longest_match = matching.map(|span| span.duration()).max()?;
        let (start, duration) = summary::extent(spans)?;
        if !self.matches_trace(id, spans, duration) {
            return None;
        }
        let measure = match self.order {
            Order::Time => start,
            Order::Duration => duration,
            Order::SpanDuration => longest_match,
            Order::Spans => spans.len() as u64,
            Order::Errors => spans.iter().filter(|span| span.is_error()).count() as u64,
        };
        let place = Place {
            measure,
            trace_id: id,
        };
        self.after.is_none_or(|after| after < place).then_some(place)
    }

    /// Puts places in order and cuts them to the limit.
    pub fn rank(&self, places: &mut Vec<Place>) {
        if let Some(last) = self.limit.checked_sub(1).filter(|last| *last < places.len()) {
            places.select_nth_unstable(last);
        }
        places.truncate(self.limit);
        places.sort_unstable();
    }

    /// What to say of a trace, if it matches.
    pub fn summary(&self, id: TraceId, spans: &[Arc<Span>]) -> Option<Summary> {
        let matching = spans.iter().filter(|span| self.matches(span));
        let longest_match = matching.map(|span| span.duration()).max()?;
        Summary::new(id, spans, longest_match)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_by_their_beginning() {
        let range = |digits| {
            ids_beginning(digits)
                .map(|ids| format!("{:032x} {:032x}", ids.start().as_u128(), ids.end().as_u128()))
        };
        let expected = format!("4b{:0>30} 4b{:f>30}", "", "");
        assert_eq!(range("4B"), Some(expected));
        assert_eq!(range("0"), Some(format!("{:0>31}1 0{:f>31}", "", "")));
        let whole = "0af7651916cd43dd8448eb211c80319c";
        assert_eq!(range(whole), Some(format!("{whole} {whole}")));
        for wrong in ["", "xyz", "+1", &"0".repeat(32), &"1".repeat(33)] {
            assert_eq!(range(wrong), None, "{wrong}");
        }
    }
}
