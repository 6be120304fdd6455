"""Label schemas: a version never changes; another question is another version."""

import builtins

from penstock.errors import NotFoundError
from penstock.records.label import LabelSchema
from penstock.registry.database import Database
from penstock.registry.rows import Rows
from penstock.registry.tables import LABEL_SCHEMAS


class LabelSchemas:
    """The registry's `label_schemas`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(LABEL_SCHEMAS, LabelSchema, "label schema")

    def put(self, schema: LabelSchema) -> LabelSchema:
        """Store it; the same version with other dimensions is a ConflictError."""
        with self._database.transaction() as connection:
            return self._rows.put(connection, schema)

    def get(self, name: str, version: int | None = None) -> LabelSchema:
        """This version of it, or the newest."""
        with self._database.reading() as connection:
            if version is not None:
                return self._rows.get(connection, name, version)
            table = LABEL_SCHEMAS.c
            found = self._rows.list(connection, table.name == name, order=(table.version.desc(),), limit=1)
        if not found:
            raise NotFoundError(f"There is no label schema {name!r} in the registry.")
        return found[0]

    def list(self) -> builtins.list[LabelSchema]:
        """All of them, by name and version."""
        with self._database.reading() as connection:
            return self._rows.list(connection, order=(LABEL_SCHEMAS.c.name, LABEL_SCHEMAS.c.version))
