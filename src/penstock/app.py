"""The composition root: the one place that builds stores and hands them to stages and processes.

What the edge holds is built in `assembly.py`, so that a command that only reads imports no server.
"""

import os
from functools import cached_property
from pathlib import Path

from penstock.errors import StorageError
from penstock.ingest.sampling import Sampling
from penstock.lake.durability import make_folder
from penstock.lake.key_mark import require_same_key
from penstock.lake.lake import Lake
from penstock.lake.location import find_lake
from penstock.lake.place import Place
from penstock.records.clock import WriterClock
from penstock.registry.registry import Registry
from penstock.settings import Settings
from penstock.text.named_entities import load_names
from penstock.text.redaction import Redactor
from penstock.text.secret_key import load_key


class Penstock:
    """What one process holds; each store is opened at first use, and by one thread."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = WriterClock()
        self._has_begun_lake = False

    @cached_property
    def home(self) -> Path:
        """The home directory, made if need be."""
        home = self.settings.home_path
        try:
            make_folder(home)
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
        """The redactor with this home's key and policy."""
        policy = self.settings.policy.redact
        return Redactor(load_key(self.home), policy, names=load_names(policy))

    @cached_property
    def lake_redactor(self) -> Redactor:
        """The same, for ids that are to meet those in the lake. Raises ConfigurationError where these were hashed otherwise."""
        _ = self.lake
        self.require_same_key()
        return self.redactor

    def require_same_key(self) -> None:
        """Make sure that the ids in the lake are hashed with this home's key; else ConfigurationError."""
        require_same_key(self.lake_root, load_key(self.home))

    @cached_property
    def sampling(self) -> Sampling:
        """The draw of this home, alike in every process."""
        return Sampling(self.settings.policy.sample, load_key(self.home))

    @property
    def artifacts(self) -> Path:
        """Where datasets, suites, runs and checkpoints lie."""
        return self.home / "artifacts"

    @property
    def lake_root(self) -> Place:
        """Where the lake lies, or would."""
        return find_lake(self.settings.lake, self.home / "lake", os.environ)

    def open_lake(self) -> Lake:
        """Another handle on the lake, for another thread; the first in this process makes what is missing of it.

        A lake that goes away later is not begun anew in its place, or it could not come back.
        """
        lake = self.existing_lake()
        if not self._has_begun_lake:
            lake.create()
            self._has_begun_lake = True
        return lake

    def existing_lake(self) -> Lake:
        """The same, for a process whose parent has opened the lake: nothing is made."""
        return Lake(self.lake_root, self.settings.lake)
