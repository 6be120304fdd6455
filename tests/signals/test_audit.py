"""Signals held against people: by hand, weighted back, with what is left aside."""

import numpy
import pytest

from penstock.signals.audit import graded_auc, load_audit, measure, share_good
from penstock.signals.readings import BAD, GOOD
from penstock.signals.traffic import Period, Selected, engine, load_targets, load_turns, load_votes, names_of
from tests.rows import make_interaction, make_signal
from tests.signals.audited_lake import answer


def audit(lake):
    selected = Selected(period=Period(), exposures=("served",))
    with engine() as connection:
        load_turns(connection, lake, selected)
        load_targets(connection, [Period()])
        load_votes(connection, lake, selected)
        return load_audit(connection, lake, "good", 0.5, 1), names_of(connection)


def test_precision_and_recall_are_those_of_the_audited(lake):
    rows = [make_interaction(number) for number in range(8)]
    lake.append("interactions", rows)
    lake.append("signals", [make_signal("copy", row, 1.0) for row in rows[:5]])
    lake.append("labels", [answer(row, good) for row, good in zip(rows[1:8], (1, 1, 0, 1, 1, 0, 0), strict=True)])
    audited, names = audit(lake)
    says_so = numpy.isfinite(audited.values[names.index("copy")])
    everything = numpy.ones(len(says_so), dtype=bool)
    found = measure(audited, everything, says_so, GOOD)
    assert (found.said, found.precision.value, found.recall.value) == (4, pytest.approx(0.75), pytest.approx(0.75))
    assert measure(audited, everything, ~says_so, BAD).precision.value == pytest.approx(2 / 3)
    assert share_good(audited, everything).value == pytest.approx(4 / 7)


def test_answers_count_inversely_to_how_probably_they_were_asked_for(lake):
    rows = [make_interaction(number, capture_probability=0.5 if number == 2 else 1.0) for number in range(3)]
    lake.append("interactions", rows)
    lake.append(
        "labels",
        [answer(rows[0], True, inclusion_probability=0.1), answer(rows[1], False), answer(rows[2], False)],
    )
    audited, _ = audit(lake)
    assert sorted(audited.weight) == pytest.approx([1.0, 2.0, 10.0])
    assert share_good(audited, numpy.ones(3, dtype=bool)).value == pytest.approx(10 / 13)


def test_the_majority_counts_and_a_tie_is_no_answer(lake):
    rows = [make_interaction(number) for number in range(2)]
    lake.append("interactions", rows)
    lake.append(
        "labels",
        [
            *(answer(rows[0], good, annotator=name) for good, name in ((True, "a"), (False, "b"), (True, "c"))),
            *(answer(rows[1], good, annotator=name) for good, name in ((True, "a"), (False, "b"))),
        ],
    )
    audited, _ = audit(lake)
    assert (audited.is_good.tolist(), audited.undecided) == ([True], 1)


def test_what_does_not_count_is_left_aside_and_counted(lake):
    rows = [make_interaction(number) for number in range(4)]
    replayed = make_interaction(9, exposure="replay")
    lake.append("interactions", [*rows, replayed])
    first = answer(rows[0], False)
    lake.append(
        "labels",
        [
            first, answer(rows[0], True, supersedes=first.label_id), answer(rows[1], True, stream="learning"),
            answer(replayed, True), answer(rows[2], True, dimension="kind"),
            answer(rows[2], True, annotator_kind="judge", annotator="j"),
            answer(rows[3], True, target_part="turn"),
        ],
    )  # fmt: skip
    audited, _ = audit(lake)
    assert audited.is_good.tolist() == [True]
    assert (audited.learning, audited.homeless) == (1, 1)


def test_graded_values_have_an_auc_in_their_direction(lake):
    rows = [make_interaction(number) for number in range(6)]
    lake.append("interactions", rows)
    lake.append("signals", [make_signal("edit", row, number / 6) for number, row in enumerate(rows)])
    lake.append("labels", [answer(row, number < 3) for number, row in enumerate(rows)])
    audited, names = audit(lake)
    value, everything = audited.values[names.index("edit")], numpy.ones(6, dtype=bool)
    assert graded_auc(audited, everything, value, higher_is_better=False).value == pytest.approx(1.0)
    assert graded_auc(audited, everything, numpy.sign(value), higher_is_better=True) is None  # two grades
    assert graded_auc(audited, audited.is_good, value, higher_is_better=True) is None  # one class


def test_without_answers_there_is_nothing_to_measure(lake):
    lake.append("interactions", [make_interaction(0)])
    audited, _ = audit(lake)
    assert len(audited.target) == 0
    assert measure(audited, numpy.zeros(0, dtype=bool), numpy.zeros(0, dtype=bool), GOOD).precision.units == 0
