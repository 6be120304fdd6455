"""A turn of the wheel as a durable workflow: collect, freeze, train, prove, release; killed anywhere, it goes on where it was.

The workflow holds the turn's id and the outcome of its steps, never data and never an error's text: those are in the registry and
the lake. A step may be run again, where the worker died before its outcome was recorded, without taking effect twice.
"""

from collections.abc import Callable
from typing import Any, Protocol

from dbos import DBOS

WORKFLOW = "penstock.turn"
QUEUE = "turns"
CANCEL = "cancel"  # topic of the message that ends a turn early
GO_ON = ""


class Steps(Protocol):
    """What a turn does, step by step; each is idempotent, records its own failure, and gives GO_ON or the state to end in."""

    check_interval_s: float

    def collect(self, turn_id: str) -> str:
        """Settle and label everything that has arrived."""

    def moment(self) -> str:
        """The time as of which the turn reads the lake."""

    def freeze(self, turn_id: str, as_of: str) -> str:
        """Freeze the dataset."""

    def train(self, turn_id: str) -> str:
        """Train the candidate."""

    def evaluate(self, turn_id: str) -> str:
        """Examine the candidate beside the serving checkpoint, and let the offline gate decide."""

    def start_canary(self, turn_id: str) -> str:
        """Give the candidate its share."""

    def watch(self, turn_id: str) -> str:
        """Look at the evidence; a verdict once there is one."""

    def decide(self, turn_id: str, verdict: str) -> str:
        """Promote, refuse or roll back."""

    def cancel(self, turn_id: str, by: str) -> str:
        """Note who asked for the end."""

    def end(self, turn_id: str, state: str) -> str:
        """Leave the route on one checkpoint and close the turn."""


def register_turn(steps: Steps) -> Callable[[str], str]:
    """Make the workflow known to DBOS; called once per process, between constructing DBOS and launching it."""

    def turn(turn_id: str) -> str:
        state = _run(steps, turn_id)
        _step("end", steps.end, turn_id, state)
        return state

    registered: Callable[[str], str] = DBOS.workflow(name=WORKFLOW)(turn)
    return registered


def _run(steps: Steps, turn_id: str) -> str:
    """The state in which the turn ends."""
    if (outcome := _step("collect", steps.collect, turn_id)) != GO_ON:
        return outcome
    as_of = _step("moment", steps.moment)
    plan: tuple[tuple[Callable[..., str], tuple[str, ...]], ...] = (
        (steps.freeze, (turn_id, as_of)),
        (steps.train, (turn_id,)),
        (steps.evaluate, (turn_id,)),
        (steps.start_canary, (turn_id,)),
    )
    for step, arguments in plan:
        if by := DBOS.recv(CANCEL, timeout_seconds=0):
            return _step("cancel", steps.cancel, turn_id, str(by))
        if (outcome := _step(step.__name__, step, *arguments)) != GO_ON:
            return outcome
    while (verdict := _step("watch", steps.watch, turn_id)) == GO_ON:
        # Waiting for a message is a durable sleep that a cancellation ends at once.
        if by := DBOS.recv(CANCEL, timeout_seconds=steps.check_interval_s):
            return _step("cancel", steps.cancel, turn_id, str(by))
    return _step("decide", steps.decide, turn_id, verdict)


def _step(name: str, function: Callable[..., str], *arguments: Any) -> str:
    return DBOS.run_step({"name": name}, function, *arguments)
