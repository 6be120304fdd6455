"""Signals that users add: one SQL SELECT, or one Python function, declared in penstock.toml under [signals.NAME].

Their version is a hash of what defines them, so a changed one gives new rows beside the old. A function that fails on a row
leaves a signal without a value there that says so, and every other row is read all the same.
"""

import importlib
import math
import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import duckdb
import ibis
import msgspec
import pyarrow as pa
import sqlglot
from ibis.common.exceptions import IbisError
from msgspec import Struct
from sqlglot import exp

from penstock.errors import ConfigurationError
from penstock.lake.arrow_values import row_values
from penstock.records.ids import digest
from penstock.settings import SignalSettings
from penstock.signals.definition import EVIDENCE, FINDINGS, Definition, Source, Tables, with_evidence

# Given to a function without `columns`: what most want, and not the messages, which cost more than all else together.
COLUMNS = (
    "interaction_id", "session_id", "user_id", "application", "segment", "prompt_text", "response_text", "finish_reason",
    "error_type", "turn_index", "started_at", "ended_at",
)  # fmt: skip
REPORT_COLUMNS = (
    "feedback_id",
    "interaction_id",
    "session_id",
    "name",
    "value",
    "text",
    "occurred_at",
    "metadata",
    "response_text",
)

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_PLACE = re.compile(r"(?P<module>.+):(?P<function>[A-Za-z_]\w*)")
_VERSION_DIGITS = 8
_DIALECTS = {"duckdb": "duckdb", "pyspark": "spark"}
_GIVEN = frozenset(FINDINGS.names)
_TIME = "timestamp('UTC', 6)"
_FIRST, _LAST = "1970-01-01T00:00:00+00:00", "9999-01-01T00:00:00+00:00"  # what lies outside is no time of a report
_ODD_VALUE = "the value is no finite number"
_SERIES = frozenset({"generate_series", "range", "unnest"})  # the functions that a SELECT may read from


def user_definitions(settings: Mapping[str, SignalSettings], taken: Collection[str], home: Path) -> dict[str, Definition]:
    """The definitions that penstock.toml declares. ConfigurationError where one is not a definition, or its name is taken."""
    found: dict[str, Definition] = {}
    for name, declared in settings.items():
        require_usable_name(name, taken)
        found[name] = user_definition(name, declared, home)
    return found


def require_usable_name(name: str, taken: Collection[str]) -> None:
    """Refuse a name that a signal of one's own cannot have."""
    if name in taken:
        raise ConfigurationError(f"[signals.{name}]: the name is taken by a built-in signal; take another.")
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"[signals.{name}]: the name cannot be used; take at most 64 small letters, digits and underscores, a letter first."
        )


def user_definition(name: str, declared: SignalSettings, home: Path) -> Definition:
    """One of them; a function's file is looked for from `home` where its path is relative."""
    if bool(declared.sql) == bool(declared.python):
        raise ConfigurationError(f"[signals.{name}] needs either `sql` or `python`, and not both.")
    if declared.sql:
        return SqlDefinition(name=name, version=_version(declared, declared.sql), source=declared.source, declared=declared)
    function, code = _load(name, declared.python, home)
    return FunctionDefinition(
        name=name, version=_version(declared, code), source=declared.source, declared=declared, function=function
    )


def _version(declared: SignalSettings, code: str) -> str:
    return digest(msgspec.json.encode(declared).decode(), code)[:_VERSION_DIGITS]


