"""A lake of many rows: what looking one up, settling beside it and erasing users cost as it grows.

    python benchmarks/large_lake.py [--rows 1000000] [--days 10] [--words 180] [--keep FOLDER]

Rows in `spans` and `interactions`, each with a request and an answer of so many words, of which 180 make 2.5 kB a row; one
interaction in twenty amended, compacted as the worker does. Prints one JSON line per measurement. Users are erased from a lake
of which everything has been read, as a worker leaves it. Cold figures are of a fresh process's first query; the operating
system's cache is left as it is.
"""

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from penstock.app import Penstock
from penstock.ingest import settle_feedback
from penstock.ingest.settle import settle_interactions
from penstock.labels import run as labels
from penstock.lake.arrow_schema import arrow_schema
from penstock.lake.lake import Lake
from penstock.lake.tables import TABLES, reader
from penstock.records.clock import utc_now
from penstock.records.ids import interaction_id
from penstock.records.span import Span
from penstock.settings import LakeSettings, Settings
from penstock.signals import run as signals
from penstock.signals.backfill import COMPLETE, mark_of
from penstock.signals.definitions import DEFINITIONS
from penstock.worker.erasure import erase_users
from penstock.worker.stages import Stages

CHUNK = 100_000
AMENDED = 0.05
USERS = 100_000
START = datetime(2026, 3, 1, tzinfo=UTC)
EVERYTHING = arrow_schema(TABLES["interactions"]).names
# table that keeps them -> watermarks of the stages, and what they read: all of them have read everything
READERS = {
    "feedback": {settle_feedback.INTERACTIONS_WATERMARK: "interactions"},
    "signals": {signals.INTERACTIONS_WATERMARK: "interactions"},
    "labels": {labels.INTERACTIONS_WATERMARK: "interactions"},
}


class Made:
    """Rows by number, the same every time."""

    def __init__(self, days: int, rows: int, words_each: int) -> None:
        chance = random.Random(7)
        words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 10))) for _ in range(20_000)]
        texts = [" ".join(chance.choices(words, k=words_each)) for _ in range(20_000)]
        self.texts = pa.array(texts)
        self.messages = pa.array([json.dumps([{"role": "user", "parts": [{"type": "text", "content": text}]}]) for text in texts])
        self.step = timedelta(days=days) / rows

    def trace(self, number: int) -> str:
        return f"{number:08x}" + "5" * 24

    def common(self, numbers: range, rng: np.random.Generator) -> dict[str, Any]:
        picks = pa.array(rng.integers(0, len(self.texts), len(numbers)))
        started = [START + number * self.step for number in numbers]
        traces = [self.trace(number) for number in numbers]
        return {
            "trace_id": traces,
            "span_id": [f"{number + 1:016x}" for number in numbers],
            "request_id": [f"request-{number}" for number in numbers],
            "response_id": [f"response-{number}" for number in numbers],
            "session_id": [f"session-{number // 4}" for number in numbers],
            "user_id": [user_of(number) for number in numbers],
            "request_model": ["m"] * len(numbers),
            "input_messages": self.messages.take(picks),
            "output_messages": self.messages.take(picks),
            "started_at": started,
            "ended_at": started,
            "known_at": started,
            "dialect": ["genai"] * len(numbers),
            "content_present": [True] * len(numbers),
        }

    def spans(self, numbers: range, rng: np.random.Generator) -> pa.Table:
        common = self.common(numbers, rng)
        keys = [interaction_id(trace, span) for trace, span in zip(common["trace_id"], common["span_id"], strict=True)]
        count = len(numbers)
        return table_of("spans", count, {**common, "span_key": keys, "kind": ["inference"] * count, "name": ["chat"] * count})

    def interactions(self, numbers: range, rng: np.random.Generator, revision: int = 0) -> pa.Table:
        common = self.common(numbers, rng)
        keys = [interaction_id(trace, span) for trace, span in zip(common["trace_id"], common["span_id"], strict=True)]
        return table_of("interactions", len(numbers), {**common, "interaction_id": keys, "revision": [revision] * len(numbers)})


def user_of(number: int) -> str:
    return f"u_{number * 2_654_435_761 % USERS:024x}"


def table_of(name: str, count: int, columns: dict[str, Any]) -> pa.Table:
    """The columns given and, for every other, nothing."""
    defaults: dict[str, Any] = {
        "exposure": "served",
        "status": "ok",
        "sample_probability": 1.0,
        "capture_probability": 1.0,
        "revision": 0,
    }
    filled: list[Any] = []
    fields = [field for field in arrow_schema(TABLES[name]) if field.name != "date"]
    for field in fields:
        if field.name in columns:
            filled.append(
                pa.array(columns[field.name], field.type) if isinstance(columns[field.name], list) else columns[field.name]
            )
        elif field.nullable:
            filled.append(pa.nulls(count, field.type))
        elif pa.types.is_map(field.type):
            filled.append(pa.array([[]] * count, field.type))
        else:
            filled.append(pa.array([defaults.get(field.name, False)] * count, field.type))
    return pa.table(filled, schema=pa.schema(fields))


