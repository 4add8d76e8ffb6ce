//! W3C Trace Context level 2: `traceparent`, and `tracestate` as far as it depends on it.

use super::carried::{Carried, Outgoing};
use super::header::Header;
use super::headers::Headers;
use super::tracestate;
use crate::hex::{decode, encode};
use crate::{Edits, SpanContext, SpanId, TraceFlags, TraceId};

/// What `traceparent` says. `None`: it is not well-formed.
pub(crate) fn read(headers: &Headers<'_>) -> Option<Carried> {
    let context = traceparent(headers.value(Header::Traceparent)?)?;
    Some(Carried {
        flags: context.flags,
        ..Carried::context(
            context.trace_id,
            context.span_id,
            Some(context.flags.is_sampled()),
        )
    })
}

/// Puts version 00 of our context, always 55 bytes, and keeps the `tracestate` if it belongs to the same trace.
///
/// Section 3.4 has a tracestate dropped whose traceparent is missing or not well-formed; one that came with another
/// trace than the one that goes on is no better.
pub(crate) fn write(headers: &Headers<'_>, before: Option<&Carried>, outgoing: &Outgoing, edits: &mut Edits) {
    let context = &outgoing.context;
    headers.put(Header::Traceparent, edits, |out| {
        out.extend_from_slice(b"00-");
        context.trace_id.write_hex(out);
        out.push(b'-');
        context.span_id.write_hex(out);
        out.push(b'-');
        // section 3.2.2.5.3: flags that we do not know are zero on the way out
        let flags = context.flags.0 & (TraceFlags::SAMPLED.0 | TraceFlags::RANDOM.0);
        out.extend_from_slice(&encode::<1, 2>(&[flags]));
    });
    if before.and_then(|carried| carried.trace_id) != Some(context.trace_id) {
        tracestate::blank(headers, edits);
    }
}

/// Section 3.2: `version "-" trace-id "-" parent-id "-" trace-flags`, in lower case. Versions after 00 may have more
/// behind another dash (section 3.5); version ff is none.
fn traceparent(value: &[u8]) -> Option<SpanContext> {
    let (version, rest) = value.split_first_chunk::<2>()?;
    let (trace_id, rest) = rest.strip_prefix(b"-")?.split_first_chunk::<32>()?;
    let (span_id, rest) = rest.strip_prefix(b"-")?.split_first_chunk::<16>()?;
    let (flags, rest) = rest.strip_prefix(b"-")?.split_first_chunk::<2>()?;
    let [version_number] = decode(version)?;
    let [flag_bits] = decode(flags)?;
    let ends_well = match version_number {
        0 => rest.is_empty(),
        0xff => false,
        _ => rest.is_empty() || rest.starts_with(b"-"),
    };
    let upper_case = [version.as_slice(), trace_id, span_id, flags]
        .iter()
        .any(|part| part.iter().any(u8::is_ascii_uppercase));
    if !ends_well || upper_case {
        return None;
    }
    Some(SpanContext {
        trace_id: TraceId::from_hex(trace_id)?,
        span_id: SpanId::from_hex(span_id)?,
        flags: TraceFlags(flag_bits),
    })
}
