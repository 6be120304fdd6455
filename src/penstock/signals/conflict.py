"""How often what a signal says is contradicted by another signal on the same target.

Targets on which the same signals say the same things are counted together as one pattern, so that millions are a few thousand.
Of an outcome that several targets share, each counts by its share.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import numpy
from msgspec import Struct
from numpy.typing import NDArray

from penstock.signals.readings import BAD, GOOD, Reading, reading_of
from penstock.signals.traffic import ALL, fetch, shared_codes

Bools = NDArray[numpy.bool_]
_WORD = 60  # signals in one whole number of bits


class Conflict(Struct, frozen=True, kw_only=True):
    """Of the targets of which a signal says something."""

    share: float  # of those which another signal contradicts
    together: int  # on which another signal says something as well, and so could
    most_with: str | None  # the signal that contradicts the most of them


def load_said(connection: duckdb.DuckDBPyConnection, names: Sequence[str], readings: Mapping[str, Reading]) -> None:
    """The table `said` (n, code, is_good, part): what each signal says of each target, by its reading, and with which share."""
    connection.execute("CREATE TABLE said (n BIGINT, code INTEGER, is_good BOOLEAN, part FLOAT)")
    for code, name in enumerate(names):
        reading = reading_of(name, readings)
        for says, bound in reading.bounds() if reading is not None else ():
            connection.execute(
                f"INSERT INTO said SELECT n, code, {says == GOOD}, share FROM votes WHERE code = {code} AND {bound.sql('value')}"
            )


def find_conflicts(
    connection: duckdb.DuckDBPyConnection, names: Sequence[str], scope_bit: int
) -> dict[tuple[str, str, int, str], Conflict]:
    """By segment, target kind, signal code and what it says."""
    words = range(-(-len(names) // _WORD))
    bits = ", ".join(
        f"coalesce(bit_or(1::BIGINT << (code % {_WORD})) "
        f"FILTER (is_good = {good} AND code // {_WORD} = {word}), 0) AS {side}{word}"
        for word in words
        for good, side in ((True, "g"), (False, "b"))
    )
    if not bits:
        return {}
    shared = shared_codes(connection)
    parts = "".join(f", max(part) FILTER (code = {code}) AS part{code}" for code in shared)
    sums = "".join(f", coalesce(sum(part{code}), 0) AS part{code}" for code in shared)
    apart = ", ".join(["n", "segment", "kind", *(f"part{code}" for code in shared)])
    patterns = fetch(
        connection,
        f"SELECT segment, kind, * EXCLUDE ({apart}), count(*) AS targets{sums} "
        f"FROM (SELECT n, {bits}{parts} FROM said GROUP BY n) "
        f"JOIN (SELECT n, segment, kind FROM targets WHERE slot & {scope_bit} > 0) USING (n) GROUP BY ALL",
    )
    segment, kind = (patterns.column(name).to_numpy(zero_copy_only=False).astype(str) for name in ("segment", "kind"))
    count = patterns.column("targets").to_numpy()
    weight = {code: patterns.column(f"part{code}").to_numpy() for code in shared}
    good, bad = (
        _decode([patterns.column(f"{side}{word}").to_numpy() for word in words], len(names), patterns.num_rows)
        for side in ("g", "b")
    )
    found: dict[tuple[str, str, int, str], Conflict] = {}
    for one in dict.fromkeys((ALL, *segment)):
        for what in numpy.unique(kind):
            rows = (kind == what) & ((segment == one) | (one == ALL))
            for says, mine, others in ((GOOD, good[rows], bad[rows]), (BAD, bad[rows], good[rows])):
                for code in numpy.flatnonzero(mine.any(axis=0)):
                    found[one, str(what), int(code), says] = _conflict(
                        int(code), mine, others, count[rows], weight.get(int(code), count)[rows], names
                    )
    return found


def _decode(words: Sequence[NDArray[numpy.int64]], signals: int, rows: int) -> Bools:
    """Patterns by signals."""
    decoded = numpy.zeros((rows, signals), dtype=bool)
    for code in range(signals):
        decoded[:, code] = (words[code // _WORD] >> (code % _WORD)) & 1
    return decoded


def _conflict(
    code: int, mine: Bools, others: Bools, count: NDArray[numpy.int64], weight: NDArray[Any], names: Sequence[str]
) -> Conflict:
    """By patterns: how many targets show each, and how much of the signal's outcomes, or as many again, they have."""
    where = mine[:, code]
    said, opposed, number, part = (mine | others)[where], others[where], count[where], weight[where]
    said[:, code] = False
    together = int(number[said.any(axis=1)].sum())
    by_signal = part @ opposed
    contradicted = part[opposed.any(axis=1)].sum()
    worst = int(numpy.argmax(by_signal)) if contradicted else None
    return Conflict(
        share=float(contradicted / part.sum()),
        together=together,
        most_with=None if worst is None else names[worst],
    )
