//! Columns that were collected, as the column chunks of a row group: pages of Parquet, version 2.

use std::io::Write;
use std::ops::Range;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::page::{CompressedPage, Page, PageWriteSpec, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, SerializedRowGroupWriter, TrackedWrite};
use parquet::schema::types::{ColumnDescPtr, SchemaDescPtr};

use super::collect::{Blobs, Levels, Nesting, Words};
use super::encode::{deltas, hybrid, width};

/// Rows of a page: what is decoded for one trace, about.
const PAGE_ROWS: usize = 4096;
/// A column with more different values is no dictionary, which would have to be read whole for one trace.
const DICTIONARY_BYTES: usize = 64 << 10;
/// zstd's level for columns. Higher ones make what spans say hardly smaller, and texts that end in numbers larger.
const LEVEL: i32 = 1;

/// How values stand in a page that has no dictionary.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// Each behind its length.
    Plain,
    /// All of one length.
    Fixed,
    /// All lengths, then all values.
    LengthsFirst,
}

/// Which rows have values, and how many.
enum Rows<'a> {
    /// Each has one.
    All,
    /// Some have one.
    Some(&'a [u8]),
    /// Each has a list of them; an item with that definition is there.
    Lists(&'a Nesting, u8),
}

/// Makes pages, with room that is used again.
pub(super) struct Pages {
    zstd: zstd::bulk::Compressor<'static>,
    plain: Vec<u8>,
    packed: Vec<u8>,
}

impl Pages {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            zstd: zstd::bulk::Compressor::new(LEVEL)?,
            plain: Vec::new(),
            packed: Vec::new(),
        })
    }

    /// What is in `plain`, compressed.
    fn compress(&mut self) -> Result<&[u8]> {
        self.packed.clear();
        self.packed
            .reserve(zstd::zstd_safe::compress_bound(self.plain.len()));
        self.zstd
            .compress_to_buffer(&self.plain, &mut self.packed)
            .map_err(|error| ParquetError::External(Box::new(error)))?;
        Ok(&self.packed)
    }
}

/// Writes the chunks of a row group, column by column in the order of the schema. What is written is collected no more.
pub(super) struct Chunks<'a, 'w, W: Write + Send> {
    group: &'a mut SerializedRowGroupWriter<'w, W>,
    schema: &'a SchemaDescPtr,
    pages: &'a mut Pages,
    rows: usize,
    /// The column that is next.
    column: usize,
}

impl<'a, 'w, W: Write + Send> Chunks<'a, 'w, W> {
    /// Of so many rows.
    pub(super) fn new(
        group: &'a mut SerializedRowGroupWriter<'w, W>,
        schema: &'a SchemaDescPtr,
        pages: &'a mut Pages,
        rows: usize,
    ) -> Self {
        Self {
            group,
            schema,
            pages,
            rows,
            column: 0,
        }
    }

    /// Values of which few are different.
    pub(super) fn words(&mut self, words: &mut Words, form: Form) -> Result<()> {
        self.words_with(words, form, DICTIONARY_BYTES, None)
    }

    /// The same with the least and the greatest in the statistics.
    pub(super) fn words_with_statistics(&mut self, words: &mut Words) -> Result<()> {
        let bounds = |word: Option<&[u8]>| word.map(|word| ByteArray::from(word.to_vec()));
        let all = || words.words().iter(0..words.words().len());
        let statistics =
            Statistics::byte_array(bounds(all().min()), bounds(all().max()), None, Some(0), false);
        self.words_with(words, Form::Plain, DICTIONARY_BYTES, Some(statistics))
    }

    /// Values that stand in a dictionary, however large that is.
    pub(super) fn ids(&mut self, words: &mut Words) -> Result<()> {
        self.words_with(words, Form::Fixed, usize::MAX, None)
    }

    fn words_with(
        &mut self,
        words: &mut Words,
        form: Form,
        limit: usize,
        statistics: Option<Statistics>,
    ) -> Result<()> {
        let mut levels = std::mem::take(&mut words.levels);
        let rows = self.rows_of(&mut levels, words.places().len());
        self.words_in(words, form, limit, &rows, statistics)?;
        words.levels = levels;
        words.clear();
        Ok(())
    }

