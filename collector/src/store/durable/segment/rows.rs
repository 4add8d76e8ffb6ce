//! Spans as rows of a segment, and rows as the spans that they were.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use otlp::model::{Attribute, Dropped, Kind, Outcome, Resource, Scalar, Scope, Span, Status, Value};
use otlp::receive::{Packed, Said, Scanned};
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::RowGroupReader;
use parquet::file::writer::SerializedRowGroupWriter;
use span::{SpanId, TraceId};

use super::columns::{Doubles, Fixed, Ints, Lists, RowGroup, RowGroupWriter, Texts, Words};
use super::json;
use super::schema::{DOUBLES, INTS, TEXTS};

/// In a shape: the attribute stands in the map, and its type is the number above this one. Smaller numbers are those
/// of the columns of frequent attributes.
const IN_MAP: u8 = 128;
/// The type of a text there.
const TEXT_IN_MAP: u8 = 1;

/// The column of a frequent attribute, by name.
static FREQUENT: LazyLock<HashMap<&str, u8>> = LazyLock::new(|| {
    let names = TEXTS.iter().chain(&INTS).chain(&DOUBLES);
    names.copied().zip(0..).collect()
});

/// Rows that are not written yet.
#[derive(Default)]
pub(crate) struct Rows {
    count: usize,
    trace_id: Fixed,
    span_id: Fixed,
    parent_id: Fixed,
    service: Words,
    name: Texts,
    kind: Words,
    start: Ints,
    duration: Ints,
    status: Words,
    status_message: Texts,
    resource: Words,
    scope: Words,
    events: Texts,
    links: Texts,
    trace_state: Texts,
    flags: Ints,
    dropped: [Ints; 3],
    shape: Words,
    texts: [Texts; TEXTS.len()],
    ints: [Ints; INTS.len()],
    doubles: [Doubles; DOUBLES.len()],
    keys: Lists,
    values: Lists,
    /// The column of the attribute that stood in each place of the last span's list.
    columns: Vec<(String, Option<u8>)>,
    last_shape: Bytes,
    new_shape: Vec<u8>,
    /// The resources and scopes that were written last, as text.
    resources: HashMap<*const Resource, (Arc<Resource>, Bytes, Bytes)>,
    scopes: HashMap<*const Scope, (Arc<Scope>, Bytes)>,
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn push(&mut self, span: &Packed, scanned: &Scanned<'_>) {
        let row = self.count;
        self.count += 1;
        self.trace_id.push(scanned.trace_id);
        self.span_id.push(scanned.span_id);
        if scanned.parent_id().is_some() {
            self.parent_id.put(row, scanned.parent_id);
        }
        let (_, resource, service) = self
            .resources
            .entry(Arc::as_ptr(&span.resource))
            .or_insert_with(|| {
                let json = json::attributes(&span.resource.attributes).to_string();
                let service = Bytes::copy_from_slice(span.service().as_bytes());
                (Arc::clone(&span.resource), json.into(), service)
            });
        self.service.push(service.clone().into());
        self.resource.push(resource.clone().into());
        let (_, scope) = self.scopes.entry(Arc::as_ptr(&span.scope)).or_insert_with(|| {
            (
                Arc::clone(&span.scope),
                json::scope(&span.scope).to_string().into(),
            )
        });
        self.scope.push(scope.clone().into());
        self.name.push(scanned.name.as_bytes());
        self.kind.push(constant(kind_name(span.kind)));
        self.start.push(span.start.cast_signed());
        self.duration
            .push(span.end.wrapping_sub(span.start).cast_signed());
        let (outcome, message) = scanned.status;
        self.status.push(constant(outcome.name()));
        if outcome == Outcome::Error {
            self.status_message.put(row, message.as_bytes());
        }
        if scanned.has_more() {
            self.more(row, &span.unpack());
        }
        if !scanned.trace_state.is_empty() {
            self.trace_state.put(row, scanned.trace_state.as_bytes());
        }
        self.flags.push(scanned.flags.into());
        let dropped = scanned.dropped();
        let dropped = [dropped.attributes, dropped.events, dropped.links];
        for (column, count) in self.dropped.iter_mut().zip(dropped) {
            column.push(count.into());
        }
        self.attributes(row, scanned);
    }

    fn more(&mut self, row: usize, span: &Span) {
        if !span.events.is_empty() {
            let events = json::events(&span.events).to_string();
            self.events.put(row, events.as_bytes());
        }
        if !span.links.is_empty() {
            let links = json::links(&span.links).to_string();
            self.links.put(row, links.as_bytes());
        }
    }

