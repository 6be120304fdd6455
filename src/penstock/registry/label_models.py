"""Label models: each fit of the labelling functions, the newest of a dimension being the one in use."""

import builtins

from penstock.records.label_model import LabelModel
from penstock.registry.database import Database
from penstock.registry.rows import Rows
from penstock.registry.tables import LABEL_MODELS


class LabelModels:
    """The registry's `label_models`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(LABEL_MODELS, LabelModel, "label model")

    def put(self, model: LabelModel) -> LabelModel:
        """Store one."""
        with self._database.transaction() as connection:
            return self._rows.put(connection, model)

    def newest(self, dimension: str) -> LabelModel | None:
        """The one fitted last, or None."""
        found = self.list(dimension)
        return found[-1] if found else None

    def list(self, dimension: str) -> builtins.list[LabelModel]:
        """All of a dimension, oldest first."""
        table = LABEL_MODELS.c
        with self._database.reading() as connection:
            return self._rows.list(connection, table.dimension == dimension, order=(table.fitted_at, table.label_model_id))
