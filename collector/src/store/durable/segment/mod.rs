//! Segments: spans that do not change any more, in Parquet, with a small index beside each.
//!
//! ```text
//! DIR/segments/00000000000000000007.parquet    what any Parquet reader can open; see `schema`
//! DIR/segments/00000000000000000007.index      what we read first; see `index`
//! ```
//!
//! Rows stand in the order in which their traces begin, a trace's rows together, so that a trace is one run of rows
//! in one row group. Every part that is read is checked against a checksum before it is believed.

mod columns;
mod filter;
mod index;
mod json;
mod rows;
mod saying;
mod schema;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use bytes::{Buf, Bytes};
use otlp::model::{Kind, Span};
use otlp::receive::Packed;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::{EnabledStatistics, ReaderProperties, WriterProperties, WriterVersion};
use parquet::file::reader::{ChunkReader, Length, RowGroupReader};
use parquet::file::serialized_reader::SerializedRowGroupReader;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnPath, TypePtr};
use span::TraceId;

use self::filter::{Filter, Token, Tokens};
pub(crate) use self::filter::{of_query, of_trace};
pub(crate) use self::index::{Entry, Head};
use self::index::{Group, Layout};
use self::rows::Rows;
use super::disk::{Disk, DiskFile};
use crate::query::Condition;
use crate::store::Operation;

/// A row group ends with the trace that makes it this long.
const GROUP_ROWS: usize = 16_384;
/// Rows of a page: what is decoded for one trace, about.
const PAGE_ROWS: usize = 4096;
/// A column with more different values is no dictionary, which would have to be read whole for one trace.
const DICTIONARY_BYTES: usize = 64 << 10;
/// zstd's level for columns. Higher ones make what spans say hardly smaller, and texts that end in numbers larger.
const LEVEL: i32 = 1;
/// Columns in which most values are different. zstd alone finds more in them than encodings that look for what
/// neighbours have in common, and durations repeat more often than they look alike.
const PLAIN: [&str; 8] = [
    "trace_id",
    "span_id",
    "parent_id",
    "duration",
    "url.full",
    "url.path",
    "url.query",
    "db.query.text",
];

/// A part of a segment cannot be read, or is not what was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// It is not what was written.
    #[error("{path}: {what}")]
    Corrupt { path: PathBuf, what: String },
    /// The disk says no; it may say something else the next time.
    #[error("{path}: {error}")]
    Disk { path: PathBuf, error: io::Error },
}

impl Trouble {
    fn corrupt(path: &Path, what: impl std::fmt::Display) -> Self {
        Self::Corrupt {
            path: path.to_owned(),
            what: what.to_string(),
        }
    }

    fn disk(path: &Path, error: io::Error) -> Self {
        match error.kind() {
            // a file that is not there, or ends too soon, is not what was written
            io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof => Self::corrupt(path, error),
            _ => Self::Disk {
                path: path.to_owned(),
                error,
            },
        }
    }
}

/// A segment, of which only the head of its index is in memory, and what was read last.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) head: Head,
    /// Bytes on disk, both files.
    pub(crate) bytes: u64,
    base: u64,
    path: PathBuf,
    index: Box<dyn DiskFile>,
    table: Box<dyn DiskFile>,
    loaded: Mutex<Option<Arc<Loaded>>>,
}

/// What is read of a segment when it is first searched.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// In the order of their ids.
    pub(crate) entries: Vec<Entry>,
    metadata: ParquetMetaData,
}

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

/// Where the files of a segment stand.
pub(crate) fn paths(folder: &Path, number: u64) -> [PathBuf; 2] {
    ["index", "parquet"].map(|end| folder.join(format!("{number:020}.{end}")))
}

static SCHEMA: LazyLock<Result<TypePtr, ParquetError>> =
    LazyLock::new(|| parse_message_type(&schema::message_type()).map(Arc::new));

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
    let index = index::write(head, &built.entries, &built.filters).ok_or(io::ErrorKind::InvalidData)?;
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

/// How a file ends that is being written.
pub(crate) const UNFINISHED: &str = "unfinished";

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
    entries: Vec<Entry>,
    filters: Vec<Filter>,
    table: Vec<u8>,
}

