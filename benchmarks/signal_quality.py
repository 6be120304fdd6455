"""What `penstock signals quality` and `penstock signals missing` cost over many interactions and three times as many signals.

    python benchmarks/signal_quality.py [--rows 1000000] [--days 28] [--keep FOLDER] [--only quality|missing]

Sessions of one to eight turns of users who come back; nine signals by the quality of the answer, a rating in one of a hundred
sessions, and two thousand answers of people. Prints one JSON line per measurement, each in a process of its own.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from large_lake import table_of

from penstock.lake.lake import Lake
from penstock.records.ids import interaction_id, signal_id
from penstock.records.label import Label
from penstock.settings import LakeSettings
from penstock.signals.missing import MissingQuestion, who_is_missing
from penstock.signals.quality import Question, signal_quality

CHUNK = 100_000
AUDITED = 2_000
START = datetime(2026, 3, 1, tzinfo=UTC)
# name -> (probability where the answer is good, and where it is bad); rating apart
SIGNALS = {
    "copy": (0.4, 0.1), "retry": (0.15, 0.5), "acceptance": (0.3, 0.3), "edit": (0.2, 0.2), "dwell": (0.9, 0.9),
    "completion": (0.3, 0.3), "feedback": (0.05, 0.15), "outcome.solved": (0.35, 0.35), "regenerate": (0.05, 0.2),
}  # fmt: skip


class Traffic:
    """Rows by number, the same every time."""

    def __init__(self, rows: int, days: int) -> None:
        rng = np.random.default_rng(3)
        turns = rng.integers(1, 9, rows)
        turns = turns[: int(np.searchsorted(np.cumsum(turns), rows)) + 1]
        self.session = np.repeat(np.arange(len(turns)), turns)[:rows]
        self.turn = np.arange(rows) - np.repeat(np.cumsum(turns) - turns, turns)[:rows]
        self.user = rng.integers(0, len(turns) // 4 + 1, len(turns))[self.session]
        self.segment = (self.user % 7) % 4
        self.start_s = self.session * (days * 86_400.0 / len(turns)) + self.turn * 40.0
        self.is_good = rng.random(rows) < 0.75 - 0.1 * (self.segment == 3)
        self.rated = (rng.random(len(turns)) < 0.01)[self.session] & (self.turn == 0)
        self.rng = rng

    def ids(self, first: int, last: int) -> list[str]:
        return [interaction_id(f"{number:08x}" + "5" * 24, "5" * 16) for number in range(first, last)]

    def moments(self, first: int, last: int) -> list[datetime]:
        return [START + timedelta(seconds=float(value)) for value in self.start_s[first:last]]

    def interactions(self, first: int, last: int) -> pa.Table:
        number, moments = last - first, self.moments(first, last)
        columns: dict[str, Any] = {
            "interaction_id": self.ids(first, last), "trace_id": [f"{one:08x}" + "5" * 24 for one in range(first, last)],
            "span_id": ["5" * 16] * number, "session_id": [f"s_{one}" for one in self.session[first:last]],
            "user_id": [f"u_{one * 2_654_435_761 % 2**96:024x}" for one in self.user[first:last].tolist()],
            "application": [("chat", "mail")[one % 2] for one in self.session[first:last].tolist()],
            "segment": [("free", "pro", "team", "tenant")[one] for one in self.segment[first:last].tolist()],
            "response_model": [("small", "large")[one % 2] for one in range(first, last)], "exposure": ["served"] * number,
            "prompt_text": ["What is the capital of France, please?"] * number, "response_text": ["Paris. " * 20] * number,
            "turn_index": self.turn[first:last].tolist(), "started_at": moments, "known_at": moments,
            "ended_at": [moment + timedelta(seconds=3) for moment in moments], "dialect": ["genai"] * number,
            "input_tokens": self.rng.integers(10, 4000, number).tolist(), "content_present": [True] * number,
            "output_tokens": self.rng.integers(10, 900, number).tolist(), "capture_probability": [1.0] * number,
            "error_type": [None if one else "timeout" for one in (self.rng.random(number) > 0.02)],
        }  # fmt: skip
        return table_of("interactions", number, columns)

    def signals(self, first: int, last: int) -> pa.Table:
        names, places, values = [], [], []
        good = self.is_good[first:last]
        for name, (if_good, if_bad) in SIGNALS.items():
            there = np.flatnonzero(self.rng.random(last - first) < np.where(good, if_good, if_bad))
            spread = self.rng.random(len(there))
            graded = np.where(good[there], np.sqrt(spread), spread**2)
            value = {"copy": spread * 0 + 1, "regenerate": spread * 0 + 1, "retry": 0.3 + 0.7 * spread, "edit": 1 - graded,
                     "dwell": 60 * spread, "feedback": np.where(good[there], 1.0, -1.0)}.get(name, np.round(graded))  # fmt: skip
            names += [name] * len(there)
            places += there.tolist()
            values += value.tolist()
        rated = np.flatnonzero(self.rated[first:last])
        names += ["rating"] * len(rated)
        places += rated.tolist()
        values += np.where(good[rated], 1.0, -1.0).tolist()
        ids, moments, number = self.ids(first, last), self.moments(first, last), len(names)
        targets = [ids[place] for place in places]
        when = [moments[place] for place in places]
        columns: dict[str, Any] = {
            "signal_id": [signal_id(name, target, name) for name, target in zip(names, targets, strict=True)],
            "target_kind": ["interaction"] * number, "target_id": targets, "interaction_id": targets, "name": names,
            "kind": ["implicit"] * number, "value": values, "occurred_at": when, "known_at": when, "revision": [0] * number,
            "source": ["benchmark"] * number, "definition": [f"{name}@1" for name in names],
        }  # fmt: skip
        return table_of("signals", number, columns)

    def labels(self, rows: int) -> list[Label]:
        drawn = np.sort(np.random.default_rng(5).choice(rows, min(AUDITED, rows), replace=False)).tolist()
        return [self.label(one, min(AUDITED, rows) / rows) for one in drawn]

    def label(self, number: int, probability: float) -> Label:
        target, when = self.ids(number, number + 1)[0], self.moments(number, number + 1)[0]
        return Label(
            label_id=f"l_{number}", target_kind="interaction", target_id=target, interaction_id=target, schema="audit",
            schema_version=1, dimension="good", value=float(self.is_good[number]), annotator_kind="person", annotator="anna",
            known_at=when, started_at=when, stream="estimation", inclusion_probability=probability,
        )  # fmt: skip


def build(folder: Path, rows: int, days: int) -> None:
    lake, traffic = Lake(folder, LakeSettings()), Traffic(rows, days)
    lake.create()
    for first in range(0, rows, CHUNK):
        last = min(rows, first + CHUNK)
        lake.append("interactions", traffic.interactions(first, last))
        lake.append("signals", traffic.signals(first, last))
    lake.append("labels", traffic.labels(rows))


def measure(folder: Path, name: str) -> None:
    lake = Lake(folder, LakeSettings())
    began, cpu = time.perf_counter(), time.process_time()
    if name == "quality":
        rows = len(signal_quality(lake, Question(by="segment")).rows)
    else:
        rows = len(who_is_missing(lake, MissingQuestion()).answers)
    figures = {
        "measured": name, "seconds": round(time.perf_counter() - began, 1), "cpu_seconds": round(time.process_time() - cpu, 1),
        "rows": rows, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }  # fmt: skip
    print(json.dumps(figures), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=28)
    parser.add_argument("--keep", type=Path, help="build here, or measure what lies here")
    parser.add_argument("--only", choices=["quality", "missing"])
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measure(given.keep, given.measure)
        return
    with tempfile.TemporaryDirectory() as folder:
        place = (given.keep or Path(folder)) / "lake"
        if not place.exists():
            build(place, given.rows, given.days)
        for name in [given.only] if given.only else ["quality", "missing"]:
            subprocess.run([sys.executable, __file__, "--keep", str(place), "--measure", name], check=True)


if __name__ == "__main__":
    main()
