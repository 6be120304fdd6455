"""A judge on loopback that speaks the OpenAI chat API: what it says to a question, or how it fails, is the test's choice."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from penstock.judging.judge import Judge
from penstock.settings import JudgeSettings
from tests.edge.upstream import ScriptedUpstream, _whole, running_upstream


class ScriptedJudge(ScriptedUpstream):
    """The model `judge` says what `says` gives for the texts and the question; other models fail as their name says."""

    def __init__(self, says: Callable[[str], str]) -> None:
        super().__init__()
        self.says = says

    async def _answer(self, head: str, body: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if body.get("model") != "judge":
            await super()._answer(head, body, reader, writer)
            return
        content = self.says(body["messages"][-1]["content"])
        message = {"role": "assistant", "content": content}
        _whole(writer, 200, {"id": "a", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
        await writer.drain()

    def judge(self, **given: Any) -> Judge:
        """It, as the settings would have it."""
        settings = JudgeSettings(**{"model": "judge", "base_url": self.base_url, **given})
        return Judge(model=settings.model, base_url=settings.base_url, api_key=None, settings=settings)

    @property
    def questions(self) -> list[str]:
        """What it was asked, without the texts."""
        return [body["messages"][-1]["content"].rpartition("Question: ")[2] for body in self.bodies]

    @property
    def texts(self) -> list[dict[str, str]]:
        """The texts it was shown."""
        return [json.loads(body["messages"][-1]["content"].rpartition("\n\nQuestion: ")[0]) for body in self.bodies]


@contextmanager
def running_judge(says: Callable[[str], str] = lambda _: "yes") -> Iterator[ScriptedJudge]:
    judge = ScriptedJudge(says)
    with running_upstream(judge):
        yield judge
