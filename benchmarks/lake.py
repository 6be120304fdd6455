"""current() beside a read of the raw rows and beside a window that keeps the newest revision, on the same files.

Prints milliseconds (the best of several, since others use the machine too) and ratios to the raw read, which are what to compare.
Run as `python benchmarks/lake.py [--rows 200000]`.
"""

import argparse
import random
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import ibis
import ibis.expr.types as ir

from penstock.lake.lake import Lake
from penstock.records.ids import digest
from penstock.records.interaction import Interaction
from penstock.settings import LakeSettings

START = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 10
COMMITS_PER_DAY = 4
REVISED_SHARE = 0.1
REPEATS = 9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder), LakeSettings())
        lake.create()
        fill(lake, rows)
        compare(lake, rows)


def fill(lake: Lake, rows: int) -> None:
    words = [random.Random(0).randbytes(3).hex() for _ in range(5_000)]
    choose = random.Random(1)
    per_commit = rows // (DAYS * COMMITS_PER_DAY)
    took = []
    for commit in range(DAYS * COMMITS_PER_DAY):
        first = [make_row(commit * per_commit + place, commit // COMMITS_PER_DAY, words, choose) for place in range(per_commit)]
        took.append(timed(lambda first=first: lake.append("interactions", first)))
        if commit % COMMITS_PER_DAY == COMMITS_PER_DAY - 1:
            revised = choose.sample(first, int(per_commit * REVISED_SHARE))
            lake.append("interactions", [revise(row) for row in revised])
    print(f"append of {per_commit} rows, fsynced: median {statistics.median(took):.0f} ms")


def make_row(number: int, day: int, words: list[str], choose: random.Random) -> Interaction:
    at = START + timedelta(days=day, seconds=number % 86_400)
    return Interaction(
        interaction_id="i_" + digest(str(number)), trace_id=digest("t", str(number)), span_id=f"{number:016x}",
        session_id=digest("s", str(number // 5)), user_id=digest("u", str(number // 50)), started_at=at, ended_at=at,
        known_at=at, dialect="genai", prompt_text=" ".join(choose.choices(words, k=120)),
        response_text=" ".join(choose.choices(words, k=120)),
    )  # fmt: skip


def revise(row: Interaction) -> Interaction:
    fields = {name: getattr(row, name) for name in row.__struct_fields__}
    return Interaction(**{**fields, "revision": 1, "known_at": row.known_at + timedelta(hours=1)})


def compare(lake: Lake, rows: int) -> None:
    raw = lake.revisions("interactions")
    newest = ibis.row_number().over(group_by=raw.interaction_id, order_by=[ibis.desc(raw.revision), ibis.desc(raw.known_at)])
    ways = {"raw": raw, "window": raw.filter(newest == 0), "current()": lake.current("interactions")}
    some_id, some_session = "i_" + digest(str(rows // 3)), digest("s", str(rows // 15))
    queries = {
        "rows by day": lambda table: table.group_by("date").agg(rows=table.count()),
        "a day's text": lambda table: table.filter(table.date == START.date() + timedelta(days=4)).response_text.length().sum(),
        "latest 50": lambda table: table.order_by(ibis.desc("started_at")).limit(50),
        "one id": lambda table: table.filter(table.interaction_id == some_id),
        "one session": lambda table: table.filter(table.session_id == some_session),
        "one session, ids first": lambda table: table.filter(table.session_id == some_session),
        "all text": lambda table: table.response_text.length().sum(),
    }
    print(f"{'':24}" + "".join(f"{way:>20}" for way in ways))
    for name, query in queries.items():
        times = [best(lake, query, way, table, ids_first="ids first" in name) for way, table in ways.items()]
        print(f"{name:24}" + "".join(f"{took:11.1f} ms {took / times[0]:4.1f}x" for took in times))


def best(lake: Lake, query: object, way: str, table: ir.Table, *, ids_first: bool) -> float:
    def run() -> None:
        source = table
        if ids_first and way == "current()":
            candidates = query(lake.revisions("interactions")).select("interaction_id").to_pyarrow()  # type: ignore[operator]  # a lambda
            source = lake.current("interactions", ids=candidates)
        query(source).to_pyarrow()  # type: ignore[operator]  # a lambda

    run()
    return min(timed(run) for _ in range(REPEATS))


def timed(work: object) -> float:
    began = time.perf_counter()
    work()  # type: ignore[operator]  # a lambda
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
