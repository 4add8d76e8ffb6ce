use crate::{SpanId, TraceId};

/// The flags of W3C Trace Context level 2, section 3.2.2.5. Bits that we do not know are kept as they came, and are
/// zero in a `traceparent` that we write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TraceFlags(pub u8);

impl TraceFlags {
    /// The caller may have recorded this trace.
    pub const SAMPLED: Self = Self(0x01);
    /// The right-most 7 bytes of the trace id are random.
    pub const RANDOM: Self = Self(0x02);

    /// Whether the sampled bit is set.
    pub fn is_sampled(self) -> bool {
        self.0 & Self::SAMPLED.0 != 0
    }

    /// These flags with the sampled bit as given.
    pub fn with_sampled(self, sampled: bool) -> Self {
        if sampled {
            Self(self.0 | Self::SAMPLED.0)
        } else {
            Self(self.0 & !Self::SAMPLED.0)
        }
    }
}

/// What identifies a span to other services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanContext {
    /// The trace that the span is part of.
    pub trace_id: TraceId,
    /// The span itself.
    pub span_id: SpanId,
    /// Sampled or not, and whatever else the flags say.
    pub flags: TraceFlags,
}
