//! Spans as bytes: what a frame of the log holds.
//!
//! ```text
//! batch      := strings resources scopes spans
//! strings    := count (length utf8)*            every text of the batch once
//! resources  := count attributes*
//! scopes     := count (name version attributes)*
//! spans      := count (length span)*
//! span       := resource scope trace_id[16] span_id[8] flags:byte parent_id[8]? kind:byte start duration
//!               name trace_state wire_flags dropped dropped dropped status message? attributes
//!               count event* count link*
//! event      := time name attributes
//! link       := trace_id[16] span_id[8] trace_state attributes
//! attributes := count (key value)*
//! value      := 0 | 1 text | 2 false | 3 true | 4 signed | 5 double[8] | 6 length byte* | 7 count value* | 8 attributes
//! ```
//!
//! Texts are places in `strings`, resources and scopes places in their lists; `time` and `duration` count from the
//! span's start. Numbers are LEB128. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use otlp::model::{Attribute, Dropped, Event, Kind, Link, Resource, Scope, Span, Status, Value};
use span::{SpanId, TraceId};

use super::bytes::{Reader, put, put_bytes, put_signed};

/// How deep values may nest. OTLP's decoders stop long before.
const DEPTH: usize = 256;

const HAS_PARENT: u8 = 1;

/// Appends `spans` as one batch.
pub(crate) fn encode(spans: &[Span], out: &mut Vec<u8>) {
    let mut writer = Writer::default();
    let mut resources = Shared::default();
    let mut scopes = Shared::default();
    let mut records = Vec::with_capacity(spans.len() * 256);
    put(&mut records, spans.len() as u64);
    let mut record = Vec::new();
    for span in spans {
        record.clear();
        put(&mut record, resources.place(&span.resource));
        put(&mut record, scopes.place(&span.scope));
        writer.span(span, &mut record);
        put_bytes(&mut records, &record);
    }
    let mut shared = Vec::new();
    put(&mut shared, resources.list.len() as u64);
    for resource in resources.list {
        writer.attributes(&resource.attributes, &mut shared);
    }
    put(&mut shared, scopes.list.len() as u64);
    for scope in scopes.list {
        writer.text(&scope.name, &mut shared);
        writer.text(&scope.version, &mut shared);
        writer.attributes(&scope.attributes, &mut shared);
    }
    put(out, writer.list.len() as u64);
    for text in writer.list {
        put_bytes(out, text.as_bytes());
    }
    out.extend_from_slice(&shared);
    out.extend_from_slice(&records);
}

/// What many spans have in common, by where it is in memory.
struct Shared<'a, T> {
    places: HashMap<*const T, u64>,
    list: Vec<&'a T>,
}

impl<T> Default for Shared<'_, T> {
    fn default() -> Self {
        Self {
            places: HashMap::new(),
            list: Vec::new(),
        }
    }
}

impl<'a, T> Shared<'a, T> {
    fn place(&mut self, item: &'a Arc<T>) -> u64 {
        *self.places.entry(Arc::as_ptr(item)).or_insert_with(|| {
            self.list.push(item);
            self.list.len() as u64 - 1
        })
    }
}

#[derive(Default)]
struct Writer<'a> {
    places: HashMap<&'a str, u64>,
    list: Vec<&'a str>,
}

impl<'a> Writer<'a> {
    fn text(&mut self, text: &'a str, out: &mut Vec<u8>) {
        let place = *self.places.entry(text).or_insert_with(|| {
            self.list.push(text);
            self.list.len() as u64 - 1
        });
        put(out, place);
    }

