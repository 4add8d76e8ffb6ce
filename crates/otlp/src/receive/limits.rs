//! What a span may hold, so that no sender decides how much memory we use.
//!
//! OpenTelemetry SDKs stop at 128 attributes, events and links by default; these limits are for the ones that were
//! told not to.

use std::ops::Range;

use super::Reason;
use super::scan::Scanned;

/// Spans of one request that are kept. SDKs send 512, collectors 8,192 by default.
pub const SPANS: usize = 65_536;
/// Bytes of one span as it was sent. Decoding may take many times that, which is why it comes before decoding.
pub const SPAN_BYTES: usize = 1 << 20;
/// Bytes of one resource, or of one scope, as it was sent.
pub const RESOURCE_BYTES: usize = 64 << 10;
/// Bytes of a span's name.
pub const NAME_BYTES: usize = 4 << 10;
/// Attributes of a span, of one of its events, or of one of its links.
pub const ATTRIBUTES: usize = 1024;
/// Events of a span.
pub const EVENTS: usize = 1024;
/// Links of a span.
pub const LINKS: usize = 1024;
/// When a span may begin, and end if it has ended: the years 2000 to 2099, in nanoseconds since the Unix epoch.
/// What lies outside comes from a clock that was never set, or from a wrong unit.
pub const TIMES: Range<u64> = 946_684_800_000_000_000..4_102_444_800_000_000_000;

/// Whether a span keeps to all of it.
pub(super) fn check(span: &Scanned<'_>) -> Result<(), Reason> {
    let more = (span.events().err(), span.links().err());
    if more.0 == Some(Reason::Malformed) || more.1 == Some(Reason::Malformed) {
        return Err(Reason::Malformed);
    }
    span.trace_id().ok_or(Reason::TraceId)?;
    span.span_id().ok_or(Reason::SpanId)?;
    // some SDKs write "no parent" as eight zero bytes
    if !(span.parent_id.is_empty() || span.parent_id == [0; 8])
        && span
            .parent_id()
            .is_none_or(|parent| Some(parent) == span.span_id())
    {
        return Err(Reason::ParentId);
    }
    if !TIMES.contains(&span.start) || !(span.end == 0 || TIMES.contains(&span.end)) {
        return Err(Reason::Time);
    }
    if span.name.len() > NAME_BYTES {
        return Err(Reason::NameTooLong);
    }
    if span.events.len() > EVENTS {
        return Err(Reason::TooManyEvents);
    }
    if span.links.len() > LINKS {
        return Err(Reason::TooManyLinks);
    }
    if span.attributes.len() > ATTRIBUTES {
        return Err(Reason::TooManyAttributes);
    }
    more.0.or(more.1).map_or(Ok(()), Err)
}
