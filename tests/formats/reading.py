"""What a span says, together with what is read of its messages once it is settled."""

from typing import Any

from penstock.formats import dialects
from penstock.formats.genai import GenAiSpan
from penstock.formats.message_readings import read_prompt, read_response


def read_span(attributes: dict[str, Any], name: str, started_ns: int) -> GenAiSpan:
    """As `dialects.read_span`, with the prompt, the answer and the tool calls among the columns."""
    read = dialects.read_span(attributes, name, started_ns)
    columns = read.columns
    response, calls = read_response(columns.get("output_messages"))
    found = {"prompt_text": read_prompt(columns.get("input_messages")), "response_text": response, "tool_calls": calls}
    columns.update({column: value for column, value in found.items() if value is not None})
    return read
