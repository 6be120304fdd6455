"""Who may write to the lake: everybody at once, or one alone, as an erasure must be.

Two locks that die with their process. A writer passes the turnstile and holds the gate shared; whoever wants to be alone closes
the turnstile first, so that a steady stream of writers cannot keep it out.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from penstock.lake.storage_failure import storage_failures

_TURNSTILE, _GATE = "_turnstile.lock", "_gate.lock"


class WritersGate:
    """The gate of one lake, held by one thread; whoever holds it may take it again."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._depth = 0
        self._is_alone = False

    @property
    def is_alone(self) -> bool:
        """Whether nobody else can write now."""
        return self._is_alone

    def is_wanted(self) -> bool:
        """Whether somebody is alone or waits to be."""
        descriptor = self._open(_TURNSTILE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Write beside others; waits while somebody is alone or waits to be."""
        if self._depth == 0:
            with self._locked(_TURNSTILE, fcntl.LOCK_SH):
                gate = self._take(_GATE, fcntl.LOCK_SH)
        else:
            gate = None
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if gate is not None:
                os.close(gate)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Write while nobody else does; waits for those who have begun, and keeps all others waiting."""
        if self._depth:
            raise RuntimeError("a writer that is not alone cannot become so without letting go first")
        with self._locked(_TURNSTILE, fcntl.LOCK_EX), self._locked(_GATE, fcntl.LOCK_EX):
            self._depth, self._is_alone = 1, True
            try:
                yield
            finally:
                self._depth, self._is_alone = 0, False

    @contextmanager
    def _locked(self, name: str, operation: int) -> Iterator[None]:
        descriptor = self._take(name, operation)
        try:
            yield
        finally:
            os.close(descriptor)

    def _take(self, name: str, operation: int) -> int:
        descriptor = self._open(name)
        fcntl.flock(descriptor, operation)
        return descriptor

    def _open(self, name: str) -> int:
        """A lake that is away is not begun anew in its place, or it could not come back."""
        with storage_failures("open the lake", self._root):
            return os.open(self._root / name, os.O_RDWR | os.O_CREAT, 0o644)
