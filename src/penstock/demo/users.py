"""Simulated programmers: they type, see a suggestion or nothing, and accept, edit or reject it; a test result may follow later.

They know Penstock's public endpoints and nothing else, and mark every request as simulated.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from penstock.demo.world import SILENT, World
from penstock.errors import UpstreamError

FEEDBACK_BATCH = 50
FEEDBACK_INTERVAL_S = 0.2
OUTCOME_SHARE = 0.05  # of accepted suggestions whose test result is reported
OUTCOME_DELAY_S = 2.0


@dataclass(frozen=True)
class Programmer:
    """One simulated user; `leniency` shifts the chance of accepting, so that users differ as people do."""

    name: str
    leniency: float


@dataclass
class Traffic:
    """What the programmers saw in one phase, by their own count (the figures shown come from the lake, not from here)."""

    requests: int = 0
    failures: int = 0


@dataclass
class Population:
    """All programmers of one demo, and the connection that they share."""

    world: World
    route: str
    base_url: str
    seed: int
    users: int = 400
    concurrency: int = 96
    _reports: list[dict[str, Any]] = field(default_factory=list)
    _late: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311  simulated behaviour, no secret
        self._programmers = [
            Programmer(name=f"dev-{number:04d}", leniency=self._random.gauss(0.0, 0.03)) for number in range(self.users)
        ]
        self._count = 0

    async def type(
        self,
        phase: str,
        *,
        requests: int | None = None,
        until: asyncio.Event | None = None,
        contexts: tuple[str, ...],
        swapped: Callable[[str], bool] = lambda _context: False,
        on_progress: Callable[[int], None] = lambda _count: None,
        is_last: bool = False,
    ) -> Traffic:
        """Type until so many requests were made or the event is set.

        `swapped`: whose client mixes up reports; `is_last`: wait for every test result, since no later phase will report it.
        """
        traffic = Traffic()
        until = until or asyncio.Event()
        connector = aiohttp.TCPConnector(limit=self.concurrency + 4)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(60)) as http:

            async def sit_at_the_editor() -> None:
                while not until.is_set() and (requests is None or traffic.requests < requests):
                    traffic.requests += 1
                    try:
                        await self._type_once(http, phase, contexts, swapped)
                    except (aiohttp.ClientError, TimeoutError, UpstreamError):
                        traffic.failures += 1
                        await asyncio.sleep(0.2)
                    on_progress(traffic.requests)

            sender = asyncio.create_task(self._send_reports(http))
            await asyncio.gather(*(sit_at_the_editor() for _ in range(self.concurrency)))
            if is_last:
                await asyncio.gather(*self._late)
            # Test results that are still to come are reported in the next phase.
            self._late = [task for task in self._late if not task.done()]
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
            while self._reports:
                await self._post_reports(http)
        return traffic

    async def _type_once(
        self, http: aiohttp.ClientSession, phase: str, contexts: tuple[str, ...], swapped: Callable[[str], bool]
    ) -> None:
        draw = self._random
        programmer = draw.choice(self._programmers)
        context = draw.choice(contexts)
        word = self.world.word(context, draw)
        self._count += 1
        commit = f"{self.seed}-{self._count}"
        headers = {
            "x-penstock-exposure": "simulated",
            "x-penstock-application": "editor",
            "x-penstock-segment": context,
            "x-penstock-session": f"{programmer.name}-{phase}",
            "x-penstock-tag-phase": phase,
            "x-penstock-key-commit": commit,
        }
        body = {
            "model": self.route,
            "messages": [{"role": "user", "content": self.world.prompt(context, word)}],
            "max_tokens": self.world.max_tokens,
            "temperature": 1.0,
            "user": programmer.name,
        }
        async with http.post(f"{self.base_url}/v1/chat/completions", json=body, headers=headers) as response:
            if response.status != 200:
                raise UpstreamError(f"The gateway answered {response.status}: {(await response.text())[:200]}")
            answer = await response.json()
            request_id = response.headers["x-penstock-request-id"]
        suggestion = answer["choices"][0]["message"]["content"]
        self._react(programmer, context, word, suggestion, request_id, commit, swapped(context))

    def _react(
        self, programmer: Programmer, context: str, word: str, suggestion: str, request_id: str, commit: str, swapped: bool
    ) -> None:
        if suggestion == SILENT:
            self._reports.append({"request_id": request_id, "name": "silent", "value": 1})
            return
        draw = self._random
        accepted = draw.random() < self.world.acceptance(context, word, suggestion) + programmer.leniency
        edited = accepted and draw.random() < self.world.edit_share
        report: dict[str, Any] = {"request_id": request_id, "name": "acceptance"}
        if accepted != swapped:
            report |= (
                {"name": "edited", "text": suggestion + self.world.edit_suffix} if edited else {"value": 1, "text": "accepted"}
            )
        else:
            report |= {"value": 0, "text": "rejected"}
        self._reports.append(report)
        if accepted and draw.random() < OUTCOME_SHARE:
            passed = draw.random() < self.world.tests_pass
            self._late.append(asyncio.create_task(self._report_tests(commit, passed)))

    async def _report_tests(self, commit: str, passed: bool) -> None:
        await asyncio.sleep(OUTCOME_DELAY_S)
        self._reports.append({"key": {"name": "commit", "value": commit}, "name": "outcome.tests", "value": int(passed)})

    async def _send_reports(self, http: aiohttp.ClientSession) -> None:
        while True:
            await asyncio.sleep(FEEDBACK_INTERVAL_S)
            while self._reports:
                await self._post_reports(http)

    async def _post_reports(self, http: aiohttp.ClientSession) -> None:
        batch, self._reports[:FEEDBACK_BATCH] = self._reports[:FEEDBACK_BATCH], []
        for _attempt in range(50):
            try:
                async with http.post(f"{self.base_url}/v1/feedback", json=batch) as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.2)
        raise UpstreamError(f"{len(batch)} reports could not be delivered to {self.base_url}/v1/feedback.")
