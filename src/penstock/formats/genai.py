"""The OTel GenAI convention, newest form, as the columns of an Inference; what earlier forms named otherwise is read too.

Detected by which attributes are there, never by schema URL. Penstock's own attributes (`penstock.*`) are read alike.
Each attribute is looked at once: this stands in the way of every acknowledgement.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from penstock.formats.message_text import encode_json, read_messages, read_parts
from penstock.records.interaction import Exposure
from penstock.records.span import SpanKind

NEWEST, LEGACY, NONE = "genai", "genai-legacy", "none"

KINDS = {
    "chat": SpanKind.INFERENCE,
    "generate_content": SpanKind.INFERENCE,
    "text_completion": SpanKind.INFERENCE,
    "embeddings": SpanKind.EMBEDDING,
    "retrieval": SpanKind.RETRIEVAL,
    "execute_tool": SpanKind.TOOL,
    "create_agent": SpanKind.AGENT,
    "invoke_agent": SpanKind.AGENT,
    "invoke_workflow": SpanKind.AGENT,
    "plan": SpanKind.AGENT,
}
_MOST_LOGPROBS = 100_000


class GenAiSpan(msgspec.Struct, kw_only=True):
    """What one span's attributes say."""

    kind: SpanKind = SpanKind.OTHER
    dialect: str = NONE
    columns: dict[str, Any] = msgspec.field(default_factory=dict)
    rest: dict[str, str] = msgspec.field(default_factory=dict)  # attributes that no column holds, as text
    problems: list[str] = msgspec.field(default_factory=list)


def text_of(value: Any) -> str | None:
    """A value as text; structures as JSON; None where there is nothing."""
    if isinstance(value, str):
        return value or None
    return None if value is None else encode_json(value)


