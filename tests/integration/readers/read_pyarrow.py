"""pyarrow: all four formats, and the types of the columns."""

import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc
import pyarrow.json
import pyarrow.parquet

from compare import Check

TYPES = {
    "text": pa.string(),
    "integer": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "instant": pa.timestamp("ms", tz="UTC"),
    "list": pa.list_(pa.field("element", pa.string(), nullable=False)),
}


def rows(table):
    return table.column_names, zip(*(column.to_pylist() for column in table.columns)) if table.num_rows else []


def typed(table, expected):
    types = {field.name: field.type for field in table.schema}
    wrong = {name: types[name] for name, type in expected.columns.items() if types[name] != TYPES[type]}
    assert not wrong, wrong
    table.validate(full=True)
    return rows(table)


def read_csv(path, table):
    convert = pa.csv.ConvertOptions(
        column_types={name: pa.string() for name in table.columns},
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        null_values=[""],
    )
    return rows(pa.csv.read_csv(path, parse_options=pa.csv.ParseOptions(newlines_in_values=True), convert_options=convert))


def read_ndjson(path, table):
    if not table.rows:
        assert path.read_bytes() == b""
        return [], []
    # Types that it would guess: a column without a value has none, and texts that look like moments become moments.
    types = {**TYPES, "instant": pa.string()}
    known = {name: types[type] for name, type in table.columns.items() if name != "variables:rest"}
    names, found = rows(pa.json.read_json(path, parse_options=pa.json.ParseOptions(explicit_schema=pa.schema(known))))
    # An object of other members in each row is read as one with the members of all.
    found = [
        [{k: v for k, v in cell.items() if v is not None} if isinstance(cell, dict) else cell for cell in row]
        for row in found
    ]
    # Columns that have a type come first.
    order = [names.index(name) for name in table.columns]
    return list(table.columns), [[row[at] for at in order] for row in found]


check = Check()
check.all("csv", read_csv)
check.all("ndjson", read_ndjson)
check.all("parquet", lambda path, table: typed(pa.parquet.read_table(path), table))
check.all("arrow", lambda path, table: typed(pa.ipc.open_stream(path).read_all(), table))

metadata = pa.parquet.read_metadata(check.folder / "raw.instances.parquet").metadata
for key, value in {"report-id": "raw", "report-name": "Report raw", "table": "instances"}.items():
    assert metadata[f"optimize-export.{key}".encode()] == value.encode(), metadata
check.end()
