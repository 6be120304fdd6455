"""Asks a model questions, several side by side, and gives an answer or a failure for each; it never raises for what a model does.

Every request is marked with the exposure `judge`, so that a gateway of ours in between does not count it as the users'. A server
that fails again and again is not asked the rest: those questions stay unasked.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from penstock.errors import ConfigurationError, UpstreamError
from penstock.judging.question import Question, messages_of, read_answer
from penstock.model_client import ModelClient, Timeouts
from penstock.records.interaction import Exposure
from penstock.settings import GatewaySettings, JudgeSettings

MOST_FAILURES = 5  # of the server, one after the other, after which the rest is not asked
MARKS = {"x-penstock-exposure": Exposure.JUDGE.value, "x-penstock-application": "penstock-judge"}
_MOST_ANSWER_BYTES = 1024 * 1024
_LONGEST_REASON = 200


class Verdict(Struct, frozen=True, kw_only=True):
    """What became of one question."""

    is_yes: bool | None = None
    failure: str | None = None  # why there is no answer, in words of ours: what a server says may hold what it was sent
    is_away: bool = False  # the server failed, and not the answer
    detail: str | None = None  # what the server said then: to be shown, and never kept


class Judge(Struct, frozen=True, kw_only=True):
    """A model that is asked, and how."""

    model: str
    base_url: str
    api_key: str | None
    settings: JudgeSettings

    def ask(self, chains: Sequence[Sequence[Question]]) -> list[list[Verdict]]:
        """Put chains of questions, each one by one until one is not denied; no verdict for a chain that was not begun."""
        return asyncio.run(self._ask_all(chains))

    async def _ask_all(self, chains: Sequence[Sequence[Question]]) -> list[list[Verdict]]:
        verdicts: list[list[Verdict]] = [[] for _ in chains]
        waiting = iter(range(len(chains)))
        failures = 0

        async def work(client: ModelClient) -> None:
            nonlocal failures
            while failures < MOST_FAILURES and (place := next(waiting, None)) is not None:
                for question in chains[place]:
                    verdict = await self._ask(client, question)
                    verdicts[place].append(verdict)
                    failures = failures + 1 if verdict.is_away else 0
                    if verdict.is_yes is not False:
                        break

        timeouts = Timeouts(idle_s=self.settings.timeout_s)
        async with ModelClient(
            self.base_url, api_key=self.api_key, timeouts=timeouts, max_answer_bytes=_MOST_ANSWER_BYTES, headers=MARKS
        ) as client:
            await asyncio.gather(*(work(client) for _ in range(min(self.settings.concurrency, len(chains)))))
        return verdicts

    async def _ask(self, client: ModelClient, question: Question) -> Verdict:
        try:
            async with asyncio.timeout(self.settings.timeout_s):
                answer = await client.chat(self._request(question))
        except UpstreamError as error:
            failure = error.kind if error.status is None else f"{error.kind} {error.status}"
            return Verdict(failure=failure, is_away=True, detail=f"{error.kind}: {error}"[:_LONGEST_REASON])
        except TimeoutError:
            return Verdict(failure=f"timeout: no answer in {self.settings.timeout_s:g} s", is_away=True)
        return read_verdict(answer)

    def _request(self, question: Question) -> dict[str, Any]:
        request: dict[str, Any] = {"model": self.model, "messages": messages_of(question)}
        if self.settings.temperature >= 0:
            request["temperature"] = self.settings.temperature
        if self.settings.max_tokens:
            request["max_tokens"] = self.settings.max_tokens
        return request


def read_verdict(answer: Mapping[str, Any]) -> Verdict:
    """What a chat completion says; one of another shape is an unreadable answer."""
    try:
        text = answer["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        return Verdict(failure="unreadable: the server's answer has no choices[0].message.content")
    if not isinstance(text, str) or (is_yes := read_answer(text)) is None:
        return Verdict(failure="unreadable: neither yes nor no")
    return Verdict(is_yes=is_yes)


def judge_of(judge: JudgeSettings, gateway: GatewaySettings, environment: Mapping[str, str]) -> Judge | None:
    """The judge that is set, or None. Raises ConfigurationError for one that cannot be asked."""
    if not judge.model:
        return None
    if bool(judge.base_url) == bool(judge.upstream):
        raise ConfigurationError("[judge] needs either `base_url` or `upstream`, and not both.")
    base_url, key_name = judge.base_url, judge.api_key_env
    if judge.upstream:
        if judge.upstream not in gateway.upstreams:
            raise ConfigurationError(f"[judge]: there is no [gateway.upstreams.{judge.upstream}].")
        upstream = gateway.upstreams[judge.upstream]
        base_url, key_name = upstream.base_url, judge.api_key_env or upstream.api_key_env
    if key_name and not environment.get(key_name):
        raise ConfigurationError(f"[judge]: the environment variable {key_name}, which should hold its key, is not set.")
    if not base_url.startswith(("http://", "https://")):
        raise ConfigurationError(f"[judge]: its address {base_url!r} must start with http:// or https:// and end in /v1.")
    return Judge(model=judge.model, base_url=base_url, api_key=environment.get(key_name) if key_name else None, settings=judge)
