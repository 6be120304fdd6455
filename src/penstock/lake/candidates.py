"""Filter first: a condition that keeps only candidate ids, from a few in the text of a query to many in an Arrow table."""

import weakref
from collections.abc import Sequence
from itertools import count

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from penstock.lake.snapshot import literal

_IN_TEXT = 50  # so many DuckDB looks up in Bloom filters and statistics


class CandidateSets:
    """Large sets of ids, held by the connection for as long as an expression that speaks of them lives."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._numbers = count()
        self._released: list[str] = []

    def condition(self, column: str, ids: Sequence[str] | pa.Table) -> tuple[str, str | None]:
        """A SQL condition, and the name to keep() it by where it needs keeping."""
        for name in self._take_released():
            self._connection.unregister(name)
        arriving = ids if isinstance(ids, pa.Table) else pa.table({"id": pa.array(ids, pa.string())})
        values = pc.drop_null(pc.unique(arriving.column(0)))
        if len(values) <= _IN_TEXT:
            listed = ", ".join(literal(str(value)) for value in values.to_pylist())
            return (f'"{column}" IN ({listed})' if listed else f'"{column}" IN (NULL)'), None
        name = self.hold(pa.table([values], names=["id"]))
        return f'"{column}" IN (SELECT id FROM {name})', name

    def hold(self, rows: pa.Table) -> str:
        """The name under which queries find these rows; to be let go of with keep()."""
        name = f"candidates_{next(self._numbers)}"
        self._connection.register(name, rows)
        return name

    def keep(self, name: str | None, user: object) -> None:
        """Let go of a set only once `user` is gone."""
        if name is not None:
            weakref.finalize(user, self._released.append, name)

    def _take_released(self) -> list[str]:
        released = self._released[:]
        del self._released[: len(released)]
        return released
