"""What a contract can require: when an interaction meets it, and the line of code that makes an application meet it."""

import ibis.expr.types as ir
from msgspec import Struct

NAMED_PREFIXES = ("keys.", "tags.")


class ContractField(Struct, frozen=True):
    """The two ways to say a field; `gateway` is what a client of the gateway changes."""

    otel: str
    gateway: str


def _header(name: str, value: str) -> str:
    return f'client.chat.completions.create(..., extra_headers={{"x-penstock-{name}": {value}}})'


FIELDS: dict[str, ContractField] = {
    "application": ContractField("OTEL_SERVICE_NAME=help-desk", _header("application", '"help-desk"')),
    "model": ContractField(
        'span.set_attribute("gen_ai.request.model", model)', "nothing: the gateway takes the model from the request"
    ),
    "model_version": ContractField(
        'span.set_attribute("openai.response.system_fingerprint", response.system_fingerprint)',
        "nothing where the server answers with system_fingerprint; else serve a checkpoint by a route, which is then the version",
    ),
    "prompt_name": ContractField(
        'span.set_attribute("gen_ai.prompt.name", "answer-ticket")', _header("prompt-name", '"answer-ticket"')
    ),
    "prompt_version": ContractField('span.set_attribute("gen_ai.prompt.version", "7")', _header("prompt-version", '"7"')),
    "session": ContractField(
        'span.set_attribute("gen_ai.conversation.id", conversation_id)', _header("session", "conversation_id")
    ),
    "user": ContractField('span.set_attribute("user.id", user_id)', _header("user", "user_id")),
    "segment": ContractField('span.set_attribute("penstock.segment", "paid")', _header("segment", '"paid"')),
    "keys": ContractField('span.set_attribute("penstock.key.ticket_id", ticket_id)', _header("key-ticket_id", "ticket_id")),
    "tokens": ContractField(
        'span.set_attribute("gen_ai.usage.input_tokens", response.usage.prompt_tokens)  # and gen_ai.usage.output_tokens',
        'client.chat.completions.create(..., stream_options={"include_usage": True})',
    ),
    "content": ContractField(
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_ONLY", "nothing: the gateway captures what passes"
    ),
}


def change(field: str) -> ContractField:
    """What to change in an application that does not say this field."""
    for prefix, attribute in (("keys.", "key"), ("tags.", "tag")):
        if field.startswith(prefix):
            name = field.removeprefix(prefix)
            variable = name if name.isidentifier() else "value"
            return ContractField(
                f'span.set_attribute("penstock.{attribute}.{name}", {variable})', _header(f"{attribute}-{name}", variable)
            )
    return FIELDS[field]


def is_met(interactions: ir.Table, field: str) -> ir.BooleanValue:
    """Whether an interaction says this field; never null."""
    for prefix in NAMED_PREFIXES:
        if field.startswith(prefix):
            named: ir.BooleanValue = interactions[prefix.rstrip(".")].contains(field.removeprefix(prefix))
            return named.fill_null(False)
    match field:
        case "model":
            return interactions.request_model.notnull() | interactions.response_model.notnull()
        case "model_version":
            return interactions.model_version.notnull() | interactions.checkpoint_id.notnull()
        case "session":
            # Without a session of its own an interaction stands under its trace's id.
            return (interactions.session_id != interactions.trace_id).fill_null(False)
        case "user":
            return interactions.user_id.notnull()
        case "keys":
            return (interactions["keys"].length() > 0).fill_null(False)
        case "tokens":
            return interactions.input_tokens.notnull() & interactions.output_tokens.notnull()
        case "content":
            return interactions.content_present
        case _:
            return interactions[field].notnull()
