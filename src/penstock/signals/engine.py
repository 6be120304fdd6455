"""Where definitions run: an engine that gives a scope's tables as expressions, and runs a definition over them.

The same definitions run on DuckDB, within the worker, and on Spark; `spark_engine.py` has the other.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date, datetime
from typing import Protocol

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from penstock.lake.lake import Lake
from penstock.lake.portable import map_value
from penstock.records.feedback import SETTLED
from penstock.signals.definition import Definition, Tables
from penstock.signals.scope import Scope

BATCH_ROWS = 10_000
KEPT_TURNS = 50_000  # so few are worth holding in memory, with their words, for all definitions


class Engine(Protocol):
    """What runs expressions over the lake's current rows."""

    def current(self, table: str, ids: pa.Table, days: tuple[date, date] | None = None) -> ir.Table:
        """The current rows with these ids."""
        ...

    def keep(self, rows: ir.Table) -> ir.Table:
        """The same rows, worked out once for all definitions that read them."""
        ...

    def find(self, definition: Definition, tables: Tables) -> Iterator[pa.RecordBatch]:
        """What a definition finds, in the columns of FINDINGS; it may still be at work when this returns."""
        ...


class LakeEngine:
    """DuckDB on the lake's own connection."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._judging = ThreadPoolExecutor(1, "penstock-signals")

    def current(self, table: str, ids: pa.Table, days: tuple[date, date] | None = None) -> ir.Table:
        """The current rows with these ids."""
        is_read_often = ids.num_rows > KEPT_TURNS  # and not once, to be kept
        return self._lake.current(table, ids=ids, dates=days, indexed=days is None, pinned=is_read_often)

    def keep(self, rows: ir.Table) -> ir.Table:
        """The same rows in memory."""
        return ibis.memtable(rows.to_pyarrow())

    def find(self, definition: Definition, tables: Tables) -> Iterator[pa.RecordBatch]:
        """What a definition finds; the next can be asked for meanwhile, whose candidates are then selected at the same time."""
        candidates: pa.Table = definition.candidates(tables).to_pyarrow()
        found = self._judging.submit(lambda: [definition.find(batch) for batch in candidates.to_batches(BATCH_ROWS)])
        return _when_done(found)


def _when_done(found: "Future[list[pa.RecordBatch]]") -> Iterator[pa.RecordBatch]:
    yield from found.result()


def tables_of(engine: Engine, scope: Scope, as_of: datetime, exposures: tuple[str, ...] | None) -> Tables:
    """What definitions select from, of one scope; `exposures` limits whose behaviour counts."""
    turns = engine.current("interactions", scope.turns, scope.days)
    if exposures is not None:
        turns = turns.filter(turns.exposure.isin(exposures))
    if scope.turns.num_rows <= KEPT_TURNS:
        turns = engine.keep(turns)
    reports = _reports(engine, scope)
    return Tables(reports=engine.keep(reports) if scope.reports.num_rows else reports, interactions=turns, as_of=as_of)


def _reports(engine: Engine, scope: Scope) -> ir.Table:
    """Settled feedback on what was reported on, each with the text of the response it is about.

    A report that is about several interactions stands here once for each, with its weight.
    """
    reports = engine.current("feedback", scope.reports)
    settled = reports.filter(reports.status.isin(SETTLED)).drop("target_key", "redactions", "date")
    whole = settled.filter(settled.attribution.isnull()) if scope.shared.num_rows else settled
    given = whole.mutate(weight=ibis.literal(1.0)).drop("attribution")
    if scope.shared.num_rows:
        given = given.union(_shares(settled).select(*given.columns))
    turns = engine.current("interactions", scope.reported)
    about = turns.select("interaction_id", "response_text", of_session=turns.session_id)
    joined = given.left_join(about, "interaction_id").drop("interaction_id_right")
    return joined.mutate(
        session_id=ibis.coalesce(joined.session_id, joined.of_session),
        target_kind=ibis.ifelse(joined.interaction_id.notnull(), "interaction", "session"),
        target_id=ibis.coalesce(joined.interaction_id, joined.session_id),
    ).drop("of_session")


def _shares(settled: ir.Table) -> ir.Table:
    """Reports about several interactions, a row for each of them."""
    several = settled.filter(settled.attribution.notnull())
    each = several.mutate(shares_in=several.attribution.keys().unnest())  # by itself: Spark unfolds nothing within an expression
    weighted = each.mutate(interaction_id=each.shares_in.nullif(""), weight=map_value(each.attribution, each.shares_in))
    return weighted.drop("attribution", "shares_in")
