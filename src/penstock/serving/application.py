"""The HTTP face of the model server: reads a request, hands it to the engine, writes what comes back.

A client that disconnects cancels what it asked for, so that its row in the batch is freed at the next step.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from penstock.errors import BadInputError, NotFoundError, PenstockError
from penstock.serving import wire
from penstock.serving.allowed_folders import AllowedFolders
from penstock.serving.engine import Engine
from penstock.serving.generation import Answer, Deliver, Generation, Piece, Prompt, SamplingRule, Scored, Scoring

MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_SCORE_ITEMS = 4096
JSON = "application/json"


class ClientGoneError(Exception):
    """The client hung up before it was answered."""


class Pending:
    """Requests that the engine is working on for one HTTP request, and their answers as they come."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: asyncio.Queue[tuple[int, Answer]] = asyncio.Queue()
        self._requests: list[Generation | Scoring] = []

    def deliver_to(self, index: int) -> Deliver:
        """Where the engine is to put the answers of this request."""
        return lambda answer: self._queue.put_nowait((index, answer))

    def submit(self, model: str, requests: Sequence[Generation | Scoring]) -> None:
        """Begin; answers carry the index they were made with."""
        self._requests.extend(requests)
        self._engine.submit(model, list(requests))

    def cancel(self) -> None:
        """Let the engine forget what is still under way."""
        for request in self._requests:
            request.cancel()

    def abandon(self) -> None:
        """The client is gone: cancel, and wake whoever waits for an answer that will not come."""
        self.cancel()
        self._queue.put_nowait((0, ClientGoneError()))

    async def next(self) -> tuple[int, Piece | Scored]:
        """The next answer. Raises what the engine answered with, where that is an error."""
        index, answer = await self._queue.get()
        if isinstance(answer, Exception):
            self.cancel()
            raise answer
        return index, answer

    async def all(self, count: int) -> list[Piece | Scored]:
        """One answer for each of `count` requests, in their order."""
        answers: dict[int, Piece | Scored] = {}
        while len(answers) < count:
            index, answer = await self.next()
            answers[index] = answer
        return [answers[index] for index in range(count)]


class ModelServer:
    """The handlers; they share the engine and the allow-list."""

    def __init__(self, engine: Engine, folders: AllowedFolders) -> None:
        self._engine = engine
        self._folders = folders

    async def chat(self, request: Request) -> Response:
        """POST /v1/chat/completions."""
        return await self._generate(request, wire.read(await _body(request), wire.ChatRequest))

    async def complete(self, request: Request) -> Response:
        """POST /v1/completions."""
        return await self._generate(request, wire.read(await _body(request), wire.CompletionRequest))

    async def score(self, request: Request) -> Response:
        """POST /v1/score: the log-probability of given completions of given conversations."""
        asked = wire.read(await _body(request), wire.ScoreRequest)
        if not 0 < len(asked.items) <= MAX_SCORE_ITEMS or asked.temperature <= 0:
            raise BadInputError(f"Give 1 to {MAX_SCORE_ITEMS} items and a temperature above 0.")
        pending = Pending(self._engine)
        scorings = [
            Scoring(
                Prompt(messages=wire.plain_messages(item.messages)),
                item.completion,
                pending.deliver_to(index),
                with_end=item.finish_reason != "length",
                temperature=asked.temperature,
            )
            for index, item in enumerate(asked.items)
        ]
        pending.submit(asked.model, scorings)
        async with _cancelled_on_disconnect(request, pending):
            scored = await pending.all(len(scorings))
        return Response(wire.scores_answer(asked, _scored(scored)), media_type=JSON)

    async def models(self, request: Request) -> Response:  # noqa: ARG002 - Starlette's signature
        """GET /v1/models."""
        names = await asyncio.to_thread(self._folders.names)
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "local"} for name in names]
        return Response(msgspec.json.encode({"object": "list", "data": data}), media_type=JSON)

    async def healthz(self, request: Request) -> Response:  # noqa: ARG002 - Starlette's signature
        """GET /healthz."""
        alive = self._engine.is_alive
        return Response(
            b'{"status":"ok"}' if alive else b'{"status":"model thread has ended"}', 200 if alive else 503, media_type=JSON
        )

    async def _generate(self, request: Request, asked: wire.ChatRequest | wire.CompletionRequest) -> Response:
        wire.check_supported(asked)
        max_tokens = asked.max_tokens
        if isinstance(asked, wire.ChatRequest):
            max_tokens = asked.max_completion_tokens or max_tokens
        prompts = wire.prompts(asked)
        pending = Pending(self._engine)
        generations: list[Generation] = []
        if not (asked.echo and max_tokens == 0):
            rules = [wire.sampling_rule(asked, max_tokens, choice) for choice in range(asked.n or 1)]
            generations = _generations(prompts, rules, pending, streamed=bool(asked.stream))
            pending.submit(asked.model, generations)
        async with _cancelled_on_disconnect(request, pending, streamed=bool(asked.stream)):
            if asked.stream:
                first = await pending.next()
                chunks = _chunks(asked, pending, first, len(generations))
                return StreamingResponse(chunks, media_type="text/event-stream", headers={"cache-control": "no-cache"})
            if isinstance(asked, wire.ChatRequest):
                return Response(_chat_answer(asked, _pieces(await pending.all(len(generations)))), media_type=JSON)
            scorings = _echo(asked, prompts, pending, len(generations)) if asked.echo else []
            if scorings:
                pending.submit(asked.model, scorings)
            answers = await pending.all(len(generations) + len(scorings))
            return Response(_completion_answer(asked, prompts, _pieces(answers), _scored(answers)), media_type=JSON)