    fn attributes(&mut self, row: usize, scanned: &Scanned<'_>) {
        self.new_shape.clear();
        let mut first = true;
        for (place, (key, said)) in scanned.attributes.iter().enumerate() {
            let column = column(&mut self.columns, place, key);
            let placed = column.is_some_and(|column| {
                let place = usize::from(column);
                match said {
                    Said::Scalar(Scalar::Text(text)) => {
                        let column = empty(&mut self.texts, place, |column| column.has(row));
                        column.map(|column| column.put(row, text.as_bytes()))
                    }
                    Said::Scalar(Scalar::Int(number)) => {
                        let place = place.wrapping_sub(TEXTS.len());
                        let column = empty(&mut self.ints, place, |column| column.has(row));
                        column.map(|column| column.put(row, *number))
                    }
                    Said::Scalar(Scalar::Double(number)) => {
                        let place = place.wrapping_sub(TEXTS.len() + INTS.len());
                        let column = empty(&mut self.doubles, place, |column| column.has(row));
                        column.map(|column| column.put(row, *number))
                    }
                    _ => None,
                }
                .is_some()
            });
            if let Some(column) = column.filter(|_| placed) {
                self.new_shape.push(column);
                continue;
            }
            let (tag, text) = match said {
                Said::Scalar(Scalar::Text(text)) => (TEXT_IN_MAP, Some(Cow::Borrowed(*text))),
                said => map_value(&said.to_value()),
            };
            self.new_shape.push(IN_MAP + tag);
            self.keys.item(first, 2, Some(key.as_bytes()));
            let there = 2 + i16::from(text.is_some());
            self.values.item(first, there, text.as_deref().map(str::as_bytes));
            first = false;
        }
        if first {
            self.keys.empty();
            self.values.empty();
        }
        if self.last_shape != self.new_shape {
            self.last_shape = Bytes::copy_from_slice(&self.new_shape);
        }
        self.shape.push(self.last_shape.clone().into());
    }