def real_of(value: Any) -> float | None:
    """A finite number, also out of text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _count(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = int(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number < 2**63 else None


def _first_text(value: Any) -> str | None:
    return text_of(value[0] if value else None) if isinstance(value, list) else text_of(value)


def _milliseconds(value: Any) -> float | None:
    seconds = real_of(value)
    return None if seconds is None else seconds * 1000.0


Convert = Callable[[Any], Any]

# column -> attributes in order of precedence; the first that is not empty counts
_COLUMNS: dict[str, tuple[tuple[str, ...], Convert]] = {
    "request_id": (("penstock.request.id",), text_of),
    "response_id": (("gen_ai.response.id",), text_of),
    "session_id": (("gen_ai.conversation.id", "session.id"), text_of),
    "tenant": (("penstock.tenant", "tenant.id"), text_of),
    "operation": (("gen_ai.operation.name",), text_of),
    "provider": (("gen_ai.provider.name", "gen_ai.system"), text_of),
    "request_model": (("gen_ai.request.model",), text_of),
    "response_model": (("gen_ai.response.model",), text_of),
    "model_version": (("openai.response.system_fingerprint", "gen_ai.openai.response.system_fingerprint"), text_of),
    "checkpoint_id": (("penstock.checkpoint.id",), text_of),
    "release_arm": (("penstock.release.arm",), text_of),
    "arm_probability": (("penstock.release.arm_probability",), real_of),
    "prompt_name": (("gen_ai.prompt.name",), text_of),
    "prompt_version": (("gen_ai.prompt.version",), text_of),
    "user_id": (("user.id", "enduser.id", "enduser.pseudo.id", "gen_ai.request.user", "gen_ai.openai.request.user"), text_of),
    "segment": (("penstock.segment",), text_of),
    "first_token_ms": (("gen_ai.response.time_to_first_chunk",), _milliseconds),
    "retrieved_documents": (("gen_ai.retrieval.documents",), text_of),
    "finish_reason": (("gen_ai.response.finish_reasons",), _first_text),
    "error_type": (("error.type",), text_of),
    "input_tokens": (("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"), _count),
    "output_tokens": (("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"), _count),
    "cached_tokens": (("gen_ai.usage.cache_read.input_tokens",), _count),
    "reasoning_tokens": (("gen_ai.usage.reasoning.output_tokens",), _count),
    "cost": (("penstock.cost",), real_of),
}
# attribute -> its column, how it is read, and whether an attribute of higher precedence may be there
_ATTRIBUTES: dict[str, tuple[str, Convert, bool]] = {
    name: (column, convert, position > 0) for column, (names, convert) in _COLUMNS.items() for position, name in enumerate(names)
}
_CONTENT = frozenset({"gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions"})
_PARAMETER_PREFIX = "gen_ai.request."
_KEY_PREFIX, _TAG_PREFIX = "penstock.key.", "penstock.tag."


def read_genai(attributes: Mapping[str, Any]) -> GenAiSpan:
    """The columns, kind and dialect of a span with these attributes (plain Python values)."""
    read = GenAiSpan()
    columns = read.columns
    parameters: dict[str, Any] = {}
    fallbacks: list[str] = []
    for name, value in attributes.items():
        known = _ATTRIBUTES.get(name)
        if known is not None:
            column, convert, is_fallback = known
            if is_fallback:
                fallbacks.append(name)
            elif (converted := convert(value)) is not None:
                columns[column] = converted
        elif name.startswith(_PARAMETER_PREFIX):
            parameters[name[len(_PARAMETER_PREFIX) :]] = value
        elif name not in _CONTENT:
            _read_other(read, name, value)
    if fallbacks:
        _read_fallbacks(columns, fallbacks, attributes)
    if parameters:
        columns["parameters"] = encode_json(parameters)
    _read_content(attributes, columns)
    read.kind = KINDS.get(columns.get("operation", ""), SpanKind.OTHER)
    read.dialect = _detect(attributes)
    return read


def _detect(attributes: Mapping[str, Any]) -> str:
    if "gen_ai.provider.name" in attributes:
        return NEWEST
    if "gen_ai.system" in attributes:
        return LEGACY
    return NEWEST if any(name.startswith("gen_ai.") for name in attributes) else NONE


def _read_fallbacks(columns: dict[str, Any], names: list[str], attributes: Mapping[str, Any]) -> None:
    """Names of lower precedence, in their own order, count where those before said nothing."""
    for column in dict.fromkeys(_ATTRIBUTES[name][0] for name in names):
        ordered, convert = _COLUMNS[column]
        if column not in columns:
            converted = (convert(attributes[name]) for name in ordered if name in attributes)
            found = next((value for value in converted if value is not None), None)
            if found is not None:
                columns[column] = found


def _read_other(read: GenAiSpan, name: str, value: Any) -> None:
    if name.startswith("penstock.") and _read_own(read, name, value):
        return
    read.rest[name] = value if isinstance(value, str) else encode_json(value)


def _read_own(read: GenAiSpan, name: str, value: Any) -> bool:
    """Penstock's own attributes that are no plain column; tells whether it was one."""
    for prefix, column in ((_KEY_PREFIX, "keys"), (_TAG_PREFIX, "tags")):
        if name.startswith(prefix):
            text = text_of(value)
            if text is not None:
                read.columns.setdefault(column, {})[name[len(prefix) :]] = text
            return True
    if name == "penstock.exposure":
        _read_exposure(value, read)
        return True
    if name == "penstock.token_logprobs":
        return _read_logprobs(value, read)
    return False


def _read_content(attributes: Mapping[str, Any], columns: dict[str, Any]) -> None:
    """Messages as JSON text, with the last user text, the answer and the tool calls that they hold."""
    inputs = read_messages(attributes.get("gen_ai.input.messages"), "user")
    outputs = read_messages(attributes.get("gen_ai.output.messages"), "assistant")
    instructions = read_parts(attributes.get("gen_ai.system_instructions"))
    if inputs is not None:
        columns["input_messages"], columns["prompt_text"] = inputs.text, inputs.prompt
    if outputs is not None:
        columns["output_messages"], columns["response_text"] = outputs.text, outputs.response
        columns["tool_calls"] = outputs.tool_calls
    if instructions is not None:
        columns["system_instructions"] = instructions
    columns["content_present"] = inputs is not None or outputs is not None


def _read_exposure(value: Any, read: GenAiSpan) -> None:
    if value in set(Exposure):
        read.columns["exposure"] = str(value)
        return
    # An unknown word is no reason to count what may be our own traffic as the users'.
    read.columns["exposure"] = str(Exposure.SIMULATED)
    read.problems.append(f"penstock.exposure {value!r} is none of {', '.join(Exposure)}; taken as simulated")


def _read_logprobs(value: Any, read: GenAiSpan) -> bool:
    """What is no list of numbers is kept as it came, as every attribute that no column can hold."""
    numbers = [real_of(item) for item in value] if isinstance(value, list) and len(value) <= _MOST_LOGPROBS else [None]
    if None in numbers:
        read.problems.append("penstock.token_logprobs is no list of numbers")
        return False
    read.columns["token_logprobs"] = numbers
    return True
