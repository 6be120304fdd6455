"""Which rates there are of a signal, of which cases, and who is not heard."""

import numpy

from penstock.signals.rates import COMES, RATES, REPORTS, STAYS, find_rate, happened_in
from penstock.signals.readings import READINGS, parse_readings
from tests.signals.made_cases import make_cases

NAN = numpy.nan


def test_a_rating_is_a_mean_of_those_who_rate():
    rate = find_rate("rating", numpy.array([1.0, NAN, -1.0]), make_cases(3), READINGS)
    assert (rate.name, rate.heard, rate.lowest, rate.highest, rate.is_share) == ("mean rating", RATES, -1.0, 1.0, False)
    assert numpy.isfinite(rate.outcome).tolist() == [True, False, True]
    assert rate.among.all()


def test_a_copy_is_there_or_not_where_copies_are_reported():
    cases = make_cases(4, application=numpy.array([0, 0, 0, 1]))
    rate = find_rate("copy", numpy.array([1.0, NAN, 1.0, NAN]), cases, READINGS)
    assert (rate.name, rate.heard, rate.is_share, rate.outside) == ("copy rate", REPORTS, True, 0.25)
    assert rate.outcome[rate.among].tolist() == [1.0, 0.0, 1.0]


def test_a_retry_is_seen_only_of_who_stays_and_what_may_go_on_is_pending():
    cases = make_cases(5, has_next=numpy.array([True, True, False, False, False]))
    cases.started_s[:] = [0, 10_000, 20_000, 49_900, 50_000]
    rate = find_rate("retry", numpy.array([0.9, 0.2, NAN, NAN, NAN]), cases, READINGS)
    assert (rate.heard, rate.pending) == (STAYS, 2)
    numpy.testing.assert_equal(rate.outcome[rate.among], [1.0, 0.0, NAN])


def test_words_that_were_sampled_out_tell_no_retry():
    cases = make_cases(2, has_words=numpy.array([True, False]))
    rate = find_rate("retry", numpy.array([0.9, NAN]), cases, READINGS)
    numpy.testing.assert_equal(rate.outcome, [1.0, NAN])


def test_outcomes_and_values_of_ones_own_are_means_within_what_they_can_be():
    own = find_rate("outcome.stars", numpy.array([4.0, 2.0, NAN]), make_cases(3), READINGS)
    assert (own.heard, own.lowest, own.highest) == (COMES, 2.0, 4.0)
    assert "values seen, 2 to 4" in own.note
    always = find_rate("outcome.sold", numpy.array([1.0, NAN]), make_cases(2), READINGS)
    assert (always.is_share, always.lowest, always.highest) == (False, 0.0, 1.0)
    event = find_rate("flagged", numpy.array([1.0, NAN]), make_cases(2), READINGS)
    assert (event.is_share, event.outcome.tolist()) == (True, [1.0, 0.0])


def test_ratings_outside_their_scale_are_bounded_by_what_was_seen():
    rate = find_rate("rating", numpy.array([5.0, -1.0]), make_cases(2), READINGS)
    assert (rate.lowest, rate.highest) == (-1.0, 5.0)


def test_a_signal_that_is_nowhere_has_no_rate():
    assert find_rate("copy", numpy.array([NAN, NAN]), make_cases(2), READINGS) is None
    assert happened_in("retry", numpy.array([NAN, 0.4, 0.6]), READINGS).tolist() == [False, False, True]


def test_an_outcome_that_has_not_come_is_not_one_that_did_not_happen_however_it_is_read():
    readings = parse_readings(["outcome.resolved:good>=1"])
    rate = find_rate("outcome.resolved", numpy.array([1.0, NAN, 0.0, NAN]), make_cases(4), readings)
    assert (rate.is_share, rate.heard) == (False, COMES)
    assert numpy.isfinite(rate.outcome).tolist() == [True, False, True, False]
