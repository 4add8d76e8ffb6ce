//! The forms in which spans are kept in memory: ready to be shown, or as they came.

use std::fmt::Debug;
use std::sync::Arc;

use otlp::model::{Kind, Span};
use otlp::receive::Packed;
use span::{SpanId, TraceId};

use crate::join;

/// What a span costs beside what it holds: its places in its trace's list and index, and in the catalogue.
const SPAN_OVERHEAD: u64 = 64;

/// A form in which a span is kept.
pub(super) trait Form: Clone + Debug + Send + Sync + 'static {
    /// What the span is known by within its trace.
    fn key(&self) -> (SpanId, Kind);
    /// The trace that it says it is part of.
    fn trace_id(&self) -> TraceId;
    /// The provisional trace that it brings into its own, if it names one.
    fn provisional(&self) -> Option<TraceId>;
    /// The service that made it.
    fn service(&self) -> &str;
    /// The operation.
    fn name(&self) -> &str;
    /// About how many bytes it takes. A resource and a scope that it shares with the span before are not counted twice;
    /// shared in other ways they are, so that the estimate errs on the safe side.
    fn cost(&self, before: Option<&Self>) -> u64;
}

impl Form for Arc<Span> {
    fn key(&self) -> (SpanId, Kind) {
        (self.span_id, self.kind)
    }

    fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    fn provisional(&self) -> Option<TraceId> {
        join::provisional(self)
    }

    fn service(&self) -> &str {
        Span::service(self)
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn cost(&self, before: Option<&Self>) -> u64 {
        let mut bytes = self.size() + self.name.len() + Span::service(self).len();
        if before.is_none_or(|before| !Arc::ptr_eq(&before.resource, &self.resource)) {
            bytes += self.resource.size();
        }
        if before.is_none_or(|before| !Arc::ptr_eq(&before.scope, &self.scope)) {
            bytes += self.scope.size();
        }
        bytes as u64 + SPAN_OVERHEAD
    }
}

impl Form for Packed {
    fn key(&self) -> (SpanId, Kind) {
        (self.span_id, self.kind)
    }

    fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    fn provisional(&self) -> Option<TraceId> {
        self.provisional
    }

    fn service(&self) -> &str {
        Packed::service(self)
    }

    fn name(&self) -> &str {
        Packed::name(self)
    }

    fn cost(&self, _: Option<&Self>) -> u64 {
        self.size() as u64 + SPAN_OVERHEAD
    }
}
