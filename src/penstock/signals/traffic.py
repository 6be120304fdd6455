"""Traffic and the signals on it as numbers in a DuckDB of its own: what quality and missing count, without texts or ids.

Every target is an interaction or a session, of one user; of several values of a signal on one target the last counts. Where
several targets share an outcome, each has a share of it. Only the columns that are asked for leave the lake.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import duckdb
import ibis.expr.types as ir
import numpy
import pyarrow as pa
from msgspec import Struct, field
from numpy.typing import NDArray

from penstock.errors import BadInputError
from penstock.lake.in_memory import open_database
from penstock.lake.lake import Lake
from penstock.lake.snapshot import instant
from penstock.records.signal import SignalKind

ALL = "(all)"  # the row of all segments together
NONE, OTHERS = "(none)", "(others)"
SEGMENTED_BY = (
    "segment", "application", "model_version", "checkpoint_id", "release_arm", "tenant", "request_model", "prompt_name",
    "prompt_version",
)  # fmt: skip
MOST_SEGMENTS = 30
LENGTH = "response_length"
SHARE = "weight"  # in the evidence of an outcome that several targets share: how much of it is this one's
LEAST_SHARE = 1e-6

_MEMORY = "2GB"


class Period(Struct, frozen=True, kw_only=True):
    """A span of time; without a bound it is open there."""

    since: datetime | None = None
    until: datetime | None = None

    def sql(self, column: str) -> str:
        """A SQL condition on a column that is a time."""
        parts = [] if self.since is None else [f"{column} >= {instant(self.since)}"]
        parts += [] if self.until is None else [f"{column} < {instant(self.until)}"]
        return " AND ".join(parts) or "true"


class Selected(Struct, frozen=True, kw_only=True):
    """Which traffic is looked at, and by what it is told apart."""

    period: Period
    exposures: tuple[str, ...]
    by: str | None = None  # one of SEGMENTED_BY
    definitions: tuple[str, ...] | None = None  # name@version of those in force; None for every one
    apart: Mapping[str, str] = field(default_factory=dict)  # definitions whose signals go by another name, so as to stand beside


def check_segmented_by(name: str | None) -> None:
    """BadInputError where traffic cannot be told apart by this column."""
    if name is not None and name not in SEGMENTED_BY:
        raise BadInputError(f"--by {name}: traffic is told apart by one of {', '.join(SEGMENTED_BY)}.")


@contextmanager
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty DuckDB, which goes to disk before it takes too much memory."""
    with tempfile.TemporaryDirectory() as folder, open_database() as connection:
        connection.execute(f"SET memory_limit = '{_MEMORY}'")
        connection.execute(f"SET temp_directory = '{folder}'")
        connection.execute("SET preserve_insertion_order = false")
        yield connection


def load_turns(connection: duckdb.DuckDBPyConnection, lake: Lake, selected: Selected, columns: Sequence[str] = ()) -> None:
    """The table `turns`: n, id, session_id, session, who, segment, started_at, weight, and further columns of the interactions.

    `response_length` is one of them, in characters, so that texts need not leave the lake.
    """
    rows = lake.current("interactions", dates=_days(selected.period))
    rows = rows.filter(rows.exposure.isin(selected.exposures))
    if LENGTH in columns:
        rows = rows.mutate(**{LENGTH: rows.response_text.length()})
    named = dict.fromkeys(
        ("interaction_id", "session_id", "user_id", "started_at", "capture_probability", *([selected.by] if selected.by else []))
    )
    wanted = [*named, *(column for column in columns if column not in named)]
    more = "".join(f', "{column}"' for column in columns if column not in ("session_id", "started_at"))
    segment = f"coalesce(nullif(\"{selected.by}\", ''), '{NONE}')" if selected.by else f"'{ALL}'"
    load(
        connection, "turns", rows.select(*wanted),
        "row_number() OVER (ORDER BY hash(interaction_id)) AS n, interaction_id AS id, session_id, "
        "hash(coalesce(session_id, interaction_id)) AS session, "
        "hash(coalesce(user_id, session_id, interaction_id)) AS who, "
        f"{segment} AS segment, started_at, 1.0 / greatest(capture_probability, 1e-6) AS weight{more}",
        selected.period.sql("started_at"),
    )  # fmt: skip
    connection.execute(
        f"UPDATE turns SET segment = '{OTHERS}' WHERE segment NOT IN "
        f"(SELECT segment FROM turns GROUP BY ALL ORDER BY count(*) DESC, segment LIMIT {MOST_SEGMENTS})"
    )


