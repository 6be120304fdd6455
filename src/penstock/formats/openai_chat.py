"""The OpenAI chat and completions wire format, as the gateway sees it go by, to the columns of an inference.

A stream is first put together to what the client would have got had it not streamed. A capture never fails an
answer: whatever is missing or misshapen in a body leaves its column empty. Of several choices (n > 1) the first is
the interaction, because it is the one that clients show; the others stay in `output_messages`.
"""

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from penstock.formats.aliases import finish_reason, parameter
from penstock.formats.message_text import columns_of
from penstock.formats.messages import (
    Messages,
    openai_to_otel,
)
from penstock.formats.tool_definitions import read_tools

_PARAMETERS = (
    "temperature",
    "top_p",
    "top_k",
    "max_tokens",
    "max_completion_tokens",
    "frequency_penalty",
    "presence_penalty",
    "stop",
    "seed",
    "n",
    "stream",
    "logprobs",
    "top_logprobs",
    "response_format",
    "reasoning_effort",
    "tool_choice",
    "parallel_tool_calls",
    "tools",
)

_JOINED = ("content", "refusal", "reasoning_content", "reasoning")  # delta fields that come in pieces


def capture_fields(request: Mapping[str, Any], response: Mapping[str, Any]) -> dict[str, Any]:
    """The Inference fields that a request and its full response tell, chat or plain completion."""
    choices = _dicts(response.get("choices"))
    first = choices[0] if choices else {}
    chat = "messages" in request
    input_messages = openai_to_otel(_dicts(request.get("messages"))) if chat else _prompt_messages(request.get("prompt"))
    output_messages = [_output_message(choice) for choice in choices]
    fields = {
        "operation": "chat" if chat else "text_completion",
        "response_id": _text(response.get("id")),
        "request_model": _text(request.get("model")),
        "response_model": _text(response.get("model")),
        "model_version": _text(response.get("system_fingerprint")),
        "input_messages": _json(input_messages),
        "output_messages": _json(output_messages),
        "system_instructions": columns_of(input_messages).instructions if input_messages else None,
        "finish_reason": finish_reason(reason) if (reason := _text(first.get("finish_reason"))) else None,
        "token_logprobs": _token_logprobs(first.get("logprobs")),
        "parameters": _json(_parameters(request)),
        "content_present": bool(input_messages or output_messages),
        **_usage(response.get("usage")),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _parameters(request: Mapping[str, Any]) -> dict[str, Any]:
    """What the request asked of the model, under the names that instrumentations report it by."""
    found = {parameter(name) or name: request[name] for name in _PARAMETERS if request.get(name) is not None}
    tools = read_tools(found.get("tools"))
    return {**found, "tools": tools} if tools else found


def error_fields(status: int, body: Mapping[str, Any]) -> dict[str, Any]:
    """The Inference fields that an upstream's refusal tells."""
    error = body.get("error")
    kind = (error.get("type") or error.get("code")) if isinstance(error, Mapping) else None
    return {"error_type": _text(kind) or str(status)}


class StreamAccumulator:
    """Takes the chunks of one stream and gives the whole response, also of a stream that broke off."""

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}
        self._choices: dict[int, _Choice] = {}
        self._usage: Any = None
        self.error: dict[str, Any] | None = None

    @property
    def started(self) -> bool:
        """Whether any chunk with a choice has come."""
        return bool(self._choices)

    def add(self, chunk: Mapping[str, Any]) -> None:
        """Take one chunk, the JSON of one `data:` line."""
        for name in ("id", "object", "created", "model", "system_fingerprint", "service_tier"):
            if chunk.get(name) is not None:
                self._head[name] = chunk[name]
        if isinstance(chunk.get("usage"), Mapping):
            self._usage = chunk["usage"]
        if isinstance(chunk.get("error"), dict):
            self.error = chunk["error"]
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else []:
            if isinstance(choice, Mapping):
                index = choice.get("index")
                self._choices.setdefault(index if isinstance(index, int) else 0, _Choice()).add(choice)

    def response(self) -> dict[str, Any]:
        """The response as far as it has come."""
        choices = [self._choices[index].whole(index) for index in sorted(self._choices)]
        head = dict(self._head)
        if isinstance(head.get("object"), str):
            head["object"] = head["object"].removesuffix(".chunk")
        return {**head, "choices": choices, **({"usage": self._usage} if self._usage is not None else {})}


