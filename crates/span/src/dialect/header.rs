//! The header fields that carry context, by name.

use super::Dialect;

/// A field that carries context. Baggage is not among them: it passes unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Header {
    Traceparent,
    Tracestate,
    B3,
    B3TraceId,
    B3SpanId,
    B3ParentSpanId,
    B3Sampled,
    B3Flags,
    UberTraceId,
    OtTraceId,
    OtSpanId,
    OtSampled,
    GrpcTraceBin,
    AmznTraceId,
    DatadogTraceId,
    DatadogParentId,
    DatadogPriority,
    DatadogTags,
}

/// For each length of a name, which third letters it may have: bit 1 for `a`, in any case; bit 0 where there is none.
const LETTERS: [u32; 28] = letters();

impl Header {
    pub(crate) const COUNT: usize = Self::DatadogTags as usize + 1;

    const ALL: [Self; Self::COUNT] = [
        Self::Traceparent,
        Self::Tracestate,
        Self::B3,
        Self::B3TraceId,
        Self::B3SpanId,
        Self::B3ParentSpanId,
        Self::B3Sampled,
        Self::B3Flags,
        Self::UberTraceId,
        Self::OtTraceId,
        Self::OtSpanId,
        Self::OtSampled,
        Self::GrpcTraceBin,
        Self::AmznTraceId,
        Self::DatadogTraceId,
        Self::DatadogParentId,
        Self::DatadogPriority,
        Self::DatadogTags,
    ];

    /// The one that a field is, by its name in any case. Nearly every field of a request is none, and is passed over
    /// by the length of its name and its third letter.
    #[inline]
    pub(crate) fn of(name: &[u8]) -> Option<Self> {
        let letters = LETTERS.get(name.len())?;
        if letters >> letter(name) & 1 == 0 {
            return None;
        }
        Self::ALL
            .into_iter()
            .find(|header| name.eq_ignore_ascii_case(header.name().as_bytes()))
    }

    /// Its name in lower case, as HTTP/2 wants it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Traceparent => "traceparent",
            Self::Tracestate => "tracestate",
            Self::B3 => "b3",
            Self::B3TraceId => "x-b3-traceid",
            Self::B3SpanId => "x-b3-spanid",
            Self::B3ParentSpanId => "x-b3-parentspanid",
            Self::B3Sampled => "x-b3-sampled",
            Self::B3Flags => "x-b3-flags",
            Self::UberTraceId => "uber-trace-id",
            Self::OtTraceId => "ot-tracer-traceid",
            Self::OtSpanId => "ot-tracer-spanid",
            Self::OtSampled => "ot-tracer-sampled",
            Self::GrpcTraceBin => "grpc-trace-bin",
            Self::AmznTraceId => "x-amzn-trace-id",
            Self::DatadogTraceId => "x-datadog-trace-id",
            Self::DatadogParentId => "x-datadog-parent-id",
            Self::DatadogPriority => "x-datadog-sampling-priority",
            Self::DatadogTags => "x-datadog-tags",
        }
    }

    /// The dialect that is there when this field is. `None` for a field that only adds to others: without them
    /// nobody looks at it.
    pub(crate) const fn dialect(self) -> Option<Dialect> {
        match self {
            Self::Tracestate | Self::DatadogTags => None,
            Self::Traceparent => Some(Dialect::W3c),
            Self::B3 => Some(Dialect::B3Single),
            Self::B3TraceId | Self::B3SpanId | Self::B3ParentSpanId | Self::B3Sampled | Self::B3Flags => {
                Some(Dialect::B3Multi)
            }
            Self::UberTraceId => Some(Dialect::Jaeger),
            Self::OtTraceId | Self::OtSpanId | Self::OtSampled => Some(Dialect::OpenTracing),
            Self::GrpcTraceBin => Some(Dialect::OpenCensus),
            Self::AmznTraceId => Some(Dialect::XRay),
            Self::DatadogTraceId | Self::DatadogParentId | Self::DatadogPriority => Some(Dialect::Datadog),
        }
    }
}

/// The third letter of a name, which tells more of them apart than the first: many begin with `x-`.
#[inline]
const fn letter(name: &[u8]) -> u8 {
    match name {
        [_, _, third, ..] => *third & 0x1f,
        _ => 0,
    }
}

#[allow(clippy::indexing_slicing, reason = "happens when it is compiled")]
const fn letters() -> [u32; 28] {
    let mut letters = [0; 28];
    let mut at = 0;
    while at < Header::COUNT {
        let name = Header::ALL[at].name().as_bytes();
        letters[name.len()] |= 1 << letter(name);
        at += 1;
    }
    letters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_header_is_found_by_its_name_in_any_case() {
        for header in Header::ALL {
            assert_eq!(Header::of(header.name().as_bytes()), Some(header));
            assert_eq!(
                Header::of(header.name().to_ascii_uppercase().as_bytes()),
                Some(header)
            );
        }
    }

    #[test]
    fn fields_of_other_names_are_none_of_them() {
        for name in [
            "",
            "te",
            "accept",
            "user-agent",
            "x-request-id",
            "x-amzn-trace-ie",
            "tracestat\u{e9}",
        ] {
            assert_eq!(Header::of(name.as_bytes()), None, "{name}");
        }
    }
}
