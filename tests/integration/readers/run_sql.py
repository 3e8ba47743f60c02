"""Runs the statements of a recipe in DuckDB, and prints what they give: the names of the columns, then the rows."""

import sys
from pathlib import Path

import duckdb
import duckdb_extension_httpfs

# What `INSTALL httpfs` would fetch from DuckDB's server.
folder = Path(duckdb_extension_httpfs.__file__).parent / "extensions" / f"v{duckdb.__version__}"
connection = duckdb.connect(config={"extension_directory": str(Path.cwd() / "extensions")})
connection.execute(f"INSTALL '{folder}/httpfs.duckdb_extension'")

for statement in duckdb.extract_statements(Path(sys.argv[1]).read_text()):
    connection.execute(statement)
    if statement.type == duckdb.StatementType.SELECT:
        names = tuple(column[0] for column in connection.description)
        print([names, *connection.fetchall()])