    fn span(&mut self, span: &'a Span, out: &mut Vec<u8>) {
        out.extend_from_slice(span.trace_id.as_bytes());
        out.extend_from_slice(span.span_id.as_bytes());
        match span.parent_id {
            Some(parent) => {
                out.push(HAS_PARENT);
                out.extend_from_slice(parent.as_bytes());
            }
            None => out.push(0),
        }
        out.push(span.kind as u8);
        put(out, span.start);
        put_signed(out, since(span.start, span.end));
        self.text(&span.name, out);
        self.text(&span.trace_state, out);
        put(out, span.flags.into());
        for dropped in [span.dropped.attributes, span.dropped.events, span.dropped.links] {
            put(out, dropped.into());
        }
        match &span.status {
            Status::Unset => out.push(0),
            Status::Ok => out.push(1),
            Status::Error(message) => {
                out.push(2);
                self.text(message, out);
            }
        }
        self.attributes(&span.attributes, out);
        put(out, span.events.len() as u64);
        for event in &span.events {
            put_signed(out, since(span.start, event.time));
            self.text(&event.name, out);
            self.attributes(&event.attributes, out);
        }
        put(out, span.links.len() as u64);
        for link in &span.links {
            out.extend_from_slice(link.trace_id.as_bytes());
            out.extend_from_slice(link.span_id.as_bytes());
            self.text(&link.trace_state, out);
            self.attributes(&link.attributes, out);
        }
    }

    fn attributes(&mut self, attributes: &'a [Attribute], out: &mut Vec<u8>) {
        put(out, attributes.len() as u64);
        for attribute in attributes {
            self.text(&attribute.key, out);
            self.value(&attribute.value, out);
        }
    }

    fn value(&mut self, value: &'a Value, out: &mut Vec<u8>) {
        match value {
            Value::Empty => out.push(0),
            Value::String(text) => {
                out.push(1);
                self.text(text, out);
            }
            Value::Bool(false) => out.push(2),
            Value::Bool(true) => out.push(3),
            Value::Int(number) => {
                out.push(4);
                put_signed(out, *number);
            }
            Value::Double(number) => {
                out.push(5);
                out.extend_from_slice(&number.to_le_bytes());
            }
            Value::Bytes(bytes) => {
                out.push(6);
                put_bytes(out, bytes);
            }
            Value::Array(items) => {
                out.push(7);
                put(out, items.len() as u64);
                for item in items {
                    self.value(item, out);
                }
            }
            Value::Map(entries) => {
                out.push(8);
                self.attributes(entries, out);
            }
        }
    }
}

/// From one time to another, whatever they are.
fn since(start: u64, time: u64) -> i64 {
    time.wrapping_sub(start).cast_signed()
}

fn after(start: u64, since: i64) -> u64 {
    start.wrapping_add(since.cast_unsigned())
}

/// The spans of a batch, exactly as they were. `None` if these bytes are no batch.
pub(crate) fn decode(bytes: &[u8]) -> Option<Vec<Span>> {
    let mut reader = Reader(bytes);
    let count = reader.count()?;
    let strings: Vec<&str> = (0..count).map(|_| reader.text()).collect::<Option<_>>()?;
    let mut decoder = Decoder {
        strings: &strings,
        reader,
    };
    let count = decoder.reader.count()?;
    let resources: Vec<_> = (0..count)
        .map(|_| {
            let attributes = decoder.attributes(DEPTH)?;
            Some(Arc::new(Resource { attributes }))
        })
        .collect::<Option<_>>()?;
    let count = decoder.reader.count()?;
    let scopes: Vec<_> = (0..count)
        .map(|_| {
            let (name, version) = (decoder.text()?, decoder.text()?);
            let attributes = decoder.attributes(DEPTH)?;
            Some(Arc::new(Scope {
                name,
                version,
                attributes,
            }))
        })
        .collect::<Option<_>>()?;
    let count = decoder.reader.count()?;
    let mut spans = Vec::with_capacity(count);
    for _ in 0..count {
        let mut record = Decoder {
            strings: &strings,
            reader: Reader(decoder.reader.bytes()?),
        };
        let resource = Arc::clone(resources.get(record.reader.place()?)?);
        let scope = Arc::clone(scopes.get(record.reader.place()?)?);
        spans.push(record.span(resource, scope)?);
    }
    Some(spans)
}

struct Decoder<'a> {
    strings: &'a [&'a str],
    reader: Reader<'a>,
}

