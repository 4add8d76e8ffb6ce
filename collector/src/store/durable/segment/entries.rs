//! What an index says of each trace, in the order of the rows.
//!
//! ```text
//! traces   := length zstd(count column{8} id* checksum)
//! column   := a number for each trace: what its rows are times two, one more where it begins a row group; when its first
//!             span begins, from the trace before; from there when its last one begins; when the last to end ends; how
//!             much shorter its longest span is; how many failed; how many ids its rows say that the row group's rows
//!             before do not; which of them is its own, from 1, or 0
//! id       := of each trace with a 0 there
//! checksum := CRC-32 of the ids of all of them
//! ```
//!
//! Ids stand in the table, in the dictionary of each row group's first column, and not here again. A trace that reads as
//! part of another may have none there that is its own.
//!
//! Until version 2: `length zstd(count id* column{8})`, in the order of the ids.

use otlp::receive::Packed;
use span::TraceId;

use crate::store::durable::bytes::{Reader, put};

/// The last version in which ids stand here.
pub(super) const IDS_UNTIL: u8 = 2;
/// Numbers of an entry, in every version.
const COLUMNS: usize = 8;
/// No index says that it has more bytes of entries than this.
const MAX_BYTES: usize = 1 << 30;
/// zstd's level.
const LEVEL: i32 = 3;

/// What an index says of one trace, as far as it is in the segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: TraceId,
    /// Its row group, and its rows in there.
    pub(crate) group: u32,
    pub(crate) row: u32,
    pub(crate) rows: u32,
    /// When its first span begins, its last one begins, and the last to end ends.
    pub(crate) start: u64,
    pub(crate) last: u64,
    pub(crate) end: u64,
    /// Nanoseconds of its longest span.
    pub(crate) longest: u64,
    /// Spans that failed.
    pub(crate) errors: u32,
}

/// Where a trace's id stands in its row group's dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IdPlace {
    /// How many ids its rows add to the dictionary.
    pub(super) new: u32,
    /// Which of them it is.
    pub(super) place: Option<u32>,
}

impl Entry {
    /// Of the spans that are known of a trace. `None` if there are too many.
    pub(super) fn new(id: TraceId, spans: &[Packed], group: u32, row: u32) -> Option<Self> {
        Some(Self {
            id,
            group,
            row,
            rows: spans.len().try_into().ok()?,
            start: spans.iter().map(|span| span.start).min().unwrap_or(0),
            last: spans.iter().map(|span| span.start).max().unwrap_or(0),
            end: spans.iter().map(|span| span.end).max().unwrap_or(0),
            longest: spans.iter().map(Packed::duration).max().unwrap_or(0),
            errors: spans
                .iter()
                .filter(|span| span.is_error)
                .count()
                .try_into()
                .ok()?,
        })
    }

    /// The row behind its last one.
    pub(crate) fn end_row(&self) -> usize {
        self.row as usize + self.rows as usize
    }
}

/// Entries in the order of their rows, in bytes.
pub(super) fn write(entries: &[Entry], ids: &[IdPlace]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(entries.len() * 16);
    put(&mut plain, entries.len() as u64);
    let mut before = 0;
    let starts: Vec<_> = entries
        .iter()
        .map(|entry| {
            entry
                .start
                .wrapping_sub(std::mem::replace(&mut before, entry.start))
        })
        .collect();
    let mut column =
        |numbers: &mut dyn Iterator<Item = u64>| numbers.for_each(|number| put(&mut plain, number));
    column(
        &mut entries
            .iter()
            .map(|entry| u64::from(entry.rows) << 1 | u64::from(entry.row == 0)),
    );
    column(&mut starts.into_iter());
    column(&mut entries.iter().map(|entry| entry.last.wrapping_sub(entry.start)));
    column(&mut entries.iter().map(|entry| entry.end.wrapping_sub(entry.start)));
    let shorter = |entry: &Entry| entry.end.wrapping_sub(entry.start).wrapping_sub(entry.longest);
    column(&mut entries.iter().map(shorter));
    column(&mut entries.iter().map(|entry| entry.errors.into()));
    column(&mut ids.iter().map(|id| id.new.into()));
    column(
        &mut ids
            .iter()
            .map(|id| id.place.map_or(0, |place| u64::from(place) + 1)),
    );
    let mut checksum = crc32fast::Hasher::new();
    for (entry, id) in entries.iter().zip(ids) {
        checksum.update(entry.id.as_bytes());
        if id.place.is_none() {
            plain.extend_from_slice(entry.id.as_bytes());
        }
    }
    plain.extend_from_slice(&checksum.finalize().to_le_bytes());
    let mut bytes = Vec::new();
    put(&mut bytes, plain.len() as u64);
    bytes.extend(zstd::bulk::compress(&plain, LEVEL).ok()?);
    Some(bytes)
}

