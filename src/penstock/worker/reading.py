"""Reading: signals, labels and label models from what is settled, and the lake's upkeep: what may come late."""

import math
import time

from penstock.lake.lake import Lake
from penstock.lake.maintenance import checkpoint_tables
from penstock.lake.tables import TABLES
from penstock.records.clock import utc_now
from penstock.worker.contract_watch import ContractWatch
from penstock.worker.label_model import Modelling
from penstock.worker.leased_lake import LeasedLake
from penstock.worker.stages import Stages
from penstock.worker.stores import Stores


class Reading:
    """Reads one home, from any thread: each step one at a time, different steps side by side."""

    def __init__(self, stores: Stores, holder: str) -> None:
        self._settings = stores.settings
        self._stages = Stages(stores.registry, stores.settings, stores.clock)
        self._models = Modelling(stores.registry, stores.settings, stores.clock)
        self._contracts = ContractWatch(stores.settings)
        self._reading, self._modelling, self._maintaining = (
            LeasedLake(stores.existing_lake(), stores.registry, holder) for _ in range(3)
        )
        self.read_at = -math.inf

    def read(self) -> bool:
        """Signals and labels of what was settled when this began; False where another worker holds the lease."""
        return self._reading.do(self._read)

    def model(self) -> bool:
        """Fit label models that are due, and label by the others what is new; False where another worker holds the lease."""
        return self._modelling.do(self._model)

    def checkpoint(self) -> bool:
        """Checkpoint the lake's busy tables; False where another worker holds the lease."""
        return self._maintaining.do(self._checkpoint)

    def maintain(self) -> bool:
        """Compact and clean the lake, and see whether contracts are met; False where another worker holds the lease."""
        return self._maintaining.do(self._maintain)

    def _read(self, lake: Lake) -> None:
        is_done = False
        while not is_done:  # it ends early for an erasure, and goes on after that
            with lake.writing():
                self._stages.read(lake)
                is_done = not lake.is_wanted_alone()
        self.read_at = time.monotonic()

    def _model(self, lake: Lake) -> None:
        with lake.writing():
            self._models.step(lake)

    def _checkpoint(self, lake: Lake) -> None:
        with lake.writing():
            checkpoint_tables(lake.root, TABLES.values(), self._settings.lake.checkpoint_after_commits)

    def _maintain(self, lake: Lake) -> None:
        self._stages.thin(lake)
        lake.maintain(utc_now(), self._settings.retention)
        self._contracts.look(lake)
