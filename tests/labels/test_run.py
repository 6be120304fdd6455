"""Labelling what has changed, against a real lake."""

from typing import Any

import pytest

from penstock.labels.run import Labelled, current_labels, run_labels
from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock
from penstock.records.interaction import Interaction
from penstock.records.label import Label
from penstock.registry.registry import Registry
from penstock.settings import RewardSettings
from penstock.signals.run import run_signals
from tests.rows import make_interaction, make_signal, matched


class Labeller:
    """Runs the labels of one lake."""

    def __init__(self, lake: Lake, registry: Registry, clock: WriterClock) -> None:
        self.lake, self.registry, self.clock = lake, registry, clock

    def run(self, max_rows: int = 1000) -> Labelled:
        return run_labels(self.lake, self.registry, RewardSettings(), self.clock, max_rows)

    def labels(self, dimension: str) -> dict[str, Label]:
        standing = current_labels(self.lake.current("labels"))
        rows: list[Label] = self.lake.to_records("labels", standing.filter(standing.dimension == dimension))
        assert len({row.target_id for row in rows}) == len(rows)
        return {row.target_id: row for row in rows}

    def kept(self, *interactions: Interaction) -> list[float | None]:
        labels = self.labels("kept")
        return [labels[one.interaction_id].value if one.interaction_id in labels else None for one in interactions]


@pytest.fixture
def labeller(lake: Lake, registry: Registry, clock: WriterClock) -> Labeller:
    return Labeller(lake, registry, clock)


def test_a_label_points_at_its_signals_and_carries_what_it_is_sliced_by(lake: Lake, labeller: Labeller) -> None:
    one = make_interaction(0, model_version="v1", prompt_version="p1", segment="pro")
    signal = make_signal("acceptance", one, 1.0)
    lake.append("interactions", [one])
    lake.append("signals", [signal])
    assert labeller.run() == Labelled(interactions=1, labels=2)
    label = labeller.labels("kept")[one.interaction_id]
    assert (label.value, label.signal_ids, label.annotator) == (1.0, [signal.signal_id], "kept@1")
    assert (label.model_version, label.prompt_version, label.segment, label.started_at) == ("v1", "p1", "pro", one.started_at)
    assert labeller.labels("reward")[one.interaction_id].value == 0.75
    assert labeller.registry.schemas.get("response-quality").version == 1


def test_runs_with_only_signals_new_or_only_interactions_new_or_nothing_new(lake: Lake, labeller: Labeller) -> None:
    one = make_interaction(0)
    lake.append("interactions", [one])
    labeller.run()
    lake.append("signals", [make_signal("acceptance", one, 1.0)])
    assert labeller.run().labels == 2
    lake.append("interactions", [make_interaction(1)])
    assert labeller.run().labels == 0
    version = lake.version("labels")
    assert labeller.run() == Labelled()
    assert lake.version("labels") == version


def test_no_evidence_is_no_label(lake: Lake, labeller: Labeller) -> None:
    one = make_interaction(0)
    lake.append("interactions", [one])
    lake.append("signals", [make_signal("acceptance", one, None), make_signal("rating", one, 1.0)])
    assert labeller.run().labels == 0


def test_other_evidence_supersedes_and_the_old_answer_stays(lake: Lake, labeller: Labeller) -> None:
    one = make_interaction(0)
    lake.append("interactions", [one])
    lake.append("signals", [make_signal("acceptance", one, 1.0)])
    labeller.run()
    first = labeller.labels("reward")[one.interaction_id]
    lake.append("signals", [make_signal("outcome.tests", one, 0.0)])
    labeller.run()
    second = labeller.labels("reward")[one.interaction_id]
    assert (second.value, second.supersedes) == (-0.25, first.label_id)
    assert lake.current("labels").filter(lambda rows: rows.dimension == "reward").count().to_pyarrow().as_py() == 2


