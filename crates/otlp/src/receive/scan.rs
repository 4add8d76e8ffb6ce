//! A span looked at in place: every field where it stands in the sender's bytes, nothing copied, nothing built but the
//! list of its attributes.
//!
//! Protobuf allows a message to be written in odd ways: a field that stands once may stand twice, groups may stand in
//! between. What is written so is not scanned; [`usual`] writes it again in the one way that everybody uses.

use bytes::Bytes;
use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::trace::v1 as proto;
use prost::Message;
use span::{SpanId, TraceId};

use super::{Reason, convert};
use crate::model::{Attribute, Attributes, Dropped, Event, Kind, Link, Outcome, Scalar, Status, Value};
use crate::wire::{Field, Fields};

/// Attributes that a list has room for before it has to grow.
const USUAL_ATTRIBUTES: usize = 16;

/// A span in place.
#[derive(Clone, Debug, Default)]
pub struct Scanned<'a> {
    /// Its trace's id as it came; see [`trace_id`](Self::trace_id).
    pub trace_id: &'a [u8],
    /// Its own; see [`span_id`](Self::span_id).
    pub span_id: &'a [u8],
    /// Its parent's; see [`parent_id`](Self::parent_id).
    pub parent_id: &'a [u8],
    /// W3C `tracestate`, as it came.
    pub trace_state: &'a str,
    /// The low byte holds the W3C trace flags.
    pub flags: u32,
    /// The operation.
    pub name: &'a str,
    /// Which side of a call it is.
    pub kind: Kind,
    /// When it began.
    pub start: u64,
    /// When it ended.
    pub end: u64,
    /// What is known about it.
    pub attributes: Vec<(&'a str, Said<'a>)>,
    /// How it went, and the words for it.
    pub status: (Outcome, &'a str),
    pub(super) dropped: Dropped,
    pub(super) events: Vec<&'a [u8]>,
    pub(super) links: Vec<&'a [u8]>,
    /// A bit for each attribute, by its key: most keys that are asked for are not there.
    keys: u64,
}

/// A value in place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Said<'a> {
    /// No value.
    Empty,
    /// One that stands by itself.
    Scalar(Scalar<'a>),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A list or a map: the whole `AnyValue`.
    Nested(&'a [u8]),
}

impl<'a> Scanned<'a> {
    /// Looks at a span's bytes. `None` if they are no span, or one that is written in an odd way.
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        let mut span = Self {
            attributes: Vec::with_capacity(USUAL_ATTRIBUTES),
            ..Self::default()
        };
        let mut status = None;
        for field in Fields(bytes) {
            match field? {
                (1, Field::Bytes(id)) => span.trace_id = id,
                (2, Field::Bytes(id)) => span.span_id = id,
                (3, Field::Bytes(state)) => span.trace_state = text(state)?,
                (4, Field::Bytes(id)) => span.parent_id = id,
                (5, Field::Bytes(name)) => span.name = text(name)?,
                (6, Field::Varint(number)) => span.kind = convert::kind(number as i32),
                (7, Field::Fixed64(time)) => span.start = time,
                (8, Field::Fixed64(time)) => span.end = time,
                (9, Field::Bytes(pair)) => {
                    let attribute = attribute(pair)?;
                    span.keys |= bit(attribute.0);
                    span.attributes.push(attribute);
                }
                (10, Field::Varint(count)) => span.dropped.attributes = count as u32,
                (11, Field::Bytes(event)) => span.events.push(event),
                (12, Field::Varint(count)) => span.dropped.events = count as u32,
                (13, Field::Bytes(link)) => span.links.push(link),
                (14, Field::Varint(count)) => span.dropped.links = count as u32,
                (15, Field::Bytes(bytes)) if status.is_none() => status = Some(bytes),
                (16, Field::Fixed32(flags)) => span.flags = flags,
                (1..=16, _) => return None,
                _ => {}
            }
        }
        if let Some(status) = status {
            span.status = self::status(status)?;
        }
        Some(span)
    }

    /// The id of the trace that it says it is part of.
    pub fn trace_id(&self) -> Option<TraceId> {
        TraceId::from_bytes(self.trace_id.try_into().ok()?)
    }

    /// Its own id.
    pub fn span_id(&self) -> Option<SpanId> {
        SpanId::from_bytes(self.span_id.try_into().ok()?)
    }

    /// Its parent; none for a root. Some SDKs write that as eight zero bytes.
    pub fn parent_id(&self) -> Option<SpanId> {
        SpanId::from_bytes(self.parent_id.try_into().ok()?)
    }

    /// Nanoseconds from start to end; zero if it ends before it starts.
    pub fn duration(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Its status.
    pub fn status(&self) -> Status {
        match self.status {
            (Outcome::Unset, _) => Status::Unset,
            (Outcome::Ok, _) => Status::Ok,
            (Outcome::Error, message) => Status::Error(message.to_owned()),
        }
    }

    /// Whether it tells of events or links.
    pub fn has_more(&self) -> bool {
        !(self.events.is_empty() && self.links.is_empty())
    }

    /// What happened meanwhile.
    ///
    /// # Errors
    /// An event does not decode, or has more attributes than is allowed.
    pub fn events(&self) -> Result<Vec<Event>, Reason> {
        let event = |bytes: &&[u8]| {
            let event = proto::span::Event::decode(*bytes).map_err(|_| Reason::Malformed)?;
            convert::event(event)
        };
        self.events.iter().map(event).collect()
    }

    /// The links that name a span, and how many the sender or we left out.
    ///
    /// # Errors
    /// A link does not decode, or has more attributes than is allowed.
    pub fn links(&self) -> Result<(Vec<Link>, u32), Reason> {
        let link = |bytes: &&[u8]| proto::span::Link::decode(*bytes).map_err(|_| Reason::Malformed);
        let links = self.links.iter().map(link).collect::<Result<_, _>>()?;
        let (links, bad) = convert::links(links)?;
        Ok((links, self.dropped.links.saturating_add(bad)))
    }

    /// How much its sender or we left out.
    pub fn dropped(&self) -> Dropped {
        // what links say was decoded when it was packed
        let links = match self.links.is_empty() {
            true => self.dropped.links,
            false => self.links().unwrap_or_default().1,
        };
        Dropped {
            links,
            ..self.dropped
        }
    }

    /// Its attributes in types of their own.
    pub fn attributes(&self) -> Vec<Attribute> {
        let attribute = |(key, value): &(&str, Said<'_>)| Attribute {
            key: (*key).to_owned(),
            value: value.to_value(),
        };
        self.attributes.iter().map(attribute).collect()
    }
}

impl Attributes for Scanned<'_> {
    fn scalar(&self, key: &str) -> Option<Scalar<'_>> {
        if self.keys & bit(key) == 0 {
            return None;
        }
        match self.attributes.iter().find(|(known, _)| *known == key)?.1 {
            Said::Scalar(scalar) => Some(scalar),
            Said::Empty | Said::Bytes(_) | Said::Nested(_) => None,
        }
    }
}