fn build(parts: &[Part], context: Context) -> Result<Built, ParquetError> {
    let schema = SCHEMA
        .as_ref()
        .map_err(|error| ParquetError::General(error.to_string()))?;
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::clone(schema), Arc::new(properties()?))?;
    let mut rows = Rows::default();
    let (mut entries, mut groups, mut filters) = (Vec::new(), Vec::new(), Vec::new());
    let mut tokens = Tokens::default();
    let mut operations: BTreeMap<&str, BTreeSet<(&str, Kind)>> = BTreeMap::new();
    let mut left = parts.len();
    for part in parts {
        left -= 1;
        let (group, row) = (number(groups.len())?, number(rows.len())?);
        for span in part.spans.iter() {
            let scanned = span.scan();
            rows.push(span, &scanned);
            tokens.add(span, &scanned);
            let of_service = operations.entry(span.service()).or_default();
            of_service.insert((span.name(), span.kind));
        }
        entries.push(entry(part, group, row)?);
        if rows.len() >= GROUP_ROWS || left == 0 {
            let count = rows.len() as u64;
            let offset = writer.bytes_written() as u64;
            let mut group = writer.next_row_group()?;
            rows.write(&mut group)?;
            group.close()?;
            groups.push((offset, writer.bytes_written() as u64 - offset, count));
            filters.push(tokens.filter());
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
    entries.sort_unstable_by_key(|entry| entry.id);
    let operations = operations.into_iter().flat_map(|(service, names)| {
        let named = names.into_iter();
        named.map(move |(name, kind)| (service.to_owned(), name.to_owned(), kind))
    });
    let starts = entries.iter().map(|entry| entry.start).min().unwrap_or(0);
    let lasts = entries.iter().map(|entry| entry.last).max().unwrap_or(0);
    let ids: Vec<_> = entries.iter().map(|entry| of_trace(entry.id)).collect();
    let head = Head {
        log: context.log,
        replaces: context.replaces,
        spans: entries.iter().map(|entry| u64::from(entry.rows)).sum(),
        traces: entries.len() as u64,
        start: starts..=lasts,
        received: context.received,
        operations: operations.collect(),
        joins: context.joins,
        continues: context.continues,
        groups: groups.collect(),
        footer,
        footer_checksum: crc32fast::hash(slice(&table, footer, table.len() as u64 - footer)),
        length: table.len() as u64,
        ids: Filter::new(&ids),
    };
    Ok(Built {
        head,
        entries,
        filters,
        table,
    })
}

fn number(count: usize) -> Result<u32, ParquetError> {
    u32::try_from(count).map_err(|_| ParquetError::General("too many rows".to_owned()))
}

fn slice(bytes: &[u8], offset: u64, length: u64) -> &[u8] {
    let range = usize::try_from(offset).ok().zip(usize::try_from(length).ok());
    range
        .and_then(|(offset, length)| bytes.get(offset..)?.get(..length))
        .unwrap_or_default()
}

fn entry(part: &Part, group: u32, row: u32) -> Result<Entry, ParquetError> {
    let spans = &part.spans;
    let start = spans.iter().map(|span| span.start).min().unwrap_or(0);
    Ok(Entry {
        id: part.id,
        group,
        row,
        rows: number(spans.len())?,
        start,
        last: spans.iter().map(|span| span.start).max().unwrap_or(0),
        end: spans.iter().map(|span| span.end).max().unwrap_or(0),
        longest: spans.iter().map(|span| span.duration()).max().unwrap_or(0),
        errors: number(spans.iter().filter(|span| span.is_error).count())?,
    })
}

fn properties() -> Result<WriterProperties, ParquetError> {
    let mut builder = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(LEVEL)?))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_max_row_group_row_count(None)
        .set_created_by(format!("meshtrace {}", env!("CARGO_PKG_VERSION")));
    let values = ["attributes", "key_value", "value"].map(str::to_owned);
    for (column, encoding) in PLAIN
        .map(|column| (ColumnPath::from(column), Encoding::PLAIN))
        .into_iter()
        .chain([
            (ColumnPath::from("start"), Encoding::DELTA_BINARY_PACKED),
            (
                ColumnPath::new(values.to_vec()),
                Encoding::DELTA_LENGTH_BYTE_ARRAY,
            ),
        ])
    {
        builder = builder
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column, encoding);
    }
    builder = builder
        .set_column_statistics_enabled(ColumnPath::from("start"), EnabledStatistics::Chunk)
        .set_column_statistics_enabled(ColumnPath::from("duration"), EnabledStatistics::Chunk)
        .set_column_statistics_enabled(ColumnPath::from("service"), EnabledStatistics::Chunk);
    Ok(builder.build())
}

