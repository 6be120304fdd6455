"""Signals for tests of the lake: small rows with a revision."""

from datetime import UTC, datetime, timedelta
from typing import Any

import ibis.expr.types as ir

from penstock.lake.lake import Lake
from penstock.records.signal import Signal

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def make_signal(number: int, revision: int = 0, *, day: int = 0, known_h: float = 0, **fields: Any) -> Signal:
    """Signal `number`, which happened at noon of a day and was known so many hours later."""
    occurred_at = NOON + timedelta(days=day)
    given: dict[str, Any] = {
        "signal_id": f"s_{number}", "target_kind": "interaction", "target_id": f"i_{number}", "interaction_id": f"i_{number}",
        "session_id": None, "name": "copy", "kind": "implicit", "value": 1.0, "occurred_at": occurred_at,
        "known_at": occurred_at + timedelta(hours=known_h), "revision": revision, "source": "test", "definition": "copy@1",
    }  # fmt: skip
    return Signal(**{**given, **fields})


def shown(lake: Lake, expression: ir.Table | None = None) -> list[tuple[str, int]]:
    """Ids and revisions of what counts, or of an expression."""
    rows = lake.to_records("signals", lake.current("signals") if expression is None else expression)
    return sorted((row.signal_id, row.revision) for row in rows)
