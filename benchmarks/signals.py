"""All built-in signals over many interactions: a first run over everything, then two over what is new.

    python benchmarks/signals.py [--rows 1000000] [--days DAYS] [--new 10000] [--keep FOLDER] [--pandas]

Sessions of one to eight turns with texts of one to three lines, some asked again in other words; one interaction in five has a
report, and unless said a day has 100,000 interactions. The first run over new rows opens the lake as a worker that starts does,
the second is what a worker has to do from then on. Prints one JSON line per measurement, with the time of every definition.
`--pandas` works three of the signals out in plain pandas beside it, from the same files, and gives the ratio.
"""

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from large_lake import table_of
from rapidfuzz import fuzz

from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock
from penstock.records.ids import interaction_id
from penstock.settings import LakeSettings
from penstock.signals.definition import RETRY_GAP_S, Definition, Tables
from penstock.signals.definitions import DEFINITIONS
from penstock.signals.engine import LakeEngine, tables_of
from penstock.signals.run import run_signals
from penstock.signals.scope import INTERACTION_COLUMNS, scope_of_turns

CHUNK = 100_000
START = datetime(2026, 3, 1, tzinfo=UTC)
_WORDS = 4_000
_TEXTS = 20_000


class Traffic:
    """Rows by number, the same every time: a session's turns follow each other, sessions overlap as they do in life."""

    def __init__(self, rows: int, days: int) -> None:
        rng = np.random.default_rng(7)
        letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
        words = ["".join(rng.choice(letters, rng.integers(2, 10))) for _ in range(_WORDS)]
        self.questions = [" ".join(rng.choice(words, rng.integers(4, 40))) for _ in range(_TEXTS)]
        self.answers = pa.array([" ".join(rng.choice(words, rng.integers(20, 160))) for _ in range(_TEXTS)])
        self.rephrased = [f"no, I meant {text}" if at % 3 else text for at, text in enumerate(self.questions)]
        turns = rng.integers(1, 9, rows)
        turns = turns[: int(np.searchsorted(np.cumsum(turns), rows)) + 1]
        self.session = np.repeat(np.arange(len(turns)), turns)[:rows]
        self.turn = (np.arange(rows) - np.repeat(np.cumsum(turns) - turns, turns)[:rows]).astype(int)
        spread_s = days * 86_400.0
        self.start_s = np.arange(len(turns))[self.session] * (spread_s / len(turns)) + self.turn * 40.0
        self.question = rng.integers(0, _TEXTS, rows)
        asked_again = (self.turn > 0) & (rng.random(rows) < 0.15)
        self.question[asked_again] = self.question[np.flatnonzero(asked_again) - 1]
        self.is_again = asked_again
        self.answer = rng.integers(0, _TEXTS, rows)
        self.report = rng.random(rows)

    def trace(self, number: int) -> str:
        return f"{number:08x}" + "5" * 24

    def interactions(self, first: int, last: int) -> pa.Table:
        numbers = range(first, last)
        traces = [self.trace(number) for number in numbers]
        began = [START + timedelta(seconds=float(value)) for value in self.start_s[first:last]]
        asked = [
            (self.rephrased if again else self.questions)[at]
            for at, again in zip(self.question[first:last].tolist(), self.is_again[first:last].tolist(), strict=True)
        ]
        messages = [json.dumps([{"role": "user", "parts": [{"type": "text", "content": text}]}]) for text in asked]
        answered = self.answers.take(pa.array(self.answer[first:last]))
        output = [
            json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": text}]}]) for text in answered.to_pylist()
        ]
        columns: dict[str, Any] = {
            "interaction_id": self.ids(numbers), "trace_id": traces, "span_id": ["5" * 16] * len(numbers),
            "session_id": [f"session-{number}" for number in self.session[first:last]],
            "user_id": [f"u_{number // 3 * 2_654_435_761 % 2**96:024x}" for number in self.session[first:last].tolist()],
            "application": ["assistant"] * len(numbers), "prompt_text": asked, "response_text": answered,
            "input_messages": messages, "output_messages": output, "turn_index": self.turn[first:last].tolist(),
            "started_at": began, "ended_at": [moment + timedelta(seconds=3) for moment in began],
            "known_at": [moment + timedelta(seconds=5) for moment in began],
            "dialect": ["genai"] * len(numbers), "content_present": [True] * len(numbers),
            "finish_reason": ["stop"] * len(numbers),
        }  # fmt: skip
        return table_of("interactions", len(numbers), columns)

    def ids(self, numbers: range) -> list[str]:
        return [interaction_id(self.trace(number), "5" * 16) for number in numbers]

    def feedback(self, first: int, last: int) -> pa.Table:
        kinds = (
            ("copy", 0.08),
            ("edited", 0.11),
            ("accepted", 0.15),
            ("rejected", 0.17),
            ("thumbs_up", 0.18),
            ("outcome.solved", 0.2),
        )
        chosen = [number for number in range(first, last) if self.report[number] < kinds[-1][1]]
        names = [next(name for name, bound in kinds if self.report[number] < bound) for number in chosen]
        texts = [
            str(self.answers[int(self.answer[number])])[:-20] + " and more" if name == "edited" else None
            for number, name in zip(chosen, names, strict=True)
        ]
        moments = [START + timedelta(seconds=float(self.start_s[number]) + 60) for number in chosen]
        columns: dict[str, Any] = {
            "feedback_id": [f"f_{number}" for number in chosen], "target_kind": ["request"] * len(chosen),
            "target_id": [f"request-{number}" for number in chosen], "name": names,
            "value": [1.0] * len(chosen), "text": texts, "occurred_at": moments, "known_at": moments,
            "revision": [1] * len(chosen),
            "source": ["benchmark"] * len(chosen), "idempotency_key": [str(number) for number in chosen],
            "status": ["matched"] * len(chosen),
            "interaction_id": [interaction_id(self.trace(number), "5" * 16) for number in chosen],
            "session_id": [f"session-{self.session[number]}" for number in chosen],
        }  # fmt: skip
        return table_of("feedback", len(chosen), columns)


