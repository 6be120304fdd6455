"""Signals that users add: one SQL SELECT, or one Python function, declared in penstock.toml under [signals.NAME].

Their version is a hash of what defines them, so a changed one gives new rows beside the old. A function that fails on a row
leaves a signal without a value there that says so, and every other row is read all the same.
"""

import importlib
import re
from collections.abc import Callable, Mapping
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


def user_definitions(
    settings: Mapping[str, SignalSettings], taken: Mapping[str, Definition], home: Path
) -> dict[str, Definition]:
    """The definitions that penstock.toml declares. ConfigurationError where one is not a definition, or its name is taken."""
    found: dict[str, Definition] = {}
    for name, declared in settings.items():
        if not _NAME.fullmatch(name) or name in taken:
            reason = "is taken by a built-in signal" if name in taken else "cannot be used"
            raise ConfigurationError(f"[signals.{name}]: the name {reason}; take small letters, digits and underscores.")
        found[name] = user_definition(name, declared, home)
    return found


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
            *(name for name in selected.columns if name in _GIVEN and name not in _FIXED),
            **evidence,
            **_fixed(self.name, self.declared, selected[target]),
        )
        chosen = chosen.mutate(value=chosen["value"].cast("float64"))
        if "occurred_at" in selected.columns:
            return chosen
        when = rows.group_by(target).aggregate(occurred_at=_when(rows, self.source).max())
        return chosen.inner_join(when, chosen.target_id == when[target]).drop(f"{target}_right")

    def _selected(self, rows: ibis.Table) -> ibis.Table:
        """What the SELECT gives of these rows. ConfigurationError where it does not run."""
        backend: Any = rows.get_backend()
        if backend.name == "duckdb":
            rows.limit(0).to_pyarrow()  # so that it knows what is in memory
        try:
            written = sqlglot.transpile(self.declared.sql, read="duckdb", write=_DIALECTS[backend.name])
            if len(written) != 1:
                raise ConfigurationError(f"[signals.{self.name}]: one SELECT is wanted, and these are {len(written)} statements.")
            query = f"WITH {self.source} AS ({backend.compile(rows)}) SELECT * FROM ({written[0]}) AS selected"
            if backend.name != "duckdb":
                return cast(ibis.Table, backend.sql(query))
            schema = backend.con.sql(f"{query} LIMIT 0").to_arrow_table().schema
            return cast(ibis.Table, backend.sql(query, schema=ibis.Schema.from_pyarrow(schema)))
        except (sqlglot.errors.SqlglotError, duckdb.ProgrammingError, IbisError) as error:
            raise ConfigurationError(f"[signals.{self.name}]: the SELECT does not run: {error}") from error

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
        return rows.select(*needed, _when=_when(rows, self.source))

    def find(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """What the function says of each row; of a session, what it says of the last row that it speaks of."""
        found: dict[str, dict[str, Any]] = {}
        for place, row in enumerate(row_values(batch)):
            when: datetime = row.pop("_when")
            said = self._ask(row)
            target = row[f"{self.declared.target}_id"]
            if said is not None and target is not None:
                key = target if self.declared.target == "session" else f"{place}"
                found[key] = self._finding(row, target, when, said)
        return pa.RecordBatch.from_pylist(list(found.values()), FINDINGS)

    def _ask(self, row: dict[str, Any]) -> dict[str, Any] | None:
        try:
            said = self.function(dict(row))
            if said is None:
                return None
            told = dict(said) if isinstance(said, Mapping) else {"value": said}
            value = told.get("value")
            return {**told, "value": None if value is None else float(value)}
        except Exception as error:  # noqa: BLE001 - it is a user's code: whatever it raises is told on the row
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
    except Exception as error:
        raise ConfigurationError(f"[signals.{name}]: {path} cannot be loaded: {type(error).__name__}: {error}.") from error
    return space, code


def _from_module(name: str, module: str) -> tuple[dict[str, Any], str]:
    try:
        loaded = importlib.import_module(module)
        code = Path(str(loaded.__file__)).read_text(encoding="utf-8")
    except Exception as error:
        raise ConfigurationError(f"[signals.{name}]: {module} cannot be imported: {type(error).__name__}: {error}.") from error
    return vars(loaded), code
