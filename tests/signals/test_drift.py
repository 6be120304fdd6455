"""Changes between two periods: told where chance does not make them, and not where it does."""

import math

import numpy
import pytest

from penstock.signals.drift import told_changes
from penstock.signals.quality import Question, signal_quality
from penstock.signals.traffic import Period
from tests.rows import at, make_signal
from tests.signals.audited_lake import turns

HALF = 7 * 86_400
NOW = Question(period=Period(since=at(HALF), until=at(2 * HALF)))


def drift_of(lake, share, value, number=2_000, seed=1, users=None):
    """Drift of `edit`, there with probability `share` and drawn by `value`, both functions of which half it is."""
    generator = numpy.random.default_rng(seed)
    rows = turns(number, days=14, users=users)
    lake.append("interactions", rows)
    halves = [number // 2 <= place for place in range(number)]
    lake.append(
        "signals",
        [
            make_signal("edit", row, float(value(late, generator)))
            for row, late in zip(rows, halves, strict=True)
            if generator.random() < share(late)
        ],
    )
    found = {row.signal: row.drift for row in signal_quality(lake, NOW).rows}
    return found["edit"]


def test_what_stays_alike_is_steady(lake):
    found = drift_of(lake, lambda _: 0.4, lambda _, generator: generator.random())
    assert found.word == "steady"
    assert found.psi < 0.05
    assert found.share_before == pytest.approx(0.4, abs=0.05)


def test_rarer_and_other_values_are_told_apart(lake):
    found = drift_of(lake, lambda late: 0.2 if late else 0.4, lambda late, generator: generator.random() ** (3 if late else 1))
    assert found.word == "rarer, values moved much"
    assert (found.share_p < 1e-6, found.psi_p < 1e-6) == (True, True)


def test_a_shift_among_few_values_shows_where_deciles_are_all_one_value(lake):
    found = drift_of(lake, lambda _: 1.0, lambda late, generator: float(generator.random() < (0.8 if late else 0.97)))
    assert found.word == "values moved much"


def test_signals_that_are_new_or_gone_are_called_so(lake):
    assert drift_of(lake, lambda late: float(late), lambda *_: 1.0).word == "new"


def test_signals_that_are_gone_are_called_so(lake):
    assert drift_of(lake, lambda late: float(not late), lambda *_: 1.0).word == "gone"


def test_of_many_changes_only_as_many_are_told_as_chance_leaves():
    assert told_changes([0.001, 0.04, 0.5, math.nan]) == [True, False, False, False]
    assert told_changes([0.04]) == [True]
    assert told_changes([]) == []
    chance = numpy.random.default_rng(0).random(1_000)
    assert sum(told_changes(list(chance))) <= 1


def test_users_who_come_back_often_raise_no_alarm(lake):
    kept = {}

    def value(_late, generator):
        user = len(kept) % 20
        kept[len(kept)] = user
        return user / 20 + generator.random() / 100

    found = drift_of(lake, lambda _: 1.0, value, number=1_000, users=20)
    assert found.word == "steady"