/// Opens a segment, reading the head of its index.
pub(crate) fn open(disk: &dyn Disk, folder: &Path, number: u64) -> Result<Segment, Trouble> {
    let [path, table_path] = paths(folder, number);
    let index = disk.open(&path).map_err(|error| Trouble::disk(&path, error))?;
    let table = disk
        .open(&table_path)
        .map_err(|error| Trouble::disk(&table_path, error))?;
    let read = |offset, length| read(&*index, offset, length).map_err(|error| Trouble::disk(&path, error));
    let damaged = || Trouble::corrupt(&path, "not an index of ours, or damaged");
    let beginning = read(0, super::frame::HEADER)?;
    let length = index::head_length(&beginning).ok_or_else(damaged)?;
    let size = index.length().map_err(|error| Trouble::disk(&path, error))?;
    if length as u64 > size {
        return Err(damaged());
    }
    let Layout { head, base } = index::read_head(&read(0, length)?).ok_or_else(damaged)?;
    let table_size = table
        .length()
        .map_err(|error| Trouble::disk(&table_path, error))?;
    if table_size != head.length {
        let what = format!("has {table_size} bytes instead of {}", head.length);
        return Err(Trouble::corrupt(&table_path, what));
    }
    Ok(Segment {
        number,
        bytes: size + table_size,
        head,
        base,
        path: table_path,
        index,
        table,
        loaded: Mutex::new(None),
    })
}

fn read(file: &dyn DiskFile, offset: u64, length: usize) -> io::Result<Bytes> {
    let mut bytes = vec![0; length];
    file.read_at(&mut bytes, offset)?;
    Ok(bytes.into())
}

impl Segment {
    fn corrupt(&self, what: impl std::fmt::Display) -> Trouble {
        Trouble::corrupt(&self.path, what)
    }

    /// Whose spans it has.
    pub(crate) fn services(&self) -> impl Iterator<Item = String> {
        self.head.operations.iter().map(|(service, ..)| service.clone())
    }

    /// What these spans of a service are called.
    pub(crate) fn operations(&self, service: &str) -> impl Iterator<Item = Operation> {
        let operations = self.head.operations.iter().filter(move |(of, ..)| of == service);
        operations.map(|(_, name, kind)| Operation {
            name: name.clone(),
            kind: *kind,
        })
    }

    /// Whether it may have spans of that trace.
    pub(crate) fn may_have(&self, trace: Token) -> bool {
        self.head.ids.may_have(trace)
    }

    /// Whether a span that has all of these may be in that row group.
    pub(crate) fn group_may_have(&self, group: usize, tokens: &[Token]) -> Result<bool, Trouble> {
        if tokens.is_empty() {
            return Ok(true);
        }
        let group = self.group(group)?;
        let (offset, length) = group.filter;
        let at = self.base + offset;
        let filter = self.read(&*self.index, at, length)?;
        if crc32fast::hash(&filter) != group.filter_checksum {
            return Err(self.corrupt("its index has a damaged filter"));
        }
        Ok(tokens.iter().all(|token| filter::may_have(&filter, *token)))
    }

    /// What the index says of a trace.
    pub(crate) fn find(&self, id: TraceId) -> Result<Option<Entry>, Trouble> {
        if !self.may_have(of_trace(id)) {
            return Ok(None);
        }
        let loaded = self.load()?;
        let place = loaded.entries.binary_search_by_key(&id, |entry| entry.id);
        Ok(place.ok().and_then(|place| loaded.entries.get(place).copied()))
    }

