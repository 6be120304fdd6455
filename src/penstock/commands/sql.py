"""`penstock sql`: DuckDB over the latest revisions of every lake table, and the registry's tables, read-only."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import duckdb
import pyarrow as pa
import typer

from penstock.app import Penstock
from penstock.commands import options
from penstock.commands.printing import print_rows
from penstock.errors import BadInputError
from penstock.lake.in_memory import open_database
from penstock.registry.export import as_arrow_tables


def register(cli: typer.Typer, name: str, summary: str) -> None:
    """Add `sql`."""
    cli.command(name, help=summary)(query)


def query(
    statement: Annotated[str, typer.Argument(metavar="QUERY", help="One SELECT; - reads it from standard input.")],
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Run a query and print its rows; with --json, one array of objects."""
    text = _statement(statement)
    penstock = Penstock(options.load(home).settings)
    connection = penstock.lake.sql_connection(as_arrow_tables(penstock.registry))
    try:
        result = connection.sql(text)
        rows = [] if result is None else _rows(result.to_arrow_table())
    except duckdb.Error as error:
        raise BadInputError(f"The query failed: {str(error).strip()}") from error
    print_rows(rows, as_json=json, empty="No rows.")


def _statement(given: str) -> str:
    """The query's text, from standard input where it is `-`."""
    try:
        if given == "-":
            return sys.stdin.buffer.read().decode()
        given.encode()  # bytes of an argument that are no text come as halves of characters
    except UnicodeError as error:
        raise BadInputError(f"The query is not UTF-8 text: {error}. Save it as UTF-8.") from error
    return given


def _rows(found: pa.Table) -> list[dict[str, Any]]:
    names = _told_apart(found.column_names)
    return [dict(zip(names, row, strict=True)) for row in zip(*map(_values, found.columns), strict=True)]


def _told_apart(names: Sequence[str]) -> list[str]:
    """Names of which none comes twice: the second `a` is `a_1`, as where DuckDB reads from a sub-query."""
    apart: list[str] = []
    for name in names:
        unused = (f"{name}_{number}" for number in range(1, len(names) + 1))
        apart.append(name if name not in apart else next(one for one in unused if one not in apart and one not in names))
    return apart


def _values(column: "pa.ChunkedArray[Any]") -> list[Any]:
    """A column's values, as text where Python has no such times: the infinite ones, years before 1 and after 9999."""
    try:
        return column.to_pylist(maps_as_pydicts="lossy")
    except (OverflowError, ValueError):
        engine = open_database()
        engine.register("told", pa.table([column], names=["value"]))
        return [text for (text,) in engine.sql("SELECT CAST(value AS VARCHAR) FROM told").fetchall()]
