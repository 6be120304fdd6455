"""Users of the earlier half, and what later figures would be had they stayed."""

import numpy
from scipy.special import expit

from penstock.signals.leavers import find_leavers
from penstock.statistics.selection import rate_under_selection, selected_cases
from tests.signals.made_cases import make_cases


def test_users_are_cases_with_what_became_of_them():
    cases = make_cases(6, user=numpy.array([0, 0, 1, 2, 0, 0]))
    cases.started_s[:] = [0, 1, 2, 3, 10, 11]
    found = find_leavers(cases, numpy.array([1.0, 0.0, 1.0, 0.0, 1.0, 0.0]))
    numpy.testing.assert_equal(found.outcome, [0.5, numpy.nan, numpy.nan])
    assert len(found.features) == 3


def test_where_nobody_comes_back_nothing_can_be_said():
    assert find_leavers(make_cases(4), numpy.ones(4)) is None
    assert find_leavers(make_cases(1), numpy.ones(1)) is None


def test_those_who_leave_after_a_bad_start_are_brought_back():
    covered, naive, rounds = 0, 0, 40
    for seed in range(rounds):
        generator = numpy.random.default_rng(seed)
        users, turns = 1_500, 6
        trouble = generator.normal(size=users)
        bad = generator.random((users, 2 * turns)) < expit(-1.0 + trouble)[:, None]
        stays = generator.random(users) < expit(2.0 - 0.9 * bad[:, :turns].sum(axis=1))
        user = numpy.repeat(numpy.arange(users), 2 * turns)
        half = numpy.tile(numpy.repeat([0.0, 1.0], turns), users)
        kept = (half == 0.0) | numpy.repeat(stays, 2 * turns)
        cases = make_cases(int(kept.sum()), user=user[kept], started_s=half[kept])
        found = find_leavers(cases, bad.ravel()[kept].astype(float))
        report = rate_under_selection(selected_cases(found.outcome), found.features)
        truth = 0.3033  # of expit(-1 + x) over normal x
        covered += report.doubly_robust.interval.low <= truth <= report.doubly_robust.interval.high
        naive += report.raw.interval.low <= truth <= report.raw.interval.high
    assert naive == 0
    assert covered / rounds >= 0.9


def test_an_outcome_that_several_turns_share_counts_once_in_a_mean():
    cases = make_cases(5, user=numpy.array([0, 0, 0, 0, 0]))
    cases.started_s[:] = [0, 10, 11, 12, 13]
    found = find_leavers(cases, numpy.array([1.0, 1.0, 1.0, 1.0, 0.0]), numpy.array([1.0, 1 / 3, 1 / 3, 1 / 3, 1.0]))
    numpy.testing.assert_allclose(found.outcome, [0.5])
