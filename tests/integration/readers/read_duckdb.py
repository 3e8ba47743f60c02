"""DuckDB: csv, ndjson and Parquet; it has no reader of Arrow files of its own, and takes tables of pyarrow."""

import json
from datetime import datetime, timedelta, timezone

import duckdb
import pyarrow as pa

from compare import Check

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
TYPES = {"text": "VARCHAR", "integer": "BIGINT", "double": "DOUBLE", "boolean": "BOOLEAN", "list": "VARCHAR[]"}
connection = duckdb.connect()


def rows(relation):
    return relation.columns, relation.fetchall()


def read_csv(path, _table):
    return rows(connection.read_csv(str(path), all_varchar=True, allow_quoted_nulls=False))


def read_ndjson(path, table):
    if not table.rows:
        return [], []
    types = {**TYPES, "instant": "VARCHAR"}
    columns = {name: types[type] for name, type in table.columns.items()}
    if "variables:rest" in columns:
        columns["variables:rest"] = "JSON"
    names, found = rows(connection.read_json(str(path), format="newline_delimited", columns=columns))
    decode = [name == "variables:rest" for name in names]
    return names, [[json.loads(c) if d and c is not None else c for c, d in zip(row, decode)] for row in found]


def typed(relation, table):
    types = {**TYPES, "instant": "TIMESTAMP WITH TIME ZONE"}
    found = {name: str(type) for name, type in zip(relation.columns, relation.types)}
    wrong = {name: found[name] for name, type in table.columns.items() if found[name] != types[type]}
    assert not wrong, wrong
    # As milliseconds, because Python's own times of a zone need one more package.
    instants = [name for name, type in table.columns.items() if type == "instant"]
    shown = ", ".join(f'epoch_ms("{name}")' if name in instants else f'"{name}"' for name in relation.columns)
    moments = [name in instants for name in relation.columns]
    cells = relation.project(shown).fetchall()
    return relation.columns, [
        [EPOCH + timedelta(milliseconds=c) if m and c is not None else c for c, m in zip(row, moments)] for row in cells
    ]


def read_arrow(path, table):
    return typed(connection.from_arrow(pa.ipc.open_stream(path).read_all()), table)


check = Check()
check.all("csv", read_csv)
check.all("ndjson", read_ndjson)
check.all("parquet", lambda path, table: typed(connection.read_parquet(str(path)), table))
check.all("arrow", read_arrow)

# What it makes of csv by itself.
guessed = connection.read_csv(str(check.folder / "raw.instances.csv"))
types = dict(zip(guessed.columns, map(str, guessed.types)))
assert types["variable:long"] == types["duration"] == "BIGINT" and types["variable:double"] == "DOUBLE", types
check.end()
