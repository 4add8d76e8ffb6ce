//! AWS X-Ray: `x-amzn-trace-id: Root=1-…-…;Parent=…;Sampled=1`, the fields in any order and others among them.

use super::carried::{Carried, Outgoing};
use super::header::Header;
use super::headers::Headers;
use crate::hex;
use crate::{Edits, SpanId, TraceId};

/// What `x-amzn-trace-id` says. `None`: it is not well-formed.
///
/// A load balancer writes `Root` without `Parent`: it has chosen the trace, and its first span is still to come.
pub(crate) fn read(headers: &Headers<'_>) -> Option<Carried> {
    let (mut root, mut parent, mut sampled) = (None, None, None);
    for (key, _, value) in parts(headers.value(Header::AmznTraceId)?) {
        let place = match key {
            Key::Root => &mut root,
            Key::Parent => &mut parent,
            Key::Sampled => &mut sampled,
            Key::Other => continue,
        };
        if place.replace(value).is_some() {
            return None;
        }
    }
    // "?" asks us to decide
    let sampled = match sampled {
        Some(b"1") => Some(true),
        Some(b"0") => Some(false),
        Some(b"?") | None => None,
        Some(_) => return None,
    };
    match (root, parent) {
        (Some(root), Some(parent)) => Some(Carried::context(
            trace_id(root)?,
            SpanId::from_hex(parent)?,
            sampled,
        )),
        (Some(root), None) => Some(Carried {
            trace_id: Some(trace_id(root)?),
            ..Carried::decision(sampled)
        }),
        (None, None) => Some(Carried::decision(Some(sampled?))),
        (None, Some(_)) => None,
    }
}

/// Puts root, parent and decision in the places where they stand, or else at the end. Other fields stay as they are.
pub(crate) fn write(headers: &Headers<'_>, before: Option<&Carried>, outgoing: &Outgoing, edits: &mut Edits) {
    let kept = before.and(headers.value(Header::AmznTraceId)).unwrap_or_default();
    headers.put(Header::AmznTraceId, edits, |out| {
        let start = out.len();
        for (place, (key, name, value)) in parts(kept).enumerate() {
            if place > 0 {
                out.push(b';');
            }
            out.extend_from_slice(name);
            write_value(key, value, outgoing, out);
        }
        for (key, name) in [
            (Key::Root, "Root="),
            (Key::Parent, "Parent="),
            (Key::Sampled, "Sampled="),
        ] {
            if parts(kept).any(|(there, ..)| there == key) {
                continue;
            }
            if out.len() > start && !out.ends_with(b";") {
                out.push(b';');
            }
            out.extend_from_slice(name.as_bytes());
            write_value(key, b"", outgoing, out);
        }
    });
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Root,
    Parent,
    Sampled,
    Other,
}

/// The parts between semicolons: what each is, its name with the equals sign as it stands there, its value.
fn parts(value: &[u8]) -> impl Iterator<Item = (Key, &[u8], &[u8])> {
    value.split(|byte| *byte == b';').map(|part| {
        let name = part
            .iter()
            .position(|byte| *byte == b'=')
            .map_or(0, |equals| equals + 1);
        let (name, value) = part.split_at_checked(name).unwrap_or_default();
        let key = match name.trim_ascii_start() {
            b"Root=" => Key::Root,
            b"Parent=" => Key::Parent,
            b"Sampled=" => Key::Sampled,
            _ => Key::Other,
        };
        (key, name, value)
    })
}

fn write_value(key: Key, before: &[u8], outgoing: &Outgoing, out: &mut Vec<u8>) {
    match key {
        Key::Root => {
            let digits: [u8; 32] = hex::encode(outgoing.context.trace_id.as_bytes());
            let (time, random) = digits.split_at_checked(8).unwrap_or_default();
            for piece in [b"1-", time, b"-", random] {
                out.extend_from_slice(piece);
            }
        }
        Key::Parent => outgoing.context.span_id.write_hex(out),
        Key::Sampled => out.push(outgoing.sampled_digit()),
        Key::Other => out.extend_from_slice(before),
    }
}

/// Version 1: eight digits of time and 24 of chance, which make a trace id of 128 bits together.
fn trace_id(root: &[u8]) -> Option<TraceId> {
    let (time, random) = root.strip_prefix(b"1-")?.split_first_chunk::<8>()?;
    let random: &[u8; 24] = random.strip_prefix(b"-")?.try_into().ok()?;
    let mut digits = [0; 32];
    let (head, tail) = digits.split_at_mut_checked(8)?;
    head.copy_from_slice(time);
    tail.copy_from_slice(random);
    TraceId::from_hex(&digits)
}
