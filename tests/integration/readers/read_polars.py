"""polars: all four formats."""

import json

import polars as pl

from compare import Check

TYPES = {
    "text": pl.String,
    "integer": pl.Int64,
    "double": pl.Float64,
    "boolean": pl.Boolean,
    "instant": pl.Datetime("ms", "UTC"),
    "list": pl.List(pl.String),
}


def read_csv(path, _table):
    frame = pl.read_csv(path, infer_schema=False)
    return frame.columns, frame.rows()


def read_ndjson(path, table):
    if not table.rows:
        return [], []
    types = {**TYPES, "instant": pl.String}
    # A text column takes an object as its JSON.
    frame = pl.read_ndjson(path, schema={name: types[type] for name, type in table.columns.items()})
    decode = [name == "variables:rest" for name in frame.columns]
    rows = [[json.loads(c) if d and c is not None else c for c, d in zip(row, decode)] for row in frame.rows()]
    return frame.columns, rows


def typed(frame, table):
    wrong = {name: frame.schema[name] for name, type in table.columns.items() if frame.schema[name] != TYPES[type]}
    assert not wrong, wrong
    return frame.columns, frame.rows()


check = Check()
check.all("csv", read_csv)
check.all("ndjson", read_ndjson)
check.all("parquet", lambda path, table: typed(pl.read_parquet(path), table))
check.all("arrow", lambda path, table: typed(pl.read_ipc_stream(path), table))

# What it makes of csv by itself.
guessed = pl.read_csv(check.folder / "raw.instances.csv").schema
assert guessed["variable:long"] == guessed["duration"] == pl.Int64 and guessed["variable:double"] == pl.Float64, guessed
check.end()
