//! Segments: spans that do not change any more, in Parquet, with a small index beside each.
//!
//! ```text
//! DIR/segments/00000000000000000007.parquet    what any Parquet reader can open; see `schema`
//! DIR/segments/00000000000000000007.index      what we read first; see `index`
//! ```
//!
//! Rows stand in the order in which their traces begin, a trace's rows together, so that a trace is one run of rows
//! in one row group. Every part that is read is checked against a checksum before it is believed.

mod build;
mod chunks;
mod collect;
mod columns;
mod encode;
mod entries;
mod filter;
mod index;
mod json;
mod read;
mod rows;
mod saying;
mod schema;
mod tokens;
mod window;

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use otlp::model::Span;
use parquet::column::page::{Page, PageReader};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::ReaderProperties;
use parquet::file::reader::RowGroupReader;
use parquet::file::serialized_reader::{SerializedPageReader, SerializedRowGroupReader};
use span::TraceId;

pub(crate) use self::build::{Context, Part, write};
pub(crate) use self::entries::Entry;
pub(crate) use self::index::Head;
use self::index::{Group, Layout};
use self::tokens::Token;
pub(crate) use self::tokens::{of_query, of_trace};
use self::window::Window;
use super::disk::{Disk, DiskFile};
use crate::query::Condition;
use crate::store::Operation;

/// How a file ends that is being written.
pub(crate) const UNFINISHED: &str = "unfinished";

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
    /// In the order of their rows.
    pub(crate) entries: Vec<Entry>,
    /// Their places in the order of their ids, once somebody looks for one.
    by_id: OnceLock<Vec<u32>>,
    metadata: ParquetMetaData,
}

/// Where the files of a segment stand.
pub(crate) fn paths(folder: &Path, number: u64) -> [PathBuf; 2] {
    ["index", "parquet"].map(|end| folder.join(format!("{number:020}.{end}")))
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

impl Loaded {
    fn find(&self, id: TraceId) -> Option<Entry> {
        let entry = |place: &u32| self.entries.get(*place as usize);
        let by_id = self.by_id.get_or_init(|| {
            let mut places: Vec<u32> = (0..).take(self.entries.len()).collect();
            places.sort_unstable_by_key(|place| entry(place).map(|entry| entry.id));
            places
        });
        let place = by_id.binary_search_by_key(&Some(id), |place| entry(place).map(|entry| entry.id));
        by_id.get(place.ok()?).and_then(entry).copied()
    }
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
        Ok(self.load()?.find(id))
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
        let footer = self.head.length.saturating_sub(self.head.footer);
        let part = Window {
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
        let entries = match index::read_traces(&frame) {
            Some((version, traces)) => entries::read(version, traces, || self.ids(&metadata))?,
            None => None,
        };
        let read = Arc::new(Loaded {
            entries: entries.ok_or_else(|| self.corrupt("its index is damaged"))?,
            by_id: OnceLock::new(),
            metadata,
        });
        *loaded = Some(Arc::clone(&read));
        Ok(read)
    }

    /// The different ids of each row group, in the order of their rows: the dictionaries of the first column.
    fn ids(&self, metadata: &ParquetMetaData) -> Result<Vec<TraceId>, Trouble> {
        let mut ids = Vec::new();
        for group in metadata.row_groups() {
            let column = group.columns().first();
            let column = column.ok_or_else(|| self.corrupt("its footer has a row group without columns"))?;
            let (base, length) = column.byte_range();
            let window = Arc::new(Window {
                base,
                bytes: self.read(&*self.table, base, length)?,
                length: self.head.length,
            });
            let rows = usize::try_from(group.num_rows()).unwrap_or(0);
            let page = SerializedPageReader::new(window, column, rows, None)
                .and_then(|mut pages| pages.get_next_page())
                .map_err(|error| self.corrupt(error))?;
            let Some(Page::DictionaryPage { buf, .. }) = page else {
                return Err(self.corrupt("its trace ids have no dictionary"));
            };
            let (words, _) = buf.as_chunks();
            let read: Option<Vec<_>> = words.iter().map(|word| TraceId::from_bytes(*word)).collect();
            ids.extend(read.ok_or_else(|| self.corrupt("it has a trace without an id"))?);
        }
        Ok(ids)
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
        self.read_group(group, |reader| read::read(reader, rows))
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
        let chunk = Arc::new(Window {
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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use otlp::receive::Packed;
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

    /// More rows than a page has, and than a row group has; words in runs of every length, numbers of every size.
    #[test]
    fn every_row_of_several_row_groups_comes_back() {
        let disk = Failing::new();
        let noise = |seed: u64| of_trace(crate::fixtures::trace_id(seed + 1));
        let spans: Vec<_> = (1..=20_000_u64)
            .map(|id| {
                let mut span = crate::fixtures::span("a", id.div_ceil(7), id);
                let bits = |shift: u64| noise(id) >> (shift + noise(id / 9) % (64 - shift));
                span.start = span.start.wrapping_add(bits(20));
                span.end = span.start.wrapping_add(bits(0) >> 8);
                span.parent_id = match id % 7 {
                    1 => None,
                    2 => span::SpanId::from_u64(noise(id)),
                    _ => span::SpanId::from_u64(id - 1),
                };
                let said = [
                    ("http.route", format!("/{}", bits(55))),
                    ("url.path", format!("/{}", bits(0))),
                    ("http.request.method", format!("{}", id >> (id / 4096))),
                    ("shop.id", format!("{}", bits(3))),
                ];
                let there = said
                    .iter()
                    .filter(|(key, _)| noise(id / 50 + key.len() as u64) % 3 > 0);
                span.attributes = there
                    .map(|(key, value)| crate::fixtures::text(key, value))
                    .collect();
                span
            })
            .collect();
        let segment = write(&*disk, disk.folder(), 7, parts(spans.clone()), context()).unwrap();
        assert!(segment.head.groups.len() > 1);
        let groups = 0..segment.head.groups.len();
        let mut back: Vec<_> = groups
            .flat_map(|group| segment.all_spans(group).unwrap())
            .collect();
        back.sort_by_key(|span| span.span_id.as_u64());
        assert!(back == spans);
        for span in spans.iter().step_by(997) {
            let entry = segment.find(span.trace_id).unwrap().unwrap();
            let trace = segment.spans(entry.group as usize, &[entry]).unwrap();
            assert_eq!((trace.len(), trace.contains(span)), (entry.rows as usize, true));
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
