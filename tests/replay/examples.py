"""A small log and its mapping, in the formats that a replay reads."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from penstock.replay.mapping import RowMapping, parse_mapping

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MAPPING = """
[source]
name = "help-desk"

[interaction]
started_at = { column = "at", parse = "iso" }
input_messages = { column = "question" }
output = { column = "answer" }
user = { column = "who" }
model = "gpt-4o"

[[feedback]]
name = "rating"
when = { column = "thumb" }
value = { column = "thumb", map = { up = 1, down = -1 } }
"""


def small_mapping(text: str = MAPPING) -> RowMapping:
    return parse_mapping(text, "mapping.toml")


def small_rows(count: int = 3) -> list[dict[str, Any]]:
    return [
        {
            "at": f"2024-03-01T10:{number // 60 % 60:02d}:{number % 60:02d}Z",
            "question": f"How do I reset device {number}?",
            "answer": f"Hold the button for {number} seconds.",
            "who": f"user-{number % 7}",
            "thumb": "up" if number % 2 else "",
        }
        for number in range(count)
    ]


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
