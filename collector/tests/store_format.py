"""Prints the rows of the segments in a folder as JSON: ids in hexadecimal, the start in nanoseconds, parents by their ids."""

import json
import pathlib
import sys

import pyarrow as pa
import pyarrow.parquet as parquet

rows = []
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.parquet")):
    table = parquet.ParquetFile(path).read()
    start = table.column("start").cast(pa.int64())
    table = table.set_column(table.schema.get_field_index("start"), "start", start)
    here = table.to_pylist()
    for place, row in enumerate(here):
        if row.get("parent_row") is not None:
            row["parent_id"] = here[place + row["parent_row"]]["span_id"]
        else:
            row.setdefault("parent_id", row.get("other_parent_id"))
    rows += here
for row in rows:
    for column, value in row.items():
        if isinstance(value, bytes):
            row[column] = value.hex()
print(json.dumps(rows))
