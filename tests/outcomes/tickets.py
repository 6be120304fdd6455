"""A help desk's table in a real database, a lake, and what pulls the one into the other."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy

from penstock.ingest.redact import Redaction
from penstock.lake.lake import Lake
from penstock.outcome_settings import PullSettings
from penstock.outcomes.pull import Pulled, Puller, load_sources
from penstock.outcomes.pull_state import PullState, StateFile
from penstock.records.clock import WriterClock
from penstock.records.feedback import Feedback
from penstock.settings import LakeSettings
from penstock.text.redaction import Redactor

QUERY = "SELECT id, ticket, status, note, solved_at, updated_at FROM tickets WHERE status <> ':x' -- all;"
RULE: dict[str, Any] = {
    "name": "outcome.resolved",
    "keys": {"ticket_id": {"column": "ticket"}},
    "value": {"column": "status", "map": {"solved": 1, "reopened": 0}},
    "text": {"column": "note"},
    "occurred_at": {"column": "solved_at"},
}
KEY = b"a key for tests only"


class Desk:
    """The table."""

    def __init__(self, url: str) -> None:
        self._engine = sqlalchemy.create_engine(url)
        moment = "TIMESTAMPTZ" if url.startswith("postgresql") else "TEXT"
        self.execute(
            f"CREATE TABLE tickets (id INTEGER, ticket TEXT, status TEXT, note TEXT, solved_at {moment}, updated_at {moment})"
        )

    def add(
        self,
        number: int,
        *,
        minute: int | None = 0,
        status: str = "solved",
        solved_at: Any = "2026-03-01T09:00:00+00:00",
        **more: Any,
    ) -> None:
        """A ticket that was written so many minutes after ten."""
        values = {"id": number, "ticket": f"T-{number}", "status": status, "note": None, "solved_at": solved_at, **more}
        values["updated_at"] = None if minute is None else f"2026-03-01T10:{minute:02}:00+00:00"
        self.execute("INSERT INTO tickets VALUES (:id, :ticket, :status, :note, :solved_at, :updated_at)", values)

    def execute(self, statement: str, values: dict[str, Any] | None = None) -> None:
        with self._engine.begin() as connection:
            connection.execute(sqlalchemy.text(statement), values or {})

    def close(self) -> None:
        self._engine.dispose()


class Home:
    """One home with a lake, into which tables are pulled."""

    def __init__(self, folder: Path, hashed_keys: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.lake = Lake(folder / "lake", LakeSettings())
        self.lake.create()
        self.redaction = Redaction(Redactor(KEY), hashed_keys)
        self.environment: dict[str, str] = {}

    def puller(self, batch_rows: int = 5000) -> Puller:
        return Puller(self.lake, self.redaction, WriterClock(), self.environment, batch_rows)

    def pull(self, settings: PullSettings, batch_rows: int = 5000, is_stopping: Callable[[], bool] = lambda: False) -> Pulled:
        source = load_sources({"desk": settings})["desk"]
        return self.puller(batch_rows).pull(source, self.file(), is_stopping)

    def file(self) -> StateFile:
        return StateFile(self.folder, "desk")

    def state(self) -> PullState:
        return self.file().load()

    def rows(self) -> int:
        """Every row of feedback in the lake, repeated ones too."""
        return int(self.lake.revisions("feedback").count().to_pyarrow().as_py())

    def reports(self) -> list[Feedback]:
        return sorted(
            self.lake.to_records("feedback", self.lake.current("feedback")), key=lambda row: (row.occurred_at, row.target_id)
        )


def desk_settings(url: str, **changes: Any) -> PullSettings:
    said = {"url": url, "query": QUERY, "watermark": "updated_at", "id": {"column": "id"}, "feedback": [RULE]}
    return PullSettings(**{**said, **changes})
