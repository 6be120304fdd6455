"""The demo: a code editor's completion that learns from its users, turn by turn, and two turns that are stopped.

Penstock runs as `penstock up` runs it; this script has the command line, its users have HTTP, and neither has anything else.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from penstock.demo.figures import Figures, figures_of, figures_query
from penstock.demo.narration import Narration
from penstock.demo.program import Program, free_port
from penstock.demo.scenario import (
    ACTS,
    BASE,
    BASE_ROWS,
    CONFIGURATION,
    LAST,
    NEIGHBOUR_ITEMS,
    REHEARSAL_ROWS,
    Act,
    Phase,
    turn_plan,
)
from penstock.demo.users import Population
from penstock.demo.world import NEIGHBOUR, World
from penstock.errors import ConflictError, UpstreamError

ROUTE = "tab"
SETTLE_WAIT_S = 60.0  # how long requests and reports may take to become labels
FIGURES_FILE = "figures.sql"
DECIDED = ("released", "refused", "rolled_back")
_MEETS_USERS = ("start_canary", "watch", "decide")

Row = dict[str, Any]


@dataclass
class Steps:
    """When a turn reached each of its steps."""

    at: dict[str, float] = field(default_factory=dict)
    trained: asyncio.Event = field(default_factory=asyncio.Event)
    meets_users: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, line: str) -> None:
        """Read a line of `penstock turn run`."""
        step = line.rpartition(": ")[2]
        self.at[step] = time.monotonic()
        if step == "evaluate":  # training wants both cores; from here on one is free for a query
            self.trained.set()
        if step in _MEETS_USERS:
            self.meets_users.set()

    def seconds(self, step: str, *following: str) -> float | None:
        """From one step to the first of those that may follow it."""
        ends = [self.at[name] for name in following if name in self.at]
        return min(ends) - self.at[step] if step in self.at and ends else None


class Demo:
    """One run of the demo in one home."""

    def __init__(self, home: Path, seed: int, narration: Narration, acts: tuple[Act, ...] = ACTS) -> None:
        if home.exists() and (not home.is_dir() or any(home.iterdir())):
            raise ConflictError(f"{home} is there already and not empty; give the demo a folder of its own with --home.")
        self._home = home
        self._seed = seed
        self._tell = narration
        self._acts = acts
        self._program = Program(home)
        self._world = World()
        self._rehearsal = ""

    async def run(self) -> dict[str, Any]:
        """Set up, turn the wheel once per act, and give the result as it is printed with --json."""
        self._home.mkdir(parents=True, exist_ok=True)
        (self._home / FIGURES_FILE).write_text(figures_query(), encoding="utf-8")
        edge_port, serving_port = free_port(), free_port()
        configuration = CONFIGURATION.format(edge_port=edge_port, serving_port=serving_port)
        (self._home / "penstock.toml").write_text(configuration, encoding="utf-8")
        base_url = f"http://127.0.0.1:{edge_port}"
        async with self._penstock_up([f"{base_url}/healthz", f"http://127.0.0.1:{serving_port}/healthz"]):
            await self._bootstrap()
            users = Population(self._world, ROUTE, base_url, self._seed)
            turns = [await self._act(users, act) for act in self._acts]
            self._tell.headline("what users get now")
            await self._type(users, LAST, is_last=True)
            rows = await self._settled_figures(LAST)
            routes = await self._program.call("release", "routes")
        rolled_back = [turn["release"]["flip_seconds"] for turn in turns if turn["state"] == "rolled_back"]
        return {
            "turns": [
                _summary(act, turn, *self._before_and_after(rows, act)) for act, turn in zip(self._acts, turns, strict=True)
            ],
            "seconds": round(self._tell.seconds, 1),
            "rollback_seconds": rolled_back[-1] if rolled_back else None,
            "home": str(self._home),
            "serving": routes[0]["stable_checkpoint_id"],
        }

    async def _bootstrap(self) -> None:
        """A first model that completes or stays silent at random, served by the route."""
        started = time.monotonic()
        self._tell.headline("a first model: completes words, and is silent now and then, whatever the word")
        draw = random.Random(self._seed)  # noqa: S311 - simulated data, no secret
        base_rows = self._write("base.jsonl", self._world.base_rows(BASE_ROWS, draw))
        rehearsal_rows = self._write("rehearsal.jsonl", self._world.base_rows(REHEARSAL_ROWS, draw, ("sql", NEIGHBOUR)))
        items = self._write("neighbour.jsonl", self._world.neighbour_items(NEIGHBOUR_ITEMS, draw))
        call = self._program.call
        dataset = await call("dataset", "import", str(base_rows), "--name", "base")
        named = ("--dataset", dataset["dataset_version_id"], "--name", "base", "--seed", str(self._seed))
        base, rehearsal, _suite = await asyncio.gather(
            call("train", "sft", *named, "--config", json.dumps(BASE)),
            call("dataset", "import", str(rehearsal_rows), "--name", "rehearsal"),
            call("evaluate", "freeze", "--suite", NEIGHBOUR, "--items", str(items)),
        )
        self._rehearsal = rehearsal["dataset_version_id"]
        await call("release", "set-stable", ROUTE, base["checkpoint_id"])
        text = (
            f"{base['training_run_id']} on {dataset['dataset_version_id']} gave {base['checkpoint_id']}, which serves {ROUTE!r}"
        )
        self._tell.stage("training", text, time.monotonic() - started)

    @asynccontextmanager
    async def _penstock_up(self, health: list[str]) -> AsyncIterator[None]:
        started = time.monotonic()
        up = await self._program.start()
        try:
            for url in health:
                await _wait_until_ready(url)
            self._tell.stage("up", f"edge, worker and model server in {self._home}", time.monotonic() - started)
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(up.pid, signal.SIGTERM)
            await up.wait()

    async def _act(self, users: Population, act: Act) -> Row:
        self._tell.headline(f"turn {act.number}, {act.title}")
        since = await self._type(users, act.before)
        if act.corrupted is not None:
            since = await self._type(users, act.corrupted)
        steps = Steps()
        turn = await self._turn(users, act, since, steps)
        self._tell_of(turn, steps)
        return turn

    async def _type(self, users: Population, phase: Phase, *, is_last: bool = False) -> str:
        """Let users type; gives when they began."""
        since, started = datetime.now(UTC).isoformat(), time.monotonic()
        with self._tell.bar(f"users type ({phase.name})", phase.requests) as on_progress:
            traffic = await users.type(
                phase.name,
                requests=phase.requests,
                contexts=phase.contexts,
                swapped=phase.swapped.__contains__,
                on_progress=on_progress,
                is_last=is_last,
            )
        lost = f", {traffic.failures} without an answer" if traffic.failures else ""
        swapped = f"; {' and '.join(sorted(set(phase.swapped)))} reports swapped" if phase.swapped else ""
        text = f"phase {phase.name}: {traffic.requests:,} requests{lost}{swapped}"
        self._tell.stage("ingest", text, time.monotonic() - started)
        return since

    async def _turn(self, users: Population, act: Act, since: str, steps: Steps) -> Row:
        """Ask for the turn, and go on typing as soon as its candidate meets users."""
        plan = json.dumps(turn_plan(act, since, self._rehearsal, NEIGHBOUR, self._seed))
        call = asyncio.create_task(self._program.call("turn", "run", ROUTE, "--plan", plan, on_line=steps.note))
        ended = asyncio.Event()

        def end(_call: object) -> None:
            ended.set()
            steps.trained.set()
            steps.meets_users.set()

        call.add_done_callback(end)
        await steps.trained.wait()
        self._tell_of_data(act.data, figures_of(await self._figures(), act.data.name, set(act.contexts)))
        await steps.meets_users.wait()
        if not ended.is_set():
            with self._tell.bar(f"users type (canary-{act.number})", None) as on_progress:
                await users.type(f"canary-{act.number}", until=ended, contexts=act.contexts, on_progress=on_progress)
        turn: Row = await call
        if turn["state"] not in DECIDED or turn["release_id"] is None:  # without a release it ended before there was a candidate
            raise UpstreamError(f"Turn {act.number} {turn['state']}: {turn['reason']} See {self._home}/logs.")
        return turn

    def _tell_of_data(self, phase: Phase, seen: Figures) -> None:
        kept = f"{seen.accepted:,} of {seen.suggestions:,} suggestions accepted by report"
        self._tell.stage("signals", f"phase {phase.name}: {seen.signals:,} of {seen.requests:,} interactions have a fate; {kept}")
        self._tell.stage("labels", f"phase {phase.name}: {seen.labels:,} rewards, {seen.reward:+.3f} a request")

    def _tell_of(self, turn: Row, steps: Steps) -> None:
        stage, dataset, release = self._tell.stage, turn["dataset"], turn["release"]
        rows = f"{dataset['train_rows']:,} rows to train on, {dataset['test_rows']:,} held out"
        stage("datasets", f"{turn['dataset_version_id']}: {rows}", steps.seconds("freeze", "train"))
        run = turn["training_run"]
        text = f"{run['training_run_id']}: {run['recipe']} gave {turn['checkpoint_id']}"
        stage("training", text, steps.seconds("train", "evaluate"))
        for evaluation in turn["evaluations"]:
            verdict = "passed" if evaluation["passed"] else "failed"
            seconds = steps.seconds("evaluate", *_MEETS_USERS) if evaluation is turn["evaluations"][-1] else None
            stage("evaluation", f"{evaluation['evaluation_id']} {verdict}: {evaluation['reason']}", seconds)
        flip = f"; all edges followed in {release['flip_seconds']:.3f} s" if release["flip_seconds"] is not None else ""
        text = f"{release['release_id']} {turn['state'].replace('_', ' ')}: {release['reason']}{flip}"
        stage("release", text, steps.seconds("start_canary", "decide"))

    async def _figures(self) -> list[Row]:
        return await self._program.sql(figures_query())

    async def _settled_figures(self, phase: Phase) -> list[Row]:
        """The figures once every request of the last phase has its reward."""
        deadline = time.monotonic() + SETTLE_WAIT_S
        while True:
            rows = await self._figures()
            if figures_of(rows, phase.name, set(phase.contexts)).labels >= phase.requests or time.monotonic() > deadline:
                return rows
            await asyncio.sleep(0.5)

    def _before_and_after(self, rows: list[Row], act: Act) -> tuple[Figures, Figures]:
        later = [other.before for other in self._acts if other.number > act.number]
        after = later[0] if later else LAST
        languages = set(act.contexts)
        return figures_of(rows, act.before.name, languages), figures_of(rows, after.name, languages)

    def _write(self, name: str, rows: list[dict[str, object]]) -> Path:
        path = self._home / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path


def run_demo(home: Path, seed: int, narration: Narration) -> dict[str, Any]:
    """Run the demo and give its result."""
    return asyncio.run(Demo(home.resolve(), seed, narration).run())


async def _wait_until_ready(url: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    async with aiohttp.ClientSession() as http:
        while time.monotonic() < deadline:
            with contextlib.suppress(aiohttp.ClientError):
                async with http.get(url) as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.1)
    raise UpstreamError(f"{url} did not answer within {seconds:.0f} s; see the logs in the demo's home.")


def _summary(act: Act, turn: Row, before: Figures, after: Figures) -> Row:
    figures: Row = {}
    for name in ("acceptance", "suggestion_rate", "reward"):
        figures |= {f"{name}_before": getattr(before, name), f"{name}_after": getattr(after, name)}
    margins = {
        f"{name}_margin_{when}": getattr(seen, f"{name.removesuffix('_rate')}_margin")
        for name in ("acceptance", "suggestion_rate", "reward")
        for when, seen in (("before", before), ("after", after))
    }
    return {
        "turn": act.number,
        "decision": turn["state"],
        **figures,
        "p_value": turn["release"]["p_value"],
        **margins,
        "suggestions_before": before.suggestions,
        "suggestions_after": after.suggestions,
        "checkpoint_id": turn["checkpoint_id"],
        "reason": turn["reason"],
    }
