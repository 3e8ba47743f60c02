"""pandas: csv, ndjson and Parquet; Arrow by pyarrow."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.ipc

from compare import Check


def rows(frame):
    """Cells as Python has them."""

    def cell(value):
        if isinstance(value, (list, np.ndarray)):
            return list(value)
        if isinstance(value, dict):
            # An object of other members in each row is read as one with the members of all.
            return {name: member for name, member in value.items() if member is not None}
        if pd.isna(value):
            return None
        if isinstance(value, pd.Timestamp):
            return value.to_pydatetime()
        return value.item() if isinstance(value, np.generic) else value

    return frame.columns, [[cell(value) for value in row] for row in frame.itertuples(index=False, name=None)]


def read_csv(path, _table):
    return rows(pd.read_csv(path, dtype=str, na_values=[""], keep_default_na=False))


def read_ndjson(path, table):
    if not table.rows:
        return [], []
    # Its own reader makes doubles of integers in a column with a gap.
    frame = pd.read_json(path, lines=True, engine="pyarrow", dtype_backend="pyarrow")
    return rows(frame)


def read_parquet(path, _table):
    return rows(pd.read_parquet(path, dtype_backend="pyarrow"))


def read_arrow(path, _table):
    return rows(pa.ipc.open_stream(path).read_all().to_pandas(types_mapper=pd.ArrowDtype))


check = Check()
check.all("csv", read_csv, tells_empty=False)
check.all("ndjson", read_ndjson)
check.all("parquet", read_parquet)
check.all("arrow", read_arrow)

# What it makes of csv by itself, once it may have integers with gaps.
guessed = pd.read_csv(check.folder / "raw.instances.csv", dtype_backend="pyarrow")
assert guessed["variable:long"].to_list()[0] == 9007199254740993, guessed.dtypes
assert guessed["variable:double"].to_list()[0] == 0.30000000000000004, guessed.dtypes
check.end()
