"""Compares what a reader has read with what it has to read, cell by cell."""

import json
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

from expected import TABLES, ByFormat, Instant, Rest, Table

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def text_of(cell):
    """A cell as csv writes it; a double in one of its ways, see `same`."""
    match cell:
        case None | str():
            return cell
        case bool():
            return "true" if cell else "false"
        case int() | float():
            return repr(cell)
        case Instant():
            return cell.shown
        case list():
            return json.dumps(cell, ensure_ascii=False, separators=(",", ":"))
        case Rest():
            return cell.value
    raise TypeError(cell)


def same(cell, found, format, tells_empty=True):
    """Whether `found` is the cell. In csv everything is text. `tells_empty`: the reader can tell an empty text from none."""
    if isinstance(cell, ByFormat):
        cell = cell.csv if format == "csv" else cell.other
    if format == "csv":
        if not tells_empty and cell in (None, ""):
            return found in (None, "")
        if cell is None or found is None:
            return cell is found
        if isinstance(cell, float):
            return float(found) == cell
        if isinstance(cell, Rest):
            return json.loads(found) == cell.value
        return found == text_of(cell)
    match cell:
        case None:
            return found is None
        case Instant() if format == "ndjson":
            return found == cell.shown
        case Instant():
            # To the millisecond: no reader may round.
            return isinstance(found, datetime) and found - EPOCH == timedelta(milliseconds=cell.millis)
        case Rest() if format == "ndjson":
            return found == cell.value
        case Rest():
            return json.loads(found) == cell.value
        case list():
            return list(found) == cell
    # `True == 1` and `1 == 1.0` in Python: types count.
    return type(found) is type(cell) and found == cell


class Check:
    """All tables of a reader. `read(path, table)` gives the names of the columns and the rows."""

    def __init__(self):
        self.folder = Path(sys.argv[1])
        self.problems = []
        self.cells = 0

    def all(self, format, read, tells_empty=True):
        for name, table in TABLES.items():
            path = self.folder / f"{name}.{format}"
            try:
                self.table(path.name, table, format, *read(path, table), tells_empty)
            except Exception as error:  # The others are looked at too.
                self.problems.append(f"{path.name}: {type(error).__name__}: {error}")

    def table(self, name, table: Table, format, columns, rows, tells_empty):
        columns, rows = list(columns), [list(row) for row in rows]
        # ndjson without rows has no columns, either.
        if columns != list(table.columns) and (format != "ndjson" or table.rows):
            self.problems.append(f"{name}: the columns are {columns}")
        if len(rows) != len(table.rows):
            self.problems.append(f"{name}: {len(rows)} rows")
        for at, (expected, found) in enumerate(zip(table.rows, rows)):
            if len(expected) != len(found):
                self.problems.append(f"{name}: row {at} has {len(found)} cells")
            for column, cell, value in zip(table.columns, expected, found):
                self.cells += 1
                if not same(cell, value, format, tells_empty):
                    self.problems.append(f"{name}: row {at}, {column}: {value!r} is not {cell!r}")

    def end(self):
        if self.problems:
            sys.exit("\n".join(self.problems))
        if not self.cells:
            sys.exit("nothing was read")
        print(f"{self.cells} cells")