class _Choice:
    """One choice in the making."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}
        self._completion: list[str] | None = None
        self._calls: dict[int, dict[str, Any]] = {}
        self._logprobs: dict[str, list[Any]] = {}
        self._finish_reason: Any = None

    def add(self, choice: Mapping[str, Any]) -> None:
        if isinstance(choice.get("text"), str):
            self._completion = [] if self._completion is None else self._completion
            self._completion.append(choice["text"])
        delta = choice.get("delta")
        if isinstance(delta, Mapping):
            self._add_delta(delta)
        if isinstance(choice.get("logprobs"), Mapping):
            for name, values in choice["logprobs"].items():
                if isinstance(values, list):
                    self._logprobs.setdefault(name, []).extend(values)
        self._finish_reason = choice.get("finish_reason") or self._finish_reason

    def whole(self, index: int) -> dict[str, Any]:
        shared = {"index": index, "finish_reason": self._finish_reason, "logprobs": self._logprobs or None}
        if self._completion is not None:
            return {**shared, "text": "".join(self._completion)}
        message: dict[str, Any] = {"role": "assistant", "content": None}
        message.update({name: "".join(parts) for name, parts in self._texts.items()})
        if self._calls:
            message["tool_calls"] = [self._calls[position] for position in sorted(self._calls)]
        return {**shared, "message": message}

    def _add_delta(self, delta: Mapping[str, Any]) -> None:
        for name in _JOINED:
            if isinstance(delta.get(name), str):
                self._texts.setdefault(name, []).append(delta[name])
        calls = delta.get("tool_calls")
        for position, call in enumerate(calls if isinstance(calls, list) else []):
            if isinstance(call, Mapping):
                self._add_call(call, position)
        if isinstance(delta.get("function_call"), Mapping):
            self._add_call({"index": 0, "function": delta["function_call"]}, 0)

    def _add_call(self, call: Mapping[str, Any], position: int) -> None:
        index = call.get("index")
        whole = self._calls.setdefault(
            index if isinstance(index, int) else position,
            {"id": None, "type": "function", "function": {"name": "", "arguments": ""}},
        )
        whole["id"] = call.get("id") or whole["id"]
        function = call.get("function")
        for name in ("name", "arguments"):
            if isinstance(function, Mapping) and isinstance(function.get(name), str):
                whole["function"][name] += function[name]


def _output_message(choice: Mapping[str, Any]) -> dict[str, Any]:
    message = choice.get("message")
    if isinstance(message, Mapping):
        converted = openai_to_otel([{"role": "assistant", **message}])[0]
    else:
        converted = {"role": "assistant", "parts": _text_parts(choice.get("text"))}
    return {**converted, "finish_reason": _text(choice.get("finish_reason")) or "error"}


def _prompt_messages(prompt: Any) -> Messages:
    """A completion's prompt as one user message; token ids say nothing that can be kept as text."""
    prompts = prompt if isinstance(prompt, list) else [prompt]
    text = "\n".join(item for item in prompts if isinstance(item, str))
    return [{"role": "user", "parts": _text_parts(text)}] if text else []


def _text_parts(text: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "content": text}] if isinstance(text, str) and text else []


def _usage(usage: Any) -> dict[str, int | None]:
    if not isinstance(usage, Mapping):
        return {}
    prompt, completion = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    return {
        "input_tokens": _count(usage.get("prompt_tokens")),
        "output_tokens": _count(usage.get("completion_tokens")),
        "cached_tokens": _count(prompt.get("cached_tokens")) if isinstance(prompt, Mapping) else None,
        "cache_write_tokens": _count(prompt.get("cache_write_tokens")) if isinstance(prompt, Mapping) else None,
        "reasoning_tokens": _count(completion.get("reasoning_tokens")) if isinstance(completion, Mapping) else None,
    }


def _token_logprobs(logprobs: Any) -> list[float] | None:
    """Chat has `content[].logprob` (`refusal[]` where it refused), plain completions `token_logprobs`."""
    if not isinstance(logprobs, Mapping):
        return None
    tokens = logprobs.get("token_logprobs")
    if not isinstance(tokens, list):
        tokens = [item.get("logprob") for item in _dicts(logprobs.get("content")) or _dicts(logprobs.get("refusal"))]
    if not tokens or not all(_is_number(value) for value in tokens):
        return None
    return [float(value) for value in tokens]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _json(value: Any) -> str | None:
    return msgspec.json.encode(value).decode() if value else None
