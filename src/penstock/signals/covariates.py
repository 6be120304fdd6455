"""What is known of everybody, whoever rates or stays: the columns from which the probability of being heard is worked out.

Categories become columns of their own, the rare ones together; numbers are taken by their logarithm, with a column that says
where they are missing. What is the same everywhere is left out.
"""

import duckdb
import msgspec
import numpy
from msgspec import Struct
from numpy.typing import NDArray

from penstock.signals.definition import RETRY_GAP_S
from penstock.signals.traffic import LENGTH, fetch

Floats = NDArray[numpy.float64]
Bools = NDArray[numpy.bool_]
# Read of the interactions beside what all traffic has.
COLUMNS = (
    "application", "prompt_name", "request_model", "response_model", "turn_index", "input_tokens", "output_tokens", "error_type",
    "content_sampled", "ended_at", LENGTH,
)  # fmt: skip
_CATEGORIES = ("segment", "application", "model")
_NUMBERS = ("turn_index", "input_tokens", "output_tokens", LENGTH)
_MOST_CATEGORIES = 8
_BY_CASE = ("user", "session", "segment", "application", "weight", "started_s", "has_next", "has_words", "matrix")
_CASES = """
CREATE OR REPLACE TABLE cases AS
WITH named AS (SELECT *, coalesce(response_model, request_model, '') AS model FROM turns)
SELECT n, who, session, segment, coalesce(application, '') AS application, weight, started_at, model,
  epoch(started_at) / 3600.0 % 24.0 AS hour, error_type IS NOT NULL AS failed,
  turn_index::DOUBLE AS turn_index, input_tokens::DOUBLE AS input_tokens, output_tokens::DOUBLE AS output_tokens,
  response_length::DOUBLE AS response_length, coalesce(content_sampled, true) AS has_words,
  lead(n) OVER (PARTITION BY session, application, prompt_name ORDER BY started_at, n) IS NOT NULL
    OR coalesce(lead(started_at) OVER (PARTITION BY who, application, prompt_name ORDER BY started_at, n)
      <= ended_at + to_seconds({gap_s}), false) AS has_next
FROM named
"""
_CODED = """
SELECT coded.code FROM cases JOIN (
  SELECT {name}, row_number() OVER (ORDER BY count(*) DESC, {name}) - 1 AS code FROM cases GROUP BY {name}
) AS coded USING ({name}) ORDER BY n
"""


class Cases(Struct, frozen=True, kw_only=True):
    """Interactions, in the order of their n, which is 1, 2, ..., or sessions, as columns of one length."""

    user: NDArray[numpy.int64]  # 0, 1, ...
    session: NDArray[numpy.int64]  # 0, 1, ...
    session_hashes: NDArray[numpy.uint64]  # of each session, ascending
    segment: NDArray[numpy.int64]  # code
    segments: tuple[str, ...]  # by code
    application: NDArray[numpy.int64]  # code
    weight: Floats
    started_s: Floats  # since 1970
    has_next: Bools  # another turn of the session follows, or of the user within the time of a retry
    has_words: Bools  # they were not sampled out
    matrix: Floats  # by feature
    origin: tuple[str, ...]  # the column that each feature comes from

    @property
    def number(self) -> int:
        """How many there are."""
        return len(self.user)


def load_cases(connection: duckdb.DuckDBPyConnection) -> Cases:
    """Every turn, with what is known of it."""
    connection.execute(_CASES.format(gap_s=RETRY_GAP_S))
    plain = fetch(
        connection,
        "SELECT who, session, weight, epoch(started_at) AS started_s, has_next, has_words, hour, failed, turn_index, "
        "input_tokens, output_tokens, response_length FROM cases ORDER BY n",
    )
    column = {name: plain.column(name).to_numpy() for name in plain.schema.names}
    codes = {name: fetch(connection, _CODED.format(name=name)).column(0).to_numpy().astype(numpy.int64) for name in _CATEGORIES}
    segments = fetch(connection, "SELECT segment FROM cases GROUP BY segment ORDER BY count(*) DESC, segment").column(0)
    named: list[tuple[str, Floats]] = []
    for name in _CATEGORIES:
        most = min(int(codes[name].max(initial=0)), _MOST_CATEGORIES)
        named += [(name, (codes[name] == code).astype(float)) for code in range(1, most + 1)]
    for name in _NUMBERS:
        missing = numpy.isnan(column[name])
        known = numpy.where(missing, 0.0, numpy.maximum(column[name], 0.0))
        named += [(name, numpy.log1p(known)), (name, missing.astype(float))]
    angle = 2.0 * numpy.pi * column["hour"] / 24.0
    named += [("hour", numpy.sin(angle)), ("hour", numpy.cos(angle)), ("error_type", column["failed"].astype(float))]
    session_hashes, session = numpy.unique(column["session"], return_inverse=True)
    telling = [(name, values) for name, values in named if values.size and values.min() < values.max()]
    return Cases(
        user=numpy.unique(column["who"], return_inverse=True)[1].astype(numpy.int64),
        session=session.astype(numpy.int64),
        session_hashes=session_hashes,
        segment=codes["segment"],
        segments=tuple(str(name) for name in segments.to_pylist()),
        application=codes["application"],
        weight=column["weight"],
        started_s=column["started_s"],
        has_next=column["has_next"].astype(bool),
        has_words=column["has_words"].astype(bool),
        matrix=numpy.column_stack([values for _, values in telling]) if telling else numpy.zeros((plain.num_rows, 0)),
        origin=tuple(name for name, _ in telling),
    )


def sessions_of(cases: Cases) -> Cases:
    """Their sessions as cases, each with what is known of its first turn."""
    order = numpy.lexsort((cases.started_s, cases.session))
    starts = order[numpy.concatenate(([True], numpy.diff(cases.session[order]) > 0))]
    columns = {name: getattr(cases, name)[starts] for name in _BY_CASE}
    return msgspec.structs.replace(cases, **columns)


def values_of(connection: duckdb.DuckDBPyConnection, code: int, number: int, column: str = "value") -> Floats:
    """The values of one signal by interaction, or its shares, NaN where it is not there."""
    found = fetch(connection, f"SELECT n, {column} FROM votes WHERE code = {code} AND n > 0")
    values = numpy.full(number, numpy.nan)
    values[found.column("n").to_numpy() - 1] = found.column(column).to_numpy()
    return values


def session_values_of(connection: duckdb.DuckDBPyConnection, code: int, sessions: Cases, column: str = "value") -> Floats:
    """The same by session, of signals that are about sessions."""
    found = fetch(connection, f"SELECT session, {column} FROM votes JOIN targets USING (n) WHERE code = {code} AND n < 0")
    values = numpy.full(sessions.number, numpy.nan)
    values[numpy.searchsorted(sessions.session_hashes, found.column("session").to_numpy())] = found.column(column).to_numpy()
    return values
