"""What the model server reads and writes: OpenAI's request and answer shapes, with log-probabilities as natural logs.

Fields of OpenAI's that this server does not know are ignored; one that it cannot honour is refused, never dropped.
"""

import itertools
import time
import uuid
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from penstock.errors import BadInputError
from penstock.serving.generation import Piece, Prompt, SamplingRule, Scored, Token

MAX_CHOICES = 128


class StreamOptions(Struct, frozen=True):
    """Whether a stream ends with a chunk that counts tokens."""

    include_usage: bool | None = False


class GenerationRequest(Struct, frozen=True, kw_only=True):
    """What chat and plain completions share."""

    model: str
    max_tokens: int | None = None
    temperature: float | None = 1.0
    top_p: float | None = 1.0
    n: int | None = 1
    seed: int | None = None
    stop: str | list[str] | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    echo: bool | None = False


class ChatRequest(GenerationRequest, frozen=True, kw_only=True):
    """POST /v1/chat/completions."""

    messages: list[dict[str, Any]]
    max_completion_tokens: int | None = None
    logprobs: bool | None = False
    top_logprobs: int | None = None
    tools: list[Any] | None = None
    response_format: dict[str, Any] | None = None


class CompletionRequest(GenerationRequest, frozen=True, kw_only=True):
    """POST /v1/completions."""

    prompt: str | list[str]
    logprobs: int | None = None
    suffix: str | None = None


class ScoreItem(Struct, frozen=True, kw_only=True):
    """One completion to score; `finish_reason` length leaves the end token out."""

    messages: list[dict[str, Any]]
    completion: str
    finish_reason: str = "stop"


class ScoreRequest(Struct, frozen=True, kw_only=True):
    """POST /v1/score."""

    model: str
    items: list[ScoreItem]
    temperature: float = 1.0


RequestType = TypeVar("RequestType")


def read(body: bytes, shape: type[RequestType]) -> RequestType:
    """A request out of its JSON body. Raises BadInputError."""
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"The body is not such a request: {error}.") from error


def sampling_rule(request: GenerationRequest, max_tokens: int | None, choice: int) -> SamplingRule:
    """How to sample one choice. Raises BadInputError."""
    temperature = 1.0 if request.temperature is None else request.temperature
    top_p = 1.0 if request.top_p is None else request.top_p
    stop = (request.stop,) if isinstance(request.stop, str) else tuple(request.stop or ())
    _require(0 <= temperature <= 100, f"temperature is {temperature}; give 0 to 100.")
    _require(0 < top_p <= 1, f"top_p is {top_p}; give more than 0 and at most 1.")
    _require(max_tokens is None or max_tokens >= 1, f"max_tokens is {max_tokens}; give at least 1, or 0 with echo to score text.")
    _require(all(stop), "stop holds an empty text.")
    seed = None if request.seed is None else request.seed + choice
    return SamplingRule(max_tokens=max_tokens, temperature=temperature, top_p=top_p, seed=seed, stop=stop)


def check_supported(request: ChatRequest | CompletionRequest) -> None:
    """Refuse what this server cannot honour. Raises BadInputError."""
    _require(1 <= (request.n or 1) <= MAX_CHOICES, f"n is {request.n}; give 1 to {MAX_CHOICES}.")
    if isinstance(request, ChatRequest):
        _require(bool(request.messages), "messages is empty; give at least one.")
        _require(not request.top_logprobs, "top_logprobs is not supported; logprobs is.")
        _require(not request.tools, "tools are not supported by this server.")
        _require(
            (request.response_format or {}).get("type", "text") == "text", "response_format is not supported by this server."
        )
    else:
        _require(not (request.logprobs or 0) > 1, "logprobs above 1 is not supported; 0 or 1 gives those of the sampled tokens.")
        _require(not request.suffix, "suffix is not supported by this server.")
        _require(not (request.stream and request.echo), "echo is not supported in a stream.")


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise BadInputError(message)


def prompts(request: ChatRequest | CompletionRequest) -> list[Prompt]:
    """What is to be completed."""
    if isinstance(request, ChatRequest):
        return [Prompt(messages=plain_messages(request.messages))]
    texts = [request.prompt] if isinstance(request.prompt, str) else request.prompt
    _require(0 < len(texts) <= MAX_CHOICES, f"prompt has {len(texts)} texts; give 1 to {MAX_CHOICES}.")
    return [Prompt(text=text) for text in texts]


