"""The plain case of settling, column by column: an inference span that is all there is of its trace is its interaction already.

Most spans of most applications are so, and going through records would cost them ten times as much. The result is what
`build_interactions` makes of the same spans; a test holds the two against each other.
"""

from datetime import datetime
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from penstock.formats.message_readings import read_prompt, read_response
from penstock.ingest.interactions import Price, no_price
from penstock.records.interaction import Interaction
from penstock.records.span import SpanKind

_ROWS_AT_ONCE = 1024  # of which texts are read: their memory is used again for the next, which costs less than new memory
_COLUMNS = tuple(field.name for field in msgspec.structs.fields(Interaction))


def find_plain(spans: pa.Table) -> Any:
    """A mask of the spans that are inferences and the only row of their trace, where the traces are whole."""
    counts: Any = pc.value_counts(spans.column("trace_id"))
    once = counts.field("values").filter(pc.equal(counts.field("counts"), pa.scalar(1)))
    is_alone = pc.is_in(spans.column("trace_id"), once)
    is_inference = pc.equal(spans.column("kind"), pa.scalar(str(SpanKind.INFERENCE)))
    nothing = pa.scalar("")
    has_ids = pc.and_(pc.not_equal(spans.column("trace_id"), nothing), pc.not_equal(spans.column("span_id"), nothing))
    return pc.and_(pc.and_(is_alone, is_inference), has_ids)


def plain_interactions(spans: pa.Table, known_at: datetime, price: Price = no_price) -> pa.Table:
    """The interactions of such spans, in their order."""
    rows = spans.num_rows
    prompts, responses, calls = _read_texts(spans)
    made: dict[str, Any] = {
        "interaction_id": spans.column("span_key"),
        # An interaction without a session belongs to its trace; session_id == trace_id tells that it was so.
        "session_id": pc.coalesce(spans.column("session_id"), spans.column("trace_id")),
        "known_at": pa.repeat(pa.scalar(known_at, pa.timestamp("us", "UTC")), rows),
        "revision": pa.repeat(pa.scalar(0, pa.int64()), rows),
        "turn_index": pa.nulls(rows, pa.int64()),
        "merged_into": pa.nulls(rows, pa.string()),
        "prompt_text": _filled(spans.column("prompt_text"), prompts),
        "response_text": _filled(spans.column("response_text"), responses),
        "tool_calls": _filled(spans.column("tool_calls"), calls),
        "cost": _filled(spans.column("cost"), _costs(spans, price)),
    }
    columns: list[Any] = [made[name] if name in made else spans.column(name) for name in _COLUMNS]
    return pa.table(columns, names=list(_COLUMNS))


def _filled(column: Any, others: Any) -> Any:
    """The column with the other values where it has none; where it has none at all no text is copied."""
    return others if column.null_count == len(column) else pc.coalesce(column, others)


def _costs(spans: pa.Table, price: Price) -> Any:
    """What each call cost by the table of prices."""
    names = ("request_model", "response_model", "input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens")
    calls = zip(*(spans.column(name).to_pylist() for name in names), strict=True)
    return pa.array([price(dict(zip(names, call, strict=True))) for call in calls], pa.float64())


def _read_texts(spans: pa.Table) -> list[Any]:
    """Last user texts, answers and tool calls, read from the messages."""
    messages = spans.select(["input_messages", "output_messages"])
    parts = [_read_some(messages.slice(first, _ROWS_AT_ONCE)) for first in range(0, messages.num_rows, _ROWS_AT_ONCE)]
    return [pa.chunked_array(column, pa.string()) for column in zip(*parts, strict=True)] or [pa.nulls(0, pa.string())] * 3


def _read_some(messages: pa.Table) -> list[Any]:
    prompts = [read_prompt(text) for text in messages.column(0).to_pylist()]
    answers = [read_response(text) for text in messages.column(1).to_pylist()]
    columns = (prompts, [text for text, _ in answers], [calls for _, calls in answers])
    return [pa.array(values, pa.string()) for values in columns]
