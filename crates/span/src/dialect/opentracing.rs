//! The basic tracers of OpenTracing: `ot-tracer-traceid`, `-spanid`, `-sampled`. Their baggage, `ot-baggage-*`, passes
//! unread.

use super::carried::{Carried, Outgoing};
use super::header::Header;
use super::headers::Headers;
use crate::hex;
use crate::{Edits, SpanId, TraceId};

/// What the `ot-tracer-*` say. `None`: they are not well-formed. Ids may lack their leading zeroes.
pub(crate) fn read(headers: &Headers<'_>) -> Option<Carried> {
    let sampled = match headers.value(Header::OtSampled) {
        None => None,
        Some(b"true" | b"1") => Some(true),
        Some(b"false" | b"0") => Some(false),
        Some(_) => return None,
    };
    match (headers.value(Header::OtTraceId), headers.value(Header::OtSpanId)) {
        (Some(trace_id), Some(span_id)) => Some(Carried::context(
            TraceId::from_short_hex(trace_id)?,
            SpanId::from_short_hex(span_id)?,
            sampled,
        )),
        (None, None) => Some(Carried::decision(Some(sampled?))),
        _ => None,
    }
}

/// Puts ids and decision. A trace id of 128 bits is written in full, although some tracers write its lower half only:
/// half an id is another trace's.
pub(crate) fn write(headers: &Headers<'_>, before: Option<&Carried>, outgoing: &Outgoing, edits: &mut Edits) {
    let width = |header| before.and(headers.value(header)).map(<[u8]>::len);
    let trace_width = outgoing.trace_width(width(Header::OtTraceId));
    headers.put(Header::OtTraceId, edits, |out| {
        hex::write_number(out, outgoing.context.trace_id.as_u128(), trace_width);
    });
    let span_width = width(Header::OtSpanId).unwrap_or(16);
    headers.put(Header::OtSpanId, edits, |out| {
        hex::write_number(out, outgoing.context.span_id.as_u64().into(), span_width);
    });
    let in_digits = matches!(headers.value(Header::OtSampled), Some(b"0" | b"1"));
    let sampled: &[u8] = match (in_digits, outgoing.sampled()) {
        (true, true) => b"1",
        (true, false) => b"0",
        (false, true) => b"true",
        (false, false) => b"false",
    };
    headers.put_text(Header::OtSampled, edits, sampled);
}
