"""The writers' gate of a lake on S3, as writers_gate.py is that of one on a disk, with leases in the place of file locks.

A writer leaves a mark, then looks at the turnstile; whoever wants to be alone closes the turnstile, then waits until no mark
is left. Reads and lists on S3 show what was written before, so that one of the two always sees the other.
"""

import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from penstock.errors import StorageError
from penstock.lake.lease import LEASE_S, Lease, Watch, free_content, is_free
from penstock.lake.storage_failure import storage_failures

_POLL_S = 0.25


class LeasedGate:
    """The gate of one lake, held by one thread; whoever holds it may take it again."""

    def __init__(self, root: Any, lease_s: float = LEASE_S) -> None:
        self._turnstile = root / "_gate" / "turnstile.json"
        self._marks = root / "_gate" / "writing"
        self._lease_s = lease_s
        self._watch = Watch(lease_s)
        self._depth = 0
        self._is_alone = False
        self._lease: Lease | None = None

    @property
    def is_alone(self) -> bool:
        """Whether nobody else can write now. Raises StorageError where the lease has run out meanwhile."""
        if self._is_alone:
            self._require_held()
        return self._is_alone

    def is_wanted(self) -> bool:
        """Whether somebody is alone or waits to be."""
        with self._failures():
            return not self._is_open()

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Write beside others; waits while somebody is alone or waits to be."""
        if self._depth == 0:
            with self._failures():
                self._lease = self._enter()
        self._require_held()
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0:
                self._leave(delete=True)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Write while nobody else does; waits for those who have begun, and keeps all others waiting."""
        if self._depth:
            raise RuntimeError("a writer that is not alone cannot become so without letting go first")
        self._lease = lease = Lease(self._turnstile, self._lease_s)
        try:
            with self._failures():
                while not lease.try_acquire(self._watch):
                    time.sleep(_POLL_S)
                while self._is_anybody_writing():
                    self._require_held()
                    time.sleep(_POLL_S)
            self._depth, self._is_alone = 1, True
            yield
        finally:
            self._depth, self._is_alone = 0, False
            self._leave(delete=False)

    def _failures(self) -> AbstractContextManager[None]:
        return storage_failures("pass the writers' gate", self._turnstile.parent)

    def _enter(self) -> Lease:
        while True:
            lease = Lease(self._marks / f"{uuid.uuid4().hex}.json", self._lease_s)
            lease.try_acquire(self._watch)
            try:
                if self._is_open():
                    return lease
            except BaseException:
                lease.release(delete=True)
                raise
            lease.release(delete=True)
            while not self._is_open():
                time.sleep(_POLL_S)

    def _leave(self, *, delete: bool) -> None:
        if self._lease is not None:
            self._lease.release(delete=delete)
            self._lease = None

    def _is_open(self) -> bool:
        """Whether nobody is alone; a holder that has died is put out, so that it cannot go on if it only slept."""
        found = self._turnstile.read_tagged()
        if found is None or is_free(found[0]):
            return True
        is_dead = self._watch.is_dead("", found[1])
        return is_dead and self._turnstile.put_when(free_content(0), found[1]) is not None

    def _is_anybody_writing(self) -> bool:
        alive = False
        for mark in self._marks.files():
            if self._watch.is_dead(mark.name, mark.tag):
                mark.unlink()
            else:
                alive = True
        return alive

    def _require_held(self) -> None:
        if self._lease is None or not self._lease.is_held():
            raise StorageError(
                f"The right to write to the lake ran out: {self._turnstile.parent} could not be renewed for most of "
                f"{self._lease_s:.0f} s. Nothing more was written; do it again once S3 answers."
            )
