"""The quality of signals on real lakes: figures, segments, and what is said where nothing can be measured."""

import msgspec
import pytest

from penstock.errors import BadInputError
from penstock.signals.quality import Question, signal_quality
from penstock.signals.readings import READINGS, parse_readings
from penstock.signals.traffic import ALL, Period
from tests.rows import at, make_interaction, make_signal
from tests.signals.audited_lake import answer, fill, turns
from tests.signals.shared_outcomes import share_out


def test_every_signal_has_its_figures_with_intervals(lake):
    fill(lake)
    found = {row.signal: row for row in signal_quality(lake, Question()).rows}
    copy, retry = found["copy"], found["retry"]
    assert (copy.says, copy.reading, retry.says, retry.reading) == ("good", ">0", "bad", ">=0.5")
    assert copy.precision.interval.low < 0.5 * 0.7 / (0.5 * 0.7 + 0.1 * 0.3) < copy.precision.interval.high
    assert copy.recall.interval.low < 0.5 < copy.recall.interval.high
    assert copy.base_rate.value == pytest.approx(1.0 - retry.base_rate.value)
    assert copy.coverage.interval.low < 0.38 < copy.coverage.interval.high
    assert retry.says_so < retry.coverage.value  # it says nothing below its threshold
    assert (copy.auc, retry.auc is not None) == (None, True)
    assert 0.0 < copy.conflict.share < 1.0
    assert copy.conflict.most_with == "retry"
    assert copy.audited == 200


def test_segments_stand_beside_all_of_them(lake):
    fill(lake, segment="pro")
    extra = make_interaction(9_000, start=60, segment="free")
    lake.append("interactions", [extra])
    lake.append("signals", [make_signal("copy", extra, 1.0)])
    found = signal_quality(lake, Question(by="segment"))
    assert {row.segment for row in found.rows} == {ALL, "pro", "free"}
    free = next(row for row in found.rows if row.segment == "free")
    assert (free.precision, free.audited, free.targets) == (None, 0, 1.0)
    (sentence,) = found.unmeasured
    assert (
        sentence == f"interactions in free: not measured: label at least 200 drawn at random, for instance {extra.interaction_id}"
    )


def test_nobody_labelled_is_said_and_how_many_to_ask(lake):
    rows = turns(20)
    lake.append("interactions", rows)
    lake.append("signals", [make_signal("copy", row, 1.0) for row in rows[:5]])
    found = signal_quality(lake, Question())
    assert [row.precision for row in found.rows] == [None]
    assert "not measured: label at least 200" in found.unmeasured[0]
    assert sum(row.interaction_id in found.unmeasured[0] for row in rows) == 3
    assert signal_quality(lake, Question()).unmeasured == found.unmeasured


def test_people_who_all_said_the_same_leave_the_other_half_open(lake):
    rows = turns(30)
    lake.append("interactions", rows)
    lake.append("signals", [make_signal("copy", row, 1.0) for row in rows[:9]] + [make_signal("retry", rows[20], 0.9)])
    lake.append("labels", [answer(row, True) for row in rows])
    found = {row.signal: row for row in signal_quality(lake, Question()).rows}
    assert (found["copy"].precision.value, found["copy"].precision.interval.high) == (1.0, 1.0)
    assert found["copy"].precision.interval.low == pytest.approx(0.70, abs=0.01)
    assert (found["retry"].recall, found["retry"].precision.value) == (None, 0.0)


def test_no_signals_and_no_traffic_are_no_error(lake):
    assert signal_quality(lake, Question()).rows == ()
    lake.append("interactions", turns(3))
    found = signal_quality(lake, Question())
    assert (found.rows, found.unmeasured) == ((), ())


