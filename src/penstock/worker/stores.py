"""What the worker is given: the stores of one home, and how to open another handle on the lake for another thread."""

from pathlib import Path
from typing import Protocol

from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock
from penstock.registry.registry import Registry
from penstock.settings import Settings
from penstock.text.redaction import Redactor


class Stores(Protocol):
    """One home, as the composition root builds it."""

    @property
    def settings(self) -> Settings:
        """Everything that is set."""

    @property
    def registry(self) -> Registry:
        """The registry, migrated."""

    @property
    def artifacts(self) -> Path:
        """Where datasets, suites, runs and checkpoints lie."""

    @property
    def clock(self) -> WriterClock:
        """The writer's clock."""

    @property
    def redactor(self) -> Redactor:
        """The redactor with this home's key and policy."""

    def open_lake(self) -> Lake:
        """Another handle on the lake."""

    def existing_lake(self) -> Lake:
        """The same, of which nothing is made where it is missing."""

    def require_same_key(self) -> None:
        """Make sure that the ids in the lake are hashed with this home's key; else ConfigurationError."""
