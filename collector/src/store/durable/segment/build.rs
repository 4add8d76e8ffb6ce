//! Traces made a segment: in memory first, then as files.

use std::io;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use otlp::receive::Packed;
use parquet::errors::ParquetError;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor};
use span::TraceId;

use super::chunks::{Chunks, Pages};
use super::entries::{Entry, IdPlace};
use super::filter::Filter;
use super::index::{self, Group, Head};
use super::rows::Rows;
use super::tokens::of_trace;
use super::{Segment, UNFINISHED, open, paths, schema};
use crate::store::durable::disk::Disk;

/// A row group ends with the trace that makes it this long.
const GROUP_ROWS: usize = 16_384;

/// What a segment is made of: one trace as it reads so far.
pub(crate) struct Part {
    pub(crate) id: TraceId,
    pub(crate) spans: Arc<Vec<Packed>>,
}

/// What else a segment has to remember.
pub(crate) struct Context {
    pub(crate) log: u64,
    pub(crate) replaces: Vec<u64>,
    pub(crate) received: RangeInclusive<u64>,
    pub(crate) joins: Vec<(TraceId, TraceId)>,
    pub(crate) continues: Vec<TraceId>,
}

static SCHEMA: LazyLock<Result<SchemaDescPtr, ParquetError>> = LazyLock::new(|| {
    let schema = parse_message_type(&schema::message_type())?;
    Ok(Arc::new(SchemaDescriptor::new(Arc::new(schema))))
});

/// Writes a segment. It is there once this returns, and after a crash not at all or whole. After an error it is not
/// there, or the next one written under this number takes its place.
pub(crate) fn write(
    disk: &dyn Disk,
    folder: &Path,
    number: u64,
    mut parts: Vec<Part>,
    context: Context,
) -> io::Result<Segment> {
    parts.sort_by_cached_key(|part| (part.spans.iter().map(|span| span.start).min(), part.id));
    let built = build(&parts, context).map_err(io::Error::other)?;
    let head = &built.head;
    let index =
        index::write(head, &built.entries, &built.ids, &built.filters).ok_or(io::ErrorKind::InvalidData)?;
    let written = write_files(disk, folder, number, &built.table, &index);
    let opened = written.and_then(|()| open(disk, folder, number).map_err(io::Error::other));
    if opened.is_err() {
        // a disk that is full has no room for halves; what cannot be removed now is when the store is opened
        for path in paths(folder, number) {
            for path in [path.with_extension(UNFINISHED), path] {
                if disk.remove(&path).is_err() {
                    tracing::trace!(path = %path.display(), "was not written");
                }
            }
        }
    }
    opened
}

fn write_files(disk: &dyn Disk, folder: &Path, number: u64, table: &[u8], index: &[u8]) -> io::Result<()> {
    let [index_path, table_path] = paths(folder, number);
    for (path, bytes) in [(table_path, table), (index_path, index)] {
        let unfinished = path.with_extension(UNFINISHED);
        let file = disk.create(&unfinished)?;
        file.write_at(bytes, 0)?;
        file.sync()?;
        disk.rename(&unfinished, &path)?;
    }
    disk.sync_dir(folder)
}

/// A segment in memory, before it is written.
struct Built {
    head: Head,
    /// In the order of the rows.
    entries: Vec<Entry>,
    ids: Vec<IdPlace>,
    filters: Vec<Filter>,
    table: Vec<u8>,
}

fn build(parts: &[Part], context: Context) -> Result<Built, ParquetError> {
    let schema = SCHEMA
        .as_ref()
        .map_err(|error| ParquetError::General(error.to_string()))?;
    let properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_offset_index_disabled(true)
        .set_max_row_group_row_count(None)
        .set_created_by(format!("meshtrace {}", env!("CARGO_PKG_VERSION")))
        .build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema.root_schema_ptr(), Arc::new(properties))?;
    let mut pages = Pages::new().map_err(|error| ParquetError::External(Box::new(error)))?;
    let mut rows = Rows::default();
    let (mut entries, mut ids) = (Vec::with_capacity(parts.len()), Vec::with_capacity(parts.len()));
    let (mut groups, mut filters) = (Vec::new(), Vec::new());
    let mut left = parts.len();
    for part in parts {
        left -= 1;
        let entry = Entry::new(part.id, &part.spans, number(groups.len())?, number(rows.len())?);
        entries.push(entry.ok_or_else(too_many)?);
        ids.push(rows.push(part.id, &part.spans));
        if rows.len() >= GROUP_ROWS || left == 0 {
            let count = rows.len();
            let offset = writer.bytes_written() as u64;
            let mut group = writer.next_row_group()?;
            filters.push(rows.write(Chunks::new(&mut group, schema, &mut pages, count))?);
            group.close()?;
            groups.push((offset, writer.bytes_written() as u64 - offset, count as u64));
        }
    }
    let footer = writer.bytes_written() as u64;
    let table = writer.into_inner()?;
    let groups = groups.into_iter().map(|(offset, length, rows)| Group {
        offset,
        length,
        rows,
        checksum: crc32fast::hash(slice(&table, offset, length)),
        filter: (0, 0),
        filter_checksum: 0,
    });
    let starts = entries.iter().map(|entry| entry.start).min().unwrap_or(0);
    let lasts = entries.iter().map(|entry| entry.last).max().unwrap_or(0);
    let tokens: Vec<_> = entries.iter().map(|entry| of_trace(entry.id)).collect();
    let head = Head {
        log: context.log,
        replaces: context.replaces,
        spans: entries.iter().map(|entry| u64::from(entry.rows)).sum(),
        traces: entries.len() as u64,
        start: starts..=lasts,
        received: context.received,
        operations: rows.operations(),
        joins: context.joins,
        continues: context.continues,
        groups: groups.collect(),
        footer,
        footer_checksum: crc32fast::hash(slice(&table, footer, table.len() as u64 - footer)),
        length: table.len() as u64,
        ids: Filter::new(&tokens),
    };
    Ok(Built {
        head,
        entries,
        ids,
        filters,
        table,
    })
}

fn number(count: usize) -> Result<u32, ParquetError> {
    u32::try_from(count).map_err(|_| too_many())
}

fn too_many() -> ParquetError {
    ParquetError::General("too many rows".to_owned())
}

fn slice(bytes: &[u8], offset: u64, length: u64) -> &[u8] {
    let range = usize::try_from(offset).ok().zip(usize::try_from(length).ok());
    range
        .and_then(|(offset, length)| bytes.get(offset..)?.get(..length))
        .unwrap_or_default()
}
