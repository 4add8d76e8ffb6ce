//! Features as Parquet, a row for each trace, for whoever reads tables.
//!
//! The columns are those of the CSV, but for the counts: where that has a column for every operation of all the traces, each
//! row has a list here, so that the columns are always the same.

use std::sync::{Arc, LazyLock};

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::Type;

use crate::analysis::features::Features;

static SCHEMA: LazyLock<Result<Arc<Type>, ParquetError>> = LazyLock::new(|| {
    let message = "message features {
      required binary trace_id (STRING);
      required int64 start (TIMESTAMP(NANOS,true));
      required int64 duration;
      required int64 spans;
      required int64 errors;
      required int64 services;
      required int64 depth;
      required int64 max_fan_out;
      required double mean_fan_out;
      required int64 gaps;
      required double confidence;
      required group span_counts (LIST) {
        repeated group list {
          required group element {
            required binary service (STRING);
            required binary operation (STRING);
            required int64 spans;
            required int64 errors;
          }
        }
      }
    }";
    parse_message_type(message).map(Arc::new)
});

/// The rows as a file of Parquet.
///
/// # Errors
/// The library could not write it.
pub fn features(rows: &[Features]) -> Result<Vec<u8>, ParquetError> {
    let schema = SCHEMA
        .as_ref()
        .map_err(|error| ParquetError::General(error.to_string()))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    let mut file = SerializedFileWriter::new(Vec::new(), Arc::clone(schema), Arc::new(properties))?;
    let mut group = file.next_row_group()?;
    let text = |text: &str| ByteArray::from(text.as_bytes().to_vec());
    column::<ByteArrayType>(&mut group, rows, |row| text(&row.trace_id.to_string()))?;
    column::<Int64Type>(&mut group, rows, |row| whole(row.start))?;
    column::<Int64Type>(&mut group, rows, |row| whole(row.duration))?;
    column::<Int64Type>(&mut group, rows, |row| whole(row.spans as u64))?;
    column::<Int64Type>(&mut group, rows, |row| whole(row.errors as u64))?;
    column::<Int64Type>(&mut group, rows, |row| whole(row.services as u64))?;
    column::<Int64Type>(&mut group, rows, |row| whole(row.depth as u64))?;
    column::<Int64Type>(&mut group, rows, |row| whole(row.max_fan_out as u64))?;
    column::<DoubleType>(&mut group, rows, |row| row.mean_fan_out)?;
    column::<Int64Type>(&mut group, rows, |row| whole(row.gaps as u64))?;
    column::<DoubleType>(&mut group, rows, |row| row.confidence)?;
    counts::<ByteArrayType>(&mut group, rows, |((service, _), _)| text(service))?;
    counts::<ByteArrayType>(&mut group, rows, |((_, operation), _)| text(operation))?;
    counts::<Int64Type>(&mut group, rows, |(_, (spans, _))| whole(*spans as u64))?;
    counts::<Int64Type>(&mut group, rows, |(_, (_, errors))| whole(*errors as u64))?;
    group.close()?;
    file.into_inner()
}

type Group<'a> = SerializedRowGroupWriter<'a, Vec<u8>>;
/// A service and an operation; spans, and those that failed.
type Counted<'a> = (&'a (String, String), &'a (usize, usize));

/// One value of each row.
fn column<T: DataType>(
    group: &mut Group<'_>,
    rows: &[Features],
    value: impl Fn(&Features) -> T::T,
) -> Result<(), ParquetError> {
    let values: Vec<_> = rows.iter().map(value).collect();
    write::<T>(group, &values, None)
}

/// One value of each count of each row.
fn counts<T: DataType>(
    group: &mut Group<'_>,
    rows: &[Features],
    value: impl Fn(Counted<'_>) -> T::T,
) -> Result<(), ParquetError> {
    let values: Vec<_> = rows.iter().flat_map(|row| &row.counts).map(value).collect();
    // a list without anything is defined to one level less; the first of a list begins a row
    let (mut defined, mut repeated) = (Vec::new(), Vec::new());
    for row in rows {
        defined.push(i16::from(!row.counts.is_empty()));
        repeated.push(0);
        let more = row.counts.len().saturating_sub(1);
        defined.extend(std::iter::repeat_n(1, more));
        repeated.extend(std::iter::repeat_n(1, more));
    }
    write::<T>(group, &values, Some((&defined, &repeated)))
}

fn write<T: DataType>(
    group: &mut Group<'_>,
    values: &[T::T],
    levels: Option<(&[i16], &[i16])>,
) -> Result<(), ParquetError> {
    let missing = || ParquetError::General("a value without a column".to_owned());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    let (defined, repeated) = levels.unzip();
    column.typed::<T>().write_batch(values, defined, repeated)?;
    column.close()
}

/// Parquet's whole numbers end at half of ours.
fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::Bytes;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::{ListAccessor, Row, RowAccessor};

    use super::*;
    use crate::fixtures::{START, trace_id};

    fn row(trace: u64, counts: &[(&str, usize)]) -> Features {
        let counted =
            |(operation, spans): &(&str, usize)| (("bank".to_owned(), (*operation).to_owned()), (*spans, 1));
        Features {
            trace_id: trace_id(trace),
            start: START,
            duration: 7,
            spans: 3,
            errors: 1,
            services: 1,
            depth: 2,
            max_fan_out: 2,
            mean_fan_out: 1.5,
            gaps: 0,
            confidence: 0.25,
            counts: counts.iter().map(counted).collect::<BTreeMap<_, _>>(),
        }
    }

    #[test]
    fn rows_are_read_back_as_they_were() {
        let file = features(&[row(1, &[("a", 1), ("b", 2)]), row(2, &[]), row(3, &[("c", 3)])]).unwrap();
        let reader = SerializedFileReader::new(Bytes::from(file)).unwrap();
        let rows: Vec<Row> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[0].get_string(0).unwrap(), &trace_id(1).to_string());
        assert_eq!(
            (rows[0].get_long(6).unwrap(), rows[0].get_double(8).unwrap()),
            (2, 1.5)
        );
        let spans = |row: &Row| -> Vec<_> {
            let counts = row.get_list(11).unwrap();
            let count = |index| counts.get_group(index).unwrap();
            (0..counts.len())
                .map(|index| {
                    (
                        count(index).get_string(1).unwrap().clone(),
                        count(index).get_long(2).unwrap(),
                    )
                })
                .collect()
        };
        assert_eq!(spans(&rows[0]), [("a".to_owned(), 1), ("b".to_owned(), 2)]);
        assert_eq!(spans(&rows[1]), []);
        assert_eq!(spans(&rows[2]), [("c".to_owned(), 3)]);
    }

    #[test]
    fn no_rows_are_a_file_as_well() {
        let reader = SerializedFileReader::new(Bytes::from(features(&[]).unwrap())).unwrap();
        assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
    }
}
