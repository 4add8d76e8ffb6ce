//! Columns of values, and how they go into a row group and come out of it.

use std::marker::PhantomData;
use std::mem;
use std::ops::Range;

use bytes::Bytes;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::column::writer::ColumnWriterImpl;
use parquet::data_type::{
    ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, Int64Type,
};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::RowGroupReader;
use parquet::file::writer::SerializedRowGroupWriter;

/// The values of one column, those that are there, and where some are not a level for each row that says whether it is.
pub(crate) struct Values<T: DataType> {
    values: Vec<T::T>,
    levels: Vec<i16>,
}

impl<T: DataType> Default for Values<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            levels: Vec::new(),
        }
    }
}

pub(crate) type Ints = Values<Int64Type>;
pub(crate) type Doubles = Values<DoubleType>;
pub(crate) type Fixed = Blobs<FixedLenByteArrayType>;
pub(crate) type Texts = Blobs<ByteArrayType>;
/// Texts of which few are different.
pub(crate) type Words = Values<ByteArrayType>;

impl<T: DataType> Values<T> {
    /// The next row's value, in a column where every row has one.
    pub(crate) fn push(&mut self, value: T::T) {
        self.values.push(value);
    }

    /// The value of that row, in a column where not every row has one. Rows come in ascending order.
    pub(crate) fn put(&mut self, row: usize, value: T::T) {
        self.levels.resize(row, 0);
        self.levels.push(1);
        self.values.push(value);
    }

    /// Whether that row has been given a value.
    pub(crate) fn has(&self, row: usize) -> bool {
        self.levels.len() > row
    }

    fn write(&mut self, rows: usize, writer: &mut ColumnWriterImpl<'_, T>) -> Result<()> {
        let levels = (writer.get_descriptor().max_def_level() > 0).then(|| {
            self.levels.resize(rows, 0);
            self.levels.as_slice()
        });
        writer.write_batch(&self.values, levels, None)?;
        self.values.clear();
        self.levels.clear();
        Ok(())
    }
}

/// The values of one column whose bytes stand together: copying them costs less than counting who shares them.
pub(crate) struct Blobs<T> {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    levels: Vec<i16>,
    of: PhantomData<T>,
}

impl<T> Default for Blobs<T> {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            ends: Vec::new(),
            levels: Vec::new(),
            of: PhantomData,
        }
    }
}

impl<T: DataType> Blobs<T>
where
    T::T: From<ByteArray>,
{
    /// See [`Values::push`].
    pub(crate) fn push(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.ends.push(self.bytes.len());
    }

    /// See [`Values::put`].
    pub(crate) fn put(&mut self, row: usize, value: &[u8]) {
        self.levels.resize(row, 0);
        self.levels.push(1);
        self.push(value);
    }

    /// See [`Values::has`].
    pub(crate) fn has(&self, row: usize) -> bool {
        self.levels.len() > row
    }

    /// All of it, in the form in which Parquet takes it; none is left.
    fn take(&mut self) -> Values<T> {
        let bytes = Bytes::from(mem::take(&mut self.bytes));
        let mut start = 0;
        let value = |end: usize| ByteArray::from(bytes.slice(mem::replace(&mut start, end)..end)).into();
        Values {
            values: self.ends.drain(..).map(value).collect(),
            levels: mem::take(&mut self.levels),
        }
    }
}

/// A column of lists of texts: the keys or the values of a map.
#[derive(Default)]
pub(crate) struct Lists {
    texts: Texts,
    repeats: Vec<i16>,
}

impl Lists {
    /// The next row has no item.
    pub(crate) fn empty(&mut self) {
        self.texts.levels.push(0);
        self.repeats.push(0);
    }

    /// One more item, the first of its row or not; `definition` says how much of it is there.
    pub(crate) fn item(&mut self, first: bool, definition: i16, text: Option<&[u8]>) {
        self.texts.levels.push(definition);
        if let Some(text) = text {
            self.texts.push(text);
        }
        self.repeats.push(i16::from(!first));
    }
}

/// Writes the columns of a row group, in order.
pub(crate) struct RowGroupWriter<'a, 'w, W: std::io::Write + Send> {
    group: &'a mut SerializedRowGroupWriter<'w, W>,
    rows: usize,
}

impl<'a, 'w, W: std::io::Write + Send> RowGroupWriter<'a, 'w, W> {
    /// Of so many rows.
    pub(crate) fn new(group: &'a mut SerializedRowGroupWriter<'w, W>, rows: usize) -> Self {
        Self { group, rows }
    }

    pub(crate) fn values<T: DataType>(&mut self, values: &mut Values<T>) -> Result<()> {
        let mut column = self.group.next_column()?.ok_or_else(shape)?;
        values.write(self.rows, column.typed::<T>())?;
        column.close()
    }

    pub(crate) fn blobs<T: DataType>(&mut self, blobs: &mut Blobs<T>) -> Result<()>
    where
        T::T: From<ByteArray>,
    {
        self.values(&mut blobs.take())
    }