    fn words_in(
        &mut self,
        words: &Words,
        form: Form,
        limit: usize,
        rows: &Rows<'_>,
        statistics: Option<Statistics>,
    ) -> Result<()> {
        let (known, places) = (words.words(), words.places());
        if known.together(0..known.len()).len() > limit {
            let value = |place: &u32| known.get(*place as usize);
            return self.chunk(rows, places.len(), None, statistics, false, |range, out| {
                texts(places.get(range).unwrap_or_default().iter().map(value), form, out)
            });
        }
        let width = width(known.len().saturating_sub(1) as u64);
        let once = known.len() <= 1;
        let dictionary = (!places.is_empty()).then_some((known, form));
        self.chunk(rows, places.len(), dictionary, statistics, once, |range, out| {
            if dictionary.is_none() {
                return Encoding::PLAIN;
            }
            out.push(width as u8);
            hybrid(places.get(range).unwrap_or_default(), width, out);
            Encoding::RLE_DICTIONARY
        })
    }

    /// Values of which most are different.
    pub(super) fn blobs(&mut self, blobs: &mut Blobs, form: Form) -> Result<()> {
        let mut levels = std::mem::take(&mut blobs.levels);
        let rows = self.rows_of(&mut levels, blobs.len());
        let none = blobs.len() == 0;
        self.chunk(&rows, blobs.len(), None, None, none, |range, out| {
            texts(blobs.iter(range), form, out)
        })?;
        blobs.levels = levels;
        blobs.clear();
        Ok(())
    }

    /// Numbers of which most are different; as differences if neighbours are near each other.
    pub(super) fn numbers(&mut self, numbers: &mut Vec<i64>, near: bool) -> Result<()> {
        let bounds = (numbers.iter().min().copied(), numbers.iter().max().copied());
        let statistics = Statistics::int64(bounds.0, bounds.1, None, Some(0), false);
        self.chunk(
            &Rows::All,
            numbers.len(),
            None,
            Some(statistics),
            false,
            |range, out| {
                let numbers = numbers.get(range).unwrap_or_default().iter();
                if near {
                    deltas(numbers.copied(), out);
                    return Encoding::DELTA_BINARY_PACKED;
                }
                out.extend(numbers.flat_map(|number| number.to_le_bytes()));
                Encoding::PLAIN
            },
        )?;
        numbers.clear();
        Ok(())
    }

    /// The keys of a map, and the values of those that have one.
    pub(super) fn map(
        &mut self,
        (keys, of_keys): (&mut Words, &mut Nesting),
        (values, of_values): (&mut Blobs, &mut Nesting),
    ) -> Result<()> {
        self.words_in(
            keys,
            Form::Plain,
            DICTIONARY_BYTES,
            &Rows::Lists(of_keys, 2),
            None,
        )?;
        let none = values.len() == 0;
        self.chunk(
            &Rows::Lists(of_values, 3),
            values.len(),
            None,
            None,
            none,
            |range, out| texts(values.iter(range), Form::LengthsFirst, out),
        )?;
        keys.clear();
        values.clear();
        of_keys.clear();
        of_values.clear();
        Ok(())
    }

