"""What is known of one model request and its response, shared word for word by a Span and the Interaction made of it."""

from msgspec import Struct, field


class Inference(Struct, frozen=True, kw_only=True):
    """The columns that a span carries when it is a model call; every one may be missing."""

    request_id: str | None = None  # penstock.request.id, or the gateway's own
    response_id: str | None = None
    session_id: str | None = None  # a conversation or an episode, else the trace
    tenant: str | None = None
    operation: str | None = None
    provider: str | None = None
    request_model: str | None = None
    response_model: str | None = None
    model_version: str | None = None
    checkpoint_id: str | None = None
    release_arm: str | None = None  # stable or candidate
    arm_probability: float | None = None
    exposure: str = "served"  # an Exposure
    prompt_name: str | None = None
    prompt_version: str | None = None
    user_id: str | None = None  # always a keyed hash
    segment: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)  # business keys, such as ticket_id
    first_token_ms: float | None = None
    input_messages: str | None = None  # JSON, newest OTel message schema
    output_messages: str | None = None
    system_instructions: str | None = None
    prompt_text: str | None = None  # the last user text
    response_text: str | None = None  # the answer
    tool_calls: str | None = None  # JSON list
    retrieved_documents: str | None = None  # JSON list
    finish_reason: str | None = None
    error_type: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None  # of the input: read from the provider's cache
    cache_write_tokens: int | None = None  # of the input: written to it
    reasoning_tokens: int | None = None
    cost: float | None = None
    token_logprobs: list[float] | None = None  # natural log, one per generated token, the end token included
    parameters: str | None = None  # JSON object: temperature and the like
    content_present: bool = False
    content_sampled: bool | None = True  # False: sampled out, so that this row is thin; None in rows older than the column
    sample_probability: float = 1.0  # of content_sampled, on a thin row too; the row itself is here either way
    capture_probability: float = 1.0  # that there is a row at all
