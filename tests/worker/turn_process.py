"""A worker that dies: python -m tests.worker.turn_process HOME TURN POINT...

It runs the turn and ends like a killed process at the first point that no earlier life has died at. A point is `before:STEP`, or
`after:STEP`, where the step has taken effect and nothing has recorded that it did. At the end of the turn it leaves by itself.
"""

import os
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from penstock.records.turn import TurnState
from penstock.worker.process import work
from penstock.worker.refresh import Refresher
from tests.worker.wheel import GOOD, WheelSteps, copying_recipe, open_home

KILLED = 9
STEPS = ("collect", "freeze", "train", "evaluate", "start_canary", "watch", "decide", "end")


class MortalSteps:
    """The real steps behind a door at which the process may die."""

    def __init__(self, steps: WheelSteps, folder: Path, points: list[str]) -> None:
        self._steps = steps
        self._folder = folder
        self._points = points
        self.check_interval_s = steps.check_interval_s

    def __getattr__(self, name: str) -> Callable[..., str]:
        step = getattr(self._steps, name)

        def mortal(*arguments: Any) -> str:
            self._die_at(f"before:{name}")
            outcome: str = step(*arguments)
            self._die_at(f"after:{name}")
            return outcome

        mortal.__name__ = name
        return mortal

    def _die_at(self, point: str) -> None:
        died = self._folder / point.replace(":", "-")
        if point in self._points and not died.exists():
            died.touch()
            os._exit(KILLED)


def main() -> None:
    folder, turn_id, points = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    home, stopping = open_home(folder), threading.Event()

    def build(stores: Any, refresher: Refresher) -> Any:
        return MortalSteps(WheelSteps(stores, refresher, train=copying_recipe(home, GOOD), retry_pauses_s=()), folder, points)

    def stop_at_the_end() -> None:
        while home.registry.turns.get(turn_id).state == TurnState.RUNNING:
            stopping.wait(0.05)
        stopping.set()

    work(
        partial(open_home, folder),
        stopping,
        build_steps=build,
        on_ready=threading.Thread(target=stop_at_the_end, daemon=True).start,
    )


if __name__ == "__main__":
    main()
