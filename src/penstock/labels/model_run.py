"""The label model of one lake: fit it, label everything with it, and between fits label what has new votes.

A fit looks at all traffic of some days and is kept in the registry; the labels name it. The watermarks of what was read go into
the same commit as the labels, so that nothing is passed by and nothing is labelled twice.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from penstock.errors import BadInputError
from penstock.labels.cast_votes import Patterns
from penstock.labels.function_report import FunctionReport, report_functions
from penstock.labels.label_model import FittedModel, ModelParameters, fit_model, shortage
from penstock.labels.labelling_functions import LabellingFunction, hash_of, reads
from penstock.labels.model_labels import LabelledBy, new_labels, register_model_schema, standing_sql
from penstock.labels.vote_rows import (
    INTERACTION_COLUMNS,
    SIGNAL_COLUMNS,
    Counting,
    Sources,
    patterns_of,
    patterns_sql,
    votes_sql,
)
from penstock.lake.in_memory import open_database
from penstock.lake.lake import Lake
from penstock.lake.snapshot import current_sql
from penstock.lake.tables import reader
from penstock.lake.watermarks import Horizon, advancing
from penstock.records.clock import WriterClock
from penstock.records.ids import digest
from penstock.records.label_model import LabelModel
from penstock.registry.registry import Registry
from penstock.settings import LabelModelSettings

MAX_ROWS = 50_000  # new signals and interactions that are read at a time
LABELLED_AT_ONCE = 500_000  # interactions whose votes are held in memory
_VOTES = "label_model_votes"


class ModelRun(Struct, frozen=True, kw_only=True):
    """What a fit found, and what was written."""

    model: LabelModel
    fitted: FittedModel
    functions: list[FunctionReport]
    labels: int


class ModelStage:
    """The label model of one dimension: built by whoever has the stores, used by one thread."""

    def __init__(
        self,
        lake: Lake,
        registry: Registry,
        clock: WriterClock,
        functions: Sequence[LabellingFunction],
        settings: LabelModelSettings,
        *,
        exposures: Collection[str],
        definitions: Collection[str] | None = None,
    ) -> None:
        """`functions` are those of one dimension in order; `definitions` are the signals' in force, as `name@version`."""
        self._lake = lake
        self._registry = registry
        self._clock = clock
        self._functions = functions
        self._settings = settings
        self._exposures = exposures
        self._definitions = definitions
        self.dimension = functions[0].dimension
        self._marks = {source: reader(source, f"label-model:{self.dimension}") for source in ("signals", "interactions")}

    def newest(self) -> LabelModel | None:
        """The model in use; None where there is none for these functions."""
        model = self._registry.label_models.newest(self.dimension)
        return model if model is not None and model.functions == hash_of(self._functions) else None

    def count(self, as_of: datetime) -> Patterns:
        """The patterns of votes that a fit would look at."""
        return patterns_of(self._lake.query(patterns_sql(f"({self._all_votes(as_of)})")))

    def fit(self, as_of: datetime) -> ModelRun:
        """Fit the model, and label all traffic with it. BadInputError where there are too few votes, with what there is."""
        register_model_schema(self._registry, self.dimension)
        versions = {mark: self._lake.version(source) for source, mark in self._marks.items()}
        with self._lake.kept(_VOTES, self._all_votes(as_of)):
            patterns = patterns_of(self._lake.query(patterns_sql(_VOTES)))
            if (short := shortage(patterns, self._functions)) is not None:
                raise BadInputError(f"No label model can be fitted for {self.dimension!r}. {short}")
            fitted = fit_model(patterns, self._functions, self._settings.method)
            model = self._registry.label_models.put(self._record(fitted, as_of))
            written = self._label_all(self._labelled_by(model), versions)
        reports = report_functions(patterns, self._functions, fitted.parameters)
        return ModelRun(model=model, fitted=fitted, functions=reports, labels=written)

    def update(self, model: LabelModel, as_of: datetime) -> int:
        """Label what has new votes since, a bounded piece at a time, by a model that was fitted before; how many labels."""
        written = 0
        by = self._labelled_by(model)
        horizon = Horizon(self._lake, "labels", self._marks.values())
        while (touched := self._changed()) is not None:
            interactions, reached = touched
            labels = self._labels_of(interactions, by, as_of) if interactions.num_rows else None
            self._append(labels, reached)
            written += labels.num_rows if labels is not None else 0
            if horizon.is_reached():
                break
        return written

    def _record(self, fitted: FittedModel, as_of: datetime) -> LabelModel:
        parameters, functions = msgspec.json.encode(fitted.parameters).decode(), hash_of(self._functions)
        named = digest(self.dimension, self._settings.method, functions, parameters, as_of.isoformat())
        return LabelModel(
            label_model_id=f"lm_{named[:16]}",
            dimension=self.dimension,
            method=self._settings.method,
            functions=functions,
            parameters=parameters,
            interactions=fitted.interactions,
            voted=fitted.voted,
            audited=fitted.audited,
            fitted_at=as_of,
        )

    def _labelled_by(self, model: LabelModel) -> LabelledBy:
        parameters = msgspec.json.decode(model.parameters, type=ModelParameters)
        return LabelledBy(label_model_id=model.label_model_id, functions=self._functions, parameters=parameters)

    def _counting(self, as_of: datetime, first: date | None = None) -> Counting:
        return Counting(
            exposures=self._exposures,
            definitions=self._definitions,
            old_before=as_of - timedelta(hours=self._settings.silence_after_h),
            first_day=first,
        )

    def _days(self) -> tuple[date, date] | None:
        """The days that are looked at, back from the newest; None for all."""
        there = self._lake.days("interactions")
        if self._settings.days == 0 or not there:
            return None
        return there[-1] - timedelta(days=self._settings.days), date.max

    def _all_votes(self, as_of: datetime) -> str:
        days = self._days()
        before = (days[0] - timedelta(days=1), date.max) if days else None  # a signal happens after its interaction, or nearly
        sources = Sources(
            signals=f"({current_sql(self._lake.snapshot('signals', before))})",
            interactions=f"({current_sql(self._lake.snapshot('interactions', days))})",
            labels=f"({current_sql(self._lake.snapshot('labels', days))})",
        )
        return votes_sql(sources, self._functions, self._counting(as_of, days[0] if days else None))

    def _label_all(self, by: LabelledBy, versions: dict[str, int]) -> int:
        """Everything that was fitted, some interactions at a time."""
        voted = self._lake.query(f"SELECT count(*) AS number FROM {_VOTES} WHERE fired <> 0").column("number")
        parts = 1 + int(voted[0].as_py()) // LABELLED_AT_ONCE
        labels = f"({current_sql(self._lake.snapshot('labels', self._days()))})"
        written = 0
        for part in range(parts):
            mine = f"hash(interaction_id) % {parts} = {part}"
            rows = self._lake.query(f"SELECT * FROM {_VOTES} WHERE fired <> 0 AND {mine}")
            standing = self._lake.query(f"SELECT * FROM ({standing_sql(labels, self.dimension)}) WHERE {mine}")
            found = new_labels(rows, standing, by, self._clock.known_at())
            self._append(found, versions if part == parts - 1 else {})
            written += found.num_rows
        return written

    def _append(self, labels: pa.Table | None, reached: dict[str, int]) -> None:
        rows = labels if labels is not None and labels.num_rows else None
        self._lake.append("labels", [] if rows is None else rows, transactions=advancing(self._lake, "labels", reached))

    def _changed(self) -> tuple[pa.Table, dict[str, int]] | None:
        """The interactions that the next commits of signals and interactions touch, with their sessions; None for none."""
        lake = self._lake
        marks = {source: lake.transaction_version("labels", mark) for source, mark in self._marks.items()}
        signals = lake.changes("signals", marks["signals"], ["interaction_id", "session_id", "name"], MAX_ROWS)
        settled = lake.changes("interactions", marks["interactions"], ["interaction_id", "session_id"], MAX_ROWS)
        if signals.rows.num_rows == settled.rows.num_rows == 0:
            return None
        telling = signals.rows.filter(_is_read(signals.rows.column("name"), self._functions))
        # A turn that is new tells that the one before it was not the last; what is only settled anew changes nothing else.
        sessions = _named("session_id", [telling, settled.rows])
        ids = _named("interaction_id", [telling])
        of_sessions = lake.ids_with("interactions", "session_id", sessions) if sessions.num_rows else ids
        reached = {self._marks["signals"]: signals.version, self._marks["interactions"]: settled.version}
        return _named("interaction_id", [ids, of_sessions]), reached

    def _labels_of(self, interactions: pa.Table, by: LabelledBy, as_of: datetime) -> pa.Table:
        lake = self._lake
        turns = lake.current("interactions", ids=interactions).select(*INTERACTION_COLUMNS).to_pyarrow()
        about = [lake.ids_with("signals", "interaction_id", interactions)]
        if (sessions := _named("session_id", [turns])).num_rows:
            about.append(lake.ids_with("signals", "session_id", sessions))
        signals = lake.current("signals", ids=_named("signal_id", about)).select(*SIGNAL_COLUMNS).to_pyarrow()
        given = lake.current("labels", ids=lake.ids_with("labels", "interaction_id", interactions))
        engine = open_database()
        for name, rows in (("signals", signals), ("interactions", turns), ("labels", given.to_pyarrow())):
            engine.register(name, rows)
        sources = Sources(signals="signals", interactions="interactions")
        votes = engine.sql(votes_sql(sources, self._functions, self._counting(as_of))).to_arrow_table()
        standing = engine.sql(standing_sql("labels", self.dimension)).to_arrow_table()
        return new_labels(votes, standing, by, self._clock.known_at())


def _is_read(names: Any, functions: Sequence[LabellingFunction]) -> Any:
    """Whether any function reads signals of these names."""
    read = [reads(function) for function in functions]
    found = pc.is_in(names, pa.array(sorted({name for name, _ in read}), pa.string()))
    for family in {family for _, family in read if family is not None}:
        found = pc.or_(found, pc.starts_with(names, family))
    return found


def _named(column: str, tables: Iterable[pa.Table]) -> pa.Table:
    """The distinct values of one column of several tables."""
    chunks = [chunk for table in tables for chunk in table.column(column).cast(pa.string()).chunks]
    values = pc.drop_null(pc.unique(pa.chunked_array(chunks, pa.string())))
    return pa.table([values], names=[column])
