"""What the recorded bodies of one producer become: its interactions and reports, and what each span was taken for.

`python -m tests.golden.records` writes them anew; read every difference before it is committed.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from penstock.formats.otlp import Encoding, parse_logs, parse_traces
from penstock.ingest.decode import Decoded, decode_logs, decode_traces
from penstock.ingest.interactions import build_interactions
from penstock.records.interaction import Interaction

OTLP = Path(__file__).parent / "otlp"
ARRIVAL = datetime(2026, 12, 1, tzinfo=UTC)
PRODUCERS = sorted(folder.name for folder in OTLP.iterdir() if folder.is_dir())

_JSON_COLUMNS = (
    "input_messages", "output_messages", "system_instructions", "tool_calls", "retrieved_documents", "parameters",
)  # fmt: skip
_LEFT_OUT = ("interaction_id", "known_at", "started_at", "ended_at", "trace_id", "revision")


def read_producer(producer: str) -> dict[str, Any]:
    """Everything in one folder, as it is compared with its expected.json."""
    decoded = {body.name: decode_body(body) for body in bodies(producer)}
    return {
        "interactions": [canonical(interaction) for interaction in interactions_of(producer)],
        "feedback": [_reported(report) for found in decoded.values() for report in found.feedback],
        "rejected": sum(found.rejected for found in decoded.values()),
        "spans": {
            name: [f"{span.kind} | {span.dialect} | {span.name}" for span in found.spans] for name, found in decoded.items()
        },
    }


def bodies(producer: str) -> list[Path]:
    """The recorded bodies of one producer."""
    return [body for body in sorted((OTLP / producer).iterdir()) if body.name != "expected.json"]


def interactions_of(producer: str, scenario: str = "") -> list[Interaction]:
    """The interactions of all bodies of a producer together; of one scenario, its traces with all logs."""
    spans = [
        span for body in bodies(producer) if scenario in body.name or "_logs" in body.name for span in decode_body(body).spans
    ]
    return build_interactions(spans, ARRIVAL)


def decode_body(body: Path) -> Decoded:
    """One recorded body, decoded as the edge does it."""
    encoding = Encoding.JSON if body.suffix == ".json" else Encoding.PROTOBUF
    if "_logs" in body.name:
        return decode_logs(parse_logs(body.read_bytes(), encoding), ARRIVAL)
    return decode_traces(parse_traces(body.read_bytes(), encoding), ARRIVAL)


def canonical(interaction: Interaction) -> dict[str, Any]:
    """An interaction without what is empty or the default, its JSON columns unfolded."""
    defaults = {field.name: field.default for field in msgspec.structs.fields(Interaction)}
    found = {
        name: value
        for name, value in msgspec.to_builtins(interaction).items()
        if name not in _LEFT_OUT and value not in (None, {}, []) and value != defaults.get(name)
    }
    for name in _JSON_COLUMNS:
        if name in found:
            found[name] = _without_nulls(json.loads(found[name]))
    return found


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _reported(report: Any) -> dict[str, Any]:
    names = ("target_kind", "target_id", "name", "value", "text", "source", "metadata")
    return {name: getattr(report, name) for name in names}


if __name__ == "__main__":
    for producer in PRODUCERS:
        text = json.dumps(read_producer(producer), indent=1, ensure_ascii=False, sort_keys=True)
        (OTLP / producer / "expected.json").write_text(text + "\n")
