//! What headers carry, in no dialect, and what they are to carry next.

use crate::{SpanContext, SpanId, TraceFlags, TraceId};

/// What the well-formed headers of one dialect say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    /// The trace. Without a span, a load balancer has chosen the trace and whoever reads this starts its first span.
    pub trace_id: Option<TraceId>,
    /// The caller's span. Never without a trace.
    pub span_id: Option<SpanId>,
    /// Whether to sample. `None`: the caller leaves it to us.
    pub sampled: Option<bool>,
    /// The caller wants this trace whatever the sampling says.
    pub debug: bool,
    /// The flags as the dialect has them; only W3C says more than sampled.
    pub flags: TraceFlags,
}

impl Carried {
    /// A caller's span, in a dialect whose only flag is the decision.
    pub(crate) fn context(trace_id: TraceId, span_id: SpanId, sampled: Option<bool>) -> Self {
        Self {
            trace_id: Some(trace_id),
            span_id: Some(span_id),
            ..Self::decision(sampled)
        }
    }

    /// No caller's span, only whether to sample.
    pub(crate) fn decision(sampled: Option<bool>) -> Self {
        Self {
            sampled,
            flags: TraceFlags::default().with_sampled(sampled == Some(true)),
            ..Self::default()
        }
    }

    /// The caller's span, if there is one.
    pub(crate) fn span_context(&self) -> Option<SpanContext> {
        Some(SpanContext {
            trace_id: self.trace_id?,
            span_id: self.span_id?,
            flags: self.flags,
        })
    }
}

/// What a head's headers are to say when it leaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outgoing {
    /// Our span.
    pub context: SpanContext,
    /// The parent of our span.
    pub parent: Option<SpanId>,
    /// The caller asked for this trace in particular, and it is sampled.
    pub debug: bool,
    /// Nothing of what came stays.
    pub restarts: bool,
}

impl Outgoing {
    /// Whether the trace is sampled.
    pub(crate) fn sampled(&self) -> bool {
        self.context.flags.is_sampled()
    }

    /// The decision as a digit.
    pub(crate) fn sampled_digit(&self) -> u8 {
        if self.sampled() { b'1' } else { b'0' }
    }

    /// What stands where a header wants the parent's id. A root stands for itself: no dialect can say "none" in a
    /// place that is already there, and Zipkin takes a span that is its own parent for a root.
    pub(crate) fn parent_or_self(&self) -> SpanId {
        self.parent.unwrap_or(self.context.span_id)
    }

    /// How many digits the trace id is written with, where a dialect has ids of 64 and of 128 bits: as many as came
    /// in, if it fits, or else as many as it needs.
    pub(crate) fn trace_width(&self, incoming: Option<usize>) -> usize {
        let needed = if self.context.trace_id.high() == 0 { 16 } else { 32 };
        match incoming {
            Some(width) if width >= crate::hex::digits_of(self.context.trace_id.as_u128()) => width,
            _ => needed,
        }
    }
}