    /// The entries and the footer. Read when they are first needed, and kept until [`unload`](Self::unload).
    pub(crate) fn load(&self) -> Result<Arc<Loaded>, Trouble> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = &*loaded {
            return Ok(Arc::clone(loaded));
        }
        let end = self.head.groups.first().map_or(0, |group| group.filter.0);
        let length = end.saturating_sub(super::frame::HEADER as u64);
        let frame = self.read(&*self.index, self.base, length)?;
        let entries = index::read_entries(&frame).ok_or_else(|| self.corrupt("its index is damaged"))?;
        let footer = self.head.length.saturating_sub(self.head.footer);
        let part = Chunk {
            base: self.head.footer,
            bytes: self.read(&*self.table, self.head.footer, footer)?,
            length: self.head.length,
        };
        if crc32fast::hash(&part.bytes) != self.head.footer_checksum {
            return Err(self.corrupt("its footer is damaged"));
        }
        let metadata = ParquetMetaDataReader::new()
            .parse_and_finish(&part)
            .map_err(|error| self.corrupt(error))?;
        if metadata.num_row_groups() != self.head.groups.len() {
            return Err(self.corrupt("its footer does not fit its index"));
        }
        let read = Arc::new(Loaded { entries, metadata });
        *loaded = Some(Arc::clone(&read));
        Ok(read)
    }

    /// Bytes of memory that what was read takes, about.
    pub(crate) fn loaded_bytes(&self) -> usize {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = |loaded: &Arc<Loaded>| size_of_val(&*loaded.entries) + loaded.metadata.memory_size();
        loaded.as_ref().map_or(0, bytes)
    }

    /// Forgets what was read.
    pub(crate) fn unload(&self) {
        *self.loaded.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The spans of some entries, all of one row group, in the order of their rows.
    pub(crate) fn spans(&self, group: usize, entries: &[Entry]) -> Result<Vec<Span>, Trouble> {
        let mut rows: Vec<Range<usize>> = entries
            .iter()
            .map(|entry| entry.row as usize..entry.end_row())
            .collect();
        rows.sort_unstable_by_key(|range| range.start);
        self.read_rows(group, &rows)
    }

    /// All spans of a row group.
    pub(crate) fn all_spans(&self, group: usize) -> Result<Vec<Span>, Trouble> {
        let rows = usize::try_from(self.group(group)?.rows).unwrap_or(usize::MAX);
        self.read_rows(group, std::slice::from_ref(&(0..rows)))
    }

    /// Which rows of a row group may say all of that.
    pub(crate) fn saying(&self, group: usize, conditions: &[Condition]) -> Result<Vec<bool>, Trouble> {
        let rows = usize::try_from(self.group(group)?.rows).unwrap_or(usize::MAX);
        self.read_group(group, |reader| {
            let mut all = vec![true; rows];
            for condition in conditions {
                for (all, one) in all.iter_mut().zip(saying::rows(reader, rows, condition)?) {
                    *all &= one;
                }
            }
            Ok(all)
        })
    }

    fn read_rows(&self, group: usize, rows: &[Range<usize>]) -> Result<Vec<Span>, Trouble> {
        self.read_group(group, |reader| rows::read(reader, rows))
    }

    fn read_group<T>(
        &self,
        number: usize,
        read: impl FnOnce(&dyn RowGroupReader) -> Result<T, ParquetError>,
    ) -> Result<T, Trouble> {
        let group = self.group(number)?;
        let bytes = self.read(&*self.table, group.offset, group.length)?;
        if crc32fast::hash(&bytes) != group.checksum {
            return Err(self.corrupt(format!("row group {number} is damaged")));
        }
        let loaded = self.load()?;
        let chunk = Arc::new(Chunk {
            base: group.offset,
            bytes,
            length: self.head.length,
        });
        let metadata = loaded.metadata.row_group(number);
        let page_index = loaded.metadata.page_index_for_row_group(number);
        let properties = Arc::new(ReaderProperties::builder().build());
        let reader = SerializedRowGroupReader::new(chunk, metadata, page_index, properties);
        let read = reader.and_then(|reader| read(&reader));
        read.map_err(|error| self.corrupt(error))
    }

    fn group(&self, number: usize) -> Result<&Group, Trouble> {
        self.head
            .groups
            .get(number)
            .ok_or_else(|| self.corrupt("it has no such row group"))
    }

    fn read(&self, file: &dyn DiskFile, offset: u64, length: u64) -> Result<Bytes, Trouble> {
        // what the index says is not believed before the file is known to be that long
        let end = offset.checked_add(length).filter(|_| length <= self.bytes);
        let length = end.and_then(|_| usize::try_from(length).ok());
        let length = length.ok_or_else(|| self.corrupt("its index points outside"))?;
        read(file, offset, length).map_err(|error| Trouble::disk(&self.path, error))
    }
}

/// A part of a file that has been read, for Parquet's reader.
struct Chunk {
    base: u64,
    bytes: Bytes,
    length: u64,
}

impl Chunk {
    fn from(&self, start: u64) -> Result<Bytes, ParquetError> {
        let offset = start
            .checked_sub(self.base)
            .and_then(|offset| usize::try_from(offset).ok());
        match offset {
            Some(offset) if offset <= self.bytes.len() => Ok(self.bytes.slice(offset..)),
            _ => Err(ParquetError::EOF("outside of the row group".to_owned())),
        }
    }
}

