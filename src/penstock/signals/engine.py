"""Where definitions run: an engine that gives a scope's tables as expressions, and runs a definition over them.

The same definitions run on DuckDB, within the worker, and on Spark; `spark_engine.py` has the other.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, datetime
from typing import Protocol

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from penstock.lake.lake import Lake
from penstock.lake.portable import map_value
from penstock.records.feedback import SETTLED
from penstock.signals.definition import RAW_MESSAGES, Definition, Tables, label
from penstock.signals.scope import Scope

BATCH_ROWS = 50_000  # judged at a time: patterns are compiled anew for each batch, and a text that comes again is read once
KEPT_WHOLE = 50_000  # so few turns are worth holding with their messages, which few definitions read
_JUDGES = 2  # definitions that are judged at the same time: most of it is done outside the interpreter


class Engine(Protocol):
    """What runs expressions over the lake's current rows."""

    def current(self, table: str, ids: pa.Table, days: tuple[date, date] | None = None) -> ir.Table:
        """The current rows with these ids."""
        ...

    def keep(self, name: str, rows: ir.Table, *, is_run_once: bool) -> ir.Table:
        """The same rows for all definitions that read them, until release(); run once and held, or at every use."""
        ...

    def moment(self, at: datetime) -> ir.TimestampValue:
        """A time as a value of expressions."""
        ...

    def release(self) -> None:
        """Let go of what was kept."""
        ...

    def find(self, definition: Definition, tables: Tables) -> Iterator[pa.RecordBatch]:
        """What a definition finds, in the columns of FINDINGS; it may still be at work when this returns."""
        ...


class LakeEngine:
    """DuckDB on the lake's own connection.

    What is kept has the same name in every run, so that each definition is compiled once in the life of a process: for a few
    rows that takes longer than all the rest.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._judging = ThreadPoolExecutor(_JUDGES, "penstock-signals")
        self._kept: dict[str, ir.Table] = {}

    def current(self, table: str, ids: pa.Table, days: tuple[date, date] | None = None) -> ir.Table:
        """The current rows with these ids."""
        is_read_often = ids.num_rows > KEPT_WHOLE  # and not once, to be kept
        return self._lake.current(table, ids=ids, dates=days, indexed=days is None, pinned=is_read_often)

    def keep(self, name: str, rows: ir.Table, *, is_run_once: bool) -> ir.Table:
        """The same rows under a name, in memory or to be selected again."""
        self._kept[name] = rows
        return self._lake.keep(name, rows) if is_run_once else self._lake.show(name, rows)

    def moment(self, at: datetime) -> ir.TimestampValue:
        """The time, from a table of one row: it changes with every run, and what is compiled does not."""
        shown = self._lake.show("signals_as_of", pa.table({"at": pa.array([at], pa.timestamp("us", "UTC"))}))
        self._kept["signals_as_of"] = shown
        moment: ir.TimestampValue = shown.at.as_scalar()
        return moment

    def release(self) -> None:
        """Forget the names, and with them what is in memory."""
        for name in self._kept:
            self._lake.hide(name)
        self._kept.clear()

    def find(self, definition: Definition, tables: Tables) -> Iterator[pa.RecordBatch]:
        """What a definition finds; the next can be asked for meanwhile, whose candidates are then selected at the same time."""
        key = (label(definition), type(definition), getattr(definition, "select", None))
        statement = self._lake.compile_once(key, lambda: definition.candidates(tables))
        candidates = self._lake.query(statement.sql).cast(statement.schema)
        found = self._judging.submit(lambda: [definition.find(batch) for batch in candidates.to_batches(BATCH_ROWS)])
        return _when_done(found)


def _when_done(found: "Future[list[pa.RecordBatch]]") -> Iterator[pa.RecordBatch]:
    yield from found.result()


@contextmanager
def tables_of(engine: Engine, scope: Scope, as_of: datetime, exposures: tuple[str, ...] | None) -> Iterator[Tables]:
    """What definitions select from, of one scope; `exposures` limits whose behaviour counts."""
    turns = engine.current("interactions", scope.turns, scope.days)
    if exposures is not None:
        turns = turns.filter(turns.exposure.isin(exposures))
    is_small = scope.turns.num_rows <= KEPT_WHOLE
    try:
        whole = engine.keep("signals_whole_turns", turns, is_run_once=is_small)
        yield Tables(
            reports=engine.keep("signals_reports", _reports(engine, scope), is_run_once=scope.reports.num_rows > 0),
            interactions=engine.keep("signals_turns", whole.drop(*RAW_MESSAGES), is_run_once=not is_small),
            whole_interactions=whole,
            as_of=engine.moment(as_of),
        )
    finally:
        engine.release()


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