def test_a_signal_that_nobody_can_read_has_coverage_and_auc_until_somebody_states_how(lake):
    rows = turns(40)
    lake.append("interactions", rows)
    lake.append("signals", [make_signal("outcome.score", row, number / 40) for number, row in enumerate(rows)])
    lake.append("labels", [answer(row, number >= 20) for number, row in enumerate(rows)])
    found = signal_quality(lake, Question())
    (row,) = found.rows
    assert (row.says, row.precision, found.unread) == (None, None, ("outcome.score",))
    assert (row.coverage.value, row.auc.value) == (1.0, 1.0)
    stated = signal_quality(lake, Question(readings=parse_readings(["outcome.score:good>=0.5,bad<0.5"])))
    assert [(row.says, row.precision.value, row.recall.value) for row in stated.rows] == [("good", 1.0, 1.0), ("bad", 1.0, 1.0)]
    assert stated.unread == ()


def test_sessions_are_targets_of_their_own(lake):
    rows = turns(6)
    lake.append("interactions", rows)
    about = {"target_kind": "session", "target_id": rows[0].session_id, "interaction_id": None}
    lake.append("signals", [make_signal("completion", rows[0], 0.9, **about), make_signal("copy", rows[1], 1.0)])
    lake.append("labels", [msgspec.structs.replace(answer(rows[0], True), **about)])
    found = {(row.signal, row.target_kind, row.says): row for row in signal_quality(lake, Question()).rows}
    assert found["completion", "session", "good"].precision.value == 1.0
    assert found["copy", "interaction", "good"].audited == 0


def test_only_the_period_counts_and_an_empty_one_is_refused(lake):
    fill(lake)
    late = Question(period=Period(since=at(10 * 86_400)))
    found = signal_quality(lake, late)
    assert (found.audited, found.homeless) == (0, 200)
    assert found.rows[0].targets == pytest.approx(400 * 4 / 14, abs=1)
    assert found.before.since < late.period.since == found.now.since
    with pytest.raises(BadInputError, match="is empty"):
        signal_quality(lake, Question(period=Period(since=at(10 * 86_400), until=at(86_400))))


def test_a_column_that_tells_nothing_apart_is_refused(lake):
    with pytest.raises(BadInputError, match="--by colour"):
        signal_quality(lake, Question(by="colour"))


def solved(lake, parts):
    """Of twelve users four said bad; the outcome of every second was good."""
    share_out(lake, [float(user % 2) for user in range(12)], parts)
    stated = Question(readings=parse_readings(["outcome.solved:good>=0.5,bad<0.5"]))
    return {row.says: row for row in signal_quality(lake, stated).rows}


def test_an_outcome_that_three_interactions_share_counts_once(lake, other_lake):
    one = solved(other_lake, [1] * 12)
    shared = solved(lake, [3 if user % 4 == 1 else 1 for user in range(12)])
    for says in ("good", "bad"):
        for name in ("precision", "recall", "base_rate"):
            expected, found = getattr(one[says], name), getattr(shared[says], name)
            assert found.value == pytest.approx(expected.value), name
            assert found.effective_number == pytest.approx(expected.effective_number, rel=1e-4), name
            assert found.interval.low == pytest.approx(expected.interval.low, rel=1e-4), name
        assert shared[says].says_so == pytest.approx(one[says].says_so)
        assert shared[says].drift.psi == pytest.approx(one[says].drift.psi, nan_ok=True)
    assert (one["good"].said, shared["good"].said, shared["good"].targets) == (6, 12, 18.0)


def test_what_contradicts_a_shared_outcome_counts_by_its_share(lake):
    rows = share_out(lake, [1.0, 1.0], [3, 1])
    lake.append("signals", [make_signal("retry", row, 0.9) for row in rows[:2]])
    stated = Question(readings={**READINGS, **parse_readings(["outcome.solved:good>=0.5,bad<0.5"])})
    found = {(row.signal, row.says): row for row in signal_quality(lake, stated).rows}
    conflict = found["outcome.solved", "good"].conflict
    assert (conflict.share, conflict.together, conflict.most_with) == (pytest.approx(1 / 3), 2, "retry")
    assert found["retry", "bad"].conflict.share == 1.0
