"""What one thing is called by many: the one table that says which attribute, finish reason, provider, parameter and usage name
means what. Translators only untangle structure; every name that means a column stands here, newest convention first.
"""

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from penstock.formats.json_value import decoded, encode_json

Convert = Callable[[Any], Any]


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


def count_of(value: Any) -> int | None:
    """A number of things, also out of text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = int(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number < 2**63 else None


def first_text(value: Any) -> str | None:
    """The first of several, also where the list was put down as JSON."""
    if isinstance(value, str) and value[:1] == "[":
        value = decoded(value)
    return text_of(value[0] if value else None) if isinstance(value, list) else text_of(value)


def milliseconds(value: Any) -> float | None:
    """Seconds as milliseconds."""
    seconds = real_of(value)
    return None if seconds is None else seconds * 1000.0


# column -> attributes in order of precedence; the first that is not empty counts
COLUMNS: dict[str, tuple[tuple[str, ...], Convert]] = {
    "request_id": (("penstock.request.id",), text_of),
    "response_id": (("gen_ai.response.id", "ai.response.id"), text_of),
    "session_id": (
        (
            "gen_ai.conversation.id", "session.id", "langfuse.session.id", "mlflow.trace.session", "conversation.id",
            "session_id", "sessionId", "conversation_id", "thread_id",
        ),
        text_of,
    ),
    "tenant": (("penstock.tenant", "tenant.id", "tenant_id", "tenant"), text_of),
    "operation": (("gen_ai.operation.name",), text_of),
    "provider": (
        ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "ai.model.provider", "mlflow.llm.provider"),
        text_of,
    ),
    "request_model": (("gen_ai.request.model", "llm.request.model_name", "embedding.model_name", "ai.model.id"), text_of),
    "response_model": (
        ("gen_ai.response.model", "llm.response.model_name", "ai.response.model", "mlflow.llm.model"),
        text_of,
    ),
    "model_version": (
        (
            "openai.response.system_fingerprint", "gen_ai.openai.response.system_fingerprint",
            "gen_ai.openai.system_fingerprint", "gen_ai.response.system_fingerprint",
        ),
        text_of,
    ),
    "checkpoint_id": (("penstock.checkpoint.id",), text_of),
    "release_arm": (("penstock.release.arm",), text_of),
    "arm_probability": (("penstock.release.arm_probability",), real_of),
    "prompt_name": (
        ("gen_ai.prompt.name", "prompt.id", "langfuse.observation.prompt.name", "traceloop.prompt.key"), text_of
    ),
    "prompt_version": (
        (
            "gen_ai.prompt.version", "llm.prompt_template.version", "langfuse.observation.prompt.version",
            "traceloop.prompt.version", "traceloop.prompt.version_name", "traceloop.prompt.version_hash",
        ),
        text_of,
    ),
    "user_id": (
        (
            "user.id", "enduser.id", "enduser.pseudo.id", "langfuse.user.id", "mlflow.trace.user", "gen_ai.request.user",
            "gen_ai.openai.request.user", "gen_ai.user", "llm.user", "user_id", "userId",
        ),
        text_of,
    ),
    "segment": (
        ("penstock.segment", "user.segment", "customer.segment", "user_segment", "userSegment", "segment"), text_of
    ),
    "first_token_ms": (("gen_ai.response.time_to_first_chunk", "gen_ai.client.operation.time_to_first_chunk"), milliseconds),
    "retrieved_documents": (("gen_ai.retrieval.documents",), text_of),
    "finish_reason": (
        (
            "gen_ai.response.finish_reasons", "llm.finish_reason", "ai.response.finishReason", "ai.finishReason",
            "gen_ai.response.finish_reason",
        ),
        first_text,
    ),
    "error_type": (("error.type",), text_of),
    "input_tokens": (
        (
            "gen_ai.usage.input_tokens", "llm.token_count.prompt", "ai.usage.inputTokens", "gen_ai.usage.prompt_tokens",
            "ai.usage.promptTokens", "llm.usage.prompt_tokens", "ai.usage.tokens",
        ),
        count_of,
    ),
    "output_tokens": (
        (
            "gen_ai.usage.output_tokens", "llm.token_count.completion", "ai.usage.outputTokens",
            "gen_ai.usage.completion_tokens", "ai.usage.completionTokens", "llm.usage.completion_tokens",
        ),
        count_of,
    ),
    "cached_tokens": (
        (
            "gen_ai.usage.cache_read.input_tokens", "llm.token_count.prompt_details.cache_read", "ai.usage.cachedInputTokens",
            "ai.usage.inputTokenDetails.cacheReadTokens", "gen_ai.usage.cache_read_input_tokens",
            "gen_ai.usage.details.cache_read_tokens", "gen_ai.usage.details.cached_tokens",
        ),
        count_of,
    ),
    "cache_write_tokens": (
        (
            "gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation.input_tokens",
            "llm.token_count.prompt_details.cache_write", "ai.usage.inputTokenDetails.cacheWriteTokens",
            "gen_ai.usage.cache_write_input_tokens", "gen_ai.usage.cache_creation_input_tokens",
            "gen_ai.usage.details.cache_write_tokens", "gen_ai.usage.details.cache_creation_input_tokens",
        ),
        count_of,
    ),
    "reasoning_tokens": (
        (
            "gen_ai.usage.reasoning.output_tokens", "llm.token_count.completion_details.reasoning", "ai.usage.reasoningTokens",
            "ai.usage.outputTokenDetails.reasoningTokens", "gen_ai.usage.reasoning_tokens",
            "gen_ai.usage.details.reasoning_tokens", "gen_ai.usage.details.thoughts_tokens", "llm.usage.reasoning_tokens",
        ),
        count_of,
    ),
    "cost": (("penstock.cost", "operation.cost", "llm.cost.total", "gen_ai.usage.cost", "gen_ai.cost.total_cost"), real_of),
}  # fmt: skip
# attribute -> its column, how it is read, and whether an attribute of higher precedence may be there
ATTRIBUTES: dict[str, tuple[str, Convert, bool]] = {
    name: (column, convert, position > 0) for column, (names, convert) in COLUMNS.items() for position, name in enumerate(names)
}

# Entries of free metadata and baggage that mean a column; spelled without case, dots, dashes and underscores.
METADATA_COLUMNS = {
    **dict.fromkeys(("sessionid", "conversationid", "threadid", "chatid", "langfusesessionid"), "session_id"),
    **dict.fromkeys(("userid", "enduserid", "user", "langfuseuserid"), "user_id"),
    **dict.fromkeys(("segment", "usersegment", "customersegment"), "segment"),
    **dict.fromkeys(("tenant", "tenantid"), "tenant"),
    **dict.fromkeys(("promptname", "promptid"), "prompt_name"),
    "promptversion": "prompt_version",
}
# What instrumentations write into metadata for themselves.
OWN_METADATA = (
    "ls_", "lc_", "LANGSMITH_", "LANGCHAIN_", "langgraph_", "langfuse_tags", "is_langchain_root", "_", "resourceAttributes",
    "checkpoint_", "revision_id", "run_id", "graph_id", "assistant_id",
)  # fmt: skip

_FINISH_REASONS = {
    **dict.fromkeys(("stop", "end_turn", "stop_sequence", "completed", "complete", "eos", "finish", "finished"), "stop"),
    **dict.fromkeys(("length", "max_tokens", "max_output_tokens", "model_length", "incomplete"), "length"),
    **dict.fromkeys(
        (
            "content_filter", "contentfilter", "safety", "refusal", "recitation", "blocklist", "prohibited_content",
            "guardrail_intervened",
        ),
        "content_filter",
    ),
    **dict.fromkeys(("tool_call", "tool_calls", "toolcalls", "function_call", "tool_use"), "tool_call"),
    **dict.fromkeys(("error", "failed"), "error"),
    "compaction": "compaction",
}  # fmt: skip

_PROVIDERS = {
    **dict.fromkeys(("openai", "open_ai", "chatopenai"), "openai"),
    **dict.fromkeys(("anthropic", "claude"), "anthropic"),
    **dict.fromkeys(("aws", "aws.bedrock", "bedrock", "amazon_bedrock", "aws_bedrock"), "aws.bedrock"),
    **dict.fromkeys(("azure", "azure.ai.openai", "azure_openai", "azureopenai", "az.ai.openai"), "azure.ai.openai"),
    **dict.fromkeys(("azure.ai.inference", "az.ai.inference", "azure_ai"), "azure.ai.inference"),
    **dict.fromkeys(
        ("gcp.gemini", "gemini", "google_genai", "google_gla", "google.generative_ai", "google_generativeai"), "gcp.gemini"
    ),
    **dict.fromkeys(
        (
            "gcp.vertex_ai", "vertex_ai", "vertexai", "vertex", "google.vertex", "google_vertex", "google_vertexai",
            "google_cloud",
        ),
        "gcp.vertex_ai",
    ),
    **dict.fromkeys(("gcp.gen_ai", "google"), "gcp.gen_ai"),
    **dict.fromkeys(("mistral_ai", "mistral", "mistralai"), "mistral_ai"),
    **dict.fromkeys(("x_ai", "xai", "grok"), "x_ai"),
    **dict.fromkeys(("ibm.watsonx.ai", "watsonx", "ibm"), "ibm.watsonx.ai"),
    **dict.fromkeys(("moonshot_ai", "moonshot", "moonshotai"), "moonshot_ai"),
    **{name: name for name in ("cohere", "deepseek", "groq", "perplexity", "ollama", "together_ai", "fireworks", "openrouter")},
}  # fmt: skip

# Operations as others name them: LiteLLM by its own functions, Semantic Kernel by the API, others by what they call.
_OPERATIONS = {
    **dict.fromkeys(
        (
            "chat", "completion", "acompletion", "responses", "aresponses", "_aresponses_websocket", "anthropic_messages",
            "aanthropic_messages", "chat.completions", "chat.streaming_completions",
        ),
        "chat",
    ),
    **dict.fromkeys(
        ("text_completion", "atext_completion", "text.completions", "text.streaming_completions"), "text_completion"
    ),
    **dict.fromkeys(
        ("generate_content", "agenerate_content", "generate_content_stream", "agenerate_content_stream"), "generate_content"
    ),
    **dict.fromkeys(("embeddings", "embedding", "aembedding"), "embeddings"),
}  # fmt: skip

OPERATIONS = frozenset(_OPERATIONS.values())
PROVIDERS = frozenset(_PROVIDERS.values())
FINISH_REASONS = frozenset(_FINISH_REASONS.values())

# As requests spell a parameter -> as it follows `gen_ai.request.`; None: no parameter of the model.
_PARAMETERS: dict[str, str | None] = {
    "n": "choice.count",
    **dict.fromkeys(("stop", "stopSequences"), "stop_sequences"),
    **dict.fromkeys(("maxOutputTokens", "maxTokens", "max_output_tokens", "max_completion_tokens"), "max_tokens"),
    "topP": "top_p",
    "topK": "top_k",
    "frequencyPenalty": "frequency_penalty",
    "presencePenalty": "presence_penalty",
    "reasoning_effort": "reasoning.level",
    **{
        name: name
        for name in (
            "temperature", "top_p", "top_k", "max_tokens", "frequency_penalty", "presence_penalty", "seed", "stream",
            "stop_sequences", "choice.count", "response_format", "service_tier", "tool_choice", "parallel_tool_calls",
            "logprobs", "top_logprobs", "encoding_formats", "reasoning.level",
        )
    },
}  # fmt: skip

# Keys of a provider's usage object, and of the object's details, by column.
_USAGE = {
    "input_tokens": (
        "input_tokens", "prompt_tokens", "inputTokens", "promptTokens", "input", "promptTokenCount", "prompt_token_count",
    ),
    "output_tokens": (
        "output_tokens", "completion_tokens", "outputTokens", "completionTokens", "output", "candidatesTokenCount",
        "candidates_token_count",
    ),
    "cached_tokens": (
        "cache_read_input_tokens", "cached_tokens", "cache_read", "cachedInputTokens", "input_cached_tokens", "input_cache_read",
        "cachedContentTokenCount", "cached_content_token_count",
    ),
    "cache_write_tokens": (
        "cache_creation_input_tokens", "cache_write_input_tokens", "cache_write_tokens", "cache_creation_tokens",
        "cache_creation", "cache_write", "cacheWriteTokens", "cacheWriteInputTokens", "input_cache_creation", "input_cache_write",
    ),
    "reasoning_tokens": (
        "reasoning_tokens", "reasoning", "reasoningTokens", "output_reasoning_tokens", "output_reasoning", "thoughtsTokenCount",
        "thoughts_token_count",
    ),
}  # fmt: skip
_USAGE_DETAILS = (
    "prompt_tokens_details", "completion_tokens_details", "input_tokens_details", "output_tokens_details",
    "input_token_details", "output_token_details", "inputTokenDetails", "outputTokenDetails", "cache_creation", "tokens",
)  # fmt: skip
_WRITTEN_FOR = ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")  # Anthropic's, by how long the cache keeps them


@lru_cache(maxsize=1024)
def operation(raw: str) -> str:
    """An operation as the newest convention names it; an unknown one stays."""
    return _OPERATIONS.get(raw, raw)


@lru_cache(maxsize=1024)
def finish_reason(raw: str) -> str:
    """A finish reason as the newest convention spells it; an unknown one stays."""
    return _FINISH_REASONS.get(raw.lower().removeprefix("finishreason.").replace("-", "_"), raw)


@lru_cache(maxsize=1024)
def provider(raw: str) -> str:
    """A provider as the newest convention names it, without the API behind a dot (`openai.chat`); an unknown one stays."""
    name = raw.lower().replace("-", "_").replace(" ", "_")
    while name not in _PROVIDERS:
        name, dot, _ = name.rpartition(".")
        if not dot:
            return raw
    return _PROVIDERS[name]


def parameter(name: str) -> str | None:
    """What follows `gen_ai.request.` for a request's field; None where it is no parameter of the model."""
    return _PARAMETERS.get(name)


