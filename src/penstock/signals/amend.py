"""From findings to the rows to append: signals that are new, revisions of those that changed, and of those that no longer hold.

Everything found anew is compared with what stands, column by column; only what differs is looked at row by row. A signal stays on
the day of its first revision. What is not found again gets a revision without a value, which says so.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any

import ibis.expr.types as ir
import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from penstock.lake.arrow_schema import arrow_schema, from_arrow
from penstock.lake.arrow_values import column_values
from penstock.lake.in_memory import open_database
from penstock.lake.lake import Lake
from penstock.lake.tables import TABLES
from penstock.records.ids import signal_ids
from penstock.records.signal import Signal
from penstock.signals.definition import FINDINGS, Definition, label

WITHDRAWN = "withdrawn"
_GONE = {WITHDRAWN: "what it was found from is gone or belongs to another interaction now"}
NO_SIGNALS = pa.schema([field for field in arrow_schema(TABLES["signals"]) if field.name != "date"]).empty_table()
_SAME = " AND ".join(f"found.{name} IS NOT DISTINCT FROM standing.{name}" for name in (*FINDINGS.names, "definition"))


def as_signals(definition: Definition, batches: Iterable[pa.RecordBatch], known_at: datetime) -> pa.Table:
    """What a definition found, as first revisions."""
    found = pa.Table.from_batches(list(batches), FINDINGS)
    rows = found.num_rows
    targeted, named = column_values(found.column("target_id")), column_values(found.column("name"))
    identifiers = signal_ids(definition_key(definition), targeted, named)
    added: dict[str, pa.Array[Any]] = {
        "signal_id": pa.array(identifiers, pa.string()),
        "definition": pa.repeat(pa.scalar(label(definition), pa.string()), rows),
        "known_at": pa.repeat(pa.scalar(known_at, pa.timestamp("us", "UTC")), rows),
        "revision": pa.repeat(pa.scalar(0, pa.int64()), rows),
    }
    for name, values in added.items():
        found = found.append_column(name, values)
    return found.select(NO_SIGNALS.schema.names).cast(NO_SIGNALS.schema)


def of_targets(signals: pa.Table, targets: pa.Table) -> pa.Table:
    """Those that are about these targets: what was found of others is not to be relied on."""
    return signals.filter(pc.is_in(signals.column("target_id"), targets.column("id").combine_chunks()))


def definition_key(definition: Definition) -> str:
    """What stands in the ids of a definition's signals: another version finds others, beside those of the first."""
    return definition.name if definition.version == 1 else label(definition)


def found_by(definitions: Iterable[Definition], signals: pa.Table) -> pa.Table:
    """Those that these definitions have found."""
    labels = pa.array([label(definition) for definition in definitions], pa.string())
    return signals.filter(pc.is_in(signals.column("definition"), labels))


def signals_of(lake: Lake, targets: pa.Table, since: date) -> pa.Table:
    """The current signals of these targets, whoever has found them, none of which happened before a day."""
    days = (since, date.max)
    candidates = lake.ids_with("signals", "target_id", targets, dates=days)
    if candidates.num_rows == 0:
        return NO_SIGNALS
    rows = lake.select(_undated, "signals", candidates, dates=days, indexed=True)
    return of_targets(rows, targets).cast(NO_SIGNALS.schema)


def _undated(signals: ir.Table) -> ir.Table:
    return signals.select(*NO_SIGNALS.schema.names)


def amend(found: pa.Table, standing: pa.Table, known_at: datetime) -> pa.Table:
    """The rows to append, given everything found and everything that stands of the same targets and definitions."""
    if standing.num_rows == 0:
        return found
    stands: Any = pc.is_in(found.column("signal_id"), standing.column("signal_id").combine_chunks())
    new = found.filter(pc.invert(stands))
    engine = open_database()
    engine.register("found", found.filter(stands))
    engine.register("standing", standing)
    differs = f"FROM found JOIN standing USING (signal_id) WHERE NOT ({_SAME})"
    after = engine.sql(f"SELECT found.* {differs} ORDER BY signal_id").to_arrow_table()
    before = engine.sql(f"SELECT standing.* {differs} ORDER BY signal_id").to_arrow_table()
    gone = engine.sql("SELECT * FROM standing ANTI JOIN found USING (signal_id)").to_arrow_table()
    revised = [*_revised(_records(before), _records(after)), *_withdrawn(_records(gone), known_at)]
    return pa.concat_tables([new, _table(revised, found.schema)]) if revised else new


def _records(rows: pa.Table) -> list[Signal]:
    return from_arrow(Signal, rows)


def _table(rows: list[Signal], schema: pa.Schema) -> pa.Table:
    plain = [{**msgspec.structs.asdict(row), "evidence": list(row.evidence.items())} for row in rows]
    return pa.Table.from_pylist(plain, schema)


def _revised(before: Iterable[Signal], after: Iterable[Signal]) -> Iterator[Signal]:
    for old, new in zip(before, after, strict=True):
        if (revision := _revise(old, new)) is not None:
            yield revision


def _revise(before: Signal, after: Signal) -> Signal | None:
    """The next revision, on the day of the first; when it happened last stays in the evidence."""
    if after.occurred_at != before.occurred_at:
        evidence = {**after.evidence, "happened_at": after.occurred_at.isoformat()}
        after = msgspec.structs.replace(after, occurred_at=before.occurred_at, evidence=evidence)
    if msgspec.structs.replace(after, known_at=before.known_at, revision=before.revision) == before:
        return None
    return msgspec.structs.replace(after, revision=before.revision + 1)


def _withdrawn(gone: Iterable[Signal], known_at: datetime) -> Iterator[Signal]:
    for row in gone:
        if WITHDRAWN not in row.evidence:
            changes: dict[str, Any] = {"value": None, "text": None, "evidence": _GONE, "known_at": known_at}
            yield msgspec.structs.replace(row, revision=row.revision + 1, **changes)
