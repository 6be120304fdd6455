"""Late outcomes by business key, joined to many interactions: settled with a definition, by a rule, or without one.

    python benchmarks/late_outcomes.py [--interactions 10000000] [--outcomes 1000000] [--days 30] [--rule none|last|all|decay]
        [--signals] [--keep FOLDER]

Interactions lie in the lake as settling leaves them, without words, which no join reads: every order is carried by one of them,
every ticket by three. Without a rule outcomes come by order, with one by ticket, some hours after. What is measured runs in a
process of its own, on a lake that it opens then. Prints one JSON line per measurement.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from large_lake import table_of

from penstock.ingest import settle_feedback
from penstock.ingest.attribution import outcome_definitions
from penstock.ingest.settle_outcomes import OutcomeSettling
from penstock.labels import run as labels
from penstock.lake.lake import Lake
from penstock.outcome_settings import OutcomeSettings
from penstock.records.clock import WriterClock, utc_now
from penstock.settings import LakeSettings
from penstock.signals import run as signals
from penstock.signals.backfill import COMPLETE, mark_of
from penstock.signals.definitions import DEFINITIONS

CHUNK = 250_000
COMMIT = 100_000  # as an edge flushes reports
START = "TIMESTAMPTZ '2026-03-01 00:00:00+00'"
PER_TICKET = 3
# table that keeps them -> watermarks of the stages, and what they read: all of them have read every interaction
READERS = {
    "feedback": {settle_feedback.INTERACTIONS_WATERMARK: "interactions"},
    "signals": {signals.INTERACTIONS_WATERMARK: "interactions"},
    "labels": {labels.INTERACTIONS_WATERMARK: "interactions"},
}


def build(lake: Lake, interactions: int, days: int) -> None:
    engine = connect()
    step_us = days * 86_400_000_000 // interactions
    for first in range(0, interactions, CHUNK):
        last = min(interactions, first + CHUNK)
        columns = engine.sql(
            "SELECT 'i_' || md5(n::VARCHAR) AS interaction_id, md5('t' || n) AS trace_id, left(md5('s' || n), 16) AS span_id, "
            "md5('c' || n // 4) AS session_id, 'u_' || substr(md5('u' || n // 40), 1, 24) AS user_id, "
            f"MAP {{'order_id': 'order-' || n, 'ticket_id': 'ticket-' || n // {PER_TICKET}}} AS keys, "
            f"{START} + to_microseconds(n * {step_us}) AS started_at, "
            f"{START} + to_microseconds(n * {step_us} + 2000000) AS ended_at, {START} + INTERVAL 60 DAY AS known_at, "
            f"'genai' AS dialect, 'm' AS request_model FROM range({first}, {last}) AS made(n)"
        ).to_arrow_table()
        lake.append("interactions", table_of("interactions", last - first, cast(columns, "interactions", lake)))
    for holder, sources in READERS.items():
        lake.append(holder, [], transactions={app: lake.version(source) for app, source in sources.items()})
    lake.append("signals", [], transactions={mark_of(one): COMPLETE for one in DEFINITIONS.values()})


def report(lake: Lake, interactions: int, outcomes: int, days: int, rule: str) -> None:
    """Outcomes of evenly spread orders or tickets, one to fifty hours after the last interaction that carries them."""
    engine = connect()
    step_us = days * 86_400_000_000 // interactions
    key, per_key = ("order_id", 1) if rule == "none" else ("ticket_id", PER_TICKET)
    stride = interactions // per_key // outcomes
    prefix = key.removesuffix("_id")
    for first in range(0, outcomes, COMMIT):
        last = min(outcomes, first + COMMIT)
        columns = engine.sql(
            f"SELECT 'f_' || md5(n::VARCHAR) AS feedback_id, 'key' AS target_kind, '{prefix}-' || n * {stride} AS target_id, "
            f"'{key}' AS target_key, 'outcome.solved' AS name, (n % 5 > 0)::DOUBLE AS value, "
            f"{START} + to_microseconds((n * {stride} + 1) * {per_key * step_us} + (1 + n % 50) * 3600000000) AS occurred_at, "
            f"{START} + INTERVAL 60 DAY AS known_at, 'pull' AS source, 'key-' || n AS idempotency_key, 'received' AS status "
            f"FROM range({first}, {last}) AS made(n)"
        ).to_arrow_table()
        lake.append("feedback", table_of("feedback", last - first, cast(columns, "feedback", lake)))


def cast(columns: pa.Table, table: str, lake: Lake) -> dict[str, Any]:
    """The columns by name, of the types of a table."""
    schema = lake.current(table, ids=[]).drop("date").to_pyarrow().schema
    return {name: columns.column(name).cast(schema.field(name).type) for name in columns.schema.names}


def connect() -> duckdb.DuckDBPyConnection:
    engine = duckdb.connect()
    engine.execute("SET TimeZone = 'UTC'")
    return engine


def timed(name: str, work: Callable[[], Any], **more: Any) -> None:
    began, cpu = time.perf_counter(), time.process_time()
    result = work()
    figures = {
        "what": name, "s": round(time.perf_counter() - began, 2), "cpu_s": round(time.process_time() - cpu, 2),
        "peak_mb": peak_mb(), **more,
    }  # fmt: skip
    print(json.dumps({**figures, "result": str(result)} if result is not None else figures), flush=True)


def peak_mb() -> int:
    """The most memory this process has held; what a parent held before does not count."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def measure(place: Path, rule: str, with_signals: bool) -> None:
    """What a worker does with the reports that have come."""
    lake, clock = Lake(place / "lake", LakeSettings()), WriterClock(utc_now)
    outcomes = settle_feedback.NO_OUTCOMES
    if rule != "none":
        definition = OutcomeSettings(keys=["ticket_id"], window_h=168.0, rule=rule)  # type: ignore[arg-type]
        outcomes = OutcomeSettling(definitions=outcome_definitions({"solved": definition}))
    timed("settle late outcomes", lambda: settle_feedback.settle_feedback(lake, clock, 24.0 * 365, outcomes=outcomes), rule=rule)
    timed("settle when nothing is new", lambda: settle_feedback.settle_feedback(lake, clock, 24.0 * 365, outcomes=outcomes))
    if with_signals:
        timed("signals of them", lambda: signals.run_signals(lake, clock))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interactions", type=int, default=10_000_000)
    parser.add_argument("--outcomes", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--rule", choices=["none", "last", "first", "all", "decay"], default="last")
    parser.add_argument("--signals", action="store_true", help="Work out their signals too.")
    parser.add_argument("--keep", type=Path, help="Build the lake here.")
    parser.add_argument("--only-measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only_measure:
        measure(options.only_measure, options.rule, options.signals)
        return
    with tempfile.TemporaryDirectory() as folder:
        place = options.keep or Path(folder)
        lake = Lake(place / "lake", LakeSettings())
        lake.create()
        timed("build", lambda: build(lake, options.interactions, options.days), interactions=options.interactions)
        timed("reports", lambda: report(lake, options.interactions, options.outcomes, options.days, options.rule))
        size = sum(path.stat().st_size for path in (place / "lake").rglob("*.parquet"))
        print(json.dumps({"what": "lake", "gb": round(size / 1e9, 2)}), flush=True)
        command = [sys.executable, __file__, "--rule", options.rule, "--only-measure", str(place)]
        subprocess.run([*command, *(["--signals"] if options.signals else [])], check=True)


if __name__ == "__main__":
    main()
