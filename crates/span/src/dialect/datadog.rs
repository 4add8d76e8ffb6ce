//! Datadog: `x-datadog-trace-id` and `-parent-id` in decimal, `-sampling-priority`, and the trace id's upper half as
//! the tag `_dd.p.tid` of `x-datadog-tags`.

use std::str::FromStr;

use super::carried::{Carried, Outgoing};
use super::header::Header;
use super::headers::Headers;
use crate::hex;
use crate::{Edits, SpanId, TraceId};

const UPPER_HALF: &[u8] = b"_dd.p.tid=";

/// What the `x-datadog-*` say. `None`: they are not well-formed.
///
/// Zero is none. A trace without a parent comes from a browser or a synthetic test: its first span is ours.
pub(crate) fn read(headers: &Headers<'_>) -> Option<Carried> {
    let sampled = match headers.value(Header::DatadogPriority) {
        Some(priority) => Some(is_kept(priority)?),
        None => None,
    };
    let parent = match headers.value(Header::DatadogParentId) {
        Some(parent) => Some(decimal::<u64>(parent)?),
        None => None,
    };
    let Some(low) = headers.value(Header::DatadogTraceId) else {
        return parent.is_none().then_some(Carried::decision(Some(sampled?)));
    };
    let low = decimal::<u64>(low)?;
    if low == 0 {
        return Some(Carried::decision(sampled));
    }
    let high = headers
        .values(Header::DatadogTags)
        .find_map(upper_half)
        .unwrap_or(0);
    Some(Carried {
        trace_id: TraceId::from_u128(u128::from(high) << 64 | u128::from(low)),
        span_id: parent.and_then(SpanId::from_u64),
        ..Carried::decision(sampled)
    })
}

/// Puts ids and priority, which keeps its value where that says the same, and the upper half among the other tags.
pub(crate) fn write(headers: &Headers<'_>, before: Option<&Carried>, outgoing: &Outgoing, edits: &mut Edits) {
    let trace_id = outgoing.context.trace_id;
    for (header, number) in [
        (Header::DatadogTraceId, trace_id.low()),
        (Header::DatadogParentId, outgoing.context.span_id.as_u64()),
    ] {
        headers.put(header, edits, |out| {
            out.extend_from_slice(number.to_string().as_bytes());
        });
    }

    let priority = before.and(headers.value(Header::DatadogPriority));
    let kept = priority.filter(|value| is_kept(value) == Some(outgoing.sampled()));
    headers.put_text(
        Header::DatadogPriority,
        edits,
        kept.unwrap_or(&[outgoing.sampled_digit()]),
    );

    let high = trace_id.high();
    if headers.value(Header::DatadogTags).is_some() {
        headers.rewrite(Header::DatadogTags, edits, |tags, out| {
            write_tags(if outgoing.restarts { b"" } else { tags }, high, out);
        });
    } else if high != 0 {
        headers.put(Header::DatadogTags, edits, |out| write_tags(b"", high, out));
    }
}

/// The tags as they are, with the upper half in its place; behind them, if it has none and is not zero.
fn write_tags(tags: &[u8], high: u64, out: &mut Vec<u8>) {
    let start = out.len();
    let mut missing = high != 0;
    for (place, tag) in tags.split(|byte| *byte == b',').enumerate() {
        if place > 0 {
            out.push(b',');
        }
        if tag.starts_with(UPPER_HALF) {
            out.extend_from_slice(UPPER_HALF);
            hex::write_number(out, high.into(), 16);
            missing = false;
        } else {
            out.extend_from_slice(tag);
        }
    }
    if missing {
        if out.len() > start {
            out.push(b',');
        }
        out.extend_from_slice(UPPER_HALF);
        hex::write_number(out, high.into(), 16);
    }
}

/// The trace id's upper half. One that is not well-formed is none, as Datadog's own tracers have it: what remains is
/// the id that all of them share.
fn upper_half(tags: &[u8]) -> Option<u64> {
    let digits = tags
        .split(|byte| *byte == b',')
        .find_map(|tag| tag.strip_prefix(UPPER_HALF))?;
    hex::decode(digits).map(u64::from_be_bytes)
}

/// Whether a sampling priority keeps the trace: 1 and 2 do, 0 and -1 do not.
fn is_kept(priority: &[u8]) -> Option<bool> {
    decimal::<i32>(priority).map(|priority| priority > 0)
}

fn decimal<N: FromStr>(text: &[u8]) -> Option<N> {
    str::from_utf8(text).ok()?.parse().ok()
}
