"""What a signal definition makes of reports, without a lake: the definition itself over a table in memory."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import pyarrow as pa

from penstock.lake.arrow_schema import from_arrow, to_arrow
from penstock.lake.tables import TABLES
from penstock.records.interaction import Interaction
from penstock.signals.definition import RAW_MESSAGES, Definition, Finding, Tables

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_COLUMNS: dict[str, pa.DataType] = {
    "feedback_id": pa.string(),
    "target_kind": pa.string(),
    "target_id": pa.string(),
    "interaction_id": pa.string(),
    "session_id": pa.string(),
    "name": pa.string(),
    "value": pa.float64(),
    "text": pa.string(),
    "occurred_at": pa.timestamp("us", "UTC"),
    "known_at": pa.timestamp("us", "UTC"),
    "source": pa.string(),
    "response_text": pa.string(),
    "weight": pa.float64(),
    "metadata": pa.map_(pa.string(), pa.string()),
}


def _tables(reports: ibis.Table, turns: Sequence[Interaction]) -> Tables:
    whole = ibis.memtable(to_arrow(TABLES["interactions"], turns))
    return Tables(
        reports=reports,
        interactions=whole.drop(*RAW_MESSAGES),
        whole_interactions=whole,
        as_of=ibis.literal(NOON + timedelta(days=2)),
    )


def findings(definition: Definition, *reports: dict[str, Any], turns: Sequence[Interaction] = ()) -> list[Finding]:
    """The findings among reports given by name, value, text and seconds after noon (`at`), on one interaction unless said.

    `turns` are the interactions of the sessions, long after which all is known.
    """
    rows = []
    for number, report in enumerate(reports):
        moment = NOON + timedelta(seconds=report.pop("at", number))
        given = {
            "feedback_id": f"f{number}", "target_kind": "interaction", "target_id": "i", "interaction_id": "i", "session_id": "s",
            "value": None, "text": None, "occurred_at": moment, "known_at": moment, "source": "test", "response_text": None,
            "weight": 1.0,
            "metadata": [],
        }  # fmt: skip
        rows.append({**given, **report})
    table = pa.Table.from_pylist(rows, pa.schema([pa.field(name, kind) for name, kind in _COLUMNS.items()]))
    engine = ibis.duckdb.connect()
    engine.con.execute("SET TimeZone = 'UTC'")
    candidates = engine.to_pyarrow(definition.candidates(_tables(ibis.memtable(table), turns)))
    return [
        found
        for batch in candidates.to_batches()
        for found in from_arrow(Finding, pa.Table.from_batches([definition.find(batch)]))
    ]