def build(lake: Lake, made: Made, rows: int) -> None:
    rng = np.random.default_rng(7)
    for first in range(0, rows, CHUNK):
        numbers = range(first, min(rows, first + CHUNK))
        version = lake.append("spans", made.spans(numbers, rng))
        lake.append("interactions", made.interactions(numbers, rng), transactions={reader("spans", "settle"): version or 0})
        amended = range(first, first + int(len(numbers) * AMENDED))
        lake.append("interactions", made.interactions(amended, rng, 1))
    for holder, sources in READERS.items():
        lake.append(holder, [], transactions={app: lake.version(source) for app, source in sources.items()})
    lake.append("signals", [], transactions=dict.fromkeys(map(mark_of, DEFINITIONS.values()), COMPLETE))


def timed(name: str, work: Callable[[], Any], **more: Any) -> Any:
    began, cpu = time.perf_counter(), time.process_time()
    result = work()
    figures = {
        "what": name,
        "ms": round((time.perf_counter() - began) * 1000, 1),
        "cpu_ms": round((time.process_time() - cpu) * 1000, 1),
    }
    print(json.dumps({**figures, **more}), flush=True)
    return result


def look_up(lake: Lake, rows: int, label: str) -> None:
    chance = random.Random(time.time_ns())
    for name, column, value, limit in (
        ("one request id", "request_id", f"request-{chance.randrange(rows)}", 1),
        ("the latest 50 of one session", "session_id", f"session-{chance.randrange(rows // 4)}", 50),
    ):
        found = timed(
            f"{name}, {label}",
            lambda column=column, value=value, limit=limit: (
                lake.find("interactions", column, [value], EVERYTHING).sort_by([("started_at", "descending")]).slice(0, limit)
            ),
        )
        if found.num_rows == 0:
            raise SystemExit(f"{name}: {value} was not found")


def settle_more(home: Path, made: Made, rows: int) -> None:
    """New spans of which one in twenty belongs to a trace that was settled before, settled as the worker does."""
    penstock = Penstock(Settings(home=str(home)))
    lake, rng = penstock.lake, np.random.default_rng(11)
    settle_interactions(lake, penstock.clock)
    for round_number in range(3):
        first = rows + round_number * 20_000
        spans = made.spans(range(first, first + 19_000), rng)
        late = [
            Span(
                span_key=interaction_id(made.trace(number), "ab" * 8), trace_id=made.trace(number), span_id="ab" * 8,
                kind="tool", name="tool", started_at=START + number * made.step, ended_at=START + number * made.step,
                known_at=utc_now(), dialect="genai",
            )
            for number in range(rows - 1000 - round_number * 1000, rows - round_number * 1000)
        ]  # fmt: skip
        lake.append("spans", spans)
        lake.append("spans", late)
        timed("settle 20,000 spans, 5 % late", lambda: settle_interactions(lake, penstock.clock), round=round_number + 1)
    print(json.dumps({"what": "memory of settling", "max_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--words", type=int, default=180)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--only", choices=["cold", "settle", "erase"])
    options = parser.parse_args()
    home = options.keep or Path(tempfile.mkdtemp())
    made = Made(options.days, options.rows, options.words)
    lake = Lake(home / "lake", LakeSettings())
    if options.only == "cold":
        look_up(lake, options.rows, "cold")
        return
    if options.only == "settle":
        settle_more(home, made, options.rows)
        return
    if options.only == "erase":
        users = [user_of(number) for number in range(100)]
        penstock = Penstock(Settings(home=str(home)))
        stages = Stages(penstock.registry, penstock.settings, penstock.clock)
        timed("read what was settled last", lambda: stages.run(penstock.lake))
        report = timed("erase 100 users", lambda: erase_users(penstock, users, 0.0))
        print(json.dumps({"what": "erased", "rows": report.rows}))
        return
    if not (home / "lake").exists():
        lake.create()
        timed("build", lambda: build(lake, made, options.rows), rows=options.rows)
        timed("compact", lambda: lake.maintain(utc_now()))
    files = sum(1 for _ in (home / "lake" / "interactions").rglob("*.parquet"))
    size = sum(path.stat().st_size for path in (home / "lake").rglob("*.parquet"))
    print(json.dumps({"what": "files of interactions", "files": files, "gb": round(size / 1e9, 2)}), flush=True)
    for only in ("cold", "settle"):
        again(home, options, only)
    warm = Lake(home / "lake", LakeSettings())
    look_up(warm, options.rows, "first")
    for _ in range(3):
        look_up(warm, options.rows, "warm")
    again(home, options, "erase")
    if options.keep is None:
        shutil.rmtree(home)


def again(home: Path, options: argparse.Namespace, only: str) -> None:
    command = [
        sys.executable,
        __file__,
        "--rows",
        str(options.rows),
        "--days",
        str(options.days),
        "--words",
        str(options.words),
        "--keep",
        str(home),
        "--only",
        only,
    ]
    subprocess.run(command, check=True, env=os.environ)


if __name__ == "__main__":
    main()
