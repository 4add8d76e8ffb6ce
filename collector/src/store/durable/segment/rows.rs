//! Spans as rows of a segment, and rows as the spans that they were.

use std::collections::HashMap;
use std::io::Write;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use otlp::model::{Attribute, Dropped, Kind, Resource, Scope, Span, Status, Value};
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::RowGroupReader;
use parquet::file::writer::SerializedRowGroupWriter;
use span::{SpanId, TraceId};

use super::columns::{Doubles, Fixed, Ints, Lists, RowGroup, RowGroupWriter, Texts};
use super::json;
use super::schema::{DOUBLES, INTS, TEXTS};

/// In a shape: the attribute stands in the map, and its type is the number above this one. Smaller numbers are those
/// of the columns of frequent attributes.
const IN_MAP: u8 = 128;

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
    service: Texts,
    name: Texts,
    kind: Texts,
    start: Ints,
    duration: Ints,
    status: Texts,
    status_message: Texts,
    resource: Texts,
    scope: Texts,
    events: Texts,
    links: Texts,
    trace_state: Texts,
    flags: Ints,
    dropped: [Ints; 3],
    shape: Texts,
    texts: [Texts; TEXTS.len()],
    ints: [Ints; INTS.len()],
    doubles: [Doubles; DOUBLES.len()],
    keys: Lists,
    values: Lists,
    /// The resources and scopes that were written last, as text.
    resources: HashMap<*const Resource, (Arc<Resource>, Bytes, Bytes)>,
    scopes: HashMap<*const Scope, (Arc<Scope>, Bytes)>,
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn push(&mut self, span: &Span) {
        self.count += 1;
        self.trace_id.push_bytes(span.trace_id.as_bytes());
        self.span_id.push_bytes(span.span_id.as_bytes());
        let parent = span.parent_id.as_ref();
        self.parent_id
            .push_or_not(parent.map(|id| super::columns::fixed(id.as_bytes())));
        let (_, resource, service) = self
            .resources
            .entry(Arc::as_ptr(&span.resource))
            .or_insert_with(|| {
                let json = json::attributes(&span.resource.attributes).to_string();
                let service = Bytes::copy_from_slice(span.service().as_bytes());
                (Arc::clone(&span.resource), json.into(), service)
            });
        self.service.push_shared(service);
        self.resource.push_shared(resource);
        let (_, scope) = self.scopes.entry(Arc::as_ptr(&span.scope)).or_insert_with(|| {
            (
                Arc::clone(&span.scope),
                json::scope(&span.scope).to_string().into(),
            )
        });
        self.scope.push_shared(scope);
        self.name.push(span.name.as_bytes());
        self.kind.push(kind_name(span.kind).as_bytes());
        self.start.push(span.start.cast_signed());
        self.duration
            .push(span.end.wrapping_sub(span.start).cast_signed());
        let (status, message) = match &span.status {
            Status::Unset => ("unset", None),
            Status::Ok => ("ok", None),
            Status::Error(message) => ("error", Some(message.as_bytes())),
        };
        self.status.push(status.as_bytes());
        self.status_message.push_or_not(message);
        let events = (!span.events.is_empty()).then(|| json::events(&span.events).to_string());
        self.events.push_or_not(events.as_deref().map(str::as_bytes));
        let links = (!span.links.is_empty()).then(|| json::links(&span.links).to_string());
        self.links.push_or_not(links.as_deref().map(str::as_bytes));
        let state = (!span.trace_state.is_empty()).then_some(span.trace_state.as_bytes());
        self.trace_state.push_or_not(state);
        self.flags.push(span.flags.into());
        let dropped = [span.dropped.attributes, span.dropped.events, span.dropped.links];
        for (column, count) in self.dropped.iter_mut().zip(dropped) {
            column.push(count.into());
        }
        self.attributes(&span.attributes);
    }

    fn attributes(&mut self, attributes: &[Attribute]) {
        let mut shape = Vec::with_capacity(attributes.len());
        let mut texts = [None; TEXTS.len()];
        let mut ints = [None; INTS.len()];
        let mut doubles = [None; DOUBLES.len()];
        let mut first = true;
        for attribute in attributes {
            let column = FREQUENT.get(attribute.key.as_str()).copied();
            let placed = column.is_some_and(|column| {
                let place = usize::from(column);
                match &attribute.value {
                    Value::String(text) => put(&mut texts, place, text.as_bytes()),
                    Value::Int(number) => put(&mut ints, place.wrapping_sub(TEXTS.len()), *number),
                    Value::Double(number) => put(
                        &mut doubles,
                        place.wrapping_sub(TEXTS.len() + INTS.len()),
                        *number,
                    ),
                    _ => false,
                }
            });
            if let Some(column) = column.filter(|_| placed) {
                shape.push(column);
                continue;
            }
            let (tag, text) = map_value(&attribute.value);
            shape.push(IN_MAP + tag);
            self.keys.item(first, 2, Some(attribute.key.as_bytes()));
            let there = 2 + i16::from(text.is_some());
            self.values.item(first, there, text.as_deref().map(str::as_bytes));
            first = false;
        }
        if first {
            self.keys.empty();
            self.values.empty();
        }
        for (column, text) in self.texts.iter_mut().zip(texts) {
            column.push_or_not(text);
        }
        for (column, number) in self.ints.iter_mut().zip(ints) {
            column.push_or_not(number);
        }
        for (column, number) in self.doubles.iter_mut().zip(doubles) {
            column.push_or_not(number);
        }
        self.shape.push(&shape);
    }

    /// Writes all of them as a row group; none are left.
    pub(crate) fn write<W: Write + Send>(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<()> {
        let mut writer = RowGroupWriter(group);
        writer.values(&mut self.trace_id)?;
        writer.values(&mut self.span_id)?;
        writer.values(&mut self.parent_id)?;
        writer.texts(&mut self.service)?;
        writer.texts(&mut self.name)?;
        writer.texts(&mut self.kind)?;
        writer.values(&mut self.start)?;
        writer.values(&mut self.duration)?;
        writer.texts(&mut self.status)?;
        writer.texts(&mut self.status_message)?;
        writer.texts(&mut self.resource)?;
        writer.texts(&mut self.scope)?;
        writer.texts(&mut self.events)?;
        writer.texts(&mut self.links)?;
        writer.texts(&mut self.trace_state)?;
        writer.values(&mut self.flags)?;
        self.dropped
            .iter_mut()
            .try_for_each(|column| writer.values(column))?;
        writer.texts(&mut self.shape)?;
        self.texts
            .iter_mut()
            .try_for_each(|column| writer.texts(column))?;
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

/// Fills an empty place. `false` if there is none.
fn put<T>(places: &mut [Option<T>], place: usize, value: T) -> bool {
    match places.get_mut(place) {
        Some(empty @ None) => {
            *empty = Some(value);
            true
        }
        _ => false,
    }
}

/// A value as the map has it, with the number of its type.
fn map_value(value: &Value) -> (u8, Option<std::borrow::Cow<'_, str>>) {
    match value {
        Value::Empty => (0, None),
        Value::String(text) => (1, Some(text.into())),
        Value::Bool(flag) => (2, Some(if *flag { "true" } else { "false" }.into())),
        Value::Int(number) => (3, Some(number.to_string().into())),
        Value::Double(number) => (4, Some(number.to_string().into())),
        Value::Bytes(bytes) => (5, Some(STANDARD.encode(bytes).into())),
        Value::Array(_) | Value::Map(_) => (6, Some(json::value(value).to_string().into())),
    }
}

fn from_map(tag: u8, text: Option<&str>) -> Option<Value> {
    Some(match (tag, text) {
        (0, _) => Value::Empty,
        (1, Some(text)) => Value::String(text.to_owned()),
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
