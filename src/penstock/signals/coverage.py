"""How often each signal is there, and how often it says good or bad: sums over users, so that alike turns of one count as one."""

import duckdb

from penstock.signals.readings import BAD, GOOD
from penstock.signals.traffic import ALL, fetch
from penstock.statistics.cluster import ClusterSums

Key = tuple[str, str, int]  # segment, target kind, signal code

_SUMS = """
WITH part AS (SELECT {segment} AS segment, kind, who, sum(cases) AS cases FROM cases WHERE slot & {slot} > 0 GROUP BY ALL),
hit AS (SELECT {segment} AS segment, kind, who, code, sum(hits) AS hits FROM hits WHERE slot & {slot} > 0 GROUP BY ALL),
known AS (SELECT DISTINCT {segment} AS segment, kind, code FROM hits),
whole AS (
  SELECT segment, kind, count(*) AS units, sum(cases) AS count, sum(cases * cases) AS count_squared FROM part GROUP BY ALL
),
there AS (
  SELECT segment, kind, code, sum(hits) AS total, sum(hits * hits) AS total_squared, sum(hits * cases) AS product
  FROM hit JOIN part USING (segment, kind, who) GROUP BY ALL
)
SELECT segment, kind, code, units, count, count_squared, coalesce(total, 0.0) AS total,
  coalesce(total_squared, 0.0) AS total_squared, coalesce(product, 0.0) AS product
FROM known JOIN whole USING (segment, kind) LEFT JOIN there USING (segment, kind, code)
"""


def load_counts(connection: duckdb.DuckDBPyConnection) -> None:
    """The tables `cases` and `hits`: the weight of targets, and of those with each signal, by user, segment and slot.

    What a signal says has its weight times its share, of which `shared` is the sum.
    """
    connection.execute(
        "CREATE OR REPLACE TABLE cases AS SELECT segment, kind, slot, who, sum(weight) AS cases FROM targets GROUP BY ALL"
    )
    connection.execute(
        "CREATE OR REPLACE TABLE hits AS SELECT segment, kind, slot, who, votes.code, sum(weight) AS hits, "
        "sum(weight * share) AS shared, coalesce(sum(weight * share) FILTER (is_good), 0) AS good, "
        "coalesce(sum(weight * share) FILTER (NOT is_good), 0) AS bad "
        "FROM votes JOIN targets USING (n) LEFT JOIN said ON said.n = votes.n AND said.code = votes.code GROUP BY ALL"
    )


def coverage_sums(connection: duckdb.DuckDBPyConnection, slot_bit: int) -> dict[Key, ClusterSums]:
    """The sums of hits and cases in a slot, of every signal that is anywhere; all segments together are one as well.

    A segment or kind without traffic in the slot has none; a signal that is not there has sums whose total is 0.
    """
    found: dict[Key, ClusterSums] = {}
    for segment in _segments(connection):
        rows = fetch(connection, _SUMS.format(segment=segment, slot=slot_bit))
        for row in rows.to_pylist():
            key = (str(row.pop("segment")), str(row.pop("kind")), int(row.pop("code")))
            found[key] = ClusterSums(**row)
    return found


def said_shares(connection: duckdb.DuckDBPyConnection, slot_bit: int) -> dict[tuple[str, str, int, str], float]:
    """The weight of the targets of which each signal says good, and bad; an outcome that several share counts once among them."""
    found: dict[tuple[str, str, int, str], float] = {}
    for segment in _segments(connection):
        rows = fetch(
            connection,
            f"SELECT {segment} AS segment, kind, code, sum(good) * (sum(hits) / sum(shared)) AS good, "
            f"sum(bad) * (sum(hits) / sum(shared)) AS bad FROM hits WHERE slot & {slot_bit} > 0 GROUP BY ALL",
        )
        for row in rows.to_pylist():
            for says in (GOOD, BAD):
                found[str(row["segment"]), str(row["kind"]), int(row["code"]), says] = float(row[says])
    return found


def _segments(connection: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """As what to group: all together, and each alone where there are any."""
    alone = fetch(connection, f"SELECT 1 FROM targets WHERE segment <> '{ALL}' LIMIT 1").num_rows > 0
    return (f"'{ALL}'", "segment") if alone else (f"'{ALL}'",)
