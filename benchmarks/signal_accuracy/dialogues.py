"""Dialogues of tau-bench as interactions: one per turn of the agent, given everything before it, as a client would have sent it.

What comes after the agent's last turn, the user's farewell or what its last call gave back, went to no model and is not there.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import ibis
import numpy
import pyarrow as pa
from benchmarks.signal_accuracy.files import content_of
from msgspec import Struct
from numpy.typing import NDArray

from penstock.formats.json_value import encode_json
from penstock.formats.message_readings import read_prompt, read_response
from penstock.formats.messages import openai_to_otel
from penstock.lake.arrow_schema import to_arrow
from penstock.lake.tables import TABLES
from penstock.records.ids import interaction_id
from penstock.records.interaction import Interaction
from penstock.signals.definition import FINDINGS, Tables
from penstock.signals.predicted_completion import PREDICTED_COMPLETION

START = datetime(2026, 3, 1, tzinfo=UTC)


class Dialogue(Struct, frozen=True, kw_only=True):
    """One dialogue, whether it was rewarded, and the task that others of its file share."""

    name: str
    task: str
    is_rewarded: bool
    messages: list[dict[str, Any]]


class Predicted(Struct, frozen=True, kw_only=True):
    """What the definition finds of dialogues, in their order."""

    value: NDArray[numpy.float64]
    counts: dict[str, NDArray[numpy.int64]]  # as its evidence has them


def read_dialogues(path: Path) -> list[Dialogue]:
    """The dialogues of one file of historical trajectories, packed or not."""
    rows = json.loads(content_of(path))
    return [
        Dialogue(
            name=f"{number}",
            task=str(row["task_id"]),
            is_rewarded=row["reward"] >= 1.0 - 1e-6,
            messages=row["traj"],
        )
        for number, row in enumerate(rows)
    ]


def interactions_of(dialogue: Dialogue, offered: str) -> Iterator[Interaction]:
    """Its interactions, a minute apart, in one session, with the tools that the agent was offered; none tells of the reward."""
    trace = f"{int(dialogue.name) + 1:032x}"
    messages = openai_to_otel(dialogue.messages)
    for place, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        given, output = encode_json(messages[:place]), encode_json([message])
        told, calls = read_response(output)
        yield Interaction(
            interaction_id=interaction_id(trace, f"{place:016x}"),
            trace_id=trace,
            span_id=f"{place:016x}",
            session_id=dialogue.name,
            started_at=START + timedelta(minutes=place),
            ended_at=START + timedelta(minutes=place, seconds=5),
            known_at=START + timedelta(days=1),
            dialect="genai",
            input_messages=given,
            output_messages=output,
            prompt_text=read_prompt(given),
            response_text=told,
            tool_calls=calls,
            parameters=offered,
            finish_reason="tool_calls" if calls else "stop",
            content_present=True,
        )


def predict_completion(dialogues: list[Dialogue]) -> Predicted:
    """What the definition finds of every dialogue."""
    offered = _tools_of(dialogues)
    rows = [row for dialogue in dialogues for row in interactions_of(dialogue, offered)]
    table = ibis.memtable(to_arrow(TABLES["interactions"], rows))
    over = ibis.literal(START + timedelta(days=30))
    tables = Tables(reports=table, interactions=table, whole_interactions=table, as_of=over)
    engine = ibis.duckdb.connect()
    engine.con.execute("SET TimeZone = 'UTC'")
    candidates = engine.to_pyarrow(PREDICTED_COMPLETION.candidates(tables))
    found = pa.Table.from_batches([PREDICTED_COMPLETION.find(batch) for batch in candidates.to_batches()], FINDINGS)
    by_name = {row["target_id"]: row for row in found.to_pylist(maps_as_pydicts="strict")}
    known = [by_name[dialogue.name] for dialogue in dialogues]
    names = ("characters", "answers", "declined", "turns", "calls", "repeated", "failed", "broken")
    return Predicted(
        value=numpy.array([row["value"] for row in known]),
        counts={name: numpy.array([int(row["evidence"][name]) for row in known]) for name in names},
    )


def _tools_of(dialogues: list[Dialogue]) -> str:
    """The parameters of a request that offers every tool that any of these dialogues called, as every request of theirs did."""
    calls = [call for one in dialogues for message in one.messages for call in message.get("tool_calls") or []]
    return encode_json(
        {"tools": [{"type": "function", "name": name} for name in sorted({call["function"]["name"] for call in calls})]}
    )