def test_evidence_that_goes_back_and_forth_always_leaves_one_label(lake: Lake, labeller: Labeller) -> None:
    one = make_interaction(0)
    lake.append("interactions", [one])
    for revision, value in enumerate([1.0, 0.0, 1.0, 0.0]):
        lake.append("signals", [make_signal("acceptance", one, value, revision=revision)])
        labeller.run()
        assert labeller.kept(one) == [value]


def test_a_withdrawn_signal_withdraws_the_label(lake: Lake, labeller: Labeller) -> None:
    one = make_interaction(0)
    lake.append("interactions", [one])
    lake.append("signals", [make_signal("copy", one, 1.0)])
    labeller.run()
    lake.append("signals", [make_signal("copy", one, None, revision=1)])
    labeller.run()
    label = labeller.labels("kept")[one.interaction_id]
    assert (label.value, label.rationale) == (None, "the evidence was withdrawn")


def turns(count: int, application: str = "chat", session: str = "c", first: int = 0) -> list[Interaction]:
    given: dict[str, Any] = {"session_id": session, "application": application}
    return [make_interaction(first + number, start=float(number), **given) for number in range(count)]


def test_where_copies_are_reported_going_on_without_one_is_an_answer(lake: Lake, labeller: Labeller) -> None:
    first, second, last = turns(3)
    lake.append("interactions", [first, second, last])
    lake.append("signals", [make_signal("copy", second, 1.0)])
    labeller.run()
    assert labeller.kept(first, second, last) == [0.0, 1.0, None]


def test_where_no_copies_are_reported_going_on_says_nothing(lake: Lake, labeller: Labeller) -> None:
    lake.append("interactions", turns(3))
    assert labeller.run().labels == 0


def test_the_first_copy_of_an_application_judges_what_was_passed_over_before(lake: Lake, labeller: Labeller) -> None:
    first, second = turns(2)
    elsewhere = turns(2, session="d", first=10)
    others = turns(2, application="other", session="e", first=20)
    lake.append("interactions", [first, second, *elsewhere, *others])
    labeller.run()
    lake.append("signals", [make_signal("copy", second, 1.0)])
    labeller.run()
    assert labeller.kept(first, second, *elsewhere, *others) == [0.0, 1.0, 0.0, None, None, None]


def test_a_copy_that_comes_late_overturns_the_answer(lake: Lake, labeller: Labeller) -> None:
    first, second = turns(2)
    lake.append("interactions", [first, second])
    lake.append("signals", [make_signal("copy", second, 1.0)])
    labeller.run()
    lake.append("signals", [make_signal("copy", first, 1.0)])
    labeller.run()
    assert labeller.kept(first, second) == [1.0, 1.0]


def test_a_turn_that_comes_late_says_that_the_one_before_was_passed_over(lake: Lake, labeller: Labeller) -> None:
    first, second, third = turns(3)
    lake.append("interactions", [first, second])
    lake.append("signals", [make_signal("copy", first, 1.0)])
    labeller.run()
    assert labeller.kept(second) == [None]
    lake.append("interactions", [third])
    labeller.run()
    assert labeller.kept(second, third) == [0.0, None]


def test_small_chunks_end_in_the_same_labels(lake: Lake, labeller: Labeller) -> None:
    rows = turns(3) + turns(3, session="d", first=10)
    for row in rows:
        lake.append("interactions", [row])
    for row in (rows[1], rows[5]):
        lake.append("signals", [make_signal("copy", row, 1.0)])
    labeller.run(max_rows=1)
    assert labeller.kept(*rows) == [0.0, 1.0, None, 0.0, 0.0, 1.0]


def test_labels_follow_from_reports_through_signals(lake: Lake, labeller: Labeller, clock: WriterClock) -> None:
    one = make_interaction(0, response_text="abcd")
    lake.append("interactions", [one])
    lake.append("feedback", [matched("accepted", one, happened=10)])
    run_signals(lake, clock)
    labeller.run()
    lake.append("feedback", [matched("reverted", one, happened=20)])
    run_signals(lake, clock)
    labeller.run()
    assert labeller.kept(one) == [0.0]
    assert labeller.labels("reward")[one.interaction_id].value == -0.25