    pub(crate) fn lists(&mut self, lists: &mut Lists) -> Result<()> {
        let mut column = self.group.next_column()?.ok_or_else(shape)?;
        let Values { values, levels } = lists.texts.take();
        let writer = column.typed::<ByteArrayType>();
        writer.write_batch(&values, Some(&levels), Some(&lists.repeats))?;
        lists.repeats.clear();
        column.close()
    }
}

fn shape() -> ParquetError {
    ParquetError::General("a column that the schema does not have".to_owned())
}

/// Reads some rows of the columns of a row group, in order.
pub(crate) struct RowGroup<'a> {
    reader: &'a dyn RowGroupReader,
    rows: &'a [Range<usize>],
    column: usize,
}

impl<'a> RowGroup<'a> {
    /// `rows` in ascending order, without overlaps.
    pub(crate) fn new(reader: &'a dyn RowGroupReader, rows: &'a [Range<usize>]) -> Self {
        Self {
            reader,
            rows,
            column: 0,
        }
    }

    /// Goes on with the column of that path, if there is one.
    pub(crate) fn find(&mut self, path: &[&str]) -> bool {
        let columns = self.reader.metadata().columns();
        let place = columns
            .iter()
            .position(|column| column.column_path().parts() == path);
        self.column = place.unwrap_or(self.column);
        place.is_some()
    }

    /// The next column's value in each row, as far as it is there.
    pub(crate) fn texts(&mut self) -> Result<Vec<Option<ByteArray>>> {
        match self.next()? {
            ColumnReader::ByteArrayColumnReader(column) => self.values(column),
            _ => Err(shape()),
        }
    }

    pub(crate) fn fixed(&mut self) -> Result<Vec<Option<FixedLenByteArray>>> {
        match self.next()? {
            ColumnReader::FixedLenByteArrayColumnReader(column) => self.values(column),
            _ => Err(shape()),
        }
    }

    pub(crate) fn ints(&mut self) -> Result<Vec<Option<i64>>> {
        match self.next()? {
            ColumnReader::Int64ColumnReader(column) => self.values(column),
            _ => Err(shape()),
        }
    }

    pub(crate) fn doubles(&mut self) -> Result<Vec<Option<f64>>> {
        match self.next()? {
            ColumnReader::DoubleColumnReader(column) => self.values(column),
            _ => Err(shape()),
        }
    }

    /// The next column's list in each row.
    pub(crate) fn lists(&mut self) -> Result<Vec<Vec<Option<ByteArray>>>> {
        let ColumnReader::ByteArrayColumnReader(mut column) = self.next()? else {
            return Err(shape());
        };
        let full = column_depth(self.reader, self.column - 1);
        let mut lists: Vec<Vec<Option<ByteArray>>> = Vec::new();
        self.each(&mut column, |column, count| {
            let (mut levels, mut repeats, mut values) = (Vec::new(), Vec::new(), Vec::new());
            let read = column.read_records(count, Some(&mut levels), Some(&mut repeats), &mut values)?;
            let mut values = values.into_iter();
            for (level, repeat) in levels.into_iter().zip(repeats) {
                if repeat == 0 {
                    lists.push(Vec::new());
                }
                // 0 and 1: no map, or an empty one
                if let Some(list) = lists.last_mut().filter(|_| level > 1) {
                    list.push(if level == full { values.next() } else { None });
                }
            }
            Ok(read.0)
        })?;
        Ok(lists)
    }

    fn next(&mut self) -> Result<ColumnReader> {
        self.column += 1;
        self.reader.get_column_reader(self.column - 1)
    }

    fn values<T: DataType>(&self, mut column: ColumnReaderImpl<T>) -> Result<Vec<Option<T::T>>> {
        let optional = column_depth(self.reader, self.column - 1) > 0;
        let mut found = Vec::new();
        self.each(&mut column, |column, count| {
            let (mut levels, mut values) = (Vec::new(), Vec::new());
            let read = column.read_records(count, optional.then_some(&mut levels), None, &mut values)?;
            let mut values = values.into_iter();
            match optional {
                true => found.extend(
                    levels
                        .into_iter()
                        .map(|level| (level > 0).then(|| values.next()).flatten()),
                ),
                false => found.extend(values.map(Some)),
            }
            Ok(read.0)
        })?;
        Ok(found)
    }

    /// Reads each range of rows, skipping what lies between.
    fn each<T: DataType>(
        &self,
        column: &mut ColumnReaderImpl<T>,
        mut read: impl FnMut(&mut ColumnReaderImpl<T>, usize) -> Result<usize>,
    ) -> Result<()> {
        let mut at = 0;
        for range in self.rows {
            let gap = range.start.saturating_sub(at);
            if gap > 0 && column.skip_records(gap)? != gap {
                return Err(short());
            }
            at = range.start;
            while at < range.end {
                let count = read(column, range.end - at)?;
                if count == 0 {
                    return Err(short());
                }
                at += count;
            }
        }
        Ok(())
    }
}

fn column_depth(reader: &dyn RowGroupReader, column: usize) -> i16 {
    let columns = reader.metadata().columns();
    columns
        .get(column)
        .map_or(0, |column| column.column_descr().max_def_level())
}

fn short() -> ParquetError {
    ParquetError::General("a column that ends too soon".to_owned())
}
