"""A small home to turn the wheel in: real registry, lake and evaluation; a model server that answers by rule, and a recipe that
copies its parent. People like `yes` to a good question and dislike it to a bad one; silence is `no`.
"""

import math
import os
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from penstock.app import Penstock
from penstock.records.clock import utc_now
from penstock.records.ids import content_hash
from penstock.records.label import AnnotatorKind, Label
from penstock.records.release import Arm
from penstock.records.training import Checkpoint, TrainingRun, TrainingRunState
from penstock.records.turn import Turn, TurnState
from penstock.registry.registry import Registry
from penstock.settings import Settings
from penstock.worker.reading import Reading
from penstock.worker.refresh import Refresher
from penstock.worker.turn_plan import TurnPlan, encode_plan
from penstock.worker.turn_steps import TurnSteps
from tests.rows import make_interaction

ROUTE = "tab"
QUESTIONS = 6  # by each user
REWARDS = {("good", "yes"): 0.75, ("bad", "yes"): -0.25, ("good", "no"): 0.0, ("bad", "no"): 0.0}
STABLE, GOOD, BAD = "stable", "good", "bad"  # what a checkpoint's folder says it does


def open_home(folder: Path) -> Penstock:
    """The stores of a home that prepare() has made, as the worker is given them."""
    return Penstock(msgspec.json.decode((folder / "settings.json").read_bytes(), type=Settings))


