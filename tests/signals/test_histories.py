"""Whatever the history, what stands in the end is what one run over the final rows finds.

A probe may look as far as a definition is promised to see: its session whole, and the next request of its user within a day.
"""

import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock
from penstock.records.feedback import Feedback
from penstock.records.interaction import Interaction
from penstock.records.signal import Signal
from penstock.settings import LakeSettings, SignalSettings
from penstock.signals.definition import Definition
from penstock.signals.definitions import all_definitions
from penstock.signals.run import run_signals
from tests.rows import LATER, make_interaction, matched

REPORTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("copy", {}), ("accepted", {}), ("rejected", {}), ("offered", {}), ("thumbs_up", {}), ("edited", {"text": "use sorted"}),
    ("dwell", {"value": 3.3}), ("retention", {"value": 0.5, "metadata": {"delay_s": "30"}}), ("regenerate", {}), ("silent", {}),
    ("outcome.solved", {"value": 1.0}), ("outcome.reopened", {"value": 1.0}), ("helpful", {"value": 2.0}),
    ("comment", {"text": "thanks"}),
)  # fmt: skip
TEXTS = ("sort a list", "sort a list", "how do I sort a list", "book a table", None, "and a dict?", "no, that is wrong")
PROBES = {
    "length": SignalSettings(sql="SELECT session_id, count(*) AS value FROM interactions GROUP BY session_id", target="session"),
    "following": SignalSettings(
        sql="""
        SELECT interaction_id, value, next FROM (
          SELECT interaction_id, 1 AS value, CASE WHEN lead(started_at) OVER asked <= started_at + INTERVAL 1 DAY
            THEN lead(interaction_id) OVER asked END AS next
          FROM interactions WHERE user_id IS NOT NULL AND prompt_text IS NOT NULL AND prompt_name IS NULL AND exposure = 'served'
          WINDOW asked AS (PARTITION BY user_id, application ORDER BY started_at, interaction_id))
        """
    ),
}


def row(chance: random.Random, number: int) -> Interaction:
    return make_interaction(
        number,
        start=chance.choice((0, 0, 1, 9)) * 90_000 * chance.random() + chance.randint(0, 40) * 15.0,
        session_id=chance.choice((f"c{chance.randint(0, 5)}", None)),
        user_id=chance.choice((f"u{chance.randint(0, 2)}", None)),
        application=chance.choice(("chat", "code")),
        prompt_text=chance.choice(TEXTS),
        response_text=chance.choice(("use sorted()", None)),
        error_type=chance.choice((None, None, "timeout")),
        tool_calls=chance.choice((None, None, '[{"id":"a","name":"look","arguments":{}}]')),
    )


def history(chance: random.Random) -> list[list[Interaction | Feedback]]:
    """Commits of rows: new, repeated, amended so that they change their session, user or words, and reports on them."""
    commits: list[list[Interaction | Feedback]] = []
    held: dict[str, Interaction] = {}
    reports: dict[str, Feedback] = {}
    for _ in range(chance.randint(2, 6)):
        commit: dict[str, Interaction | Feedback] = {}
        for _ in range(chance.randint(1, 6)):
            if held and chance.random() < 0.35:
                before = chance.choice(list(held.values()))
                if before.interaction_id in commit:
                    continue
                change = chance.choice(("session_id", "user_id", "prompt_text", "response_text", "error_type"))
                other = getattr(row(chance, 0), change)
                one = msgspec.structs.replace(before, revision=before.revision + 1, **{change: other})
            else:
                one = row(chance, len(held))
            held[one.interaction_id] = one
            commit[one.interaction_id] = one
        for _ in range(chance.randint(0, 3)):
            about = chance.choice(list(held.values()))
            if reports and chance.random() < 0.3:
                old = chance.choice(list(reports.values()))
                if old.feedback_id in commit:
                    continue
                found = {"interaction_id": about.interaction_id, "session_id": about.session_id}
                report = msgspec.structs.replace(old, revision=old.revision + 1, **found)
            else:
                name, given = chance.choice(REPORTS)
                report = matched(name, about, happened=chance.uniform(0, 1e5), key=str(chance.random()), **given)
            reports[report.feedback_id] = report
            commit[report.feedback_id] = report
        commits.append(list(commit.values()))
    return commits


def found(lake: Lake) -> dict[str, dict[str, Any]]:
    """The signals that hold, without how they came to be."""
    rows: list[Signal] = lake.to_records("signals", lake.current("signals"))
    left_out = ("known_at", "revision", "occurred_at", "signal_id")
    return {
        one.signal_id: {
            **{name: getattr(one, name) for name in one.__struct_fields__ if name not in left_out},
            "evidence": {**one.evidence, "happened_at": one.evidence.get("happened_at", one.occurred_at.isoformat())},
        }
        for one in rows
        if "withdrawn" not in one.evidence
    }


def new_lake(place: Path) -> Lake:
    lake = Lake(place, LakeSettings())
    lake.create()
    return lake


def append(lake: Lake, commit: list[Interaction | Feedback]) -> None:
    lake.append("interactions", [one for one in commit if isinstance(one, Interaction)])
    lake.append("feedback", [one for one in commit if isinstance(one, Feedback)])


def run(lake: Lake, definitions: dict[str, Definition], chance: random.Random, *, days: float = 60) -> None:
    as_of = LATER + timedelta(days=days)
    clock = WriterClock(lambda: as_of)
    run_signals(lake, clock, definitions=definitions, as_of=as_of, max_rows=chance.choice((1, 3, None)))


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 20))])
def test_any_history_ends_in_the_signals_of_one_run(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    definitions = all_definitions(PROBES, tmp_path)
    commits = history(chance)
    lake, once = new_lake(tmp_path / "history"), new_lake(tmp_path / "once")
    for day, commit in enumerate(commits):
        append(lake, commit)
        if chance.random() < 0.7:
            run(lake, definitions, chance, days=20 + day)
    run(lake, definitions, chance)
    run(lake, definitions, chance, days=61)
    for commit in commits:
        append(once, commit)
    run(once, definitions, random.Random(0))
    run(once, definitions, random.Random(0), days=61)
    assert found(lake) == found(once)