def _pieces(answers: Sequence[Piece | Scored]) -> list[Piece]:
    return [answer for answer in answers if isinstance(answer, Piece)]


def _scored(answers: Sequence[Piece | Scored]) -> list[Scored]:
    return [answer for answer in answers if isinstance(answer, Scored)]


def _echo(asked: wire.CompletionRequest, prompts: list[Prompt], pending: Pending, offset: int) -> list[Scoring]:
    """Requests to score the prompts themselves; their answers are numbered from `offset`."""
    temperature = asked.temperature or 1.0
    return [
        Scoring(Prompt(), prompt.text or "", pending.deliver_to(offset + index), with_end=False, temperature=temperature)
        for index, prompt in enumerate(prompts)
    ]


def _generations(prompts: list[Prompt], rules: list[SamplingRule], pending: Pending, *, streamed: bool) -> list[Generation]:
    pairs = [(prompt, rule) for prompt in prompts for rule in rules]
    return [Generation(prompt, rule, pending.deliver_to(index), streamed=streamed) for index, (prompt, rule) in enumerate(pairs)]


def _chat_answer(asked: wire.ChatRequest, pieces: list[Piece]) -> bytes:
    choices = [wire.chat_choice(index, piece, with_logprobs=bool(asked.logprobs)) for index, piece in enumerate(pieces)]
    counted = wire.usage(pieces[0].prompt_tokens, sum(len(piece.tokens) for piece in pieces))
    return wire.envelope(asked.model, is_chat=True).answer(choices, counted)


