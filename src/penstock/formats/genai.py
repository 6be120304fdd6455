"""The OTel GenAI convention, newest form, as the columns of an Inference; every other dialect is translated into it first.

Detected by which attributes are there, never by schema URL. Penstock's own attributes (`penstock.*`) are read alike.
Each attribute is looked at once: this stands in the way of every acknowledgement.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from penstock.formats.aliases import (
    ATTRIBUTES,
    COLUMNS,
    FINISH_REASONS,
    OPERATIONS,
    OWN_METADATA,
    PROVIDERS,
    finish_reason,
    metadata_column,
    operation,
    provider,
    real_of,
    text_of,
)
from penstock.formats.json_value import decoded, encode_json
from penstock.formats.message_text import read_messages, read_parts
from penstock.formats.tool_definitions import read_tools
from penstock.records.interaction import Exposure
from penstock.records.span import SpanKind

NEWEST, LEGACY, NONE, UNKNOWN = "genai", "genai-legacy", "none", "unknown"
SERVER_FIRST_TOKEN = "gen_ai.server.time_to_first_token"  # noqa: S105 - a metric's name on a span
_STRANDS = "gen_ai.event.start_time"  # on every span of Strands, which counts milliseconds where all others count seconds
RAW = "penstock.raw."  # before a column's name: what it was before it was normalised

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
_MOST_NUMBERS = 64
# Of attributes that are read into no column: those that only a model call's span has, in whatever dialect.
FOREIGN = ("llm.", "ai.", "lk.", "gcp.vertex.agent.", "langfuse.", "langsmith.", "mlflow.", "openinference.", "genai.")


class GenAiSpan(msgspec.Struct, kw_only=True):
    """What one span's attributes say."""

    kind: SpanKind = SpanKind.OTHER
    dialect: str = NONE
    columns: dict[str, Any] = msgspec.field(default_factory=dict)
    rest: dict[str, str] = msgspec.field(default_factory=dict)  # attributes that no column holds, as text
    problems: list[str] = msgspec.field(default_factory=list)


NORMALISED = (
    ("operation", operation, OPERATIONS),
    ("provider", provider, PROVIDERS),
    ("finish_reason", finish_reason, FINISH_REASONS),
)
PLAIN = frozenset({"server.address", "server.port", "openai.response.service_tier"})  # on most spans, and of no further meaning
CONTENT = frozenset({"gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions"})
TOOLS = "gen_ai.tool.definitions"
PARAMETER_PREFIX = "gen_ai.request."
LEGACY_PARAMETER_PREFIX = "gen_ai.openai.request."
_LEGACY_TIER = "gen_ai.openai.request.service_tier"  # which was the answer's under a wrong name
KEY_PREFIX, TAG_PREFIX = "penstock.key.", "penstock.tag."
KEY_ENDINGS = ("_id", ".id", "-id", "Id", "ID")
METADATA_PREFIXES = (
    "metadata.",
    "baggage.",
    "traceloop.association.properties.",
    "langfuse.trace.metadata.",
    "langfuse.observation.metadata.",
    "langsmith.metadata.",
    "ai.telemetry.metadata.",
)


def read_genai(attributes: Mapping[str, Any]) -> GenAiSpan:
    """The columns, kind and dialect of a span with these attributes (plain Python values)."""
    read = GenAiSpan()
    columns = read.columns
    parameters: dict[str, Any] = {}
    fallbacks: list[str] = []
    others: list[str] = []
    look_up = ATTRIBUTES.get
    for name, value in attributes.items():
        known = look_up(name)
        if known is not None:
            column, convert, is_fallback = known
            if is_fallback:
                fallbacks.append(name)
            elif (converted := convert(value)) is not None:
                columns[column] = converted
        elif name.startswith(PARAMETER_PREFIX):
            parameters[name[len(PARAMETER_PREFIX) :]] = value
        elif name not in CONTENT:
            others.append(name)
    if fallbacks:
        _read_fallbacks(columns, fallbacks, attributes)
    for name in others:
        _read_other(read, name, attributes[name], parameters)
    if parameters:
        columns["parameters"] = encode_json(parameters)
    if SERVER_FIRST_TOKEN in attributes:
        _read_server_first_token(attributes, read)
    _read_content(attributes, columns)
    normalise(read)
    read.kind = KINDS.get(columns.get("operation", ""), SpanKind.OTHER)
    read.dialect = _detect(attributes)
    return read


def _detect(attributes: Mapping[str, Any]) -> str:
    if "gen_ai.provider.name" in attributes:
        return NEWEST
    if "gen_ai.system" in attributes:
        return LEGACY
    if any(name.startswith("gen_ai.") for name in attributes):
        return NEWEST
    return UNKNOWN if any(name.startswith(FOREIGN) for name in attributes) else NONE


