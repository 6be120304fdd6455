"""Which attribute of an OpenTelemetry span says what a column says: for sending rows on, and for rules that name attributes."""

from typing import Final

TEXT_COLUMNS: Final[dict[str, str]] = {
    "request_id": "penstock.request.id",
    "response_id": "gen_ai.response.id",
    "session_id": "gen_ai.conversation.id",
    "tenant": "penstock.tenant",
    "operation": "gen_ai.operation.name",
    "provider": "gen_ai.provider.name",
    "request_model": "gen_ai.request.model",
    "response_model": "gen_ai.response.model",
    "model_version": "openai.response.system_fingerprint",
    "checkpoint_id": "penstock.checkpoint.id",
    "release_arm": "penstock.release.arm",
    "prompt_name": "gen_ai.prompt.name",
    "prompt_version": "gen_ai.prompt.version",
    "user_id": "user.id",
    "segment": "penstock.segment",
    "input_messages": "gen_ai.input.messages",
    "output_messages": "gen_ai.output.messages",
    "system_instructions": "gen_ai.system_instructions",
    "retrieved_documents": "gen_ai.retrieval.documents",
    "error_type": "error.type",
}
NUMBER_COLUMNS: Final[dict[str, str]] = {
    "arm_probability": "penstock.release.arm_probability",
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cached_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_write_tokens": "gen_ai.usage.cache_write.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    "cost": "penstock.cost",
}
EXPOSURE: Final = "penstock.exposure"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
FIRST_CHUNK_S: Final = "gen_ai.response.time_to_first_chunk"
LOGPROBS: Final = "penstock.token_logprobs"
PARAMETER_PREFIX: Final = "gen_ai.request."
KEY_PREFIX: Final = "penstock.key."
TAG_PREFIX: Final = "penstock.tag."
RESOURCE_PREFIX: Final = "resource."
APPLICATION: Final = "service.name"

# What whoever sampled a span before it came here says of it. A span that says so is not sampled again.
SAMPLE_PROBABILITY: Final = "penstock.sample_probability"  # with which its content was kept, given that it came at all
CAPTURE_PROBABILITY: Final = "penstock.capture_probability"  # with which it came at all
CONTENT_SAMPLED: Final = "penstock.content_sampled"  # false: it was sampled out and came without its content

# What a relay says of a row and no convention has a name for.
RELAY_KIND: Final = "penstock.relay.kind"
RELAY_DIALECT: Final = "penstock.relay.dialect"
RELAY_REDACTIONS: Final = "penstock.relay.redactions"
RELAY_REASON: Final = "penstock.relay.reason"
RELAY_TOOL_CALLS: Final = "penstock.relay.tool_calls"

_COLUMN_OF: Final[dict[str, str]] = {
    APPLICATION: "application",
    EXPOSURE: "exposure",
    FINISH_REASONS: "finish_reason",
    **{attribute: column for columns in (TEXT_COLUMNS, NUMBER_COLUMNS) for column, attribute in columns.items()},
}


def column_of(attribute: str) -> str | None:
    """The column of a span that holds this attribute; None where it stays an attribute."""
    return _COLUMN_OF.get(attribute)
