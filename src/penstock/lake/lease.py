"""A lease: an object on S3 that one process holds at a time, renews while it does, and loses when it does not.

No clocks are compared. Whoever waits watches the object: one that has not changed for the length of the lease belongs to nobody
who lives. Whoever holds it counts itself out a good while before that, and never comes back.
"""

import threading
import time
import uuid
from typing import Protocol

import msgspec
from msgspec import Struct

LEASE_S = 60.0
_RENEWED = 0.25  # of the lease: how often it is renewed
_TRUSTED = 0.75  # of the lease: how long after the last renewal its holder may act on it


class TaggedPlace(Protocol):
    """An object whose tag changes with its content, and that can be written on the condition that it has not."""

    def read_tagged(self) -> tuple[bytes, str] | None:
        """Content and tag; None where there is no such object."""

    def put_when(self, content: bytes, tag: str | None) -> str | None:
        """Write if the tag is still this one, or if there is no such object; the new tag, None where somebody was faster."""

    def unlink(self) -> None:
        """Delete it."""


class _Content(Struct, frozen=True):
    holder: str | None
    count: int = 0  # so that every renewal changes the tag


class Watch:
    """What one process has seen of others' leases: since when has none of them changed."""

    def __init__(self, lease_s: float = LEASE_S) -> None:
        self._lease_s = lease_s
        self._seen: dict[str, tuple[str, float]] = {}

    def is_dead(self, name: str, tag: str) -> bool:
        """Whether the object of this name has had this tag for as long as a lease lasts."""
        seen, since = self._seen.get(name, ("", 0.0))
        if seen != tag:
            self._seen[name] = (tag, _elapsed_s())
            return False
        return _elapsed_s() - since >= self._lease_s


class Lease:
    """One lease on one object, taken and given back by one thread and renewed by another."""

    def __init__(self, place: TaggedPlace, lease_s: float = LEASE_S) -> None:
        self._place = place
        self._lease_s = lease_s
        self._holder = uuid.uuid4().hex
        self._count = 0
        self._tag: str | None = None
        self._renewed_s = 0.0
        self._lock = threading.Lock()
        self._released = threading.Event()

    def try_acquire(self, watch: Watch) -> bool:
        """Take it if nobody who lives holds it."""
        found = self._place.read_tagged()
        if found is not None and not is_free(found[0]) and not watch.is_dead("", found[1]):
            return False
        began = _elapsed_s()
        tag = self._write(None if found is None else found[1])
        if tag is None:
            return False
        self._tag, self._renewed_s = tag, began
        threading.Thread(target=self._keep, name="lease", daemon=True).start()
        return True

    def is_held(self) -> bool:
        """Whether nobody can have taken it over by now."""
        return self._tag is not None and _elapsed_s() - self._renewed_s < _TRUSTED * self._lease_s

    def release(self, *, delete: bool = False) -> None:
        """Give it back; where that fails, it runs out by itself."""
        self._released.set()
        with self._lock:
            tag, self._tag = self._tag, None
            if tag is None:
                return
            try:
                if delete:
                    self._place.unlink()
                else:
                    self._place.put_when(free_content(self._count + 1), tag)
            except OSError:
                return

    def _keep(self) -> None:
        while not self._released.wait(_RENEWED * self._lease_s):
            with self._lock:
                if not self.is_held():
                    self._tag = None
                    return
                self._renew()

    def _renew(self) -> None:
        began = _elapsed_s()
        try:
            tag = self._write(self._tag)
        except OSError:  # tried again, until it is too late
            return
        self._tag, self._renewed_s = tag, began

    def _write(self, tag: str | None) -> str | None:
        """The new tag; also where the answer to an earlier try of the same request was lost, so that this one came second."""
        self._count += 1
        content = msgspec.json.encode(_Content(self._holder, self._count))
        written = self._place.put_when(content, tag)
        if written is None:
            found = self._place.read_tagged()
            written = found[1] if found is not None and found[0] == content else None
        return written


def is_free(content: bytes) -> bool:
    """Whether nobody holds a lease with this content."""
    return msgspec.json.decode(content, type=_Content).holder is None


def free_content(count: int) -> bytes:
    """The content of a lease that nobody holds."""
    return msgspec.json.encode(_Content(None, count))


def _elapsed_s() -> float:
    """Time that also passes while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