def normalise(read: GenAiSpan) -> None:
    """Spellings that differ between producers; what changes is kept as it was."""
    columns = read.columns
    for column, normal, plain in NORMALISED:
        raw = columns.get(column)
        if raw is not None and raw not in plain and (named := normal(raw)) != raw:
            columns[column], read.rest[RAW + column] = named, raw


def _read_fallbacks(columns: dict[str, Any], names: list[str], attributes: Mapping[str, Any]) -> None:
    """Names of lower precedence, in their own order, count where those before said nothing."""
    for column in dict.fromkeys(ATTRIBUTES[name][0] for name in names):
        ordered, convert = COLUMNS[column]
        if column not in columns:
            converted = (convert(attributes[name]) for name in ordered if name in attributes)
            found = next((value for value in converted if value is not None), None)
            if found is not None:
                columns[column] = found


def _read_other(read: GenAiSpan, name: str, value: Any, parameters: dict[str, Any]) -> None:
    if name in PLAIN:
        read.rest[name] = value if isinstance(value, str) else encode_json(value)
        return
    if name.startswith("penstock.") and _read_own(read, name, value):
        return
    if name.startswith(METADATA_PREFIXES):
        _read_metadata(read, name, value)
    elif name == TOOLS:
        if (tools := read_tools(value)) is not None:
            parameters["tools"] = tools
        else:
            read.rest[name] = text_of(value) or ""
    elif name.startswith(LEGACY_PARAMETER_PREFIX) and name != _LEGACY_TIER:
        parameters.setdefault(name[len(LEGACY_PARAMETER_PREFIX) :], value)
    elif name.endswith(KEY_ENDINGS) and "." not in name:
        _read_entry(read, name, name, value)  # baggage that was copied to spans
    else:
        read.rest[name] = value if isinstance(value, str) else _capped(value)


def _capped(value: Any) -> str:
    """A value as JSON; of a vector, which says nothing to anyone here, only its length."""
    if isinstance(value, list) and len(value) > _MOST_NUMBERS and isinstance(value[0], int | float):
        return f"[VECTOR {len(value)}]"
    return encode_json(value)


def _read_metadata(read: GenAiSpan, full_name: str, value: Any) -> None:
    """An entry of free metadata or baggage."""
    prefix = next(prefix for prefix in METADATA_PREFIXES if full_name.startswith(prefix))
    name, value = full_name[len(prefix) :], decoded(value)
    known = ATTRIBUTES.get(name)
    if known is not None:
        if (converted := known[1](value)) is not None:
            read.columns.setdefault(known[0], converted)
    elif not (name.startswith("penstock.") and _read_own(read, name, value)):
        _read_entry(read, full_name, name, value)


def _read_entry(read: GenAiSpan, full_name: str, name: str, value: Any) -> None:
    """A column where the name means one, a business key where it ends in id, else a tag; what is no single value stays aside."""
    text = None if isinstance(value, list | dict) else text_of(value)
    if text is None or name.startswith(OWN_METADATA):
        read.rest[full_name] = text_of(value) or ""
        return
    column = metadata_column(name)
    if column is not None:
        read.columns.setdefault(column, text)
    else:
        is_key = name.endswith(KEY_ENDINGS) or name.lower() == "id"
        read.columns.setdefault("keys" if is_key else "tags", {}).setdefault(name, text)


def _read_own(read: GenAiSpan, name: str, value: Any) -> bool:
    """Penstock's own attributes that are no plain column; tells whether it was one."""
    for prefix, column in ((KEY_PREFIX, "keys"), (TAG_PREFIX, "tags")):
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
    """Messages as JSON text; what people read of them is read when the span is settled."""
    inputs = read_messages(attributes.get("gen_ai.input.messages"), "user")
    outputs = read_messages(attributes.get("gen_ai.output.messages"), "assistant")
    instructions = read_parts(attributes.get("gen_ai.system_instructions"))
    if inputs is not None:
        columns["input_messages"] = inputs.text
        instructions = instructions or inputs.instructions
    if outputs is not None:
        columns["output_messages"] = outputs.text
    if instructions is not None:
        columns["system_instructions"] = instructions
    columns["content_present"] = inputs is not None or outputs is not None


def _read_server_first_token(attributes: Mapping[str, Any], read: GenAiSpan) -> None:
    """Where the client's own measure is missing, and where it is a number."""
    waited = real_of(attributes[SERVER_FIRST_TOKEN])
    if waited is not None and "first_token_ms" not in read.columns:
        read.columns["first_token_ms"] = waited if _STRANDS in attributes else waited * 1000.0
        del read.rest[SERVER_FIRST_TOKEN]


def _read_exposure(value: Any, read: GenAiSpan) -> None:
    if isinstance(value, str) and value in set(Exposure):
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
