"""The model against users whose satisfaction is known because it was drawn."""

import numpy
import pytest
from scipy.stats import rankdata

from penstock.labels.label_model import fit_model, probabilities, shortage
from tests.labels.simulated_patterns import ALL, ORDERED, SINGLE, Simulated


def judged(simulated, method="dawid_skene"):
    """The fit, and for the interactions with votes their probability and truth."""
    patterns, place = simulated.patterns()
    fitted = fit_model(patterns, ORDERED, method)
    probability = probabilities(patterns, ORDERED, fitted.parameters)[place]
    voted = simulated.fired != 0
    return fitted, probability[voted], simulated.truth[voted]


def auc(probability, truth):
    """How often a good one is ranked before a bad one."""
    ranks, good = rankdata(probability), int(truth.sum())
    return (ranks[truth == 1].sum() - good * (good + 1) / 2) / (good * (len(truth) - good))


def calibration_error(probability, truth):
    """The mean distance between what was said and what is, over tenths."""
    tenth = numpy.minimum((probability * 10).astype(int), 9)
    parts = [tenth == one for one in range(10) if (tenth == one).any()]
    return sum(part.mean() * abs(probability[part].mean() - truth[part].mean()) for part in parts)


@pytest.mark.parametrize("method", ["dawid_skene", "triplets"])
@pytest.mark.parametrize("good", [0.4, 0.7, 0.9])
@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_probabilities_rank_and_mean_what_they_say_whoever_is_busy(method, good, spread):
    fitted, probability, truth = judged(Simulated(good=good, spread=spread), method)
    assert not fitted.parameters.silence_as_votes
    assert auc(probability, truth) > 0.84
    assert calibration_error(probability, truth) < 0.09
    assert numpy.mean((probability > 0.5) == truth) > max(good, 1 - good) - 0.01


def test_one_sided_functions_add_to_what_those_of_both_answers_know():
    _, with_them, truth = judged(Simulated())
    ranked = auc(with_them, truth)
    fewer = Simulated(functions=[name for name in ALL if name not in SINGLE])
    patterns, place = fewer.patterns()
    without = probabilities(patterns, ORDERED, fit_model(patterns, ORDERED).parameters)[place][Simulated().fired != 0]
    assert ranked > auc(without, truth) + 0.03


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_where_hardly_anybody_gives_both_answers_the_order_holds_and_an_audit_mends_the_level(spread):
    names = [*SINGLE, "completed", "not_completed"]
    blind, probability, truth = judged(Simulated(spread=spread, functions=names))
    assert blind.parameters.silence_as_votes
    assert auc(probability, truth) > 0.8
    told, again, truth_again = judged(Simulated(spread=spread, functions=names, audited=0.02))
    assert told.audited > 1_000
    assert auc(again, truth_again) > 0.8
    assert calibration_error(again, truth_again) < max(0.06, calibration_error(probability, truth))


def test_an_audit_pulls_the_rates_to_what_people_say():
    # Two functions that are wrong together look right to each other; people know better.
    simulated = Simulated(audited=0.02)
    generator = numpy.random.default_rng(3)
    wrong = (generator.random(60_000) < 0.5) & (simulated.fired != 0)
    simulated.add("retained", wrong & (simulated.truth == 0))
    simulated.add("discarded", wrong & (simulated.truth == 1))
    fitted, _, _ = judged(simulated)
    (retention,) = [group for group in fitted.parameters.groups if "retention.*" in group.voters]
    assert retention.in_good < 0.1
    assert retention.in_bad < 0.1


def test_a_copied_function_counts_once():
    simulated = Simulated()
    for original, copy in (("completed", "retained"), ("not_completed", "discarded")):
        place = next(place for place, one in enumerate(ORDERED) if one.name == original)
        simulated.add(copy, (simulated.fired >> place & 1) == 1)
    fitted, probability, truth = judged(simulated)
    assert ("completion", "retention.*") in [group.voters for group in fitted.parameters.groups]
    assert calibration_error(probability, truth) < 0.06


def test_what_is_too_little_is_told_with_what_there_is():
    few = Simulated(number=2_000, functions=["accepted", "rejected", "copied"])
    assert "2 of 12 voters have voted" in shortage(few.patterns()[0], ORDERED)
    one_answer = Simulated(number=5_000, functions=["retried", "complained", "regenerated"])
    assert "same answer" in shortage(one_answer.patterns()[0], ORDERED)
    apart = Simulated(number=50)
    assert "Two voters met on" in shortage(apart.patterns()[0], ORDERED)
    assert shortage(Simulated(number=5_000).patterns()[0], ORDERED) is None


def test_a_pattern_without_votes_or_silence_has_the_share_of_good_ones():
    patterns, _ = Simulated().patterns()
    parameters = fit_model(patterns, ORDERED).parameters
    silent = type(patterns)(
        application=["elsewhere"],
        went_on=numpy.array([True]),
        is_old=numpy.array([True]),
        fired=numpy.array([0]),
        truth=numpy.array([-1]),
        drawn=numpy.ones(1),
        times=numpy.ones(1),
    )
    assert probabilities(silent, ORDERED, parameters) == pytest.approx([parameters.prevalence])


def test_an_audit_of_a_function_that_has_given_one_answer_so_far_makes_it_no_worse():
    names = [name for name in ALL if name != "not_completed"]
    blind, _, _ = judged(Simulated(functions=names))
    told, _, _ = judged(Simulated(functions=names, audited=0.2))
    before, after = (next(one for one in fit.parameters.groups if one.voters == ("completion",)) for fit in (blind, told))
    assert (before.only_answer, after.only_answer) == ("good", "good")
    assert (after.in_good, after.in_bad) == (pytest.approx(before.in_good, abs=0.1), pytest.approx(before.in_bad, abs=0.1))