def prepare(folder: Path, server: str, **release: Any) -> Penstock:
    """A home with a route, its stable checkpoint, and a day of traffic on it."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "home": str(folder),
        "gateway": {"upstreams": {"local": {"base_url": server}}},
        "release": {"check_interval_s": 0.05, "apply_timeout_s": 0.1, "max_canary_s": 5.0, **release},
        "ingest": {"settle_interval_s": 30.0},  # a turn refreshes by itself
    }
    (folder / "settings.json").write_bytes(msgspec.json.encode(settings))
    home = open_home(folder)
    stable = register(home, STABLE, parent=None, run=None)
    home.registry.routes.set_stable(ROUTE, stable.checkpoint_id, utc_now())
    traffic(home, "first", stable.checkpoint_id)
    return home


def register(
    home: Penstock, behaviour: str, *, parent: Checkpoint | None, run: TrainingRun | None, dataset: str | None = None
) -> Checkpoint:
    """A checkpoint whose weights are the name of what it does and, to tell turns apart, its parent."""
    weights = f"{behaviour} {parent.checkpoint_id if parent else ''}".encode()
    name = "c_" + content_hash(weights).removeprefix("b2:")[:16]
    folder = home.artifacts / "checkpoints" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weights").write_bytes(weights)
    return home.registry.checkpoints.put(
        Checkpoint(
            checkpoint_id=name,
            name=behaviour,
            content_hash=content_hash(weights),
            uri=str(folder),
            upstream="local",
            model=f"{behaviour}-{name}",
            parent_checkpoint_id=parent.checkpoint_id if parent else None,
            training_run_id=run.training_run_id if run else None,
            dataset_version_id=dataset,
            created_at=utc_now(),
        )
    )


def copying_recipe(home: Penstock, behaviour: str) -> Callable[..., Checkpoint]:
    """Trains nothing: registers a run and a checkpoint that behaves so, and notes each time it did."""

    def train(registry: Registry, _settings: Settings, artifacts: Path, **asked: Any) -> Checkpoint:
        run = registry.runs.put(
            TrainingRun(
                training_run_id=asked["run_id"],
                recipe=asked["recipe"],
                dataset_version_id=asked["dataset"].dataset_version_id,
                parent_checkpoint_id=asked["parent"].checkpoint_id,
                state=TrainingRunState.PENDING,
                config="{}",
                config_hash="b2:0",
                code_revision="test",
                seed=asked["seed"],
            )
        )
        if run.state == TrainingRunState.SUCCEEDED:
            return registry.checkpoints.get(run.checkpoint_id)
        registry.runs.transition(run.training_run_id, TrainingRunState.RUNNING)
        with (artifacts / "trained").open("a") as file:
            file.write(asked["run_id"] + "\n")
        checkpoint = register(home, behaviour, parent=asked["parent"], run=run, dataset=run.dataset_version_id)
        registry.runs.transition(run.training_run_id, TrainingRunState.SUCCEEDED, checkpoint_id=checkpoint.checkpoint_id)
        return checkpoint

    return train


def traffic(home: Penstock, name: str, checkpoint: str, *, users: int = 80, **fields: Any) -> None:
    """Each user asks six questions; half are answered `yes`. The same name is the same traffic, once."""
    base = sum(name.encode()) * 100_000
    interactions, labels = [], []
    now, chance = utc_now(), random.Random(name)
    for number in range(users * QUESTIONS):
        question, reply = chance.choice(["good", "bad"]), chance.choice(["yes", "no"])
        reply = fields.get("reply", {}).get(question, reply)
        interaction = make_interaction(
            base + number,
            user_id=f"u_{fields.get('arm', '')}{number // QUESTIONS}",
            checkpoint_id=checkpoint,
            release_arm=fields.get("arm"),
            arm_probability=0.5 if "arm" in fields else 1.0,
            input_messages=msgspec.json.encode([{"role": "user", "parts": [{"type": "text", "content": question}]}]).decode(),
            response_text=reply,
            finish_reason="stop",
            token_logprobs=[math.log(0.5)],
            content_present=True,
        )
        interactions.append(msgspec.structs.replace(interaction, started_at=now, ended_at=now, known_at=now))
        value = fields.get("rewards", REWARDS)[question, reply]
        labels.append(reward_label(interactions[-1].interaction_id, value, now))
    lake = home.open_lake()
    lake.append("interactions", interactions, transactions={f"traffic:{name}": 1})
    lake.append("labels", labels, transactions={f"traffic:{name}": 1})


def reward_label(interaction_id: str, value: float, now: Any) -> Label:
    return Label(
        label_id=f"l_{interaction_id}",
        target_kind="interaction",
        target_id=interaction_id,
        interaction_id=interaction_id,
        schema="response-quality",
        schema_version=1,
        dimension="reward",
        value=value,
        annotator_kind=AnnotatorKind.PROGRAM,
        annotator="test@1",
        known_at=now,
        started_at=now,
    )


class WheelSteps(TurnSteps):
    """The real steps, with users who come as soon as a canary begins."""

    replies: dict[str, str] = {"good": "yes", "bad": "no"}  # noqa: RUF012 - what the candidate answers in production

    def start_canary(self, turn_id: str) -> str:
        outcome = super().start_canary(turn_id)
        turn = self._registry.turns.get(turn_id)
        release = self._registry.releases.get(turn.release_id)
        traffic(self._stores, f"{turn_id}-stable", release.stable_checkpoint_id, arm=Arm.STABLE)
        traffic(self._stores, f"{turn_id}-candidate", release.checkpoint_id, arm=Arm.CANDIDATE, reply=self.replies)
        return outcome


def make_steps(home: Penstock, behaviour: str = GOOD, steps: type[TurnSteps] = WheelSteps, **options: Any) -> TurnSteps:
    holder = f"test@{os.getpid()}"
    refresher = Refresher(home, holder, Reading(home, holder))
    given = {"train": copying_recipe(home, behaviour), "retry_pauses_s": (), **options}
    return steps(home, refresher, **given)


def begin_turn(home: Penstock, turn_id: str, **plan: Any) -> Turn:
    return home.registry.turns.create(
        Turn(
            turn_id=turn_id,
            number=0,
            route=ROUTE,
            state=TurnState.RUNNING,
            step="queued",
            config=encode_plan(TurnPlan(route=ROUTE, **plan)),
            started_at=utc_now(),
        )
    )


@contextmanager
def model_server() -> Iterator[str]:
    """Scores completions over HTTP; what a model does is the first word of its name."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Scorer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Scorer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = msgspec.json.decode(self.rfile.read(int(self.headers["content-length"])))
        behaviour = asked["model"].split("-")[0]
        data = []
        for index, item in enumerate(asked.get("items", [])):
            logprob = math.log(probability(behaviour, item["messages"][-1]["content"], item["completion"]))
            data.append({"index": index, "logprob": logprob, "tokens": ["x"], "token_logprobs": [logprob]})
        body = msgspec.json.encode({"data": data})
        if self.path.endswith("/chat/completions"):
            answer = asked["messages"][-1]["content"] if behaviour != BAD else "wrong"
            body = msgspec.json.encode({"choices": [{"message": {"content": answer}}]})
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def probability(behaviour: str, question: str, reply: str) -> float:
    """A good checkpoint says yes to good questions, a bad one to bad ones, a stable one throws a coin."""
    if behaviour not in (GOOD, BAD):
        return 0.5
    return 0.9 if (question == behaviour) == (reply == "yes") else 0.1
