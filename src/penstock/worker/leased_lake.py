"""A lake for one step at a time, while this worker holds the lease: of all that share a lake and a registry one settles."""

import threading
from collections.abc import Callable

from penstock.lake.lake import Lake
from penstock.records.clock import utc_now
from penstock.registry.registry import Registry

LEASE = "settle"
LEASE_S = 30.0


class LeasedLake:
    """One handle on the lake, for steps from any thread."""

    def __init__(self, lake: Lake, registry: Registry, holder: str) -> None:
        """`holder` is the worker, the same in all its processes."""
        self._lake = lake
        self._registry = registry
        self._holder = holder
        self._lock = threading.Lock()

    def do(self, step: Callable[[Lake], None]) -> bool:
        """Do a step, after the one that is under way; False, and nothing is done, where another worker holds the lease."""
        with self._lock:
            if not self._registry.leases.acquire(LEASE, self._holder, LEASE_S, utc_now()):
                return False
            step(self._lake)
        return True