impl Decoder<'_> {
    fn text(&mut self) -> Option<String> {
        let place = self.reader.place()?;
        self.strings.get(place).map(|text| (*text).to_owned())
    }

    fn span(&mut self, resource: Arc<Resource>, scope: Arc<Scope>) -> Option<Span> {
        let trace_id = self.trace_id()?;
        let span_id = self.span_id()?;
        let parent_id = match self.reader.byte()? {
            HAS_PARENT => Some(self.span_id()?),
            _ => None,
        };
        let kind = kind(self.reader.byte()?)?;
        let start = self.reader.number()?;
        let end = after(start, self.reader.signed()?);
        let (name, trace_state) = (self.text()?, self.text()?);
        let flags = self.reader.small()?;
        let dropped = Dropped {
            attributes: self.reader.small()?,
            events: self.reader.small()?,
            links: self.reader.small()?,
        };
        let status = match self.reader.byte()? {
            0 => Status::Unset,
            1 => Status::Ok,
            2 => Status::Error(self.text()?),
            _ => return None,
        };
        Some(Span {
            resource,
            scope,
            trace_id,
            span_id,
            parent_id,
            trace_state,
            flags,
            name,
            kind,
            start,
            end,
            attributes: self.attributes(DEPTH)?,
            events: self.list(|decoder| decoder.event(start))?,
            links: self.list(Self::link)?,
            status,
            dropped,
        })
    }

    fn trace_id(&mut self) -> Option<TraceId> {
        TraceId::from_bytes(self.reader.array()?)
    }

    fn span_id(&mut self) -> Option<SpanId> {
        SpanId::from_bytes(self.reader.array()?)
    }

    fn event(&mut self, start: u64) -> Option<Event> {
        Some(Event {
            time: after(start, self.reader.signed()?),
            name: self.text()?,
            attributes: self.attributes(DEPTH)?,
        })
    }

    fn link(&mut self) -> Option<Link> {
        Some(Link {
            trace_id: self.trace_id()?,
            span_id: self.span_id()?,
            trace_state: self.text()?,
            attributes: self.attributes(DEPTH)?,
        })
    }

    fn attributes(&mut self, depth: usize) -> Option<Vec<Attribute>> {
        let depth = depth.checked_sub(1)?;
        self.list(|decoder| {
            Some(Attribute {
                key: decoder.text()?,
                value: decoder.value(depth)?,
            })
        })
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        Some(match self.reader.byte()? {
            0 => Value::Empty,
            1 => Value::String(self.text()?),
            2 => Value::Bool(false),
            3 => Value::Bool(true),
            4 => Value::Int(self.reader.signed()?),
            5 => Value::Double(f64::from_le_bytes(self.reader.array()?)),
            6 => Value::Bytes(self.reader.bytes()?.to_vec()),
            7 => Value::Array(self.list(|decoder| decoder.value(depth))?),
            8 => Value::Map(self.attributes(depth)?),
            _ => return None,
        })
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.reader.count()?;
        (0..count).map(|_| item(self)).collect()
    }
}

/// A kind from its number. `None` for one that there is not.
pub(crate) fn kind(number: u8) -> Option<Kind> {
    Some(match number {
        0 => Kind::Unspecified,
        1 => Kind::Internal,
        2 => Kind::Server,
        3 => Kind::Client,
        4 => Kind::Producer,
        5 => Kind::Consumer,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::any_spans;

    fn bytes(spans: &[Span]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(spans, &mut out);
        out
    }

    proptest! {
        #[test]
        fn spans_come_back_exactly_as_they_were(spans in any_spans()) {
            let back = decode(&bytes(&spans)).unwrap();
            // as text, because NaN is not equal to itself
            prop_assert_eq!(format!("{back:?}"), format!("{spans:?}"));
        }

        #[test]
        fn flipped_bytes_are_read_without_panic(
            spans in any_spans(), flips in proptest::collection::vec(any::<(prop::sample::Index, u8)>(), 1..4)
        ) {
            let mut bytes = bytes(&spans);
            for (place, byte) in flips {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            if let Some(back) = decode(&bytes) {
                prop_assert!(back.len() <= bytes.len());
            }
        }
    }

    #[test]
    fn spans_of_one_resource_share_it_again() {
        let span = crate::fixtures::span("a", 1, 1);
        let back = decode(&bytes(&[span.clone(), span])).unwrap();
        assert!(Arc::ptr_eq(&back[0].resource, &back[1].resource));
    }
}