    /// Writes all of them as a row group; none are left.
    pub(crate) fn write<W: Write + Send>(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<()> {
        let mut writer = RowGroupWriter::new(group, self.count);
        writer.blobs(&mut self.trace_id)?;
        writer.blobs(&mut self.span_id)?;
        writer.blobs(&mut self.parent_id)?;
        writer.values(&mut self.service)?;
        writer.blobs(&mut self.name)?;
        writer.values(&mut self.kind)?;
        writer.values(&mut self.start)?;
        writer.values(&mut self.duration)?;
        writer.values(&mut self.status)?;
        writer.blobs(&mut self.status_message)?;
        writer.values(&mut self.resource)?;
        writer.values(&mut self.scope)?;
        writer.blobs(&mut self.events)?;
        writer.blobs(&mut self.links)?;
        writer.blobs(&mut self.trace_state)?;
        writer.values(&mut self.flags)?;
        self.dropped
            .iter_mut()
            .try_for_each(|column| writer.values(column))?;
        writer.values(&mut self.shape)?;
        self.texts
            .iter_mut()
            .try_for_each(|column| writer.blobs(column))?;
        self.ints
            .iter_mut()
            .try_for_each(|column| writer.values(column))?;
        self.doubles
            .iter_mut()
            .try_for_each(|column| writer.values(column))?;
        writer.lists(&mut self.keys)?;
        writer.lists(&mut self.values)?;
        self.count = 0;
        self.resources.clear();
        self.scopes.clear();
        Ok(())
    }
}

/// The column of an attribute of that name, if it has one. Spans tend to say the same things in the same order, so what was
/// found at that place of the list for the last span is looked at first.
fn column(columns: &mut Vec<(String, Option<u8>)>, place: usize, key: &str) -> Option<u8> {
    match columns.get_mut(place) {
        Some((known, column)) if known == key => *column,
        Some((known, column)) => {
            known.replace_range(.., key);
            *column = FREQUENT.get(key).copied();
            *column
        }
        None => {
            let column = FREQUENT.get(key).copied();
            columns.push((key.to_owned(), column));
            column
        }
    }
}

/// A column by its place, unless that is taken.
fn empty<C>(columns: &mut [C], place: usize, taken: impl Fn(&C) -> bool) -> Option<&mut C> {
    columns.get_mut(place).filter(|column| !taken(column))
}

fn constant(text: &'static str) -> ByteArray {
    ByteArray::from(Bytes::from_static(text.as_bytes()))
}

/// A value as the map has it, with the number of its type.
fn map_value(value: &Value) -> (u8, Option<Cow<'static, str>>) {
    match value {
        Value::Empty => (0, None),
        Value::String(text) => (TEXT_IN_MAP, Some(text.clone().into())),
        Value::Bool(flag) => (2, Some(flag.to_string().into())),
        Value::Int(number) => (3, Some(number.to_string().into())),
        Value::Double(number) => (4, Some(number.to_string().into())),
        Value::Bytes(bytes) => (5, Some(STANDARD.encode(bytes).into())),
        Value::Array(_) | Value::Map(_) => (6, Some(json::value(value).to_string().into())),
    }
}

fn from_map(tag: u8, text: Option<&str>) -> Option<Value> {
    Some(match (tag, text) {
        (0, _) => Value::Empty,
        (TEXT_IN_MAP, Some(text)) => Value::String(text.to_owned()),
        (2, Some(text)) => Value::Bool(text == "true"),
        (3, Some(text)) => Value::Int(text.parse().ok()?),
        (4, Some(text)) => Value::Double(text.parse().ok()?),
        (5, Some(text)) => Value::Bytes(STANDARD.decode(text).ok()?),
        (6, Some(text)) => json::read_value(&json::parse(text.as_bytes())?)?,
        _ => return None,
    })
}

/// The spans in some rows of a row group; `rows` in ascending order, without overlaps.
pub(crate) fn read(group: &dyn RowGroupReader, rows: &[Range<usize>]) -> Result<Vec<Span>> {
    let mut columns = RowGroup::new(group, rows);
    let mut trace_ids = columns.fixed()?.into_iter();
    let mut span_ids = columns.fixed()?.into_iter();
    let mut parent_ids = columns.fixed()?.into_iter();
    // the service stands in the resource too
    columns.texts()?;
    let mut names = columns.texts()?.into_iter();
    let mut kinds = columns.texts()?.into_iter();
    let mut starts = columns.ints()?.into_iter();
    let mut durations = columns.ints()?.into_iter();
    let mut statuses = columns.texts()?.into_iter();
    let mut messages = columns.texts()?.into_iter();
    let mut resources = columns.texts()?.into_iter();
    let mut scopes = columns.texts()?.into_iter();
    let mut events = columns.texts()?.into_iter();
    let mut links = columns.texts()?.into_iter();
    let mut trace_states = columns.texts()?.into_iter();
    let mut flags = columns.ints()?.into_iter();
    let mut dropped = [
        columns.ints()?.into_iter(),
        columns.ints()?.into_iter(),
        columns.ints()?.into_iter(),
    ];
    let shapes = columns.texts()?;
    let mut frequent = Frequent {
        texts: repeat(TEXTS.len(), || columns.texts())?,
        ints: repeat(INTS.len(), || columns.ints())?,
        doubles: repeat(DOUBLES.len(), || columns.doubles())?,
    };
    let mut keys = columns.lists()?.into_iter();
    let mut values = columns.lists()?.into_iter();
    let mut shared = Shared::default();
    let mut spans = Vec::with_capacity(shapes.len());
    for (row, shape) in shapes.into_iter().enumerate() {
        let span = || {
            let start = starts.next()??.cast_unsigned();
            let count = |column: &mut std::vec::IntoIter<Option<i64>>| u32::try_from(column.next()??).ok();
            let [attributes, events_dropped, links_dropped] = &mut dropped;
            let message = messages.next()?;
            let parent = parent_ids.next()?;
            Some(Span {
                trace_id: TraceId::from_bytes(trace_ids.next()??.data().try_into().ok()?)?,
                span_id: SpanId::from_bytes(span_ids.next()??.data().try_into().ok()?)?,
                parent_id: match parent {
                    Some(id) => Some(SpanId::from_bytes(id.data().try_into().ok()?)?),
                    None => None,
                },
                resource: shared.resource(&resources.next()??)?,
                scope: shared.scope(&scopes.next()??)?,
                name: text(&names.next()??)?,
                kind: kind_of(kinds.next()??.data())?,
                start,
                end: start.wrapping_add(durations.next()??.cast_unsigned()),
                status: match statuses.next()??.data() {
                    b"unset" => Status::Unset,
                    b"ok" => Status::Ok,
                    b"error" => Status::Error(text(&message?)?),
                    _ => return None,
                },
                events: match events.next()? {
                    Some(text) => json::read_events(&parse(&text)?)?,
                    None => Vec::new(),
                },
                links: match links.next()? {
                    Some(text) => json::read_links(&parse(&text)?)?,
                    None => Vec::new(),
                },
                trace_state: match trace_states.next()? {
                    Some(state) => text(&state)?,
                    None => String::new(),
                },
                flags: count(&mut flags)?,
                dropped: Dropped {
                    attributes: count(attributes)?,
                    events: count(events_dropped)?,
                    links: count(links_dropped)?,
                },
                attributes: frequent.attributes(row, shape?.data(), keys.next()?, values.next()?)?,
            })
        };
        spans.push(span().ok_or_else(|| ParquetError::General(format!("row {row} is no span")))?);
    }
    Ok(spans)
}

fn repeat<T>(count: usize, mut read: impl FnMut() -> Result<T>) -> Result<Vec<T>> {
    (0..count).map(|_| read()).collect()
}

fn text(bytes: &ByteArray) -> Option<String> {
    bytes.as_utf8().ok().map(str::to_owned)
}

fn parse(text: &ByteArray) -> Option<serde_json::Value> {
    json::parse(text.data())
}

/// The columns of frequent attributes.
struct Frequent {
    texts: Vec<Vec<Option<ByteArray>>>,
    ints: Vec<Vec<Option<i64>>>,
    doubles: Vec<Vec<Option<f64>>>,
}

impl Frequent {
    fn attributes(
        &mut self,
        row: usize,
        shape: &[u8],
        keys: Vec<Option<ByteArray>>,
        values: Vec<Option<ByteArray>>,
    ) -> Option<Vec<Attribute>> {
        let mut others = keys.into_iter().zip(values);
        let mut attributes = Vec::with_capacity(shape.len());
        for place in shape {
            attributes.push(match place.checked_sub(IN_MAP) {
                Some(tag) => {
                    let (key, value) = others.next()?;
                    let value = match &value {
                        Some(value) => Some(value.as_utf8().ok()?),
                        None => None,
                    };
                    Attribute {
                        key: text(&key?)?,
                        value: from_map(tag, value)?,
                    }
                }
                None => self.frequent(row, usize::from(*place))?,
            });
        }
        Some(attributes)
    }

