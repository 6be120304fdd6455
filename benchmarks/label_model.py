"""The label model over many interactions with many signals each: votes, fit, labels; again with nothing new; then what is new.

    python benchmarks/label_model.py [--rows 1000000] [--days 10] [--coverage 0.9] [--new 10000] [--method dawid_skene]

Eight signals, each on this share of the interactions, six of which can say both good and bad; the truth is drawn, so that
the last line can say how far the probabilities are right. Prints one JSON line per measurement.
"""

import argparse
import json
import resource
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from large_lake import table_of

from penstock.labels.labelling_functions import FUNCTIONS, of_dimension
from penstock.labels.model_run import ModelStage
from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock
from penstock.registry.registry import Registry
from penstock.settings import LabelModelSettings, LakeSettings

CHUNK = 100_000
START = datetime(2026, 3, 1, tzinfo=UTC)
TIME = pa.timestamp("us", "UTC")
GOOD_SHARE = 0.7
# Name: value that says bad, value that says good, how often it is right on bad and on good.
BOTH = {
    "rating": (-1.0, 1.0, 0.8, 0.9),
    "acceptance": (0.0, 1.0, 0.75, 0.85),
    "edit": (0.9, 0.05, 0.7, 0.75),
    "retention": (0.1, 0.9, 0.7, 0.8),
    "completion": (0.1, 0.9, 0.65, 0.75),
    "outcome.tests": (0.0, 1.0, 0.6, 0.8),
}
# Name: value, and how often it comes on bad and on good, of the share that may have it.
SINGLE = {"copy": (1.0, 0.1, 0.4), "feedback": (-1.0, 0.3, 0.05)}


class Traffic:
    """Interactions by number, three to a session, and their signals."""

    def __init__(self, rows: int, days: float, coverage: float) -> None:
        self.rng = np.random.default_rng(11)
        self.step_s = days * 86_400.0 / rows
        self.coverage = coverage
        self.truth = self.rng.random(rows) < GOOD_SHARE

    def began(self, numbers: np.ndarray) -> pa.Array:
        return pa.array((int(START.timestamp() * 1e6) + numbers * self.step_s * 1e6).astype("int64")).cast(TIME)

    def interactions(self, numbers: np.ndarray) -> pa.Table:
        ids, began = names("i", numbers), self.began(numbers)
        texts = {"interaction_id": ids, "trace_id": ids, "span_id": ids, "session_id": names("c", numbers // 3)}
        fixed = {"application": "chat", "exposure": "served", "dialect": "genai", "model_version": "m1", "segment": "pro"}
        columns: dict[str, Any] = {**texts, **{name: pa.repeat(value, len(numbers)) for name, value in fixed.items()}}
        columns |= dict.fromkeys(("started_at", "ended_at", "known_at"), began)
        return table_of("interactions", len(numbers), columns)

    def signals(self, numbers: np.ndarray) -> list[pa.Table]:
        truth, found = self.truth[numbers], []
        for name, (bad, good, on_bad, on_good) in BOTH.items():
            has = self.rng.random(len(numbers)) < self.coverage
            says_good = truth == (self.rng.random(len(numbers)) < np.where(truth, on_good, on_bad))
            found.append(self._signals(name, numbers[has], np.where(says_good, good, bad)[has]))
        for name, (value, on_bad, on_good) in SINGLE.items():
            has = self.rng.random(len(numbers)) < self.coverage * np.where(truth, on_good, on_bad)
            found.append(self._signals(name, numbers[has], np.full(int(has.sum()), value)))
        return found

    def _signals(self, name: str, numbers: np.ndarray, values: np.ndarray) -> pa.Table:
        ids, began = names("i", numbers), self.began(numbers)
        fixed = {"target_kind": "interaction", "name": name, "kind": "implicit", "source": "test", "definition": f"{name}@1"}
        columns: dict[str, Any] = {name: pa.repeat(value, len(numbers)) for name, value in fixed.items()}
        columns |= {"signal_id": names(f"s{name[0]}{name[-1]}", numbers), "target_id": ids, "interaction_id": ids}
        columns |= {"session_id": names("c", numbers // 3), "value": pa.array(values), "occurred_at": began, "known_at": began}
        empty = pa.array([0] * (len(numbers) + 1), pa.int32())
        nothing = pa.array([], pa.string())
        columns["evidence"] = pa.MapArray.from_arrays(empty, nothing, nothing)
        return table_of("signals", len(numbers), columns)


def names(kind: str, numbers: np.ndarray) -> pa.Array:
    """Ids as long as real ones."""
    return pa.array([f"{kind}_{number:032x}" for number in numbers.tolist()], pa.string())


class Measured:
    """The time of one thing, and the process's CPU time and peak memory."""

    def __init__(self, what: str) -> None:
        self.what, self.began, self.cpu = what, time.perf_counter(), time.process_time()

    def told(self, **more: Any) -> None:
        figures = {
            "what": self.what,
            "s": round(time.perf_counter() - self.began, 2),
            "cpu_s": round(time.process_time() - self.cpu, 2),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
        print(json.dumps({**figures, **more}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--days", type=float, default=10.0)
    parser.add_argument("--coverage", type=float, default=0.9)
    parser.add_argument("--new", type=int, default=10_000)
    parser.add_argument("--method", default="dawid_skene")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), arguments)


def run(folder: Path, given: argparse.Namespace) -> None:
    lake = Lake(folder / "lake", LakeSettings())
    lake.create()
    registry = Registry(f"sqlite:///{folder}/registry.db")
    registry.migrate()
    traffic = Traffic(given.rows + given.new, given.days, given.coverage)
    measured, signals = Measured("write the lake"), 0
    for first in range(0, given.rows, CHUNK):
        signals += write(lake, traffic, np.arange(first, min(given.rows, first + CHUNK)))
    measured.told(interactions=given.rows, signals=signals)
    functions = of_dimension(FUNCTIONS.values(), "good")
    settings = LabelModelSettings(method=given.method, days=0.0)
    stage = ModelStage(lake, registry, WriterClock(), functions, settings, exposures=["served"])
    as_of = START + timedelta(days=given.days + 3)
    measured = Measured("count patterns")
    measured.told(patterns=len(stage.count(as_of).times))
    measured = Measured("fit and label")
    done = stage.fit(as_of)
    measured.told(labels=done.labels, good=round(done.fitted.parameters.prevalence, 4))
    measured = Measured("fit again, nothing new")
    measured.told(labels=stage.fit(as_of).labels)
    stage.update(done.model, as_of)
    write(lake, traffic, np.arange(given.rows, given.rows + given.new))
    measured = Measured("label what is new")
    measured.told(labels=stage.update(done.model, as_of))
    told(lake, traffic)


def write(lake: Lake, traffic: Traffic, numbers: np.ndarray) -> int:
    lake.append("interactions", traffic.interactions(numbers))
    signals = pa.concat_tables(traffic.signals(numbers))
    lake.append("signals", signals)
    return signals.num_rows


def told(lake: Lake, traffic: Traffic) -> None:
    labels = lake.revisions("labels").select("interaction_id", "value").to_pyarrow()
    place = np.array([int(name[2:], 16) for name in labels.column("interaction_id").to_pylist()])
    value = labels.column("value").to_numpy()
    truth = traffic.truth[place]
    right = float(np.mean((value > 0.5) == truth))
    print(
        json.dumps(
            {
                "what": "right",
                "accuracy": round(right, 4),
                "mean": round(float(value.mean()), 4),
                "good": round(float(truth.mean()), 4),
            }
        )
    )


if __name__ == "__main__":
    main()
