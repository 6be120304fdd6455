"""How fast a pull brings a table into the lake: rows of SQLite to redacted reports, and what the next pull costs.

python benchmarks/pulls.py --rows 100000
"""

import argparse
import resource
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

from penstock.ingest.redact import Redaction
from penstock.lake.lake import Lake
from penstock.outcome_settings import PullSettings
from penstock.outcomes.pull import Puller, load_sources
from penstock.outcomes.pull_state import StateFile
from penstock.records.clock import WriterClock
from penstock.settings import LakeSettings
from penstock.text.redaction import Redactor

RULE = {
    "name": "outcome.resolved",
    "keys": {"ticket_id": {"column": "ticket"}},
    "value": {"column": "status", "map": {"solved": 1}},
    "text": {"column": "note"},
    "occurred_at": {"column": "solved_at"},
}


def main() -> None:
    """Pull once with a watermark that grows, and once with one that is the same in every row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    rows = parser.parse_args().rows
    for what, mark in (
        ("growing watermark", lambda number: f"{number // 10:08}"),
        ("one watermark for all", lambda _number: "x"),
    ):
        with tempfile.TemporaryDirectory() as folder:
            run(Path(folder), what, [mark(number) for number in range(rows)])
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def run(folder: Path, what: str, marks: list[str]) -> None:
    """One table, pulled twice."""
    with closing(sqlite3.connect(folder / "desk.db")) as database:
        database.execute("CREATE TABLE tickets (id, ticket, status, note, solved_at, updated_at)")
        rows = ((n, f"T-{n}", "solved", "thanks, it works again", "2026-03-01T09:00:00Z", mark) for n, mark in enumerate(marks))
        database.executemany("INSERT INTO tickets VALUES (?, ?, ?, ?, ?, ?)", rows)
        database.commit()
    settings = PullSettings(
        url=f"sqlite:///{folder / 'desk.db'}",
        query="SELECT * FROM tickets",
        watermark="updated_at",
        id={"column": "id"},
        feedback=[RULE],
    )
    lake = Lake(folder / "lake", LakeSettings())
    lake.create()
    puller = Puller(lake, Redaction(Redactor(b"benchmark")), WriterClock(), {})
    source = load_sources({"desk": settings})["desk"]
    for turn in ("first", "again"):
        started = time.perf_counter()
        pulled = puller.pull(source, StateFile(folder, "desk"))
        elapsed_s = time.perf_counter() - started
        print(f"{what}, {turn}: {pulled.rows:,} rows in {elapsed_s:.2f} s, {pulled.rows / elapsed_s:,.0f} rows/s")


if __name__ == "__main__":
    main()
