"""A lake with labelled interactions."""

from typing import Any

import msgspec

from penstock.labels.run import run_labels
from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock
from penstock.records.interaction import Interaction
from penstock.registry.registry import Registry
from penstock.settings import RewardSettings
from tests.rows import make_interaction, make_signal


def answered(number: int, **fields: Any) -> Interaction:
    """An interaction with content, of one of ten users."""
    messages = [{"role": "user", "parts": [{"type": "text", "content": f"prompt {number}"}]}]
    given: dict[str, Any] = {
        "input_messages": msgspec.json.encode(messages).decode(), "prompt_text": f"prompt {number}",
        "response_text": f"answer {number}", "content_present": True, "user_id": f"u_{number % 10}", "application": "editor",
        "checkpoint_id": "c_1", "request_id": f"q{number}", "token_logprobs": [-0.5],
    }  # fmt: skip
    return make_interaction(number, **{**given, **fields})


def fill(lake: Lake, registry: Registry, clock: WriterClock, count: int = 30, **fields: Any) -> list[Interaction]:
    """So many interactions, every third of them accepted, all others rejected."""
    rows = [answered(number, **fields) for number in range(count)]
    lake.append("interactions", rows)
    lake.append("signals", [make_signal("acceptance", row, float(number % 3 == 0)) for number, row in enumerate(rows)])
    run_labels(lake, registry, RewardSettings(), clock)
    return rows
