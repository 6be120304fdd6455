"""Time: UTC, microseconds, and a writer's clock that never runs backwards."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime


def utc_now() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


class WriterClock:
    """Gives `known_at`: the later of the clock and the last one given, for one writer."""

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        self._now = now
        self._last = datetime.min.replace(tzinfo=UTC)
        self._lock = threading.Lock()

    def known_at(self) -> datetime:
        """A time that is never before one given earlier."""
        with self._lock:
            self._last = max(self._last, self._now())
            return self._last
