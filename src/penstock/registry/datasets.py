"""Dataset versions: content-addressed, so that freezing the same rows again, at any time, is the same version."""

import builtins

from penstock.records.dataset import DatasetVersion
from penstock.registry.database import Database
from penstock.registry.rows import Rows
from penstock.registry.tables import DATASET_VERSIONS

_HOW_IT_CAME_TO_BE = frozenset({"selection", "known_at", "created_at", "rebuildable"})


class Datasets:
    """The registry's `dataset_versions`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(DATASET_VERSIONS, DatasetVersion, "dataset version", not_compared=_HOW_IT_CAME_TO_BE)

    def put(self, version: DatasetVersion) -> DatasetVersion:
        """Store it and return what is stored, which for content frozen before is the first version of it."""
        with self._database.transaction() as connection:
            return self._rows.put(connection, version)

    def get(self, dataset_version_id: str) -> DatasetVersion:
        """The version with this id."""
        with self._database.reading() as connection:
            return self._rows.get(connection, dataset_version_id)

    def mark_not_rebuildable(self, dataset_version_id: str) -> DatasetVersion:
        """Say that rows of it were erased, so that its bytes can never be made again."""
        with self._database.transaction() as connection:
            return self._rows.change(connection, (dataset_version_id,), rebuildable=False)

    def list(self, name: str | None = None) -> builtins.list[DatasetVersion]:
        """All of them, or those of one name, oldest first."""
        table = DATASET_VERSIONS.c
        named = None if name is None else table.name == name
        with self._database.reading() as connection:
            return self._rows.list(connection, named, order=(table.created_at, table.dataset_version_id))
