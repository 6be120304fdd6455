"""Whatever the order in which interactions and outcomes come, and however often the stages run meanwhile, the same holds."""

import tempfile
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.ingest.attribution import outcome_definitions
from penstock.ingest.settle_feedback import settle_feedback
from penstock.ingest.settle_outcomes import OutcomeSettling
from penstock.labels.run import current_labels, run_labels
from penstock.lake.lake import Lake
from penstock.outcome_settings import OutcomeSettings
from penstock.records.clock import WriterClock
from penstock.records.feedback import Feedback
from penstock.records.interaction import Interaction
from penstock.records.signal import Signal
from penstock.registry.registry import Registry
from penstock.settings import LakeSettings, RewardSettings, Settings
from penstock.signals.run import run_signals
from tests.rows import LATER, make_feedback, make_interaction

HOUR = 3600.0
Arrival = Interaction | Feedback


def touch(number: int, hour: float, **given: Any) -> Interaction:
    return make_interaction(number, start=hour * HOUR, keys={"commit": "c"}, **given)


def ran(hour: float, passed: bool, key: str = "c") -> Feedback:
    return make_feedback("outcome.tests", "key", key, key="commit", happened=hour * HOUR, value=float(passed))


ARRIVALS: tuple[Arrival, ...] = (
    touch(0, 0.0), touch(1, 4.0), touch(2, 9.0), touch(3, 30.0), touch(2, 9.0, segment="a", revision=1),
    ran(5.0, True), ran(10.0, False), ran(12.0, True), ran(90.0, False), ran(12.0, True),
)  # fmt: skip


class Home:
    """A lake with the stages that an outcome passes."""

    def __init__(self, folder: Path, rule: str) -> None:
        self.lake = Lake(folder / "lake", LakeSettings())
        self.lake.create()
        self.registry = Registry(Settings(home=str(folder)).registry_url)
        self.registry.migrate()
        self.clock = WriterClock(lambda: LATER)
        settings = OutcomeSettings(keys=["commit"], window_h=24.0, rule=rule, half_life_h=6.0)  # type: ignore[arg-type]
        self.outcomes = OutcomeSettling(definitions=outcome_definitions({"tests": settings}))

    def take(self, arrivals: Sequence[Arrival]) -> None:
        """Append what has come; the stages then run over it."""
        self.lake.append("interactions", [one for one in arrivals if isinstance(one, Interaction)])
        self.lake.append("feedback", [one for one in arrivals if isinstance(one, Feedback)])
        settle_feedback(self.lake, self.clock, 1000.0, outcomes=self.outcomes)
        run_signals(self.lake, self.clock)
        run_labels(self.lake, self.registry, RewardSettings(), self.clock)

    def holds(self) -> dict[str, tuple[Any, ...]]:
        """Per interaction the signal that holds of it and when that happened, and the label that stands."""
        rows: list[Signal] = self.lake.to_records("signals", self.lake.current("signals"))
        labels = current_labels(self.lake.current("labels"))
        standing = {
            row["target_id"]: row["value"] for row in labels.filter(labels.dimension == "reward").to_pyarrow().to_pylist()
        }
        return {
            row.target_id: (
                row.name, row.value, row.feedback_id, row.session_id, row.evidence.get("weight"),
                row.evidence.get("happened_at", row.occurred_at.isoformat()), standing.get(row.target_id),
            )
            for row in rows
            if row.value is not None and row.name == "outcome.tests"
        }  # fmt: skip

    def close(self) -> None:
        self.registry.close()


def outcome_of(rule: str, parts: Sequence[Sequence[Arrival]]) -> dict[str, tuple[Any, ...]]:
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder), rule)
        for part in parts:
            home.take(part)
        home.take([])
        found = home.holds()
        home.close()
        return found


@pytest.mark.parametrize(("rule", "about"), [("last", [2]), ("first", [0]), ("all", [0, 1, 2]), ("decay", [0, 1, 2])])
def test_the_last_report_that_the_window_explains_is_what_holds(rule: str, about: list[int]) -> None:
    found = outcome_of(rule, [ARRIVALS])
    last = ran(12.0, True)
    assert set(found) == {make_interaction(number).interaction_id for number in about}
    assert {row[:3] for row in found.values()} == {("outcome.tests", 1.0, last.feedback_id)}
    assert {row[5] for row in found.values()} == {last.occurred_at.isoformat()}
    assert sum(float(row[4] or 1.0) for row in found.values()) == pytest.approx(1.0, abs=1e-5)


def test_when_an_outcome_moves_on_its_signal_is_withdrawn_and_its_label_superseded(tmp_path: Path) -> None:
    home = Home(tmp_path, "last")
    first, second = make_interaction(1).interaction_id, make_interaction(2).interaction_id
    home.take([touch(1, 4.0), ran(5.0, False)])
    home.take([touch(2, 9.0), ran(10.0, True)])
    assert set(home.holds()) == {second}
    signals = {row["target_id"]: row for row in home.lake.current("signals").to_pyarrow().to_pylist()}
    assert signals[first]["value"] is None
    assert signals[first]["revision"] == 1
    labels = current_labels(home.lake.current("labels"))
    kept = {
        row["target_id"]: row["value"] for row in labels.to_pyarrow().to_pylist() if row["signal_ids"] or row["value"] is None
    }
    assert kept.get(first) is None
    home.close()


@cache
def at_once(rule: str) -> dict[str, tuple[Any, ...]]:
    return outcome_of(rule, [ARRIVALS])


@pytest.mark.slow
@pytest.mark.timeout(600)
@settings(max_examples=8, deadline=None)
@given(st.permutations(ARRIVALS), st.sampled_from(["last", "first", "all", "decay"]), st.lists(st.integers(1, 9), max_size=3))
def test_any_order_of_arrival_gives_the_same_signals_and_labels(order: list[Arrival], rule: str, cuts: list[int]) -> None:
    places = [0, *sorted(set(cuts)), len(order)]
    parts = [order[start:end] for start, end in pairwise(places)]
    assert outcome_of(rule, parts) == at_once(rule)
