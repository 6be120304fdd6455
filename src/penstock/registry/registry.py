"""The registry as everything else sees it: one attribute per noun, and one transaction that they share."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from penstock.registry.audit import Audit
from penstock.registry.checkpoints import Checkpoints
from penstock.registry.database import Database
from penstock.registry.datasets import Datasets
from penstock.registry.edges import Edges
from penstock.registry.erasures import Erasures
from penstock.registry.evaluations import Evaluations
from penstock.registry.keys import Keys
from penstock.registry.label_models import LabelModels
from penstock.registry.label_schemas import LabelSchemas
from penstock.registry.leases import Leases
from penstock.registry.migrate import migrate
from penstock.registry.releases import Releases
from penstock.registry.routes import Routes
from penstock.registry.suites import Suites
from penstock.registry.training_runs import TrainingRuns
from penstock.registry.turns import Turns


class Registry:
    """Usable from any thread; a process that starts another gives it the URL, never this object."""

    def __init__(self, url: str) -> None:
        """Connects at first use; `migrate()` creates what is missing."""
        self._database = database = Database(url)
        self.schemas = LabelSchemas(database)
        self.label_models = LabelModels(database)
        self.datasets = Datasets(database)
        self.runs = TrainingRuns(database)
        self.checkpoints = Checkpoints(database)
        self.suites = Suites(database)
        self.evaluations = Evaluations(database)
        self.releases = Releases(database)
        self.routes = Routes(database)
        self.edges = Edges(database)
        self.turns = Turns(database)
        self.keys = Keys(database)
        self.leases = Leases(database)
        self.erasures = Erasures(database)
        self.audit = Audit(database)

    @property
    def engine(self) -> Engine:
        """The SQLAlchemy engine, for reading what no noun offers."""
        return self._database.engine

    def migrate(self) -> None:
        """Bring the tables up to date; several processes may do so at once."""
        migrate(self._database)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything that this thread does with the registry inside it is applied together, or not at all."""
        with self._database.transaction():
            yield

    def close(self) -> None:
        """Close every connection."""
        self._database.close()
