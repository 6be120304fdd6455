"""A step that is done again and again in a thread of its own; a failure is logged once and the step tried again."""

import logging
import threading
import time
from collections.abc import Callable

from penstock.errors import PenstockError

STOP_S = 30.0

logger = logging.getLogger(__name__)


class Repeat:
    """One step, every few seconds from beginning to beginning, from `start` to `stop`."""

    def __init__(
        self, name: str, step: Callable[[], object], interval_s: float, *, rest: float = 1.0, stop_s: float = STOP_S
    ) -> None:
        """`rest` is how many times as long as it took a step pauses at least: what costs much is done seldom and more at once.

        `stop_s` is for how long its end waits for a step that is under way.
        """
        self._name = name
        self._step = step
        self._interval_s = interval_s
        self._rest = rest
        self._stop_s = stop_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.failure: str | None = None  # what the last try failed with, where it did

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the step that is under way."""
        self._stop.set()
        self._thread.join(self._stop_s)

    def pause_s(self, took_s: float) -> float:
        """How long to wait after a step that took so long; after one that failed the whole interval."""
        if self.failure is not None:
            return self._interval_s
        return max(0.0, self._interval_s - took_s, self._rest * took_s)

    def _run(self) -> None:
        while not self._stop.is_set():
            begun = time.monotonic()
            try:
                self._step()
                self.failure = None
            except Exception as error:
                # The next round reads the same rows again: nothing is lost by going on.
                if self.failure is None:
                    logger.error("%s failed: %s", self._name, error, exc_info=not isinstance(error, PenstockError))
                self.failure = str(error)
            self._stop.wait(self.pause_s(time.monotonic() - begun))
