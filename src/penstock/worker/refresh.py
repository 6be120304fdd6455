"""Refresh: settle what is new, then compute signals and labels from it; what the worker does all the time.

Only one process may settle: a lease in the registry says which. Within the process one lock keeps the loop and a turn apart.
"""

import logging
import threading
import time
from collections.abc import Callable

from penstock.errors import PenstockError
from penstock.ingest.prices import load_prices
from penstock.ingest.sampling import Sampling
from penstock.ingest.settle import settle_interactions
from penstock.ingest.settle_feedback import settle_feedback
from penstock.labels.run import run_labels
from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock, utc_now
from penstock.registry.registry import Registry
from penstock.settings import Settings
from penstock.signals.run import run_signals
from penstock.text.secret_key import load_key
from penstock.worker.contract_watch import ContractWatch

LEASE = "settle"
LEASE_S = 30.0
MAINTENANCE_INTERVAL_S = 60.0

logger = logging.getLogger(__name__)


class Refresher:
    """Refreshes one home, from any thread, one at a time."""

    def __init__(self, lake: Lake, registry: Registry, settings: Settings, clock: WriterClock, holder: str) -> None:
        self._lake = lake
        self._lock = threading.Lock()
        self._registry = registry
        self._settings = settings
        self._stages = Stages(registry, settings, clock)
        self._contracts = ContractWatch(settings)
        self._holder = holder
        self._maintained_at = time.monotonic()
        self._refreshed_at: float | None = None

    def is_fresh(self, max_age_s: float) -> bool:
        """Whether a refresh ended so many seconds ago or less."""
        return self._refreshed_at is not None and time.monotonic() - self._refreshed_at <= max_age_s

    def refresh(self) -> bool:
        """Settle, signals, labels; False where another process holds the lease."""
        with self._lock:
            if not self._registry.leases.acquire(LEASE, self._holder, LEASE_S, utc_now()):
                return False
            with self._lake.writing():
                self._stages.run(self._lake)
            self._contracts.look(self._lake)
            self._refreshed_at = time.monotonic()
            return True

    def maintain(self) -> None:
        """Compact and clean the lake, now and then."""
        if time.monotonic() - self._maintained_at < MAINTENANCE_INTERVAL_S:
            return
        with self._lock:
            self._maintained_at = time.monotonic()
            if self._registry.leases.acquire(LEASE, self._holder, LEASE_S, utc_now()):
                self._lake.maintain(utc_now(), self._settings.retention)

    def release(self) -> None:
        """Let another process settle."""
        self._registry.leases.release(LEASE, self._holder)


class Stages:
    """Settle, signals, labels, with all that one home's settings ask of them."""

    def __init__(self, registry: Registry, settings: Settings, clock: WriterClock) -> None:
        self._registry = registry
        self._settings = settings
        self._clock = clock
        self._price = load_prices(settings.prices).cost
        self._sampling = Sampling(settings.policy.sample, load_key(settings.home_path))

    def run(self, lake: Lake) -> None:
        """Bring each up to what there was when this began, in the order in which data flows."""
        settle_interactions(lake, self._clock, price=self._price, sampling=self._sampling)
        settle_feedback(lake, self._clock, self._settings.ingest.pending_expiry_h)
        run_signals(lake, self._clock)
        run_labels(lake, self._registry, self._settings.reward, self._clock)


class RefreshLoop:
    """Refreshes every few seconds in a thread of its own; a failure is logged and tried again."""

    def __init__(self, build: Callable[[], Refresher], interval_s: float) -> None:
        self._refresher = build()
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="refresh", daemon=True)
        self.failure: str | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """End after the refresh that is under way."""
        self._stop.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._refresher.refresh()
                self._refresher.maintain()
                self.failure = None
            except Exception as error:
                # The next round reads the same rows again: nothing is lost by going on.
                if self.failure is None:
                    logger.error("Refreshing failed: %s", error, exc_info=not isinstance(error, PenstockError))
                self.failure = str(error)
            self._stop.wait(self._interval_s)
