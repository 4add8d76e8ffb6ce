//! Spans as version 1 wrote them into the log. Only read.
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

use std::sync::Arc;

use otlp::model::{Attribute, Dropped, Event, Kind, Link, Resource, Scope, Span, Status, Value};
use span::{SpanId, TraceId};

use super::bytes::Reader;

/// How deep values may nest. OTLP's decoders stop long before.
const DEPTH: usize = 256;

const HAS_PARENT: u8 = 1;

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
