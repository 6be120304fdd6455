"""Signals for what is new: every definition looks at the changed interactions and reports, and what it finds is compared to what stands.

Incremental and idempotent: watermarks go into the same commit as the rows. A value that changed is a revision; a fact that no longer
holds is a revision without a value.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import ibis
import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from ibis import _
from msgspec import Struct

from penstock.lake.lake import Lake
from penstock.lake.selection import among
from penstock.lake.tables import reader
from penstock.records.clock import WriterClock
from penstock.records.feedback import FeedbackStatus
from penstock.records.ids import signal_id
from penstock.records.signal import Signal
from penstock.signals.definition import RETRY_GAP_S, Definition, Tables
from penstock.signals.definitions import DEFINITIONS

INTERACTIONS_WATERMARK = reader("interactions", "signals")
FEEDBACK_WATERMARK = reader("feedback", "signals")
MAX_ROWS = 50_000

_COMPARED = ("value", "text", "occurred_at", "source", "feedback_id", "evidence", "interaction_id", "session_id")
_REPORT_COLUMNS = ("feedback_id", "name", "value", "text", "occurred_at", "known_at", "source")


class Signalled(Struct, frozen=True, kw_only=True):
    """What a run looked at and wrote."""

    interactions: int = 0
    reports: int = 0
    signals: int = 0


def run_signals(lake: Lake, clock: WriterClock, max_rows: int = MAX_ROWS) -> Signalled:
    """Compute every signal of what is new, in chunks."""
    total = Signalled()
    while (signalled := _run_chunk(lake, clock, max_rows)) is not None:
        total = Signalled(**{name: getattr(total, name) + getattr(signalled, name) for name in Signalled.__struct_fields__})
    return total


def _run_chunk(lake: Lake, clock: WriterClock, max_rows: int) -> Signalled | None:
    settled = lake.changes(
        "interactions",
        lake.transaction_version("signals", INTERACTIONS_WATERMARK),
        ["interaction_id", "session_id", "user_id", "started_at"],
        max_rows,
    )
    feedback = lake.changes(
        "feedback",
        lake.transaction_version("signals", FEEDBACK_WATERMARK),
        ["feedback_id", "interaction_id", "session_id", "status"],
        max_rows,
    )
    matched = feedback.rows.filter(pc.field("status") == FeedbackStatus.MATCHED.value)
    if settled.rows.num_rows == 0 and feedback.rows.num_rows == 0:
        return None
    reports = _reports(lake, matched)
    neighbours = _neighbours(lake, settled.rows)
    tables = Tables(reports=reports, interactions=neighbours)
    known_at = clock.known_at()
    found = [signal for definition in DEFINITIONS.values() for signal in _find(definition, tables, known_at)]
    new = list(_new_or_amended(found, _standing(lake, [signal.signal_id for signal in found])))
    new += _withdrawn(lake, found, neighbours, known_at)
    lake.append("signals", new, transactions={INTERACTIONS_WATERMARK: settled.version, FEEDBACK_WATERMARK: feedback.version})
    return Signalled(interactions=settled.rows.num_rows, reports=matched.num_rows, signals=len(new))


def _reports(lake: Lake, matched: pa.Table) -> ibis.Table:
    """Every matched report on a target that has a new one, with the response that it is about."""
    feedback = lake.current("feedback")
    feedback = feedback.filter(feedback.status == FeedbackStatus.MATCHED.value)
    on_interactions = [item for item in pc.unique(matched.column("interaction_id")).to_pylist() if item]
    without = matched.filter(pc.is_null(matched.column("interaction_id")))
    on_sessions = [item for item in pc.unique(without.column("session_id")).to_pylist() if item]
    about_one = among(feedback.filter(feedback.interaction_id.notnull()), "interaction_id", on_interactions)
    about_session = among(feedback.filter(feedback.interaction_id.isnull()), "session_id", on_sessions)
    wanted = among(feedback, "feedback_id", _values(about_one, "feedback_id") | _values(about_session, "feedback_id"))
    interactions = among(lake.current("interactions"), "interaction_id", on_interactions)
    joined = wanted.left_join(interactions.select("interaction_id", "response_text"), "interaction_id")
    return joined.select(
        *_REPORT_COLUMNS,
        "interaction_id",
        "session_id",
        "response_text",
        target_kind=ibis.ifelse(joined.interaction_id.notnull(), "interaction", "session"),
        target_id=ibis.coalesce(joined.interaction_id, joined.session_id),
    )


def _neighbours(lake: Lake, changed: pa.Table) -> ibis.Table:
    """The changed interactions with all others of their sessions and, near in time, of their users."""
    interactions = lake.current("interactions")
    if changed.num_rows == 0:
        return interactions.filter(ibis.literal(False))
    sessions = [item for item in pc.unique(changed.column("session_id")).to_pylist() if item]
    users = [item for item in pc.unique(changed.column("user_id")).to_pylist() if item]
    started: list[datetime] = changed.column("started_at").to_pylist()
    # Twice the gap, and an hour for answers that took long: what is fetched too much is looked at and found unchanged.
    around = timedelta(seconds=2 * RETRY_GAP_S + 3600)
    near = interactions.filter(
        interactions.started_at >= ibis.literal(min(started) - around),
        interactions.started_at <= ibis.literal(max(started) + around),
    )
    wanted = _values(among(near, "user_id", users), "interaction_id")
    wanted |= _values(among(interactions, "session_id", sessions), "interaction_id")
    return among(interactions, "interaction_id", wanted)


def _values(rows: ibis.Table, column: str) -> set[str]:
    return set(rows.select(column).to_pyarrow().column(column).to_pylist())


def _find(definition: Definition, tables: Tables, known_at: datetime) -> Iterable[Signal]:
    label = f"{definition.name}@{definition.version}"
    candidates = definition.candidates(tables).to_pyarrow()
    for batch in candidates.combine_chunks().to_batches():
        for row in definition.find(batch).to_pylist(maps_as_pydicts="strict"):
            # Of several reports of one kind the last counts: they share an id, so that it is a revision of the one before.
            name = row["name"]
            yield Signal(
                signal_id=signal_id(label, row["target_id"], name),
                definition=label,
                known_at=known_at,
                **{**row, "evidence": row["evidence"] or {}},
            )


def _standing(lake: Lake, ids: Sequence[str]) -> dict[str, Signal]:
    if not ids:
        return {}
    rows = among(lake.current("signals"), "signal_id", ids)
    return {signal.signal_id: signal for signal in lake.to_records("signals", rows)}


def _new_or_amended(found: Iterable[Signal], standing: dict[str, Signal]) -> Iterable[Signal]:
    for signal in found:
        before = standing.get(signal.signal_id)
        if before is None:
            yield signal
        elif any(getattr(signal, name) != getattr(before, name) for name in _COMPARED):
            # All revisions of a row lie in the partition of its first.
            occurred_at = signal.occurred_at if signal.occurred_at.date() == before.occurred_at.date() else before.occurred_at
            amended = msgspec.structs.replace(signal, revision=before.revision + 1, occurred_at=occurred_at)
            if any(getattr(amended, name) != getattr(before, name) for name in _COMPARED):
                yield amended


def _withdrawn(lake: Lake, found: Sequence[Signal], looked_at: ibis.Table, known_at: datetime) -> list[Signal]:
    """Signals of behaviour that stand for interactions just looked at and were not found again."""
    seen = {signal.signal_id for signal in found}
    ids = [item for item in looked_at.select("interaction_id").to_pyarrow().column("interaction_id").to_pylist() if item]
    if not ids:
        return []
    signals = lake.current("signals")
    rows = among(signals.filter(_.feedback_id.isnull(), _.value.notnull()), "interaction_id", ids)
    return [
        msgspec.structs.replace(signal, value=None, known_at=known_at, revision=signal.revision + 1)
        for signal in lake.to_records("signals", rows)
        if signal.signal_id not in seen
    ]
