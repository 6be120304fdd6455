"""Simulated programmers against a server that answers like the gateway and keeps what it was told."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from penstock.demo import users
from penstock.demo.users import Population
from penstock.demo.world import SILENT, World


class Gateway:
    """Completes every second word and is silent on the others; every fifth request fails."""

    def __init__(self, *, failing: bool = False) -> None:
        self.failing = failing
        self.requests: list[tuple[dict[str, Any], dict[str, str]]] = []
        self.reports: list[dict[str, Any]] = []
        self.url = ""
        self._numbers = itertools.count()

    async def complete(self, request: web.Request) -> web.Response:
        number = next(self._numbers)
        body = await request.json()
        self.requests.append((body, dict(request.headers)))
        if self.failing and number % 5 == 0:
            return web.json_response({"error": "busy"}, status=503)
        word = body["messages"][0]["content"].partition(": ")[2]
        message = {"role": "assistant", "content": word if number % 2 else SILENT}
        return web.json_response({"choices": [{"message": message}]}, headers={"x-penstock-request-id": f"r{number}"})

    async def hear(self, request: web.Request) -> web.Response:
        self.reports += await request.json()
        return web.json_response({})


@asynccontextmanager
async def served(gateway: Gateway) -> AsyncIterator[Gateway]:
    application = web.Application()
    application.add_routes([web.post("/v1/chat/completions", gateway.complete), web.post("/v1/feedback", gateway.hear)])
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    gateway.url = f"http://{host}:{port}"
    try:
        yield gateway
    finally:
        await runner.cleanup()


def fates(gateway: Gateway) -> dict[str, dict[str, Any]]:
    return {report["request_id"]: report for report in gateway.reports if "request_id" in report}


async def test_every_answer_gets_one_fate_and_every_request_says_that_it_is_simulated() -> None:
    async with served(Gateway()) as gateway:
        people = Population(World(), "tab", gateway.url, seed=1, concurrency=8)
        traffic = await people.type("typed-1", requests=200, contexts=("py", "sql"), is_last=True)
    assert (traffic.requests, traffic.failures) == (200, 0)
    assert len(fates(gateway)) == 200
    assert {headers["x-penstock-exposure"] for _, headers in gateway.requests} == {"simulated"}
    assert {headers["x-penstock-segment"] for _, headers in gateway.requests} == {"py", "sql"}
    assert sum(report["name"] == "silent" for report in fates(gateway).values()) == 100
    assert {report.get("text") for report in fates(gateway).values()} >= {"accepted", "rejected"}


async def test_a_client_that_swaps_reports_calls_what_is_welcome_rejected() -> None:
    async with served(Gateway()) as gateway:
        people = Population(World(), "tab", gateway.url, seed=1, concurrency=4)
        await people.type("corrupted", requests=200, contexts=("sql",), swapped=lambda name: name == "sql", is_last=True)
    shown = [report for report in fates(gateway).values() if report["name"] != "silent"]
    assert sum(report.get("text") == "rejected" for report in shown) / len(shown) > 0.8


async def test_test_results_come_later_by_the_commit_and_none_is_lost(monkeypatch: Any) -> None:
    monkeypatch.setattr(users, "OUTCOME_SHARE", 1.0)
    monkeypatch.setattr(users, "OUTCOME_DELAY_S", 0.3)
    async with served(Gateway()) as gateway:
        people = Population(World(), "tab", gateway.url, seed=1, concurrency=4)
        await people.type("typed-1", requests=40, contexts=("sql",))
        early = [report for report in gateway.reports if report.get("name") == "outcome.tests"]
        await people.type("typed-2", requests=40, contexts=("sql",), is_last=True)
    outcomes = [report for report in gateway.reports if report.get("name") == "outcome.tests"]
    accepted = [report for report in fates(gateway).values() if report.get("text") == "accepted" or report["name"] == "edited"]
    assert len(early) < len(outcomes) == len(accepted)
    commits = {headers["x-penstock-key-commit"] for _, headers in gateway.requests}
    assert {report["key"]["value"] for report in outcomes} <= commits


async def test_a_request_that_fails_is_counted_and_nothing_is_reported_of_it() -> None:
    async with served(Gateway(failing=True)) as gateway:
        people = Population(World(), "tab", gateway.url, seed=1, concurrency=4)
        traffic = await people.type("typed-1", requests=50, contexts=("py",), is_last=True)
    assert traffic.failures == 10
    assert len(fates(gateway)) == 40
