"""`penstock sql`: DuckDB over the latest revisions of every lake table, and the registry's tables, read-only."""

import sys
from typing import Annotated

import duckdb
import typer

from penstock.app import Penstock
from penstock.commands import options
from penstock.commands.printing import print_rows
from penstock.errors import BadInputError
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
    penstock = Penstock(options.load(home).settings)
    text = sys.stdin.read() if statement == "-" else statement
    connection = penstock.lake.sql_connection(as_arrow_tables(penstock.registry))
    try:
        result = connection.sql(text)
        rows = [] if result is None else result.to_arrow_table().to_pylist(maps_as_pydicts="lossy")
    except duckdb.Error as error:
        raise BadInputError(f"The query failed: {str(error).strip()}") from error
    print_rows(rows, as_json=json, empty="No rows.")
