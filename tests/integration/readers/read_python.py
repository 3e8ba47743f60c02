"""Python's own `csv` and `json`."""

import csv
import json

from compare import Check


def read_csv(path, _table):
    with open(path, newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file, strict=True)
    return header, rows


def read_ndjson(path, _table):
    with open(path, encoding="utf-8", newline="\n") as file:
        objects = [json.loads(line) for line in file]
    return (objects[0] if objects else []), [list(row.values()) for row in objects]


check = Check()
check.all("csv", read_csv, tells_empty=False)
check.all("ndjson", read_ndjson)
check.end()