    fn rows_of<'l>(&self, levels: &'l mut Levels, values: usize) -> Rows<'l> {
        let optional = self.descriptor().is_some_and(|column| column.max_def_level() > 0);
        match optional {
            true => Rows::Some(levels.of(self.rows)),
            false => {
                debug_assert_eq!(values, self.rows, "every row has one");
                Rows::All
            }
        }
    }

    fn descriptor(&self) -> Option<ColumnDescPtr> {
        (self.column < self.schema.num_columns()).then(|| self.schema.column(self.column))
    }

    /// Writes the next column: its dictionary if it has one, and its pages, or a single one where that says it all.
    fn chunk(
        &mut self,
        rows: &Rows<'_>,
        values: usize,
        dictionary: Option<(&Blobs, Form)>,
        statistics: Option<Statistics>,
        once: bool,
        mut encode: impl FnMut(Range<usize>, &mut Vec<u8>) -> Encoding,
    ) -> Result<()> {
        let column = self
            .descriptor()
            .ok_or_else(|| ParquetError::General("a column that the schema does not have".to_owned()))?;
        self.column += 1;
        let mut sink = TrackedWrite::new(Vec::new());
        let mut writer = SerializedPageWriter::new(&mut sink);
        let mut chunk = ColumnChunkMetaData::builder(column);
        let mut size = Size::default();
        let mut encodings = vec![Encoding::RLE];
        if let Some((words, form)) = dictionary {
            self.pages.plain.clear();
            texts(words.iter(0..words.len()), form, &mut self.pages.plain);
            let plain = self.pages.plain.len();
            let page = Page::DictionaryPage {
                buf: Bytes::copy_from_slice(self.pages.compress()?),
                num_values: words.len() as u32,
                encoding: Encoding::PLAIN,
                is_sorted: false,
            };
            size.add(&writer.write_page(CompressedPage::new(page, plain))?);
            encodings.push(Encoding::PLAIN);
            chunk = chunk.set_dictionary_page_offset(Some(0));
        }
        let first = size.packed;
        let (step, mut entries, mut done) = (if once { self.rows } else { PAGE_ROWS }, 0, 0);
        for start in (0..self.rows).step_by(step.max(1)) {
            let end = self.rows.min(start + step);
            let levels = levels(rows, start..end);
            let range = done..done + levels.values;
            done = range.end;
            self.pages.plain.clear();
            let encoding = encode(range, &mut self.pages.plain);
            if !encodings.contains(&encoding) {
                encodings.push(encoding);
            }
            let mut buffer = levels.bytes;
            let head = buffer.len();
            let plain = head + self.pages.plain.len();
            let is_compressed = self.pages.compress()?.len() < self.pages.plain.len();
            buffer.extend_from_slice(match is_compressed {
                true => &self.pages.packed,
                false => &self.pages.plain,
            });
            let page = Page::DataPageV2 {
                buf: buffer.into(),
                num_values: levels.entries as u32,
                encoding,
                num_nulls: (levels.entries - levels.values) as u32,
                num_rows: (end - start) as u32,
                def_levels_byte_len: (head - levels.repeats) as u32,
                rep_levels_byte_len: levels.repeats as u32,
                is_compressed,
                statistics: None,
            };
            size.add(&writer.write_page(CompressedPage::new(page, plain))?);
            entries += levels.entries;
        }
        debug_assert_eq!(done, values, "each value is in a page");
        if let Some(statistics) = statistics {
            chunk = chunk.set_statistics(statistics);
        }
        let metadata = chunk
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(LEVEL)?))
            .set_encodings(encodings)
            .set_num_values(entries as i64)
            .set_data_page_offset(first)
            .set_total_compressed_size(size.packed)
            .set_total_uncompressed_size(size.plain)
            .build()?;
        let close = ColumnCloseResult {
            bytes_written: size.packed as u64,
            rows_written: self.rows as u64,
            metadata,
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        };
        self.group.append_column(&Bytes::from(sink.into_inner()?), close)
    }
}

/// Bytes of pages, before and after compression.
#[derive(Default)]
struct Size {
    plain: i64,
    packed: i64,
}

impl Size {
    fn add(&mut self, page: &PageWriteSpec) {
        self.plain += page.uncompressed_size as i64;
        self.packed += page.compressed_size as i64;
    }
}

/// What stands before the values of a page.
struct PageLevels {
    bytes: Vec<u8>,
    /// How many of the bytes say where rows begin.
    repeats: usize,
    entries: usize,
    values: usize,
}

fn levels(rows: &Rows<'_>, range: Range<usize>) -> PageLevels {
    let mut bytes = Vec::new();
    match rows {
        Rows::All => PageLevels {
            bytes,
            repeats: 0,
            entries: range.len(),
            values: range.len(),
        },
        Rows::Some(levels) => {
            let levels = levels.get(range).unwrap_or_default();
            hybrid(levels, 1, &mut bytes);
            PageLevels {
                bytes,
                repeats: 0,
                entries: levels.len(),
                values: levels.iter().map(|level| usize::from(*level)).sum(),
            }
        }
        Rows::Lists(nesting, full) => {
            let all = nesting.definitions.len();
            let begin = |row| nesting.starts.get(row).copied().unwrap_or(all);
            let items = begin(range.start)..begin(range.end);
            let definitions = nesting.definitions.get(items.clone()).unwrap_or_default();
            hybrid(nesting.repeats.get(items).unwrap_or_default(), 1, &mut bytes);
            let repeats = bytes.len();
            hybrid(definitions, 2, &mut bytes);
            PageLevels {
                bytes,
                repeats,
                entries: definitions.len(),
                values: definitions.iter().filter(|level| *level == full).count(),
            }
        }
    }
}

fn texts<'a>(
    values: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
    form: Form,
    out: &mut Vec<u8>,
) -> Encoding {
    match form {
        Form::Plain => {
            for value in values {
                // spans are shorter than that
                out.extend_from_slice(&(value.len() as u32).to_le_bytes());
                out.extend_from_slice(value);
            }
            Encoding::PLAIN
        }
        Form::Fixed => {
            values.for_each(|value| out.extend_from_slice(value));
            Encoding::PLAIN
        }
        Form::LengthsFirst => {
            deltas(values.clone().map(|value| value.len() as i64), out);
            values.for_each(|value| out.extend_from_slice(value));
            Encoding::DELTA_LENGTH_BYTE_ARRAY
        }
    }
}
