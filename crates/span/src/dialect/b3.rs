//! B3, Zipkin's propagation: `b3` in one header, `x-b3-*` in several. The same words in two arrangements.

use super::carried::{Carried, Outgoing};
use super::header::Header;
use super::headers::Headers;
use crate::hex;
use crate::{Edits, SpanId, TraceId};

/// One header: `trace-span`, `trace-span-decision`, `trace-span-decision-parent`, or the decision alone.
pub(crate) mod single {
    use super::*;

    /// What `b3` says. `None`: it is not well-formed.
    pub(crate) fn read(headers: &Headers<'_>) -> Option<Carried> {
        let parts = Parts::of(headers.value(Header::B3)?);
        let (sampled, debug) = match parts.decision {
            Some(decision) => decide(decision)?,
            None => (None, false),
        };
        let Some((trace_id, span_id)) = parts.ids else {
            return Some(Carried {
                debug,
                ..Carried::decision(sampled)
            });
        };
        if let Some(parent) = parts.parent {
            hex::decode::<8>(parent)?;
        }
        let context = Carried::context(read_trace_id(trace_id)?, SpanId::from_hex(span_id)?, sampled);
        Some(Carried { debug, ..context })
    }

    /// Puts ids and decision, and the parent if there was one. A decision that the caller had left to us is added:
    /// it is made now, and whoever comes next must not make another.
    pub(crate) fn write(
        headers: &Headers<'_>,
        before: Option<&Carried>,
        outgoing: &Outgoing,
        edits: &mut Edits,
    ) {
        let parts = before
            .and(headers.value(Header::B3))
            .map(Parts::of)
            .unwrap_or_default();
        let width = outgoing.trace_width(parts.ids.map(|(trace_id, _)| trace_id.len()));
        headers.put(Header::B3, edits, |out| {
            hex::write_number(out, outgoing.context.trace_id.as_u128(), width);
            out.push(b'-');
            outgoing.context.span_id.write_hex(out);
            out.push(b'-');
            out.push(if outgoing.debug {
                b'd'
            } else {
                outgoing.sampled_digit()
            });
            if parts.parent.is_some() {
                out.push(b'-');
                outgoing.parent_or_self().write_hex(out);
            }
        });
    }

    #[derive(Default)]
    struct Parts<'a> {
        ids: Option<(&'a [u8], &'a [u8])>,
        decision: Option<&'a [u8]>,
        parent: Option<&'a [u8]>,
    }

    impl<'a> Parts<'a> {
        fn of(value: &'a [u8]) -> Self {
            let mut parts = value.splitn(4, |byte| *byte == b'-');
            let first = parts.next();
            let Some(span_id) = parts.next() else {
                return Self {
                    decision: first,
                    ..Self::default()
                };
            };
            let ids = first.map(|trace_id| (trace_id, span_id));
            match (parts.next(), parts.next()) {
                // Brave reads a parent without a decision as well
                (Some(parent), None) if parent.len() == 16 => Self {
                    ids,
                    decision: None,
                    parent: Some(parent),
                },
                (decision, parent) => Self {
                    ids,
                    decision,
                    parent,
                },
            }
        }
    }

    fn decide(decision: &[u8]) -> Option<(Option<bool>, bool)> {
        match decision {
            b"0" => Some((Some(false), false)),
            b"1" => Some((Some(true), false)),
            b"d" => Some((Some(true), true)),
            _ => None,
        }
    }
}

/// Several headers: `x-b3-traceid`, `-spanid`, `-parentspanid`, `-sampled`, `-flags`.
pub(crate) mod multi {
    use super::*;

    /// What the `x-b3-*` say. `None`: they are not well-formed.
    pub(crate) fn read(headers: &Headers<'_>) -> Option<Carried> {
        let sampled = match headers.value(Header::B3Sampled) {
            None => None,
            Some(b"1" | b"true" | b"True") => Some(true),
            Some(b"0" | b"false" | b"False") => Some(false),
            Some(_) => return None,
        };
        // 1 is debug and implies sampled; other flags are Finagle's own
        let debug = headers.value(Header::B3Flags) == Some(b"1");
        let sampled = if debug { Some(true) } else { sampled };
        let parent = headers.value(Header::B3ParentSpanId);
        if let Some(parent) = parent {
            hex::decode::<8>(parent)?;
        }
        let carried = match (headers.value(Header::B3TraceId), headers.value(Header::B3SpanId)) {
            (Some(trace_id), Some(span_id)) => {
                Carried::context(read_trace_id(trace_id)?, SpanId::from_hex(span_id)?, sampled)
            }
            (None, None) if parent.is_none() => Carried::decision(sampled),
            _ => return None,
        };
        Some(Carried { debug, ..carried })
    }

    /// Puts ids and decision; parent and flags only where they stand already.
    pub(crate) fn write(
        headers: &Headers<'_>,
        before: Option<&Carried>,
        outgoing: &Outgoing,
        edits: &mut Edits,
    ) {
        let incoming = before.and(headers.value(Header::B3TraceId)).map(<[u8]>::len);
        let width = outgoing.trace_width(incoming);
        headers.put(Header::B3TraceId, edits, |out| {
            hex::write_number(out, outgoing.context.trace_id.as_u128(), width);
        });
        headers.put(Header::B3SpanId, edits, |out| {
            outgoing.context.span_id.write_hex(out);
        });
        headers.rewrite(Header::B3ParentSpanId, edits, |_, out| {
            outgoing.parent_or_self().write_hex(out);
        });
        let flags = headers.value(Header::B3Flags);
        if flags.is_some() {
            headers.put_text(Header::B3Flags, edits, if outgoing.debug { b"1" } else { b"0" });
        }
        // the flag says that it is sampled, and says it alone
        let said_by_flags = flags.is_some() && outgoing.debug;
        if !said_by_flags || headers.value(Header::B3Sampled).is_some() {
            headers.put_text(Header::B3Sampled, edits, &[outgoing.sampled_digit()]);
        }
    }
}

/// 64 or 128 bits.
fn read_trace_id(digits: &[u8]) -> Option<TraceId> {
    match digits.len() {
        16 | 32 => TraceId::from_short_hex(digits),
        _ => None,
    }
}
