//! What stands beside a segment so that little of it has to be read: `NUMBER.index`.
//!
//! ```text
//! file    := head traces filter*         frames; see `frame`
//! head    := what is needed at once, and where each filter stands               kind 16
//! traces  := what is said of each trace; see `entries`                          kind 17
//! filter  := Bloom filter of what the spans of one row group say; see `filter`  kind 18
//! ```
//!
//! It is written last and renamed into place: a segment is there once its index is.

use std::ops::RangeInclusive;

use otlp::model::Kind;
use span::TraceId;

use super::entries::{self, Entry, IdPlace};
use super::filter::Filter;
use crate::store::durable::bytes::{Reader, put, put_bytes};
use crate::store::durable::codec;
use crate::store::durable::frame::{self, Next};

const HEAD: u8 = 16;
const TRACES: u8 = 17;
const FILTER: u8 = 18;

/// The part of an index that is always in memory.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Head {
    /// The last file of the log whose spans are in segments up to this one.
    pub(crate) log: u64,
    /// Segments whose spans are all in this one.
    pub(crate) replaces: Vec<u64>,
    /// How many spans it has.
    pub(crate) spans: u64,
    /// How many traces.
    pub(crate) traces: u64,
    /// When its spans begin.
    pub(crate) start: RangeInclusive<u64>,
    /// When its traces were first received.
    pub(crate) received: RangeInclusive<u64>,
    /// Whose spans they are, and what they are called.
    pub(crate) operations: Vec<(String, String, Kind)>,
    /// Which traces these spans made part of which, in order.
    pub(crate) joins: Vec<(TraceId, TraceId)>,
    /// Traces that may have spans in older segments.
    pub(crate) continues: Vec<TraceId>,
    /// The row groups.
    pub(crate) groups: Vec<Group>,
    /// Where the Parquet file's own footer begins.
    pub(crate) footer: u64,
    /// CRC-32 of that footer.
    pub(crate) footer_checksum: u32,
    /// Length of the Parquet file.
    pub(crate) length: u64,
    /// Which traces it may have.
    pub(crate) ids: Filter,
}

/// A row group.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group {
    /// Where it stands in the Parquet file.
    pub(crate) offset: u64,
    pub(crate) length: u64,
    /// CRC-32 of these bytes.
    pub(crate) checksum: u32,
    /// How many rows.
    pub(crate) rows: u64,
    /// Where the payload of its filter stands in the index, once it is written.
    pub(crate) filter: (u64, u64),
    /// CRC-32 of the filter.
    pub(crate) filter_checksum: u32,
}

/// An index in bytes. `filters` are those of the groups, in order.
pub(super) fn write(head: &Head, entries: &[Entry], ids: &[IdPlace], filters: &[Filter]) -> Option<Vec<u8>> {
    let traces = entries::write(entries, ids)?;
    let mut bytes = Vec::new();
    // where the filters stand depends on how long the head is, which depends on that: so they count from its end
    let mut head = head.clone();
    let mut at = 2 * frame::HEADER as u64 + traces.len() as u64;
    for (group, filter) in head.groups.iter_mut().zip(filters) {
        group.filter = (at, filter.0.len() as u64);
        group.filter_checksum = crc32fast::hash(&filter.0);
        at += (frame::HEADER + filter.0.len()) as u64;
    }
    frame::write(HEAD, &[&write_head(&head)], &mut bytes)?;
    frame::write(TRACES, &[&traces], &mut bytes)?;
    for filter in filters {
        frame::write(FILTER, &[&filter.0], &mut bytes)?;
    }
    Some(bytes)
}

/// Where things stand in an index, from its beginning.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) head: Head,
    /// Bytes before the frame of the traces; filters count from here.
    pub(crate) base: u64,
}

/// The length of the head's frame, from the beginning of a file.
pub(crate) fn head_length(beginning: &[u8]) -> Option<usize> {
    let length = beginning.get(8..12)?;
    let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
    (length <= frame::MAX_PAYLOAD).then_some(frame::HEADER + length)
}

