"""The demo: a code editor's completion that learns from its users, turn by turn, and two turns that are stopped."""

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

from penstock.demo.figures import Figures, read_figures
from penstock.demo.program import Program, free_port
from penstock.demo.scenario import ACTS, BASE, CONFIGURATION, PROBE_REQUESTS, RECIPE, Act
from penstock.demo.users import Population
from penstock.demo.world import World
from penstock.errors import ConflictError, UpstreamError

ROUTE = "tab"
NEIGHBOUR = "rev"
SETTLE_S = 3.0  # spool to lake, settle, signals, labels
_DECISIONS = {"released": "released", "refused": "refused", "rolled_back": "rolled_back"}

Say = Callable[[str], None]


class Demo:
    """One run of the demo in one home."""

    def __init__(self, home: Path, seed: int, say: Say) -> None:
        if home.exists() and any(home.iterdir()):
            raise ConflictError(f"{home} is not empty; give the demo a folder of its own with --home.")
        self._home = home
        self._seed = seed
        self._say = say
        self._program = Program(home)
        self._world = World()
        self._rehearsal = ""
        self._rollback_seconds: float | None = None

    async def run(self) -> dict[str, Any]:
        """Set up, turn the wheel four times, and give the result as it is printed with --json."""
        started = time.monotonic()
        self._home.mkdir(parents=True, exist_ok=True)
        edge_port, serving_port = free_port(), free_port()
        configuration = CONFIGURATION.format(edge_port=edge_port, serving_port=serving_port)
        (self._home / "penstock.toml").write_text(configuration, encoding="utf-8")
        base_url = f"http://127.0.0.1:{edge_port}"
        await self._bootstrap()
        up = await self._program.start()
        try:
            await _wait_until_ready(f"{base_url}/healthz")
            await _wait_until_ready(f"http://127.0.0.1:{serving_port}/healthz")
            users = Population(self._world, ROUTE, base_url, self._seed)
            turns = await self._turns(users)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(up.pid, signal.SIGTERM)
            await up.wait()
        seconds = round(time.monotonic() - started, 1)
        return {"turns": turns, "seconds": seconds, "rollback_seconds": self._rollback_seconds, "home": str(self._home)}

    async def _bootstrap(self) -> None:
        """A first model that completes or stays silent at random, served by the route."""
        started = time.monotonic()
        draw = random.Random(self._seed)  # noqa: S311 - simulated data, no secret
        rows = self._write("base.jsonl", self._world.base_rows(12_000, draw))
        items = self._write("neighbour.jsonl", self._world.neighbour_items(100, draw))
        dataset = await self._program.call("dataset", "import", str(rows), "--name", "base")
        self._rehearsal = dataset["dataset_version_id"]
        await self._program.call("evaluate", "freeze", "--suite", NEIGHBOUR, "--items", str(items))
        config = json.dumps(BASE)
        arguments = ("sft", "--dataset", self._rehearsal, "--name", "base", "--seed", str(self._seed), "--config", config)
        base = await self._program.call("train", *arguments)
        await self._program.call("release", "set-stable", ROUTE, base["checkpoint_id"])
        self._say(f"base     {base['checkpoint_id']} trained in {time.monotonic() - started:.0f} s, serves route {ROUTE!r}")

    async def _turns(self, users: Population) -> list[dict[str, Any]]:
        turns: list[dict[str, Any]] = []
        for act in ACTS:
            turns.append(await self._act(users, act))
        return turns

    async def _act(self, users: Population, act: Act) -> dict[str, Any]:
        started = time.monotonic()
        self._say(f"turn {act.number}   {act.title}")
        before = await self._probe(users, f"before-{act.number}", act)
        swapped = act.swapped
        await users.type(
            f"collect-{act.number}", requests=act.collect, contexts=act.contexts, swapped=lambda name: name in swapped
        )
        await asyncio.sleep(SETTLE_S)
        self._say(f"  collected {act.collect} requests after {time.monotonic() - started:.0f} s")
        turn = await self._turn(users, act)
        release = turn.get("release") or {}
        self._say(
            f"  dataset {turn['dataset_version_id']}  run {turn['training_run_id']}  checkpoint {turn['checkpoint_id']}  "
            f"release {turn['release_id']}"
        )
        self._say(f"  {turn['state']}: {turn['reason']} ({time.monotonic() - started:.0f} s)")
        if turn["state"] == "rolled_back":
            self._rollback_seconds = release.get("flip_seconds")
        after = await self._probe(users, f"after-{act.number}", act)
        return _summary(act, turn, before, after)

    async def _probe(self, users: Population, phase: str, act: Act) -> Figures:
        """Ordinary traffic with sound clients, to see what users get now."""
        await users.type(phase, requests=PROBE_REQUESTS, contexts=act.contexts)
        await asyncio.sleep(SETTLE_S)
        return await read_figures(self._program, phase)

    async def _turn(self, users: Population, act: Act) -> dict[str, Any]:
        """Ask for the turn, and go on typing as soon as its candidate meets users."""
        since = await self._program.sql(
            f"SELECT min(started_at) AS at FROM interactions WHERE tags['phase'] = 'collect-{act.number}'"
        )
        plan = {
            "since": since[0]["at"],
            "rehearsal_dataset": self._rehearsal,
            "regression_suites": [NEIGHBOUR],
            "recipe_config": RECIPE,
            "seed": self._seed,
        }
        ended = asyncio.Event()
        call = asyncio.create_task(self._program.call("turn", "run", ROUTE, "--plan", json.dumps(plan)))
        call.add_done_callback(lambda _task: ended.set())
        while not ended.is_set():
            routes = await self._program.call("release", "routes")
            if routes[0]["candidate_checkpoint_id"] is not None:
                await users.type(f"canary-{act.number}", until=ended, contexts=act.contexts)
                break
            await asyncio.sleep(0.5)
        turn: dict[str, Any] = await call
        if turn["state"] not in _DECISIONS:
            raise UpstreamError(f"Turn {act.number} {turn['state']}: {turn['reason']}")
        return turn

    def _write(self, name: str, rows: list[dict[str, object]]) -> Path:
        path = self._home / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path


def run_demo(home: Path, seed: int, *, quiet: bool) -> dict[str, Any]:
    """Run the demo; progress goes to standard error."""

    def say(line: str) -> None:
        if not quiet:
            print(line, file=sys.stderr, flush=True)

    return asyncio.run(Demo(home.resolve(), seed, say).run())


async def _wait_until_ready(url: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    async with aiohttp.ClientSession() as http:
        while time.monotonic() < deadline:
            with contextlib.suppress(aiohttp.ClientError):
                async with http.get(url) as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.2)
    raise UpstreamError(f"{url} did not answer within {seconds:.0f} s; see the logs in the demo's home.")


def _summary(act: Act, turn: dict[str, Any], before: Figures, after: Figures) -> dict[str, Any]:
    return {
        "turn": act.number,
        "decision": _DECISIONS[turn["state"]],
        "acceptance_before": before.acceptance,
        "acceptance_after": after.acceptance,
        "acceptance_margin": after.acceptance_margin,
        "suggestion_rate_before": before.suggestion_rate,
        "suggestion_rate_after": after.suggestion_rate,
        "reward_before": before.reward,
        "reward_after": after.reward,
        "reward_margin": after.reward_margin,
        "p_value": (turn.get("release") or {}).get("p_value"),
        "reason": turn["reason"],
    }
