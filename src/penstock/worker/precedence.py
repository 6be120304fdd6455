"""Precedence: where cores are short, reading waits until settling has caught up, between one step of it and the next.

Both share the interpreter and the cores, and an interaction that stands late is missed by all, a signal by few. A step waits for
a few seconds at most, so that signals come late under a load that lasts, and do come.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

BEHIND_S = 5.0  # older arrivals than this that are not settled: settling is behind
LONGEST_WAIT_S = 5.0  # of one step


class Precedence:
    """How far settling is, told by one thread and waited for by others."""

    def __init__(self, longest_wait_s: float = LONGEST_WAIT_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._longest_wait_s = longest_wait_s
        self._clock = clock
        self._changed = threading.Condition()
        self._settled_until: float | None = None
        self._hurried = 0

    @contextmanager
    def settling(self) -> Iterator[None]:
        """One round, after which all that had arrived at its beginning is settled."""
        begun = self._clock()
        if self._settled_until is None:
            self._settled_until = begun
        yield
        with self._changed:
            self._settled_until = begun
            self._changed.notify_all()

    def is_behind(self) -> bool:
        """Whether something waits to be settled for longer than it should, as far as is known."""
        return self._settled_until is not None and self._clock() - self._settled_until > BEHIND_S

    def give_way(self) -> None:
        """Wait while settling is behind, for a while, and while nobody is in a hurry."""
        with self._changed:
            self._changed.wait_for(lambda: self._hurried > 0 or not self.is_behind(), self._longest_wait_s)

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """For who needs what is being read: nobody waits meanwhile."""
        self.hurry()
        try:
            yield
        finally:
            with self._changed:
                self._hurried -= 1

    def hurry(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._hurried += 1
            self._changed.notify_all()
