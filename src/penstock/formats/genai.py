"""The OTel GenAI convention, newest form, as the columns of an Inference; what earlier forms named otherwise is read too.

Detected by which attributes are there, never by schema URL. Penstock's own attributes (`penstock.*`) are read alike.
"""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from penstock.formats.messages import prompt_text, response_text, tool_calls
from penstock.records.interaction import Exposure
from penstock.records.span import SpanKind

NEWEST, LEGACY, NONE = "genai", "genai-legacy", "none"

_KINDS = {
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


class GenAiSpan(msgspec.Struct, frozen=True, kw_only=True):
    """What one span's attributes say."""

    kind: SpanKind
    dialect: str
    columns: dict[str, Any]
    rest: dict[str, str]  # attributes that no column holds, as text
    problems: list[str]


def _text(value: Any) -> str | None:
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else _json(value)


def _count(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = int(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number < 2**63 else None


def _real(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _first_text(value: Any) -> str | None:
    return _text(value[0]) if isinstance(value, list) and value else None if isinstance(value, list) else _text(value)


def _milliseconds(value: Any) -> float | None:
    seconds = _real(value)
    return None if seconds is None else seconds * 1000.0


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _json_text(value: Any) -> str | None:
    """Structured values as JSON; a string is taken as JSON already."""
    return None if value in (None, "", [], {}) else value if isinstance(value, str) else _json(value)


Convert = Callable[[Any], Any]

# column -> attributes in order of precedence; the first that is not empty counts
_COLUMNS: dict[str, tuple[tuple[str, ...], Convert]] = {
    "request_id": (("penstock.request.id",), _text),
    "response_id": (("gen_ai.response.id",), _text),
    "session_id": (("gen_ai.conversation.id", "session.id"), _text),
    "tenant": (("penstock.tenant", "tenant.id"), _text),
    "operation": (("gen_ai.operation.name",), _text),
    "provider": (("gen_ai.provider.name", "gen_ai.system"), _text),
    "request_model": (("gen_ai.request.model",), _text),
    "response_model": (("gen_ai.response.model",), _text),
    "model_version": (("openai.response.system_fingerprint", "gen_ai.openai.response.system_fingerprint"), _text),
    "checkpoint_id": (("penstock.checkpoint.id",), _text),
    "release_arm": (("penstock.release.arm",), _text),
    "arm_probability": (("penstock.release.arm_probability",), _real),
    "prompt_name": (("gen_ai.prompt.name",), _text),
    "prompt_version": (("gen_ai.prompt.version",), _text),
    "user_id": (("user.id", "enduser.id", "enduser.pseudo.id"), _text),
    "segment": (("penstock.segment",), _text),
    "first_token_ms": (("gen_ai.response.time_to_first_chunk",), _milliseconds),
    "retrieved_documents": (("gen_ai.retrieval.documents",), _json_text),
    "finish_reason": (("gen_ai.response.finish_reasons",), _first_text),
    "error_type": (("error.type",), _text),
    "input_tokens": (("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"), _count),
    "output_tokens": (("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"), _count),
    "cached_tokens": (("gen_ai.usage.cache_read.input_tokens",), _count),
    "reasoning_tokens": (("gen_ai.usage.reasoning.output_tokens",), _count),
}
_EMBEDDED = {
    "gen_ai.input.messages": "input_messages",
    "gen_ai.output.messages": "output_messages",
    "gen_ai.system_instructions": "system_instructions",
}
_PARAMETER_PREFIX = "gen_ai.request."
_PREFIXES = {"penstock.key.": "keys", "penstock.tag.": "tags"}
_CONSUMED = frozenset(name for names, _ in _COLUMNS.values() for name in names) | {
    *_EMBEDDED,
    "penstock.exposure",
    "penstock.token_logprobs",
}


def read_genai(attributes: Mapping[str, Any]) -> GenAiSpan:
    """The columns, kind and dialect of a span with these attributes (plain Python values)."""
    problems: list[str] = []
    columns: dict[str, Any] = {}
    for column, (names, convert) in _COLUMNS.items():
        value = _first_of(attributes, names, convert)
        if value is not None:
            columns[column] = value
    columns |= _read_prefixed(attributes)
    columns |= _read_content(attributes)
    _read_exposure(attributes, columns, problems)
    _read_logprobs(attributes, columns, problems)
    operation = attributes.get("gen_ai.operation.name")
    return GenAiSpan(
        kind=_KINDS.get(operation, SpanKind.OTHER) if isinstance(operation, str) else SpanKind.OTHER,
        dialect=_detect(attributes),
        columns=columns,
        rest=_rest(attributes),
        problems=problems,
    )


def _detect(attributes: Mapping[str, Any]) -> str:
    if "gen_ai.provider.name" in attributes:
        return NEWEST
    if "gen_ai.system" in attributes:
        return LEGACY
    return NEWEST if any(name.startswith("gen_ai.") for name in attributes) else NONE


def _first_of(attributes: Mapping[str, Any], names: tuple[str, ...], convert: Convert) -> Any:
    for name in names:
        if name in attributes:
            value = convert(attributes[name])
            if value is not None:
                return value
    return None


def _read_prefixed(attributes: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    parameters: dict[str, Any] = {}
    for name, value in attributes.items():
        for prefix, column in _PREFIXES.items():
            text = _text(value) if name.startswith(prefix) else None
            if text is not None:
                found.setdefault(column, {})[name[len(prefix) :]] = text
        if name.startswith(_PARAMETER_PREFIX) and name != "gen_ai.request.model":
            parameters[name[len(_PARAMETER_PREFIX) :]] = value
    if parameters:
        found["parameters"] = _json(parameters)
    return found


def _read_content(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Messages as JSON text, with the last user text, the answer and the tool calls that they hold."""
    found: dict[str, Any] = {}
    parsed: dict[str, list[dict[str, Any]]] = {}
    for name, column in _EMBEDDED.items():
        value = attributes.get(name)
        if value in (None, "", []):
            continue
        messages = _parse_messages(value, "assistant" if column == "output_messages" else "user")
        found[column], parsed[column] = _json(messages), messages
    if parsed.get("input_messages"):
        found["prompt_text"] = prompt_text(parsed["input_messages"])
    outputs = parsed.get("output_messages")
    if outputs:
        found["response_text"] = response_text(outputs[:1])
        calls = tool_calls(outputs[:1])
        found["tool_calls"] = _json(calls) if calls else None
    found["content_present"] = bool(parsed.get("input_messages") or outputs)
    return {name: value for name, value in found.items() if value is not None}


def _parse_messages(value: Any, role: str) -> list[dict[str, Any]]:
    """A JSON string or a structured value as a list of messages or parts; plain text becomes one message."""
    if isinstance(value, str):
        try:
            parsed = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            parsed = value
    else:
        parsed = value
    items = parsed if isinstance(parsed, list) else [parsed]
    if items and all(isinstance(item, Mapping) for item in items):
        return [dict(item) for item in items]
    return [
        {"role": role, "parts": [{"type": "text", "content": item if isinstance(item, str) else _json(item)} for item in items]}
    ]


def _read_exposure(attributes: Mapping[str, Any], columns: dict[str, Any], problems: list[str]) -> None:
    value = attributes.get("penstock.exposure")
    if value is None:
        return
    if value in set(Exposure):
        columns["exposure"] = str(value)
        return
    # An unknown word is no reason to count what may be our own traffic as the users'.
    columns["exposure"] = str(Exposure.SIMULATED)
    problems.append(f"penstock.exposure {value!r} is none of {', '.join(Exposure)}; taken as simulated")


def _read_logprobs(attributes: Mapping[str, Any], columns: dict[str, Any], problems: list[str]) -> None:
    value = attributes.get("penstock.token_logprobs")
    if value is None:
        return
    numbers = [_real(item) for item in value[:_MOST_LOGPROBS]] if isinstance(value, list) else [None]
    if None in numbers:
        problems.append("penstock.token_logprobs is no list of numbers")
    else:
        columns["token_logprobs"] = numbers


def _rest(attributes: Mapping[str, Any]) -> dict[str, str]:
    skipped = (_PARAMETER_PREFIX, *_PREFIXES)
    return {
        name: value if isinstance(value, str) else _json(value)
        for name, value in attributes.items()
        if name not in _CONSUMED and not name.startswith(skipped)
    }