/// Reads entries of that version, in the order of their rows. `ids` are those of the dictionaries of all row groups, behind
/// each other, and asked for only if they do not stand here. `None` if this is not what was written.
pub(super) fn read<E>(
    version: u8,
    bytes: &[u8],
    ids: impl FnOnce() -> Result<Vec<TraceId>, E>,
) -> Result<Option<Vec<Entry>>, E> {
    let Some(plain) = unpack(bytes) else {
        return Ok(None);
    };
    if version <= IDS_UNTIL {
        return Ok(parse_with_ids(&plain));
    }
    Ok(parse(&plain, &ids()?))
}

fn unpack(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader(bytes);
    let length = reader.place().filter(|length| *length <= MAX_BYTES)?;
    zstd::bulk::decompress(reader.0, length).ok()
}

fn columns(reader: &mut Reader<'_>, count: usize) -> Option<Vec<[u64; COLUMNS]>> {
    let mut rows = vec![[0; COLUMNS]; count];
    for column in 0..COLUMNS {
        for row in &mut rows {
            *row.get_mut(column)? = reader.number()?;
        }
    }
    Some(rows)
}

fn parse(plain: &[u8], ids: &[TraceId]) -> Option<Vec<Entry>> {
    let mut reader = Reader(plain);
    let count = reader.count()?;
    let numbers = columns(&mut reader, count)?;
    let mut checksum = crc32fast::Hasher::new();
    let (mut groups, mut row, mut start, mut ids) = (0u32, 0u32, 0u64, ids);
    let mut entries = Vec::with_capacity(count);
    for [rows, after, last, end, shorter, errors, new, place] in numbers {
        if rows & 1 == 1 {
            (groups, row) = (groups.checked_add(1)?, 0);
        }
        start = start.wrapping_add(after);
        let (here, rest) = ids.split_at_checked(usize::try_from(new).ok()?)?;
        ids = rest;
        let id = match place.checked_sub(1) {
            Some(place) => *here.get(usize::try_from(place).ok()?)?,
            None => TraceId::from_bytes(reader.array()?)?,
        };
        checksum.update(id.as_bytes());
        let entry = Entry {
            id,
            group: groups.checked_sub(1)?,
            row,
            rows: (rows >> 1).try_into().ok()?,
            start,
            last: start.wrapping_add(last),
            end: start.wrapping_add(end),
            longest: end.wrapping_sub(shorter),
            errors: errors.try_into().ok()?,
        };
        row = row.checked_add(entry.rows)?;
        entries.push(entry);
    }
    let whole = checksum.finalize() == u32::from_le_bytes(reader.array()?);
    (whole && ids.is_empty()).then_some(entries)
}

fn parse_with_ids(plain: &[u8]) -> Option<Vec<Entry>> {
    let mut reader = Reader(plain);
    let count = reader.count()?;
    let ids = (0..count).map(|_| TraceId::from_bytes(reader.array()?));
    let ids: Vec<TraceId> = ids.collect::<Option<_>>()?;
    let numbers = columns(&mut reader, count)?;
    let entries = ids.into_iter().zip(numbers).map(|(id, numbers)| {
        let [group, row, rows, start, last, end, longest, errors] = numbers;
        Some(Entry {
            id,
            group: group.try_into().ok()?,
            row: row.try_into().ok()?,
            rows: rows.try_into().ok()?,
            start,
            last: start.wrapping_add(last),
            end: start.wrapping_add(end),
            longest,
            errors: errors.try_into().ok()?,
        })
    });
    let mut entries: Vec<_> = entries.collect::<Option<_>>()?;
    entries.sort_unstable_by_key(|entry| (entry.group, entry.row));
    Some(entries)
}
