"""Run the definitions over what is new, and append the signals that are new, that changed, or that no longer hold.

For every target touched all findings are worked out anew and compared with the signals that stand, so the same rows give the same
signals whatever the order and however often. What no longer holds gets a revision without a value. One writer at a time.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import ibis
import msgspec
import pyarrow as pa

from penstock.lake.arrow_schema import from_arrow
from penstock.lake.lake import Lake
from penstock.lake.selection import among, ids_of
from penstock.lake.tables import reader
from penstock.lake.watermarks import Horizon, advancing
from penstock.records.clock import WriterClock
from penstock.records.ids import signal_id
from penstock.records.signal import Signal
from penstock.signals.definition import Definition, Finding, Tables
from penstock.signals.definitions import DEFINITIONS
from penstock.signals.scope import FEEDBACK_COLUMNS, INTERACTION_COLUMNS, Scope, find_scope

INTERACTIONS_WATERMARK = reader("interactions", "signals")
FEEDBACK_WATERMARK = reader("feedback", "signals")
MAX_ROWS = 20_000

_BATCH_ROWS = 10_000


def run_signals(
    lake: Lake,
    clock: WriterClock,
    exposures: Iterable[str] | None = None,
    *,
    definitions: Mapping[str, Definition] = DEFINITIONS,
    max_rows: int = MAX_ROWS,
) -> dict[str, int]:
    """Work out every signal that the interactions and feedback new by now call for; gives how many were written, by name.

    `exposures` limits what is worked out from behaviour; what was reported is a signal whatever the exposure.
    """
    only = None if exposures is None else tuple(exposures)
    written: Counter[str] = Counter()
    horizon = Horizon(lake, "signals", [INTERACTIONS_WATERMARK, FEEDBACK_WATERMARK])
    while (signals := _run_chunk(lake, clock, only, definitions, max_rows)) is not None:
        written.update(signal.name for signal in signals)
        if horizon.is_reached():
            break
    return dict(sorted(written.items()))


def _run_chunk(
    lake: Lake, clock: WriterClock, exposures: tuple[str, ...] | None, definitions: Mapping[str, Definition], max_rows: int
) -> list[Signal] | None:
    watermarks = {name: lake.transaction_version("signals", name) for name in (INTERACTIONS_WATERMARK, FEEDBACK_WATERMARK)}
    interactions = lake.changes("interactions", watermarks[INTERACTIONS_WATERMARK], INTERACTION_COLUMNS, max_rows)
    feedback = lake.changes("feedback", watermarks[FEEDBACK_WATERMARK], FEEDBACK_COLUMNS, max_rows)
    if interactions.rows.num_rows == 0 and feedback.rows.num_rows == 0:
        return None
    scope = find_scope(lake, interactions.rows, feedback.rows, exposures)
    found = list(_findings(scope, definitions))
    signals = amend(found, _standing(lake, scope, definitions), clock.known_at())
    reached = {INTERACTIONS_WATERMARK: interactions.version, FEEDBACK_WATERMARK: feedback.version}
    lake.append("signals", signals, transactions=advancing(lake, "signals", reached))
    return signals


def _findings(scope: Scope, definitions: Mapping[str, Definition]) -> Iterator[tuple[str, Finding]]:
    """Everything that holds of the targets in scope, each with the definition that found it."""
    read = {"reports": scope.tables.reports.to_pyarrow(), "interactions": scope.tables.interactions.to_pyarrow()}
    tables = Tables(**{name: ibis.memtable(rows) for name, rows in read.items()}, as_of=scope.tables.as_of)
    engine = ibis.duckdb.connect()
    engine.con.execute("SET TimeZone = 'UTC'")
    for definition in definitions.values():
        if read[definition.source].num_rows == 0:
            continue
        label = f"{definition.name}@{definition.version}"
        targets = _targets(scope, definition)
        candidates = engine.to_pyarrow(definition.candidates(tables))
        for batch in candidates.to_batches(_BATCH_ROWS):
            findings = from_arrow(Finding, pa.Table.from_batches([definition.find(batch)]))
            yield from ((label, finding) for finding in findings if finding.target_id in targets)


def _targets(scope: Scope, definition: Definition) -> frozenset[str]:
    return scope.by_behaviour if definition.source == "interactions" else scope.by_report


def _standing(lake: Lake, scope: Scope, definitions: Mapping[str, Definition]) -> dict[str, Signal]:
    """The signals that these definitions have found of the targets in scope."""
    candidates = ids_of(among(lake.revisions("signals"), "target_id", scope.by_report | scope.by_behaviour), "signal_id")
    rows: list[Signal] = lake.to_records("signals", lake.current("signals", ids=candidates))
    targets = {definition.name: _targets(scope, definition) for definition in definitions.values()}
    return {row.signal_id: row for row in rows if row.target_id in targets.get(row.definition.partition("@")[0], frozenset())}


def amend(found: Iterable[tuple[str, Finding]], standing: Mapping[str, Signal], known_at: datetime) -> list[Signal]:
    """The rows to append: new signals, revisions of those that changed, and revisions without a value of those that are gone."""
    rows: list[Signal] = []
    gone = dict(standing)
    for definition, finding in found:
        name = definition.partition("@")[0]
        identifier = signal_id(name, finding.target_id, finding.name)
        before = gone.pop(identifier, None)
        after = Signal(signal_id=identifier, definition=definition, known_at=known_at, **msgspec.structs.asdict(finding))
        if before is None:
            rows.append(after)
        elif (revised := _revise(before, after)) is not None:
            rows.append(revised)
    for before in gone.values():
        if before.value is not None or "withdrawn" not in before.evidence:
            evidence = {"withdrawn": "what it was found from is gone or belongs to another interaction now"}
            rows.append(_revision_of(before, known_at, value=None, text=None, evidence=evidence))
    return rows


def _revise(before: Signal, after: Signal) -> Signal | None:
    """The next revision, on the day of the first; when it happened last stays in the evidence."""
    if after.occurred_at != before.occurred_at:
        evidence = {**after.evidence, "happened_at": after.occurred_at.isoformat()}
        after = msgspec.structs.replace(after, occurred_at=before.occurred_at, evidence=evidence)
    if msgspec.structs.replace(after, known_at=before.known_at, revision=before.revision) == before:
        return None
    return msgspec.structs.replace(after, revision=before.revision + 1)


def _revision_of(before: Signal, known_at: datetime, **changes: Any) -> Signal:
    return msgspec.structs.replace(before, known_at=known_at, revision=before.revision + 1, **changes)
