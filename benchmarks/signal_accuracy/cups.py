"""CUPS: what 21 programmers did with Copilot's suggestions, as telemetry; do our signals count what the study counted?

Every event becomes the report that an editor would send: shown is `offered`, accepted and rejected are verdicts. Nothing is
counted from the file: the definition finds what there is, in these reports and in the suggestions as interactions.
"""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ibis
import numpy
import pyarrow as pa
from benchmarks.signal_accuracy.figures import Section, Table, share
from benchmarks.signal_accuracy.files import content_of, files_of, missing, name_of

from penstock.lake.arrow_schema import to_arrow
from penstock.lake.tables import TABLES
from penstock.records.interaction import Interaction
from penstock.signals.acceptance import ACCEPTANCE
from penstock.signals.definition import Definition, Tables

REPORTS = {"Shown": "offered", "Accepted": "accepted", "Rejected": "rejected"}  # Replay shows the same again, Browsing leafs


def measure(data: Path) -> Section:
    """Acceptance of all suggestions together, and of each programmer, in every file of telemetry."""
    folder = data / "cups"
    paths = files_of(folder, ".jsonl")
    rates, fates = [], []
    for path in paths:
        if found := findings_of(ACCEPTANCE, events_of(path)):
            rates += [(name_of(path), *line) for line in _rates(found)]
            fates += [(name_of(path), state, str(count)) for state, count in _states(found)]
    return Section(
        title="CUPS",
        text=_TEXT,
        tables=(
            Table(title="Acceptance", columns=("file", "level", "number", "rate"), rows=tuple(rates)),
            Table(title="What the signals say of the suggestions", columns=("file", "state", "suggestions"), rows=tuple(fates)),
        ),
        missing=missing(folder, ("events",), paths),
    )


def _rates(found: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    verdicts = [(one["session_id"], one["value"]) for one in found if one["value"] is not None]
    values = numpy.array([value for _, value in verdicts])
    users = {user for user, _ in verdicts}
    by_user = numpy.array([numpy.mean([value for user, value in verdicts if user == one]) for one in sorted(users)])
    if len(by_user) < 2:  # no spread between people, and without any no mean
        return [("suggestions, pooled", str(len(values)), share(int(values.sum()), len(values)))]
    error = by_user.std(ddof=1) / numpy.sqrt(len(by_user))
    return [
        ("suggestions, pooled", str(len(values)), share(int(values.sum()), len(values))),
        ("programmers, mean of their rates", str(len(by_user)), _interval(float(by_user.mean()), float(error))),
        ("programmers, median", str(len(by_user)), f"{numpy.median(by_user):.3f}"),
        ("programmers, lowest and highest", str(len(by_user)), f"{by_user.min():.3f} and {by_user.max():.3f}"),
    ]


def _states(found: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return sorted(Counter(one["evidence"]["state"] for one in found).items())


_TEXT = """
Telemetry of 21 programmers with Copilot, turned into the reports that an editor sends, and read by `acceptance`. A suggestion
shown again while one types (`Replay`) is the same one; a verdict is about the one shown last. The study's own figure is 386 of
1,096 verdicts, 35.2 %; a mean over people weighs each the same, whoever saw more. What was shown and passed over for the next one
without a verdict is `ignored` and in no rate. Nothing was tuned, and every file is measured whole.
"""
_NORMAL_95 = 1.96


def _interval(mean: float, error: float) -> str:
    return f"{mean:.3f} ({mean - _NORMAL_95 * error:.3f}-{mean + _NORMAL_95 * error:.3f})"


def events_of(path: Path) -> list[dict[str, Any]]:
    """The events of a file, in the order in which they happened to each programmer."""
    return [json.loads(line) for line in content_of(path).decode().splitlines()]


def reports_of(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A report for every event that says something of a suggestion; a verdict is about the suggestion shown last."""
    found, suggestion = [], ""
    for number, event in enumerate(events):
        name = REPORTS.get(event["StateName"])
        if name is None:
            continue
        if name == "offered" or not suggestion.startswith(f"{event['UserId']}/"):
            suggestion = f"{event['UserId']}/{number}"
        when = datetime.fromisoformat(event["TimeGenerated"])
        found.append(
            {
                "feedback_id": str(number), "target_kind": "interaction", "target_id": suggestion, "interaction_id": suggestion,
                "session_id": str(event["UserId"]), "name": name, "value": None, "text": None, "occurred_at": when,
                "known_at": when, "source": "telemetry", "response_text": event["CurrentSuggestion"], "metadata": [],
            }
        )  # fmt: skip
    return found


def suggestions_of(events: list[dict[str, Any]]) -> list[Interaction]:
    """Every suggestion that was shown, as the model's answer; a programmer's are one session."""
    offers = [report for report in reports_of(events) if report["name"] == "offered"]
    return [
        Interaction(
            interaction_id=offer["interaction_id"], trace_id=offer["interaction_id"], span_id="suggestion", dialect="cups",
            session_id=offer["session_id"], response_text=offer["response_text"], started_at=offer["occurred_at"],
            ended_at=offer["occurred_at"], known_at=offer["occurred_at"],
        )
        for offer in offers
    ]  # fmt: skip


_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("feedback_id", "target_kind", "target_id", "interaction_id", "session_id", "name")),
        ("value", pa.float64()), ("text", pa.string()), ("occurred_at", pa.timestamp("us", "UTC")),
        ("known_at", pa.timestamp("us", "UTC")), ("source", pa.string()), ("response_text", pa.string()),
        ("metadata", pa.map_(pa.string(), pa.string())),
    ]
)  # fmt: skip


def findings_of(definition: Definition, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a definition finds in the reports of these events, once the study was over."""
    reports = pa.Table.from_pylist(reports_of(events), _SCHEMA)
    interactions = to_arrow(TABLES["interactions"], suggestions_of(events))
    engine = ibis.duckdb.connect()
    engine.con.execute("SET TimeZone = 'UTC'")
    over = datetime(2030, 1, 1, tzinfo=UTC)
    shown = ibis.memtable(interactions)
    tables = Tables(reports=ibis.memtable(reports), interactions=shown, whole_interactions=shown, as_of=ibis.literal(over))
    candidates = engine.to_pyarrow(definition.candidates(tables))
    found = [definition.find(batch).to_pylist(maps_as_pydicts="strict") for batch in candidates.to_batches()]
    return [row for rows in found for row in rows]
