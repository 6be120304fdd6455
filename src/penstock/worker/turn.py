"""A turn of the wheel as a durable workflow: collect, freeze, train, prove, release; killed anywhere, it goes on where it was.

The workflow holds the turn's id and decisions, never data: every step reads what it needs from registry and lake, and may be run
again without taking effect twice.
"""

import logging
from collections.abc import Callable
from typing import Any, Protocol

from dbos import DBOS

from penstock.errors import PenstockError

WORKFLOW = "penstock.turn"
QUEUE = "turns"
CONTINUE = "continue"
REFUSED_OFFLINE = "refused_offline"

logger = logging.getLogger(__name__)


class Steps(Protocol):
    """What a turn does, step by step; each is idempotent."""

    check_interval_s: float

    def collect(self, turn_id: str) -> None:
        """Settle and label everything that has arrived."""

    def freeze(self, turn_id: str) -> str:
        """Freeze the dataset; its id."""

    def train(self, turn_id: str) -> str:
        """Train the candidate; its id."""

    def evaluate(self, turn_id: str) -> str:
        """Score the candidate beside the serving checkpoint; `passed` or why not."""

    def refuse(self, turn_id: str, reason: str) -> None:
        """End the turn before any user met the candidate."""

    def start_canary(self, turn_id: str) -> str:
        """Give the candidate its share; the release's id."""

    def watch(self, turn_id: str) -> str:
        """Read the evidence; a Decision."""

    def decide(self, turn_id: str, decision: str) -> None:
        """Promote, refuse or roll back, and end the turn."""

    def fail(self, turn_id: str, reason: str) -> None:
        """End the turn with a failure, the serving checkpoint answering everyone."""


def register_turn(steps: Steps) -> Callable[[str], None]:
    """Make the workflow known to DBOS; called once per process, between constructing DBOS and launching it."""

    @DBOS.workflow(name=WORKFLOW)
    def turn(turn_id: str) -> None:
        try:
            _run(steps, turn_id)
        except Exception as error:
            logger.error("Turn %s failed: %s", turn_id, error, exc_info=not isinstance(error, PenstockError))
            _step("fail", steps.fail, turn_id, f"{type(error).__name__}: {error}")

    return turn


def _run(steps: Steps, turn_id: str) -> None:
    _step("collect", steps.collect, turn_id)
    _step("freeze", steps.freeze, turn_id)
    _step("train", steps.train, turn_id)
    verdict = _step("evaluate", steps.evaluate, turn_id)
    if verdict != "passed":
        _step("refuse", steps.refuse, turn_id, verdict)
        return
    _step("start_canary", steps.start_canary, turn_id)
    while (decision := _step("watch", steps.watch, turn_id)) == CONTINUE:
        DBOS.sleep(steps.check_interval_s)
    _step("decide", steps.decide, turn_id, decision)


def _step(name: str, function: Callable[..., Any], *arguments: str) -> Any:
    return DBOS.run_step({"name": name}, function, *arguments)
