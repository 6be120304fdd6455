"""Settling before reading: on a machine that is short of cores, what is read comes late, and what is settled does not.

A low priority alone does not do that: of two cores one can be busy with settling and an edge while reading has half of the other.
"""

import math
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager

# A settling that takes longer is behind. It settles what was there when it began, so it ends, and then reading has its turn.
LONG_S = 3.0
# So long reading waits at a time. Where settling never keeps up, signals still come.
MOST_S = 10.0
_POLL_S = 0.05


class Precedence:
    """What the processes of one worker know of each other; given to a new process as an argument, by spawning it."""

    def __init__(self, long_s: float = LONG_S, most_s: float = MOST_S) -> None:
        self._long_s = long_s
        self._most_s = most_s
        # By `time.monotonic`, which all processes of a machine share.
        self._settling_since = multiprocessing.get_context("spawn").RawValue("d", math.inf)

    @contextmanager
    def settling(self) -> Iterator[None]:
        """While this lasts, settling is at work; one at a time."""
        self._settling_since.value = time.monotonic()
        try:
            yield
        finally:
            self._settling_since.value = math.inf

    def give_way(self) -> None:
        """Wait while a settling under way has taken long, but not for ever."""
        begun = time.monotonic()
        while (now := time.monotonic()) - self._settling_since.value > self._long_s and now - begun < self._most_s:
            time.sleep(_POLL_S)
