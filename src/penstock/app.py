"""The composition root: the one place that builds stores and hands them to stages and processes.

What the edge holds is built in `assembly.py`, so that a command that only reads imports no server.
"""

import os
from functools import cached_property
from pathlib import Path

from penstock.config import Settings
from penstock.errors import StorageError
from penstock.lake.lake import Lake
from penstock.lake.location import find_lake
from penstock.records.clock import WriterClock
from penstock.registry.registry import Registry
from penstock.text.redaction import Redactor, load_key


class Penstock:
    """What one process holds; each store is opened at first use, and by one thread."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = WriterClock()

    @cached_property
    def home(self) -> Path:
        """The home directory, made if need be."""
        home = self.settings.home_path
        try:
            home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"The home directory {home} cannot be made: {error.strerror}. Choose another with --home."
            ) from error
        return home

    @cached_property
    def registry(self) -> Registry:
        """The registry, migrated."""
        _ = self.home
        registry = Registry(self.settings.registry_url)
        registry.migrate()
        return registry

    @cached_property
    def lake(self) -> Lake:
        """The lake, with every table."""
        return self.open_lake()

    @cached_property
    def redactor(self) -> Redactor:
        """The redactor with this home's key."""
        return Redactor(load_key(self.home))

    @property
    def artifacts(self) -> Path:
        """Where datasets, suites, runs and checkpoints lie."""
        return self.home / "artifacts"

    def open_lake(self) -> Lake:
        """Another handle on the lake, for another thread."""
        lake = Lake(find_lake(self.settings.lake, self.home / "lake", os.environ), self.settings.lake)
        lake.create()
        return lake
