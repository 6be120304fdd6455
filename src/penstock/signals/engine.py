"""Where definitions run: an engine that gives a scope's tables as expressions, and runs a definition over them.

The same definitions run on DuckDB, within the worker, and on Spark; `spark_engine.py` has the other.
"""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Protocol

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from penstock.lake.lake import Lake
from penstock.records.feedback import FeedbackStatus
from penstock.signals.definition import Definition, Tables
from penstock.signals.scope import Scope

BATCH_ROWS = 10_000


class Engine(Protocol):
    """What runs expressions over the lake's current rows."""

    def current(self, table: str, ids: pa.Table, days: tuple[date, date] | None = None) -> ir.Table:
        """The current rows with these ids."""
        ...

    def keep(self, rows: ir.Table) -> ir.Table:
        """The same rows, worked out once for all definitions that read them."""
        ...

    def find(self, definition: Definition, tables: Tables) -> Iterator[pa.RecordBatch]:
        """What a definition finds, in the columns of FINDINGS."""
        ...


class LakeEngine:
    """DuckDB on the lake's own connection."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def current(self, table: str, ids: pa.Table, days: tuple[date, date] | None = None) -> ir.Table:
        """The current rows with these ids."""
        return self._lake.current(table, ids=ids, dates=days)

    def keep(self, rows: ir.Table) -> ir.Table:
        """The same rows in memory."""
        return ibis.memtable(rows.to_pyarrow())

    def find(self, definition: Definition, tables: Tables) -> Iterator[pa.RecordBatch]:
        """What a definition finds, a batch of candidates at a time."""
        candidates: pa.Table = definition.candidates(tables).to_pyarrow()
        yield from (definition.find(batch) for batch in candidates.to_batches(BATCH_ROWS))


def tables_of(engine: Engine, scope: Scope, as_of: datetime, exposures: tuple[str, ...] | None) -> Tables:
    """What definitions select from, of one scope; `exposures` limits whose behaviour counts."""
    turns = engine.current("interactions", scope.turns, scope.days)
    if exposures is not None:
        turns = turns.filter(turns.exposure.isin(exposures))
    return Tables(reports=engine.keep(_reports(engine, scope)), interactions=turns, as_of=as_of)


def _reports(engine: Engine, scope: Scope) -> ir.Table:
    """Matched feedback on what was reported on, each with the text of the response it is about."""
    reports = engine.current("feedback", scope.reports)
    matched = reports.filter(reports.status == FeedbackStatus.MATCHED)
    about = engine.current("interactions", scope.reported).select("interaction_id", "response_text")
    joined = matched.left_join(about, "interaction_id").drop("interaction_id_right")
    return joined.mutate(
        target_kind=ibis.ifelse(joined.interaction_id.notnull(), "interaction", "session"),
        target_id=ibis.coalesce(joined.interaction_id, joined.session_id),
    ).drop("target_key", "redactions", "date")
