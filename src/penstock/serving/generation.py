"""One sequence on its way: what was asked for, what has been sampled so far, and when it ends. Knows no tensors.

Invariant: `tokens` holds every token that was sampled, the end token and those of a stop text included, so that the sum
of its log-probabilities is the log-probability of what the model did.
"""

import random
from collections.abc import Callable, Sequence
from typing import Any, Literal

from msgspec import Struct

FinishReason = Literal["stop", "length"]
UNDECODED = "�"  # what a tokenizer gives for bytes that are not yet a whole character


class Prompt(Struct, frozen=True, kw_only=True):
    """Either a conversation, rendered by the checkpoint's chat template, or plain text."""

    messages: list[dict[str, Any]] | None = None
    text: str | None = None


class SamplingRule(Struct, frozen=True, kw_only=True):
    """How tokens are drawn; temperature 0 takes the likeliest."""

    max_tokens: int | None = None  # None: as many as fit, up to the server's default
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()


class Token(Struct, frozen=True):
    """One token and the natural log of its probability under the distribution that it was drawn from."""

    text: str
    logprob: float


class Piece(Struct, frozen=True, kw_only=True):
    """What one event tells the client; the last one has a finish reason."""

    text: str
    tokens: list[Token]
    prompt_tokens: int
    finish_reason: FinishReason | None = None


class Scored(Struct, frozen=True, kw_only=True):
    """The log-probability of a given completion, token by token."""

    prompt_tokens: int
    opening: str  # the very first token, which nothing comes before and which therefore has no probability
    tokens: list[Token]


Answer = Piece | Scored | Exception
Deliver = Callable[[Answer], None]
Decode = Callable[[Sequence[int]], str]


class Generation:
    """The state of one sequence; used by the model thread only, but for `cancel`."""

    def __init__(self, prompt: Prompt, rule: SamplingRule, deliver: Deliver, *, streamed: bool) -> None:
        self.prompt = prompt
        self.rule = rule
        self.deliver = deliver
        self.streamed = streamed
        self.cancelled = False
        self.prompt_ids: list[int] = []
        self.limit = 0  # tokens that may be sampled
        self.token_ids: list[int] = []
        self.tokens: list[Token] = []
        self._text = ""  # decoded and final
        self._decoded_to = 0  # tokens whose text is in _text
        self._sent_text = 0
        self._sent_tokens = 0
        self._random = random.Random(rule.seed) if rule.seed is not None else None  # noqa: S311 - sampling, no secret

    def cancel(self) -> None:
        """Ask the model thread to forget this sequence at its next step; may be called from any thread."""
        self.cancelled = True

    def uniform(self, unseeded: random.Random) -> float:
        """The next number that decides a draw; from this sequence's own generator where it has a seed."""
        return (self._random or unseeded).random()

    def accept(self, token_id: int, token: Token, *, is_end: bool, decode: Decode) -> Piece | None:
        """Take one sampled token; gives a piece where there is something to tell."""
        self.tokens.append(token)
        finish: FinishReason | None = "stop" if is_end else None
        if not is_end:
            self.token_ids.append(token_id)
            if len(self.tokens) >= self.limit:
                finish = "length"
        if not (finish or self.streamed or self.rule.stop):
            return None  # the text is decoded once, at the end
        self._decode_more(decode, final=finish is not None)
        stop_at = self._find_stop()
        if stop_at is not None:
            self._text, finish = self._text[:stop_at], "stop"
        return self._piece(finish)

    def _decode_more(self, decode: Decode, *, final: bool) -> None:
        """Decode what is new, a few tokens of context before it, and hold back half a character."""
        context = max(0, self._decoded_to - 4)
        before = decode(self.token_ids[context : self._decoded_to])
        now = decode(self.token_ids[context:])
        if final or not now.endswith(UNDECODED):
            self._text += now[len(before) :]
            self._decoded_to = len(self.token_ids)

    def _find_stop(self) -> int | None:
        found = [at for at in (self._text.find(stop, self._search_from(stop)) for stop in self.rule.stop) if at >= 0]
        return min(found, default=None)

    def _search_from(self, stop: str) -> int:
        return max(0, self._sent_text - len(stop)) if self.streamed else 0

    def _held_back(self) -> int:
        """Characters at the end that may turn out to be the beginning of a stop text."""
        longest = 0
        for stop in self.rule.stop:
            for size in range(min(len(stop) - 1, len(self._text)), longest, -1):
                if self._text.endswith(stop[:size]):
                    longest = size
                    break
        return longest

    def _piece(self, finish: FinishReason | None) -> Piece | None:
        if finish is None and not self.streamed:
            return None
        end = len(self._text) if finish else len(self._text) - self._held_back()
        text, tokens = self._text[self._sent_text : end], self.tokens[self._sent_tokens :]
        if finish is None and not text:
            return None  # its tokens go with the next text
        self._sent_text, self._sent_tokens = max(end, self._sent_text), len(self.tokens)
        return Piece(text=text, tokens=tokens, prompt_tokens=len(self.prompt_ids), finish_reason=finish)


class Scoring:
    """A request to score given text instead of generating it."""

    def __init__(
        self,
        prompt: Prompt,
        completion: str,
        deliver: Deliver,
        *,
        with_end: bool,
        temperature: float = 1.0,
    ) -> None:
        self.prompt = prompt
        self.completion = completion
        self.deliver = deliver
        self.with_end = with_end  # whether the end token is part of the completion
        self.temperature = temperature
        self.cancelled = False

    def cancel(self) -> None:
        """Ask the model thread to forget this request; may be called from any thread."""
        self.cancelled = True
