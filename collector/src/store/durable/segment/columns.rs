//! Columns of values as they come out of a row group.

use std::ops::Range;

use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType, FixedLenByteArray};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::RowGroupReader;

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

    /// Whether the next column has that name.
    pub(crate) fn next_is(&self, name: &str) -> bool {
        let columns = self.reader.metadata().columns();
        columns
            .get(self.column)
            .is_some_and(|column| column.column_path().parts() == [name])
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

fn shape() -> ParquetError {
    ParquetError::General("a column of another type than the schema's".to_owned())
}

fn short() -> ParquetError {
    ParquetError::General("a column that ends too soon".to_owned())
}