def _completion_answer(asked: wire.CompletionRequest, prompts: list[Prompt], pieces: list[Piece], echoed: list[Scored]) -> bytes:
    per_prompt = asked.n or 1
    if not pieces:
        pieces = [Piece(text="", tokens=[], prompt_tokens=0, finish_reason="length") for _ in range(len(prompts) * per_prompt)]
    choices = [
        wire.text_choice(
            index,
            piece,
            with_logprobs=asked.logprobs is not None,
            echoed=echoed[index // per_prompt] if echoed else None,
            prompt=prompts[index // per_prompt].text or "",
        )
        for index, piece in enumerate(pieces)
    ]
    prompt_tokens = sum(len(result.tokens) + 1 for result in echoed) or sum(piece.prompt_tokens for piece in pieces[::per_prompt])
    counted = wire.usage(prompt_tokens, sum(len(piece.tokens) for piece in pieces))
    return wire.envelope(asked.model, is_chat=False).answer(choices, counted)


async def _chunks(
    asked: wire.ChatRequest | wire.CompletionRequest, pending: Pending, first: tuple[int, Piece | Scored], count: int
) -> AsyncIterator[bytes]:
    """Server-sent events, one per piece, ending with [DONE]."""
    is_chat = isinstance(asked, wire.ChatRequest)
    envelope = wire.envelope(asked.model, is_chat=is_chat)
    begun: set[int] = set()
    prompt_tokens: dict[int, int] = {}
    unfinished, tokens, event = count, 0, first
    try:
        while True:
            index, piece = event
            if isinstance(piece, Piece):
                tokens += len(piece.tokens)
                prompt_tokens[index // (asked.n or 1)] = piece.prompt_tokens
                unfinished -= piece.finish_reason is not None
                yield _event(envelope.answer([_chunk_choice(asked, index, piece, first=index not in begun)], None, chunk=True))
                begun.add(index)
            if not unfinished:
                break
            event = await pending.next()
        if asked.stream_options and asked.stream_options.include_usage:
            yield _event(envelope.answer([], wire.usage(sum(prompt_tokens.values()), tokens), chunk=True))
    except PenstockError as error:
        yield _event(wire.error_body(str(error), "server_error"))  # the status line has gone out already
    finally:
        pending.cancel()
    yield b"data: [DONE]\n\n"


def _chunk_choice(asked: wire.ChatRequest | wire.CompletionRequest, index: int, piece: Piece, *, first: bool) -> dict[str, Any]:
    if isinstance(asked, wire.ChatRequest):
        return wire.chat_choice(index, piece, with_logprobs=bool(asked.logprobs), chunk=True, first=first)
    return wire.text_choice(index, piece, with_logprobs=asked.logprobs is not None)


def _event(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"


async def _body(request: Request) -> bytes:
    """The whole body, unless it is too large. Raises BadInputError."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise BadInputError(f"The body is larger than {MAX_BODY_BYTES} bytes.")
        chunks.append(chunk)
    return b"".join(chunks)


@contextlib.asynccontextmanager
async def _cancelled_on_disconnect(request: Request, pending: Pending, *, streamed: bool = False) -> AsyncIterator[None]:
    """Cancel what is pending when the client hangs up before it is answered; a stream looks after itself."""
    waiter = asyncio.ensure_future(request.receive())
    waiter.add_done_callback(lambda done: None if done.cancelled() else pending.abandon())
    answered = False
    try:
        yield
        answered = True
    finally:
        waiter.cancel()
        if not (answered and streamed):
            pending.cancel()


def build_application(engine: Engine, folders: AllowedFolders) -> Starlette:
    """The model server as an ASGI application; the engine runs as long as it does."""
    server = ModelServer(engine, folders)

    @contextlib.asynccontextmanager
    async def lifespan(application: Starlette) -> AsyncIterator[None]:  # noqa: ARG001 - Starlette's signature
        engine.start(asyncio.get_running_loop())
        yield
        await asyncio.to_thread(engine.stop)

    routes = [
        Route("/v1/chat/completions", server.chat, methods=["POST"]),
        Route("/v1/completions", server.complete, methods=["POST"]),
        Route("/v1/score", server.score, methods=["POST"]),
        Route("/v1/models", server.models),
        Route("/healthz", server.healthz),
    ]
    handlers: dict[Any, Callable[[Request, Exception], Coroutine[Any, Any, Response]]] = {
        PenstockError: _error_answer,
        ClientGoneError: _no_answer,
    }
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)


async def _error_answer(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette's signature
    status, kind = 502, "server_error"
    if isinstance(error, BadInputError):
        status, kind = 400, "invalid_request_error"
    elif isinstance(error, NotFoundError):
        status, kind = 404, "invalid_request_error"
    return Response(wire.error_body(str(error), kind), status, media_type=JSON)


async def _no_answer(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette's signature
    return Response(status_code=499)  # nobody reads it