/// Reads the head's frame.
pub(crate) fn read_head(frame: &[u8]) -> Option<Layout> {
    match frame::next(frame) {
        Next::Frame {
            version,
            kind: HEAD,
            payload,
        } if frame::READABLE.contains(&version) => Some(Layout {
            head: parse_head(payload)?,
            base: frame.len() as u64,
        }),
        _ => None,
    }
}

/// Reads the frame of the traces: of which version it is, and what is in it; see [`entries`].
pub(super) fn read_traces(frame: &[u8]) -> Option<(u8, &[u8])> {
    match frame::next(frame) {
        Next::Frame {
            version,
            kind: TRACES,
            payload,
        } => Some((version, payload)),
        _ => None,
    }
}

fn write_head(head: &Head) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, head.log);
    put(&mut out, head.replaces.len() as u64);
    for number in &head.replaces {
        put(&mut out, *number);
    }
    for number in [
        head.spans,
        head.traces,
        *head.start.start(),
        *head.start.end(),
        *head.received.start(),
        *head.received.end(),
        head.footer,
        head.footer_checksum.into(),
        head.length,
    ] {
        put(&mut out, number);
    }
    put(&mut out, head.operations.len() as u64);
    for (service, name, kind) in &head.operations {
        put_bytes(&mut out, service.as_bytes());
        put_bytes(&mut out, name.as_bytes());
        out.push(*kind as u8);
    }
    put(&mut out, head.joins.len() as u64);
    for (part, whole) in &head.joins {
        out.extend_from_slice(part.as_bytes());
        out.extend_from_slice(whole.as_bytes());
    }
    put(&mut out, head.continues.len() as u64);
    for id in &head.continues {
        out.extend_from_slice(id.as_bytes());
    }
    put(&mut out, head.groups.len() as u64);
    for group in &head.groups {
        put(&mut out, group.offset);
        put(&mut out, group.length);
        put(&mut out, group.checksum.into());
        put(&mut out, group.rows);
        put(&mut out, group.filter.0);
        put(&mut out, group.filter.1);
        put(&mut out, group.filter_checksum.into());
    }
    put_bytes(&mut out, &head.ids.0);
    out
}

fn parse_head(payload: &[u8]) -> Option<Head> {
    let mut reader = Reader(payload);
    let log = reader.number()?;
    let count = reader.count()?;
    let replaces = (0..count).map(|_| reader.number()).collect::<Option<_>>()?;
    let (spans, traces) = (reader.number()?, reader.number()?);
    let start = reader.number()?..=reader.number()?;
    let received = reader.number()?..=reader.number()?;
    let (footer, footer_checksum, length) = (reader.number()?, reader.small()?, reader.number()?);
    let count = reader.count()?;
    let operation = |_| {
        let (service, name) = (reader.text()?.to_owned(), reader.text()?.to_owned());
        Some((service, name, codec::kind(reader.byte()?)?))
    };
    let operations = (0..count).map(operation).collect::<Option<_>>()?;
    let count = reader.count()?;
    let join = |_| {
        Some((
            TraceId::from_bytes(reader.array()?)?,
            TraceId::from_bytes(reader.array()?)?,
        ))
    };
    let joins = (0..count).map(join).collect::<Option<_>>()?;
    let count = reader.count()?;
    let continues = (0..count)
        .map(|_| TraceId::from_bytes(reader.array()?))
        .collect::<Option<_>>()?;
    let count = reader.count()?;
    let group = |_| {
        Some(Group {
            offset: reader.number()?,
            length: reader.number()?,
            checksum: reader.small()?,
            rows: reader.number()?,
            filter: (reader.number()?, reader.number()?),
            filter_checksum: reader.small()?,
        })
    };
    let groups = (0..count).map(group).collect::<Option<_>>()?;
    let ids = Filter(reader.bytes()?.to_vec());
    Some(Head {
        log,
        replaces,
        spans,
        traces,
        start,
        received,
        operations,
        joins,
        continues,
        groups,
        footer,
        footer_checksum,
        length,
        ids,
    })
}
