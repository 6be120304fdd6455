"""Refresh: settle what is new, then have signals and labels read from it; what the worker does all the time.

Settling and reading go on side by side, each one at a time: however much there is to be read, an interaction stands seconds
after its request was acknowledged.
"""

import time
from typing import Protocol

from penstock.lake.lake import Lake
from penstock.worker.leased_lake import LEASE, LeasedLake
from penstock.worker.stages import Stages
from penstock.worker.stores import Stores


class Reader(Protocol):
    """What reads signals and labels, here or in a process of its own."""

    def read(self) -> bool:
        """Read what was settled when this began; False where another worker holds the lease."""

    @property
    def read_at(self) -> float:
        """When what had been settled was last read, by `time.monotonic`."""


class Refresher:
    """Refreshes one home, from any thread: each step one at a time, different steps side by side."""

    def __init__(self, stores: Stores, holder: str, reader: Reader) -> None:
        self._stages = Stages(stores.registry, stores.settings, stores.clock)
        self._lake = LeasedLake(stores.open_lake(), stores.registry, holder)
        self._leases = stores.registry.leases
        self._holder = holder
        self._reader = reader

    def is_fresh(self, max_age_s: float) -> bool:
        """Whether signals and labels were brought up to date so many seconds ago or less."""
        return time.monotonic() - self._reader.read_at <= max_age_s

    def refresh(self) -> bool:
        """Settle, then read what was settled; False where another worker holds the lease."""
        return self.settle() and self._reader.read()

    def settle(self) -> bool:
        """Make interactions of spans, and find what feedback is about; False where another worker holds the lease."""
        return self._lake.do(self._settle)

    def release(self) -> None:
        """Let another worker settle."""
        self._leases.release(LEASE, self._holder)

    def _settle(self, lake: Lake) -> None:
        with lake.writing():
            self._stages.settle(lake)
