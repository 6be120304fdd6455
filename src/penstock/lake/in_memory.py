"""A database in memory, to work out in SQL what is at hand as Arrow tables."""

import duckdb


def open_database() -> duckdb.DuckDBPyConnection:
    """An empty one of its own; times are in UTC, and nothing is drawn on standard output."""
    connection = duckdb.connect()
    prepare(connection)
    return connection


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """What holds for every connection of ours: a progress bar would stand amid what a program prints."""
    connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