def load_targets(connection: duckdb.DuckDBPyConnection, slots: Sequence[Period]) -> None:
    """The table `targets`: n, kind, id, session, who, segment, started_at, weight, slot.

    A slot has a bit for each period that holds the target. An interaction has the n of its turn, a session one below 0.
    """
    slot = " + ".join(f"CASE WHEN {period.sql('started_at')} THEN {1 << at} ELSE 0 END" for at, period in enumerate(slots))
    connection.execute(
        f"CREATE TABLE targets AS SELECT *, {slot} AS slot FROM (SELECT n, 'interaction' AS kind, id, session, who, segment, "
        "started_at, weight FROM turns UNION ALL SELECT -row_number() OVER (ORDER BY session_id), 'session', session_id, "
        "any_value(session), arg_min(who, started_at), arg_min(segment, started_at), min(started_at), avg(weight) FROM turns "
        "WHERE session_id IS NOT NULL GROUP BY session_id)"
    )


def load_votes(connection: duckdb.DuckDBPyConnection, lake: Lake, selected: Selected) -> None:
    """The tables `names` (code, name) and `votes` (n, code, value, share, said_at): the last value of each signal on each target.

    A share is 1 but of outcomes that several targets share: there it is what the evidence says.
    """
    since = selected.period.since
    days = None if since is None else ((since - timedelta(days=1)).astimezone(UTC).date(), date.max)
    rows = lake.current("signals", dates=days)
    rows = rows.filter(rows.value.notnull())
    if selected.definitions is not None:
        rows = rows.filter(rows.definition.isin(selected.definitions))
    if selected.apart:
        rows = rows.mutate(name=rows.definition.cases(*selected.apart.items(), else_=rows.name))
    said = rows["evidence"].get(SHARE, None).try_cast("float32")
    rows = rows.mutate(share=(rows.kind == SignalKind.OUTCOME.value).ifelse(said, None))
    load(
        connection, "said",
        rows.select("target_kind", "target_id", "name", "value", "share", "occurred_at", "known_at", "definition"),
        "target_kind AS kind, target_id AS id, name, value, occurred_at, known_at, definition, "
        f"CASE WHEN share >= 0 AND share <= 1 THEN greatest(share, {LEAST_SHARE}) ELSE 1 END::FLOAT AS share", "isfinite(value)",
    )  # fmt: skip
    connection.execute(
        "CREATE TABLE names AS SELECT (row_number() OVER (ORDER BY name) - 1)::INTEGER AS code, name FROM "
        "(SELECT DISTINCT name FROM said)"
    )
    connection.execute(
        "CREATE TABLE votes AS SELECT n, code, last.value AS value, last.share AS share, said_at FROM (SELECT n, code, "
        "arg_max(struct_pack(value, share), (occurred_at, known_at, definition)) AS last, max(occurred_at) AS said_at "
        "FROM said JOIN targets USING (kind, id) JOIN names USING (name) GROUP BY ALL)"
    )
    connection.execute("DROP TABLE said")


def load(connection: duckdb.DuckDBPyConnection, table: str, rows: ir.Table, columns: str, condition: str = "true") -> None:
    """Rows of the lake as a table of this connection."""
    connection.register("arriving", rows.to_pyarrow())
    connection.execute(f"CREATE TABLE {table} AS SELECT {columns} FROM arriving WHERE {condition}")
    connection.unregister("arriving")


def fetch(connection: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    """The rows of a query."""
    rows: pa.Table = connection.sql(sql).to_arrow_table()
    return rows


def names_of(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The names of the signals, by code."""
    return [str(name) for name in fetch(connection, "SELECT name FROM names ORDER BY code").column(0).to_pylist()]


def shared_codes(connection: duckdb.DuckDBPyConnection) -> list[int]:
    """The codes of the outcomes that several targets share anywhere."""
    found = fetch(connection, "SELECT DISTINCT code FROM votes WHERE share < 1 ORDER BY code")
    return [int(code) for code in found.column(0).to_numpy()]


def shares_by_case(share: NDArray[numpy.float64], weight: NDArray[numpy.float64]) -> NDArray[numpy.float64]:
    """The same, with the mean share where there is no outcome (NaN): so those with one stay the part of all that they are."""
    there = numpy.isfinite(share)
    mean = float(numpy.average(share[there], weights=weight[there])) if there.any() else 1.0
    return numpy.where(there, share, mean)


def _days(period: Period) -> tuple[date, date] | None:
    if period.since is None and period.until is None:
        return None
    first = date.min if period.since is None else period.since.astimezone(UTC).date()
    last = date.max if period.until is None else period.until.astimezone(UTC).date()
    return first, last
