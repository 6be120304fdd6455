"""What the scenarios of the recordings were, told by hand, and what a producer is documented to lack.

Every producer called the same canned model. Those that one program drove sent the same words as well, so that their records
must be the same column by column; the others are held to what the model answered.
"""

import json
import re
from pathlib import Path
from typing import Any

from tests.golden.records import canonical, interactions_of

REFERENCE = "genai_openai-1.3b0_span_and_event"
SAME_WORDS = (
    "genai_openai-1.3b0_no_content",
    "openai_v2-2.1b0_legacy_events",
    "openai_v2-2.4b0_default_legacy",
    "openai_v2-2.4b0_latest_span_and_event",
    "openinference_openai-0.1.66_gzip",
    "traceloop_openai-0.40.14_legacy",
    "traceloop_openai-0.62.4",
)
SCENARIOS = ("01_chat", "03_tools", "04_multi_turn", "07_error500")

_MODEL = {
    "operation": "chat", "provider": "openai", "request_model": "gpt-4o-mini", "response_model": "gpt-4o-mini-2024-07-18",
    "response_id": "chatcmpl-N", "model_version": "fp_44709d6fcb", "output_tokens": 11, "cached_tokens": 4,
    "reasoning_tokens": 2, "content_present": True,
}  # fmt: skip
GREETED = {
    **_MODEL, "response_text": "Hello! Your refund (turn 1) is on its way.", "finish_reason": "stop", "input_tokens": 30,
}  # fmt: skip
STREAMED = {**GREETED, "response_text": "Hello! Your refund (turn 1) is on its way. ", "input_tokens": 25}
CALLED = {**_MODEL, "finish_reason": "tool_call"}
TOLD = {**_MODEL, "response_text": "Order A-1001 shipped yesterday.", "finish_reason": "stop"}
FAILED = {"operation": "chat", "provider": "openai", "request_model": "err-500", "content_present": True}

# The words that stand for an interaction -> what the model did.
ANSWERS: dict[str, dict[str, dict[str, Any]]] = {
    "pydantic_ai-2.68.0_v5": {
        "01_chat": {"Where is my refund?": GREETED},
        "03_tools": {"Status of A-1001?": CALLED, "Status of A-1001? (2)": TOLD},
        "04_stream": {"Stream me": {**STREAMED, "input_tokens": 30}},
        "05_error500": {"": FAILED},
    },
    "vercel_ai-7.0.173_genai_json": {
        "01_chat": {"Where is my refund?": GREETED},
        "03_tools": {"Status of A-1001?": CALLED, "Status of A-1001? (2)": TOLD},
        "05_error500": {"fail": FAILED},
    },
    "vercel_ai-7.0.173_legacy_json_gzip": {
        "01_chat": {"Where is my refund?": GREETED},
        "03_tools": {"Status of A-1001?": CALLED, "Status of A-1001? (2)": TOLD},
        "05_error500": {"fail": FAILED},
    },
    "langfuse-5.0.4": {"01": {"Where is my refund?": GREETED, "Stream me": STREAMED, "fail": FAILED}},
    "langsmith_otel-0.15.0": {
        "01": {"How long do refunds take?": GREETED, "Status of A-1001?": CALLED, "Stream me": STREAMED, "fail": FAILED}
    },
    "mlflow_tracing-3.17.2": {"01": {"Where is my refund?": CALLED, "fail": FAILED}},
    "openinference_langchain-0.1.80": {
        "01_rag_chain": {"How long do refunds take?": GREETED},
        "03_stream": {"Stream me": STREAMED},
        "04_error500": {"fail": FAILED},
    },
}


def in_order(producer: str, scenario: str) -> list[dict[str, Any]]:
    """The records of one scenario as they began, without what differs from call to call."""
    interactions = sorted(interactions_of(producer, scenario), key=lambda interaction: interaction.started_at)
    return [_comparable(canonical(interaction)) for interaction in interactions]


def by_words(producer: str, scenario: str) -> dict[str, dict[str, Any]]:
    """The records of one scenario by the user's words; a later call about the same words has its number behind them."""
    found: dict[str, dict[str, Any]] = {}
    for record in in_order(producer, scenario):
        words = record.get("prompt_text", "")
        found[words if words not in found else f"{words} ({len(found) + 1})"] = record
    return found


def documented_gaps() -> dict[str, set[str]]:
    """Columns by recording, out of the table in docs/dialects.md."""
    page = (Path(__file__).parent.parent.parent / "docs" / "dialects.md").read_text()
    table = page.partition("## Gaps")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in table.splitlines() if line.startswith("| `")]
    return {row[0].strip("`"): set(re.findall(r"`(\w+)`", row[1])) for row in rows}


def _comparable(record: dict[str, Any]) -> dict[str, Any]:
    """Ids that the canned model counted up are only there or not."""
    kept = {name: value for name, value in record.items() if name not in ("span_id", "dialect")}
    text = re.sub(r"\b(call|chatcmpl)[_-]\w+", r"\1-N", json.dumps(kept))
    found: dict[str, Any] = json.loads(text)
    return found
