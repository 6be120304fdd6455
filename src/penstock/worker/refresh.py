"""Refresh: settle what is new, then compute signals and labels from it; what the worker does all the time.

Only one process may settle: a lease in the registry says which. Within the process settling and reading go on side by side, each
with its own handle on the lake and one at a time, and reading gives way where settling is behind: however much there is to
be read, an interaction stands seconds after its request was acknowledged.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from penstock.ingest.prices import load_prices
from penstock.ingest.sampling import Sampling
from penstock.ingest.settle import settle_interactions
from penstock.ingest.settle_feedback import settle_feedback
from penstock.ingest.settle_outcomes import outcome_settling
from penstock.ingest.thin_spans import thin_spans
from penstock.labels.run import run_labels
from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock, utc_now
from penstock.registry.registry import Registry
from penstock.settings import Settings
from penstock.signals.definition import label
from penstock.signals.definitions import all_definitions
from penstock.signals.run import run_signals
from penstock.text.secret_key import load_key
from penstock.worker.contract_watch import ContractWatch
from penstock.worker.label_model import Modelling
from penstock.worker.precedence import Precedence

LEASE = "settle"
LEASE_S = 30.0


class Refresher:
    """Refreshes one home, from any thread: each step one at a time, different steps side by side."""

    def __init__(
        self, open_lake: Callable[[], Lake], registry: Registry, settings: Settings, clock: WriterClock, holder: str
    ) -> None:
        self._settling, self._reading, self._maintaining, self._modelling = (Handle(open_lake()) for _ in range(4))
        self._registry = registry
        self._settings = settings
        self._stages = Stages(registry, settings, clock)
        self._models = Modelling(registry, settings, clock)
        self._contracts = ContractWatch(settings)
        self._holder = holder
        self._precedence = Precedence()
        self._read_at: float | None = None

    def is_fresh(self, max_age_s: float) -> bool:
        """Whether signals and labels were brought up to date so many seconds ago or less."""
        return self._read_at is not None and time.monotonic() - self._read_at <= max_age_s

    def refresh(self) -> bool:
        """Settle, then read what was settled without giving way; False where another process holds the lease."""
        return self.settle() and self.read(at_once=True)

    def settle(self) -> bool:
        """Make interactions of spans, and find what feedback is about; False where another process holds the lease."""
        with self._settling.taken() as lake:
            if not self._holds_lease():
                return False
            with lake.writing(), self._precedence.settling():
                self._stages.settle(lake)
        return True

    def read(self, *, at_once: bool = False) -> bool:
        """Signals and labels of what was settled when this began; False where another process holds the lease.

        Gives way to settling, unless it is to be done `at_once`, and then no other reading that is under way does.
        """
        with self._precedence.hurried() if at_once else nullcontext(), self._reading.taken() as lake:
            if not self._holds_lease():
                return False
            with lake.writing():
                self._stages.read(lake, self._precedence.give_way)
            self._read_at = time.monotonic()
        return True

    def model(self) -> bool:
        """Fit label models that are due, and label by the others what is new; False where another process holds the lease."""
        with self._modelling.taken() as lake:
            if not self._holds_lease():
                return False
            self._precedence.give_way()
            with lake.writing():
                self._models.step(lake)
        return True

    def maintain(self) -> bool:
        """Compact and clean the lake, and see whether contracts are met; False where another process holds the lease."""
        with self._maintaining.taken() as lake:
            if not self._holds_lease():
                return False
            self._precedence.give_way()
            self._stages.thin(lake)
            lake.maintain(utc_now(), self._settings.retention)
            self._contracts.look(lake)
        return True

    def hurry(self) -> None:
        """Have nothing give way any more: for the end."""
        self._precedence.hurry()

    def release(self) -> None:
        """Let another process settle."""
        self._registry.leases.release(LEASE, self._holder)

    def _holds_lease(self) -> bool:
        return self._registry.leases.acquire(LEASE, self._holder, LEASE_S, utc_now())


class Handle:
    """A lake that one thread at a time uses."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._lock = threading.Lock()

    @contextmanager
    def taken(self) -> Iterator[Lake]:
        """The lake, once nobody else uses it."""
        with self._lock:
            yield self._lake


class Stages:
    """Settle, signals, labels, with all that one home's settings ask of them."""

    def __init__(self, registry: Registry, settings: Settings, clock: WriterClock) -> None:
        self._registry = registry
        self._settings = settings
        self._clock = clock
        self._definitions = all_definitions(settings.signals, settings.home_path)
        self._price = load_prices(settings.prices).cost
        self._outcomes = outcome_settling(settings)
        self._sampling = Sampling(settings.policy.sample, load_key(settings.home_path))

    def run(self, lake: Lake) -> None:
        """Each after the other, in the order in which data flows."""
        self.settle(lake)
        self.read(lake)

    def settle(self, lake: Lake) -> None:
        """Bring interactions and the targets of feedback up to what there was when this began."""
        settle_interactions(lake, self._clock, price=self._price, sampling=self._sampling)
        settle_feedback(lake, self._clock, self._settings.ingest.pending_expiry_h, outcomes=self._outcomes)

    def thin(self, lake: Lake) -> None:
        """Take the content of what sampling has left out from spans too, where settling decided that."""
        thin_spans(lake, self._sampling, utc_now())

    def read(self, lake: Lake, give_way: Callable[[], None] = lambda: None) -> None:
        """Bring signals and labels up to what was settled when this began; `give_way` is called before each step."""
        run_signals(lake, self._clock, definitions=self._definitions, give_way=give_way)
        in_force = [label(definition) for definition in self._definitions.values()]
        run_labels(lake, self._registry, self._settings.reward, self._clock, definitions=in_force, give_way=give_way)
