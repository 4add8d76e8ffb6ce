//! Rows of a segment as the spans that they were.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use otlp::model::{Attribute, Dropped, Kind, Resource, Scope, Span, Status, Value};
use parquet::data_type::{ByteArray, FixedLenByteArray};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::RowGroupReader;
use span::{SpanId, TraceId};

use super::columns::RowGroup;
use super::json;
use super::schema::{DOUBLES, IN_MAP, INTS, PARENT_ROW, TEXT_IN_MAP, TEXTS, UNSPECIFIED};
use crate::tags;

/// The spans in some rows of a row group; `rows` in ascending order, without overlaps.
pub(crate) fn read(group: &dyn RowGroupReader, rows: &[Range<usize>]) -> Result<Vec<Span>> {
    let mut columns = RowGroup::new(group, rows);
    let mut trace_ids = columns.fixed()?.into_iter();
    let span_ids = span_ids(columns.fixed()?)?;
    let mut parents = parents(&mut columns, &span_ids)?.into_iter();
    let mut span_ids = span_ids.into_iter();
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
            Some(Span {
                trace_id: TraceId::from_bytes(trace_ids.next()??.data().try_into().ok()?)?,
                span_id: span_ids.next()?,
                parent_id: parents.next()?,
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

fn span_ids(column: Vec<Option<FixedLenByteArray>>) -> Result<Vec<SpanId>> {
    let id = |id: Option<FixedLenByteArray>| SpanId::from_bytes(id?.data().try_into().ok()?);
    column
        .into_iter()
        .map(|bytes| id(bytes).ok_or_else(no_id))
        .collect()
}

/// The parent of each row, by the row in which it stands, or by its id. Until version 2 there were ids only.
fn parents(columns: &mut RowGroup<'_>, spans: &[SpanId]) -> Result<Vec<Option<SpanId>>> {
    let mut parents = vec![None; spans.len()];
    if columns.next_is(PARENT_ROW) {
        for (row, (parent, distance)) in parents.iter_mut().zip(columns.ints()?).enumerate() {
            if let Some(distance) = distance {
                let place = isize::try_from(distance).ok();
                let place = place.and_then(|distance| row.checked_add_signed(distance));
                let id = place.and_then(|place| spans.get(place));
                *parent = Some(*id.ok_or_else(no_id)?);
            }
        }
    }
    for (parent, id) in parents.iter_mut().zip(columns.fixed()?) {
        if let Some(id) = id {
            let bytes = id.data().try_into().ok();
            *parent = Some(bytes.and_then(SpanId::from_bytes).ok_or_else(no_id)?);
        }
    }
    Ok(parents)
}

fn no_id() -> ParquetError {
    ParquetError::General("a row without the id that it should have".to_owned())
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

fn kind_of(name: &[u8]) -> Option<Kind> {
    Kind::ALL
        .into_iter()
        .find(|kind| tags::kind_name(*kind).unwrap_or(UNSPECIFIED).as_bytes() == name)
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