impl Said<'_> {
    /// The value in types of its own.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Empty => Value::Empty,
            Self::Scalar(Scalar::Text(text)) => Value::String((*text).to_owned()),
            Self::Scalar(Scalar::Bool(flag)) => Value::Bool(*flag),
            Self::Scalar(Scalar::Int(number)) => Value::Int(*number),
            Self::Scalar(Scalar::Double(number)) => Value::Double(*number),
            Self::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
            // it decoded when it was scanned
            Self::Nested(any) => AnyValue::decode(*any).map_or(Value::Empty, |any| convert::value(any.value)),
        }
    }
}

/// The same span in the way in which everybody writes it.
pub(super) fn usual(bytes: Bytes) -> Result<Bytes, Reason> {
    let span = proto::Span::decode(bytes).map_err(|_| Reason::Malformed)?;
    Ok(span.encode_to_vec().into())
}

/// The bit of a key: by its length and its last letter, in which keys of one length mostly differ.
#[inline]
fn bit(key: &str) -> u64 {
    let last = key.as_bytes().last().copied().unwrap_or(0);
    1 << ((key.len() * 5 + usize::from(last)) % u64::BITS as usize)
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

fn status(bytes: &[u8]) -> Option<(Outcome, &str)> {
    let (mut code, mut message) = (Outcome::Unset, "");
    for field in Fields(bytes) {
        match field? {
            (2, Field::Bytes(bytes)) => message = text(bytes)?,
            (3, Field::Varint(number)) => code = convert::outcome(number as i32),
            (2 | 3, _) => return None,
            _ => {}
        }
    }
    Some((code, message))
}

fn attribute(pair: &[u8]) -> Option<(&str, Said<'_>)> {
    let (mut key, mut value) = ("", None);
    for field in Fields(pair) {
        match field? {
            (1, Field::Bytes(bytes)) => key = text(bytes)?,
            (2, Field::Bytes(bytes)) if value.is_none() => value = Some(said(bytes)?),
            // an index into a table of strings exists in profiles only
            (3, Field::Varint(_)) => {}
            (1..=3, _) => return None,
            _ => {}
        }
    }
    Some((key, value.unwrap_or(Said::Empty)))
}

fn said(any: &[u8]) -> Option<Said<'_>> {
    let mut value = None;
    for field in Fields(any) {
        let one = match field? {
            (1, Field::Bytes(bytes)) => Said::Scalar(Scalar::Text(text(bytes)?)),
            (2, Field::Varint(number)) => Said::Scalar(Scalar::Bool(number != 0)),
            (3, Field::Varint(number)) => Said::Scalar(Scalar::Int(number.cast_signed())),
            (4, Field::Fixed64(bits)) => Said::Scalar(Scalar::Double(f64::from_bits(bits))),
            (5 | 6, Field::Bytes(_)) => {
                AnyValue::decode(any).ok()?;
                Said::Nested(any)
            }
            (7, Field::Bytes(bytes)) => Said::Bytes(bytes),
            (8, Field::Varint(_)) => Said::Empty,
            (1..=8, _) => return None,
            _ => continue,
        };
        if value.replace(one).is_some() {
            return None;
        }
    }
    Some(value.unwrap_or(Said::Empty))
}
