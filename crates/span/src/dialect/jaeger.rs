//! Jaeger's clients: `uber-trace-id: {trace}:{span}:{parent}:{flags}`. Their baggage, `uberctx-*`, passes unread.

use super::carried::{Carried, Outgoing};
use super::header::Header;
use super::headers::Headers;
use crate::hex;
use crate::{Edits, SpanId, TraceId};

const SAMPLED: u8 = 1;
const DEBUG: u8 = 2;

/// What `uber-trace-id` says. `None`: it is not well-formed.
pub(crate) fn read(headers: &Headers<'_>) -> Option<Carried> {
    let parts = Parts::of(headers.value(Header::UberTraceId)?)?;
    let debug = parts.flags & DEBUG != 0;
    let sampled = debug || parts.flags & SAMPLED != 0;
    Some(Carried {
        debug,
        ..Carried::context(parts.trace_id.0, parts.span_id.0, Some(sampled))
    })
}

/// Puts our context with as many digits as came in. Where an id needs more or fewer of them than its predecessor, the
/// parent's field makes up for it, as far as it can: receivers ignore it, and the value keeps its length.
pub(crate) fn write(headers: &Headers<'_>, before: Option<&Carried>, outgoing: &Outgoing, edits: &mut Edits) {
    let incoming = before.and(headers.value(Header::UberTraceId));
    let parts = incoming.and_then(Parts::of);
    headers.put(Header::UberTraceId, edits, |out| match (&parts, incoming) {
        (Some(parts), Some(value)) => parts.rewrite(outgoing, value.len(), out),
        _ => {
            let width = outgoing.trace_width(None);
            hex::write_number(out, outgoing.context.trace_id.as_u128(), width);
            out.push(b':');
            outgoing.context.span_id.write_hex(out);
            out.push(b':');
            hex::write_number(out, outgoing.parent.map_or(0, |parent| parent.as_u64().into()), 1);
            out.push(b':');
            hex::write_number(out, flags(outgoing, 0).into(), 1);
        }
    });
}

/// Everything between the colons, and the colons, which clients may have encoded for a URL. Ids come with their width.
struct Parts<'a> {
    trace_id: (TraceId, usize),
    span_id: (SpanId, usize),
    flags: u8,
    flags_width: usize,
    colons: [&'a [u8]; 3],
}

impl<'a> Parts<'a> {
    fn of(value: &'a [u8]) -> Option<Self> {
        let (trace_id, first, rest) = split(value)?;
        let (span_id, second, rest) = split(rest)?;
        let (parent, third, flags) = split(rest)?;
        hex::number(parent, 16)?;
        Some(Self {
            trace_id: (TraceId::from_short_hex(trace_id)?, trace_id.len()),
            span_id: (SpanId::from_short_hex(span_id)?, span_id.len()),
            flags: hex::number(flags, 2)?.try_into().ok()?,
            flags_width: flags.len(),
            colons: [first, second, third],
        })
    }

    fn rewrite(&self, outgoing: &Outgoing, length: usize, out: &mut Vec<u8>) {
        let [first, second, third] = self.colons;
        let end = out.len() + length;
        let trace_width = outgoing.trace_width(Some(self.trace_id.1));
        hex::write_number(out, outgoing.context.trace_id.as_u128(), trace_width);
        out.extend_from_slice(first);
        hex::write_number(out, outgoing.context.span_id.as_u64().into(), self.span_id.1);
        out.extend_from_slice(second);
        let room = end
            .saturating_sub(out.len() + third.len() + self.flags_width)
            .clamp(1, 16);
        let parent = outgoing.parent.map_or(0, |parent| u128::from(parent.as_u64()));
        let fits = hex::digits_of(parent) <= room;
        hex::write_number(out, if fits { parent } else { 0 }, room);
        out.extend_from_slice(third);
        hex::write_number(out, flags(outgoing, self.flags).into(), self.flags_width);
    }
}

/// The flags of before with our decision. Bits that are not ours are kept.
fn flags(outgoing: &Outgoing, before: u8) -> u8 {
    let sampled = if outgoing.sampled() { SAMPLED } else { 0 };
    let debug = if outgoing.debug { DEBUG } else { 0 };
    before & !(SAMPLED | DEBUG) | sampled | debug
}

/// What stands before the first colon, the colon as it is written, and what stands behind it.
fn split(value: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let colon = value.iter().position(|byte| matches!(byte, b':' | b'%'))?;
    let (before, rest) = value.split_at_checked(colon)?;
    let width = match rest {
        [b':', ..] => 1,
        [b'%', b'3', b'a' | b'A', ..] => 3,
        _ => return None,
    };
    let (colon, behind) = rest.split_at_checked(width)?;
    Some((before, colon, behind))
}