def metadata_column(name: str) -> str | None:
    """The column that an entry of metadata or baggage means."""
    return METADATA_COLUMNS.get(name.lower().replace("_", "").replace(".", "").replace("-", ""))


def usage_columns(usage: Any) -> dict[str, int]:
    """Token counts out of a usage object, whichever provider wrote it."""
    if not isinstance(usage, Mapping):
        return {}
    flat = dict(usage)
    for name in _USAGE_DETAILS:
        if isinstance(usage.get(name), Mapping):
            flat.update(usage[name])
    found: dict[str, int] = _sums(flat)
    for column, names in _USAGE.items():
        if column in found:
            continue
        count = next((count for name in names if (count := count_of(flat.get(name))) is not None), None)
        if count is not None:
            found[column] = count
    written = sum(count_of(flat.get(name)) or 0 for name in _WRITTEN_FOR)
    if written and not found.get("cache_write_tokens"):
        found["cache_write_tokens"] = written  # LangChain gives these alone, and zero as their sum
    is_beside = found.get("cached_tokens", 0) > found.get("input_tokens", 0)  # what was cached is no part of fewer
    if "input_tokens" in found and (_is_anthropic(usage) or is_beside):
        found["input_tokens"] += found.get("cached_tokens", 0) + found.get("cache_write_tokens", 0)
    return found


def _is_anthropic(usage: Mapping[str, Any]) -> bool:
    """Anthropic alone counts what was read from and written to its cache beside the input; those who pass it on give totals."""
    named = "input_tokens" in usage and "cache_read_input_tokens" in usage
    return named and "prompt_tokens" not in usage and "total_tokens" not in usage


def _sums(usage: Mapping[str, Any]) -> dict[str, int]:
    """Langfuse takes what it knows closer (`input_cache_read`) out of `input`; where the total tells so, it goes back in."""
    counts = {name: count for name, value in usage.items() if (count := count_of(value)) is not None}
    told = counts.get("total")
    if told is None or "input" not in counts or told == counts["input"] + counts.get("output", 0):
        return {}
    sums = {side: sum(counts[name] for name in counts if name.startswith(side)) for side in ("input", "output")}
    return {f"{side}_tokens": count for side, count in sums.items()} if sum(sums.values()) == told else {}