    fn frequent(&self, row: usize, place: usize) -> Option<Attribute> {
        let (key, value) = if let Some(key) = TEXTS.get(place) {
            (
                key,
                Value::String(text(self.texts.get(place)?.get(row)?.as_ref()?)?),
            )
        } else if let Some(key) = INTS.get(place - TEXTS.len()) {
            let column = self.ints.get(place - TEXTS.len())?;
            (key, Value::Int((*column.get(row)?)?))
        } else {
            let place = place - TEXTS.len() - INTS.len();
            let column = self.doubles.get(place)?;
            (DOUBLES.get(place)?, Value::Double((*column.get(row)?)?))
        };
        Some(Attribute {
            key: (*key).to_owned(),
            value,
        })
    }
}

/// Resources and scopes that many rows have in common, read once.
#[derive(Default)]
struct Shared {
    resources: HashMap<Vec<u8>, Arc<Resource>>,
    scopes: HashMap<Vec<u8>, Arc<Scope>>,
}

impl Shared {
    fn resource(&mut self, text: &ByteArray) -> Option<Arc<Resource>> {
        if let Some(known) = self.resources.get(text.data()) {
            return Some(Arc::clone(known));
        }
        let attributes = json::read_attributes(&parse(text)?)?;
        let resource = Arc::new(Resource { attributes });
        self.resources.insert(text.data().to_vec(), Arc::clone(&resource));
        Some(resource)
    }

    fn scope(&mut self, text: &ByteArray) -> Option<Arc<Scope>> {
        if let Some(known) = self.scopes.get(text.data()) {
            return Some(Arc::clone(known));
        }
        let scope = Arc::new(json::read_scope(&parse(text)?)?);
        self.scopes.insert(text.data().to_vec(), Arc::clone(&scope));
        Some(scope)
    }
}

fn kind_name(kind: Kind) -> &'static str {
    crate::tags::kind_name(kind).unwrap_or("unspecified")
}

fn kind_of(name: &[u8]) -> Option<Kind> {
    let kinds = [
        Kind::Unspecified,
        Kind::Internal,
        Kind::Server,
        Kind::Client,
        Kind::Producer,
        Kind::Consumer,
    ];
    kinds.into_iter().find(|kind| kind_name(*kind).as_bytes() == name)
}
