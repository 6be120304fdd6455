"""A step that is done again and again in a thread of its own; a failure is logged once and the step tried again."""

import logging
import threading
from collections.abc import Callable

from penstock.errors import PenstockError

logger = logging.getLogger(__name__)


class Repeat:
    """One step, every few seconds, from `start` to `stop`."""

    def __init__(self, name: str, step: Callable[[], object], interval_s: float) -> None:
        self._name = name
        self._step = step
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.failure: str | None = None  # what the last try failed with, where it did

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """End after the step that is under way."""
        self._stop.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._step()
                self.failure = None
            except Exception as error:
                # The next round reads the same rows again: nothing is lost by going on.
                if self.failure is None:
                    logger.error("%s failed: %s", self._name, error, exc_info=not isinstance(error, PenstockError))
                self.failure = str(error)
            self._stop.wait(self._interval_s)