class SqlDefinition(Struct, frozen=True, kw_only=True):
    """One SELECT over `interactions` or `reports`, in DuckDB's SQL whatever the engine."""

    name: str
    version: str
    source: Source
    declared: SignalSettings
    awaits_quiet: bool = False

    def candidates(self, tables: Tables) -> ibis.Table:
        """The findings: the columns that the SELECT gives, and those that it need not give."""
        rows = _rows(tables, self.source)
        selected = self._selected(rows)
        target = f"{self.declared.target}_id"
        missing = [column for column in (target, "value") if column not in selected.columns]
        if missing:
            raise ConfigurationError(
                f"[signals.{self.name}]: the SELECT gives no column {' and no '.join(missing)}; it gives "
                f"{', '.join(selected.columns)}."
            )
        evidence = {f"{EVIDENCE}{name}": selected[name].cast("string") for name in selected.columns if name not in _GIVEN}
        chosen = selected.select(
            *(name for name in selected.columns if name in _GIVEN and name not in _FIXED and name != "occurred_at"),
            **evidence,
            **_fixed(self.name, self.declared, selected[target]),
            _said_at=self._said_at(selected),
        )
        when = rows.group_by(known=rows[target]).aggregate(_else_at=_when(rows, self.source).max())
        timed = chosen.inner_join(when, chosen.target_id == when.known).drop("known")
        is_time = (timed["_said_at"] >= _times(_FIRST)) & (timed["_said_at"] < _times(_LAST))
        timed = timed.mutate(occurred_at=ibis.ifelse(is_time, timed["_said_at"], timed["_else_at"])).drop("_said_at", "_else_at")
        return _one_of_each(_with_finite_values(timed))

    def _said_at(self, selected: ibis.Table) -> Any:
        """When it happened, as far as the SELECT says so."""
        if "occurred_at" not in selected.columns:
            return ibis.null().cast(_TIME)
        said = selected["occurred_at"]
        if not (said.type().is_timestamp() or said.type().is_date() or said.type().is_null()):
            raise ConfigurationError(
                f"[signals.{self.name}]: occurred_at is {said.type()} and no time; write CAST(... AS TIMESTAMPTZ) AS occurred_at."
            )
        return said.cast(_TIME)

    def _selected(self, rows: ibis.Table) -> ibis.Table:
        """What the SELECT gives of these rows. ConfigurationError where it does not run."""
        backend: Any = rows.get_backend()
        if backend.name == "duckdb":
            rows.limit(0).to_pyarrow()  # so that it knows what is in memory
        try:
            statements = [tree for tree in sqlglot.parse(self.declared.sql, read="duckdb") if tree is not None]
            if len(statements) != 1:
                raise ConfigurationError(
                    f"[signals.{self.name}]: one SELECT is wanted, and these are {len(statements)} statements."
                )
            self._require_own_rows(statements[0])
            written = statements[0].sql(_DIALECTS[backend.name])
            query = f"WITH {self.source} AS ({backend.compile(rows)}) SELECT * FROM ({written}) AS selected"
            if backend.name != "duckdb":
                return cast(ibis.Table, backend.sql(query))
            schema = backend.con.sql(f"{query} LIMIT 0").to_arrow_table().schema
            return cast(ibis.Table, backend.sql(query, schema=ibis.Schema.from_pyarrow(schema)))
        except (sqlglot.errors.SqlglotError, duckdb.ProgrammingError, IbisError) as error:
            raise ConfigurationError(f"[signals.{self.name}]: the SELECT does not run: {error}") from error

    def _require_own_rows(self, select: exp.Expr) -> None:
        """A file's content would be stored as evidence, past redaction, and a changed file would be no other version."""
        known = {self.source, *(cte.alias for cte in select.find_all(exp.CTE))}
        for table in select.find_all(exp.Table):
            if _function_name(table) not in _SERIES and (isinstance(table.this, exp.Func) or table.name not in known):
                raise ConfigurationError(
                    f"[signals.{self.name}]: the SELECT reads {table.sql('duckdb')}; it can read `{self.source}` alone. "
                    'With source = "reports" it reads reports, else interactions.'
                )

    def find(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The same rows in the columns of FINDINGS; NULL targets name nothing and are left out."""
        found = with_evidence(batch)
        return found.filter(found.column("target_id").is_valid())


class FunctionDefinition(Struct, frozen=True, kw_only=True):
    """One function of a row, which gives a value, a mapping with `value` and evidence, or None for no signal."""

    name: str
    version: str
    source: Source
    declared: SignalSettings
    function: Callable[[dict[str, Any]], Any]
    awaits_quiet: bool = False

    def candidates(self, tables: Tables) -> ibis.Table:
        """The columns that the function reads, of every row."""
        rows = _rows(tables, self.source)
        columns = tuple(self.declared.columns) or (COLUMNS if self.source == "interactions" else REPORT_COLUMNS)
        unknown = [column for column in columns if column not in rows.columns]
        if unknown:
            raise ConfigurationError(f"[signals.{self.name}]: {self.source} has no column {', '.join(unknown)}.")
        needed = dict.fromkeys((*columns, "interaction_id", "session_id", *(["feedback_id"] if self.source == "reports" else [])))
        if "turn_index" in columns and self.source == "interactions":
            rows = rows.mutate(turn_index=_turn_index(rows))
        return rows.select(*needed, _when=_when(rows, self.source))

    def find(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """What the function says of each target, of the last row about it that it speaks of."""
        found: dict[str, dict[str, Any]] = {}
        for row in row_values(batch):
            when: datetime = row.pop("_when")
            said = self._ask(row)
            target = row[f"{self.declared.target}_id"]
            before = found.get(target)
            if said is not None and target is not None and (before is None or before["occurred_at"] <= when):
                found[target] = self._finding(row, target, when, said)
        return pa.RecordBatch.from_pylist(list(found.values()), FINDINGS)

    def _ask(self, row: dict[str, Any]) -> dict[str, Any] | None:
        try:
            said = self.function(dict(row))
            if said is None:
                return None
            told = dict(said) if isinstance(said, Mapping) else {"value": said}
            value = None if told.get("value") is None else float(told["value"])
            if value is not None and not math.isfinite(value):
                return {**told, "value": None, "error": _ODD_VALUE}
            return {**told, "value": value}
        except (Exception, SystemExit) as error:  # noqa: BLE001 - it is a user's code: whatever it raises is told on the row
            return {"value": None, "error": f"{type(error).__name__}: {error}"[:500]}

    def _finding(self, row: dict[str, Any], target: str, when: datetime, said: dict[str, Any]) -> dict[str, Any]:
        text = said.pop("text", None)
        evidence = [(str(name), str(value)) for name, value in said.items() if name != "value" and value is not None]
        is_interaction = self.declared.target == "interaction"
        return {
            "target_kind": self.declared.target,
            "target_id": target,
            "interaction_id": row["interaction_id"] if is_interaction else None,
            "session_id": row["session_id"],
            "name": self.name,
            "kind": self.declared.kind,
            "value": said["value"],
            "text": None if text is None else str(text),
            "occurred_at": when,
            "source": "user",
            "feedback_id": row.get("feedback_id"),
            "evidence": evidence,
        }


def _turn_index(rows: ibis.Table) -> Any:
    """The place of a turn in its session, which is stored nowhere: one that comes late would change all later ones."""
    return ibis.row_number().over(ibis.window(group_by=rows.session_id, order_by=[rows.started_at, rows.interaction_id]))


def _function_name(table: exp.Table) -> str:
    function = table.this
    name = function.name if isinstance(function, exp.Anonymous) else function.sql_name() if isinstance(function, exp.Func) else ""
    return name.lower()


def _times(text: str) -> Any:
    return ibis.literal(text).cast(_TIME)


def _with_finite_values(rows: ibis.Table) -> ibis.Table:
    """NaN and infinity are no values: they would vote."""
    value, error = rows["value"].cast("float64"), f"{EVIDENCE}error"
    is_odd = value.isnan() | value.isinf()
    told = rows[error] if error in rows.columns else ibis.null().cast("string")
    return rows.mutate(
        **{"value": ibis.ifelse(is_odd, ibis.null().cast("float64"), value), error: ibis.ifelse(is_odd, _ODD_VALUE, told)}
    )


def _one_of_each(rows: ibis.Table) -> ibis.Table:
    """Of several rows about one target the one that happened last, and of these the one of the highest value."""
    order = ibis.window(group_by=rows.target_id, order_by=[rows.occurred_at.desc(), rows["value"].desc(nulls_first=False)])
    numbered = rows.mutate(_place=ibis.row_number().over(order))
    return numbered.filter(numbered["_place"] == 0).drop("_place")


_FIXED = frozenset({"target_kind", "target_id", "name", "kind", "source"})


def _fixed(name: str, declared: SignalSettings, target: Any) -> dict[str, Any]:
    fixed = {"target_kind": declared.target, "name": name, "kind": declared.kind, "source": "user"}
    return {"target_id": target.cast("string"), **{column: ibis.literal(value) for column, value in fixed.items()}}


def _rows(tables: Tables, source: Source) -> ibis.Table:
    return tables.whole_interactions if source == "interactions" else tables.reports


def _when(rows: ibis.Table, source: Source) -> Any:
    return rows.ended_at if source == "interactions" else rows.occurred_at


def _load(name: str, place: str, home: Path) -> tuple[Callable[[dict[str, Any]], Any], str]:
    """The function at `module:function` or `file.py:function`, and the code that defines it."""
    match = _PLACE.fullmatch(place)
    if match is None:
        raise ConfigurationError(f"[signals.{name}]: python = {place!r} is neither `module:function` nor `file.py:function`.")
    module = match["module"]
    space, code = _from_file(name, home / module) if module.endswith(".py") else _from_module(name, module)
    function = space.get(match["function"])
    if not callable(function):
        raise ConfigurationError(f"[signals.{name}]: {module} has no function {match['function']!r}.")
    return function, code


def _from_file(name: str, path: Path) -> tuple[dict[str, Any], str]:
    try:
        code = path.read_text(encoding="utf-8")
        space: dict[str, Any] = {"__name__": f"signal_{name}", "__file__": str(path)}
        exec(compile(code, str(path), "exec"), space)  # noqa: S102 - the file that the operator names
    except (Exception, SystemExit) as error:
        raise ConfigurationError(f"[signals.{name}]: {path} cannot be loaded: {type(error).__name__}: {error}.") from error
    return space, code


def _from_module(name: str, module: str) -> tuple[dict[str, Any], str]:
    try:
        loaded = importlib.import_module(module)
        code = Path(str(loaded.__file__)).read_text(encoding="utf-8")
    except (Exception, SystemExit) as error:
        raise ConfigurationError(f"[signals.{name}]: {module} cannot be imported: {type(error).__name__}: {error}.") from error
    return vars(loaded), code