class Timed:
    """A definition that adds up how long it takes: to select, with the wait for the one before it, and to judge beside that."""

    def __init__(self, definition: Definition, seconds: dict[str, list[float]]) -> None:
        self._definition = definition
        self._seconds = seconds.setdefault(definition.name, [0.0, 0.0])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._definition, name)

    def find(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        began = time.perf_counter()
        found = self._definition.find(batch)
        self._seconds[1] += time.perf_counter() - began
        return found

    def selected(self, took: float) -> None:
        self._seconds[0] += took


class TimedEngine(LakeEngine):
    """The same, with the time of every definition."""

    def __init__(self, lake: Lake) -> None:
        super().__init__(lake)
        self.seconds: dict[str, list[float]] = {}

    def find(self, definition: Definition, tables: Tables) -> Any:
        timed_one = Timed(definition, self.seconds)
        began = time.perf_counter()
        found = super().find(timed_one, tables)
        timed_one.selected(time.perf_counter() - began)
        return found


def build(lake: Lake, traffic: Traffic, rows: int) -> None:
    for first in range(0, rows, CHUNK):
        add(lake, traffic, first, min(rows, first + CHUNK))


def timed(name: str, work: Callable[[], Any], **more: Any) -> Any:
    began, cpu = time.perf_counter(), time.process_time()
    result = work()
    figures = {
        "what": name, "s": round(time.perf_counter() - began, 2), "cpu_s": round(time.process_time() - cpu, 2),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, **more,
    }  # fmt: skip
    print(json.dumps(figures), flush=True)
    return result


def beside_pandas(lake: Lake) -> None:
    """Three signals in plain pandas, from the lake's files to a table of findings, beside ours without writing them.

    Retry in pandas is a threshold of similar words and nothing else.
    """
    definitions = {name: DEFINITIONS[name] for name in ("copy", "retry", "follow_up_depth") if name in DEFINITIONS}
    engine = LakeEngine(lake)
    everything = lake.current("interactions").select(*INTERACTION_COLUMNS).to_pyarrow()
    with tables_of(engine, scope_of_turns(lake, everything), datetime.now(UTC), None) as tables:
        for name, definition in definitions.items():
            began = time.perf_counter()
            ours = sum(batch.num_rows for batch in engine.find(definition, tables))
            mine = time.perf_counter() - began
            began = time.perf_counter()
            theirs = _PANDAS[name](lake)
            took = time.perf_counter() - began
            figures = {"s": round(mine, 2), "pandas_s": round(took, 2), "ratio": round(took / mine, 2)}
            print(json.dumps({"what": f"{name} beside pandas", **figures, "found": ours, "pandas_found": theirs}), flush=True)


def _read(lake: Lake, table: str, columns: list[str]) -> pd.DataFrame:
    return pd.read_parquet(list(lake.snapshot(table).files), columns=columns)


def _copy(lake: Lake) -> int:
    rows = _read(lake, "feedback", ["interaction_id", "name", "value", "occurred_at", "status"])
    copies = rows[rows.name.str.lower().isin(("copy", "copied", "copy_event")) & (rows.status == "matched")]
    last = copies.sort_values("occurred_at").drop_duplicates("interaction_id", keep="last")
    return int(((last.value.isna()) | (last.value > 0)).sum())


def _retry(lake: Lake) -> int:
    columns = ["interaction_id", "session_id", "prompt_text", "started_at", "ended_at", "error_type"]
    rows = _read(lake, "interactions", columns).sort_values(["session_id", "started_at"])
    following = rows.groupby("session_id")[["prompt_text", "started_at"]].shift(-1)
    soon = (following.started_at - rows.ended_at).dt.total_seconds() <= RETRY_GAP_S
    pairs = zip(rows.prompt_text[soon], following.prompt_text[soon], strict=True)
    return sum(fuzz.token_set_ratio(first.lower(), second.lower()) >= 55 for first, second in pairs)


def _depth(lake: Lake) -> int:
    rows = _read(lake, "interactions", ["session_id", "started_at"])
    return len(rows.groupby("session_id").agg(depth=("started_at", "size"), last=("started_at", "max")))


_PANDAS: dict[str, Callable[[Lake], int]] = {"copy": _copy, "retry": _retry, "follow_up_depth": _depth}


def add(lake: Lake, traffic: Traffic, first: int, last: int) -> None:
    lake.append("interactions", traffic.interactions(first, last))
    lake.append("feedback", traffic.feedback(first, last))


def run(lake: Lake) -> dict[str, Any]:
    engine = TimedEngine(lake)
    written = run_signals(lake, WriterClock(), engine=engine)
    return {
        "written": written,
        "selected_and_judged_s": {name: [round(took, 2) for took in both] for name, both in engine.seconds.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, help="Over which they are spread; a day for every 100,000 of them unless said.")
    parser.add_argument("--new", type=int, default=10_000)
    parser.add_argument("--pandas", action="store_true", help="Three signals in plain pandas beside ours.")
    parser.add_argument("--keep", type=Path, help="Build the lake here and use it again the next time.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = options.keep or Path(folder)
        lake = Lake(place / "lake", LakeSettings())
        traffic = Traffic(options.rows + 2 * options.new, options.days or max(1, options.rows // CHUNK))
        if not (place / "lake").exists():
            lake.create()
            timed("build", lambda: build(lake, traffic, options.rows))
            print(json.dumps(timed("first run", lambda: run(lake), rows=options.rows)))
        if options.pandas:
            beside_pandas(lake)
        again = Lake(place / "lake", LakeSettings())
        for number, name in enumerate(("new rows, cold", "new rows, warm")):
            first = options.rows + number * options.new
            add(lake, traffic, first, first + options.new)
            print(json.dumps(timed(name, lambda: run(again), rows=options.new)))


if __name__ == "__main__":
    main()