def plain_messages(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages with their content as one text, which is all that a chat template is sure to take."""
    return [{**message, "content": _plain_content(message.get("content"))} for message in messages]


def _plain_content(content: Any) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    parts = content if isinstance(content, list) else [content]
    texts = [part.get("text") for part in parts if isinstance(part, dict) and part.get("type") == "text"]
    if len(texts) < len(parts) or not all(isinstance(text, str) for text in texts):
        raise BadInputError("A message's content is neither text nor parts of text; this server reads nothing else.")
    return "".join(str(text) for text in texts)


class Envelope(Struct, frozen=True, kw_only=True):
    """What every answer to one request begins with."""

    id: str
    created: int
    model: str
    is_chat: bool

    def answer(self, choices: list[dict[str, Any]], usage: dict[str, int] | None, *, chunk: bool = False) -> bytes:
        """One JSON answer, or one chunk of a stream."""
        kind = ("chat.completion.chunk" if chunk else "chat.completion") if self.is_chat else "text_completion"
        body = {"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": choices}
        return msgspec.json.encode(body if usage is None else body | {"usage": usage})


def envelope(model: str, *, is_chat: bool) -> Envelope:
    """A fresh envelope."""
    identifier = ("chatcmpl-" if is_chat else "cmpl-") + uuid.uuid4().hex
    return Envelope(id=identifier, created=int(time.time()), model=model, is_chat=is_chat)


def usage(prompt_tokens: int, completion_tokens: int) -> dict[str, int]:
    """Tokens as OpenAI counts them; the end token is one of the completion's."""
    total = prompt_tokens + completion_tokens
    return {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens, "total_tokens": total}


def chat_choice(index: int, piece: Piece, *, with_logprobs: bool, chunk: bool = False, first: bool = False) -> dict[str, Any]:
    """One choice of a chat answer, or of one chunk of it."""
    content: dict[str, Any] = {"role": "assistant", "content": piece.text} if first or not chunk else {"content": piece.text}
    logprobs = {"content": [_chat_token(token) for token in piece.tokens], "refusal": None} if with_logprobs else None
    return {"index": index, "delta" if chunk else "message": content, "logprobs": logprobs, "finish_reason": piece.finish_reason}


def _chat_token(token: Token) -> dict[str, Any]:
    return {"token": token.text, "logprob": token.logprob, "bytes": list(token.text.encode()), "top_logprobs": []}


def text_choice(
    index: int, piece: Piece, *, with_logprobs: bool, echoed: Scored | None = None, prompt: str = ""
) -> dict[str, Any]:
    """One choice of a plain completion; with `echoed`, the prompt and its log-probabilities come first."""
    text = prompt + piece.text if echoed is not None else piece.text
    logprobs = None
    if with_logprobs:
        tokens = [*(echoed.tokens if echoed else []), *piece.tokens]
        opening: list[str] = [echoed.opening] if echoed else []  # nothing comes before it, so it has no probability
        texts = opening + [token.text for token in tokens]
        values = [None for _ in opening] + [token.logprob for token in tokens]
        logprobs = {"tokens": texts, "token_logprobs": values, "text_offset": _offsets(texts), "top_logprobs": None}
    return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": piece.finish_reason}


def _offsets(texts: list[str]) -> list[int]:
    return [0, *itertools.accumulate(len(text) for text in texts)][: len(texts)]


def scores_answer(request: ScoreRequest, scored: list[Scored]) -> bytes:
    """The answer of /v1/score."""
    data = [
        {
            "index": index,
            "logprob": sum(token.logprob for token in result.tokens),
            "tokens": [token.text for token in result.tokens],
            "token_logprobs": [token.logprob for token in result.tokens],
        }
        for index, result in enumerate(scored)
    ]
    counted = usage(sum(result.prompt_tokens for result in scored), sum(len(result.tokens) for result in scored))
    return msgspec.json.encode({"object": "list", "model": request.model, "data": data, "usage": counted})


def error_body(message: str, kind: str) -> bytes:
    """An error as OpenAI's clients read it."""
    return msgspec.json.encode({"error": {"message": message, "type": kind, "param": None, "code": None}})