impl Length for Chunk {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Chunk {
    type T = Box<dyn Read>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(Box::new(self.from(start)?.reader()))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let bytes = self.from(start)?;
        match length <= bytes.len() {
            true => Ok(bytes.slice(..length)),
            false => Err(ParquetError::EOF("outside of the row group".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::any_spans;
    use crate::store::durable::failing::Failing;

    fn context() -> Context {
        Context {
            log: 3,
            replaces: vec![1],
            received: 5..=7,
            joins: vec![(crate::fixtures::trace_id(2), crate::fixtures::trace_id(1))],
            continues: vec![crate::fixtures::trace_id(1)],
        }
    }

    fn parts(spans: Vec<Span>) -> Vec<Part> {
        let mut traces: HashMap<TraceId, Vec<Packed>> = HashMap::new();
        for span in spans {
            traces.entry(span.trace_id).or_default().push(Packed::from(&span));
        }
        let part = |(id, spans)| Part {
            id,
            spans: Arc::new(spans),
        };
        traces.into_iter().map(part).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn spans_come_back_exactly_as_they_were(spans in any_spans()) {
            prop_assume!(!spans.is_empty());
            let disk = Failing::new();
            write(&*disk, disk.folder(), 7, parts(spans.clone()), context()).unwrap();
            let segment = open(&*disk, disk.folder(), 7).unwrap();
            let mut back = segment.all_spans(0).unwrap();
            let key = |span: &Span| (span.trace_id, span.span_id, format!("{span:?}"));
            back.sort_by_key(key);
            let mut spans = spans;
            spans.sort_by_key(key);
            prop_assert_eq!(format!("{back:#?}"), format!("{spans:#?}"));
            for span in &spans {
                let entry = segment.find(span.trace_id).unwrap().unwrap();
                let found = segment.spans(0, &[entry]).unwrap();
                prop_assert!(found.iter().any(|found| key(found) == key(span)));
            }
            prop_assert_eq!(&segment.head.joins, &context().joins);
            prop_assert_eq!(segment.head.received.clone(), 5..=7);
        }

        /// Whatever byte is flipped in either file: what is read is what was written, or an error that names the file.
        #[test]
        fn a_flipped_byte_is_an_error_or_changes_nothing(
            spans in any_spans(), table in any::<bool>(), place in any::<prop::sample::Index>(), mask in 1u8..
        ) {
            prop_assume!(!spans.is_empty());
            let disk = Failing::new();
            let written = write(&*disk, disk.folder(), 7, parts(spans), context()).unwrap();
            let before = format!("{:?}", written.all_spans(0).unwrap());
            let path = &paths(disk.folder(), 7)[usize::from(table)];
            let mut bytes = std::fs::read(path).unwrap();
            let place = place.index(bytes.len());
            bytes[place] ^= mask;
            std::fs::write(path, bytes).unwrap();
            let read = open(&*disk, disk.folder(), 7).and_then(|segment| {
                segment.group_may_have(0, &[1])?;
                segment.all_spans(0)
            });
            match read {
                Ok(spans) => prop_assert_eq!(format!("{spans:?}"), before),
                Err(error) => prop_assert!(error.to_string().contains("00000000000000000007"), "{error}"),
            }
        }
    }

    /// Values so long and many that a column begins with a dictionary and goes on without.
    #[test]
    fn long_values_come_back_from_every_row_group() {
        let disk = Failing::new();
        let noise = |seed: u64| -> String {
            let word = |part: u64| of_trace(crate::fixtures::trace_id(seed << 32 | part));
            (1..2000).map(|part| format!("{:016x}", word(part))).collect()
        };
        let spans: Vec<_> = (1..=20)
            .map(|id| {
                let mut span = crate::fixtures::span("a", id, id);
                span.attributes.push(crate::fixtures::text("noise", &noise(id)));
                span
            })
            .collect();
        let segment = write(&*disk, disk.folder(), 7, parts(spans.clone()), context()).unwrap();
        assert_eq!(segment.all_spans(0).unwrap(), spans);
        for span in &spans {
            let entry = segment.find(span.trace_id).unwrap().unwrap();
            assert_eq!(segment.spans(0, &[entry]).unwrap(), std::slice::from_ref(span));
        }
    }
}
