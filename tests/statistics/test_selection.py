"""Who rates differs from who does not: the plain rate never covers the truth, the corrected ones do, and bounds always."""

import numpy
import pytest
from scipy.special import expit
from scipy.stats import norm

from penstock.errors import BadInputError
from penstock.statistics.intervals import wilson_interval
from penstock.statistics.selection import (
    doubly_robust_rate,
    rate_under_selection,
    raw_rate,
    selected_cases,
    weighted_rate,
    worst_case,
)

TRUTH = 0.40135  # of expit(-0.5 + x + z / 2) over normal x and z, by quadrature in the first test


def traffic(seed, cases=2_000, by_outcome=0.0):
    """Outcomes of those who rate, features, how probably each rates, and everybody's outcome."""
    generator = numpy.random.default_rng(seed)
    features = generator.normal(size=(cases, 2))
    outcome = (generator.random(cases) < expit(-0.5 + features[:, 0] + 0.5 * features[:, 1])).astype(float)
    probability = expit(-0.8 + 1.2 * features[:, 0] - 0.4 * features[:, 1] + by_outcome * (2 * outcome - 1))
    return numpy.where(generator.random(cases) < probability, outcome, numpy.nan), features, probability, outcome


def covers(interval, truth=TRUTH):
    return interval.low <= truth <= interval.high


def test_the_truth_of_the_simulation_is_what_it_is_said_to_be():
    node = numpy.linspace(-8, 8, 4_001)
    linear = numpy.sqrt(1.25) * node - 0.5
    assert (expit(linear) * norm.pdf(node)).sum() * (node[1] - node[0]) == pytest.approx(TRUTH, abs=5e-4)


def test_corrected_intervals_cover_the_truth_where_the_plain_one_does_not():
    reports = [rate_under_selection(selected_cases(outcome), x) for outcome, x, *_ in map(traffic, range(200))]
    share = {
        name: numpy.mean([covers(getattr(report, name).interval) for report in reports])
        for name in ("raw", "weighted", "doubly_robust", "worst_case")
    }
    assert share["raw"] < 0.2
    assert share["doubly_robust"] >= 0.93
    assert share["weighted"] >= 0.9
    assert share["worst_case"] == 1.0
    assert numpy.mean([report.doubly_robust.estimate.value for report in reports]) == pytest.approx(TRUTH, abs=0.005)


def test_a_report_says_how_few_outcomes_the_answer_rests_on():
    outcome, features, *_ = traffic(3)
    report = rate_under_selection(selected_cases(outcome), features)
    selected = int((~numpy.isnan(outcome)).sum())
    assert report.selected_share == pytest.approx(selected / 2_000)
    assert 100 < report.effective_sample_size < 0.7 * selected
    assert report.largest_weight > 3


def test_drawn_probabilities_are_used_as_they_are():
    outcome, features, probability, _ = traffic(4)
    cases = selected_cases(outcome)
    report = rate_under_selection(cases, features, probability=probability)
    assert report.weighted.estimate == weighted_rate(cases, probability).estimate
    assert report.clipped == 0


def test_estimated_probabilities_are_clipped_and_the_clipped_counted():
    outcome, features, *_ = traffic(5)
    report = rate_under_selection(selected_cases(outcome), features, least_probability=0.3)
    assert report.clipped > 500
    assert report.largest_weight < 1 / 0.3


def test_it_is_right_when_either_the_probabilities_or_the_predictions_are():
    outcome, features, probability, _ = traffic(6, 200_000)
    cases, model = selected_cases(outcome), expit(-0.5 + features[:, 0] + 0.5 * features[:, 1])
    wrong_probability, wrong_model = numpy.full(200_000, 0.4), numpy.full(200_000, 0.9)
    for used_probability, used_model in ((probability, wrong_model), (wrong_probability, model)):
        assert doubly_robust_rate(cases, used_probability, used_model).estimate.value == pytest.approx(TRUTH, abs=0.012)
    assert abs(doubly_robust_rate(cases, wrong_probability, wrong_model).estimate.value - TRUTH) > 0.05


def test_where_the_unhappy_leave_only_the_worst_case_holds():
    for seed in range(20):
        outcome, features, *_ = traffic(seed, by_outcome=1.0)
        report = rate_under_selection(selected_cases(outcome), features)
        assert not covers(report.doubly_robust.interval)
        assert covers(report.worst_case.interval)


def test_the_worst_case_is_computed_by_hand():
    bounds = worst_case(selected_cases([1.0, 1.0, 0.0, numpy.nan, numpy.nan])).bounds
    assert (bounds.low, bounds.high) == pytest.approx((0.4, 0.8))


def test_the_interval_of_the_worst_case_covers_the_rate_at_its_edge_as_often_as_it_claims():
    generator, covered = numpy.random.default_rng(0), 0
    for _ in range(1_000):
        known = generator.random(400) < 0.7
        covered += worst_case(selected_cases(numpy.where(known, generator.random(400) < 0.5, numpy.nan))).interval.low <= 0.35
    assert 0.93 < covered / 1_000 < 0.97  # the edge is reached where everybody unknown is at the lowest


def test_ratings_from_minus_one_to_one_are_rates_too():
    outcome, features, _, everybody = traffic(7, 20_000)
    scaled = rate_under_selection(selected_cases(2 * outcome - 1, lowest=-1.0), features)
    plain = rate_under_selection(selected_cases(outcome), features)
    assert scaled.doubly_robust.estimate.value == pytest.approx(2 * plain.doubly_robust.estimate.value - 1)
    assert scaled.worst_case.bounds.low == pytest.approx(2 * plain.worst_case.bounds.low - 1)
    assert scaled.doubly_robust.interval.low < 2 * everybody.mean() - 1 < scaled.doubly_robust.interval.high


def test_cases_of_one_user_are_one_unit():
    outcome, features, *_ = traffic(8, 500)
    each = rate_under_selection(selected_cases(outcome), features)
    tenfold = selected_cases(numpy.repeat(outcome, 10), numpy.repeat([f"user-{number}" for number in range(500)], 10))
    together = rate_under_selection(tenfold, numpy.repeat(features, 10, axis=0))
    for name in ("raw", "weighted", "doubly_robust"):
        assert getattr(together, name).estimate.variance == pytest.approx(getattr(each, name).estimate.variance, rel=0.25)
    alone = rate_under_selection(selected_cases(tenfold.outcome), numpy.repeat(features, 10, axis=0))
    assert alone.raw.estimate.variance < 0.2 * each.raw.estimate.variance


def test_a_rate_without_selection_is_the_same_in_every_way():
    outcome = numpy.tile([1.0, 0.0, 1.0, 1.0], 50)
    cases, certain = selected_cases(outcome), numpy.ones(200)
    for rate in (raw_rate(cases), weighted_rate(cases, certain), doubly_robust_rate(cases, certain, 0.3 * certain)):
        assert rate.estimate.value == pytest.approx(0.75)
    bounds = worst_case(cases).bounds
    assert (bounds.low, bounds.high) == pytest.approx((0.75, 0.75))


def test_outcomes_all_alike_are_no_certainty():
    few = raw_rate(selected_cases([1.0, 1.0, 1.0, numpy.nan]))
    expected = wilson_interval(3, 3)
    assert (few.interval.low, few.interval.high) == pytest.approx((expected.low, expected.high))
    assert raw_rate(selected_cases([1.0, numpy.nan])).interval.low == 0.0


@pytest.mark.slow
def test_a_million_cases_are_weighted_back():
    outcome, features, *_ = traffic(9, 1_000_000)
    assert rate_under_selection(selected_cases(outcome), features).doubly_robust.estimate.value == pytest.approx(TRUTH, abs=0.005)


@pytest.mark.parametrize(
    ("outcome", "more", "said"),
    [
        ([], {}, r"shape \(0,\)"),
        ([numpy.nan, numpy.nan], {}, "Not one of 2"),
        ([0.0, 1.5], {}, r"case 1 is 1\.5"),
        ([0.0, numpy.inf], {}, "case 1 is inf"),
        ([0.0, 1.0], {"users": ["a"]}, "The users have shape"),
        ([0.0, 1.0], {"lowest": 1.0}, "lowest below the highest"),
    ],
)
def test_cases_that_cannot_be_are_refused_with_the_value(outcome, more, said):
    with pytest.raises(BadInputError, match=said):
        selected_cases(outcome, **more)


def test_probabilities_and_predictions_have_to_fit_the_cases():
    cases = selected_cases([1.0, 0.0, numpy.nan])
    for wrong in (0.0, 1.2, numpy.nan):
        with pytest.raises(BadInputError, match=f"probability {wrong}"):
            weighted_rate(cases, [wrong, 0.5, 0.5])
    with pytest.raises(BadInputError, match="probabilities have shape"):
        weighted_rate(cases, [0.5])
    with pytest.raises(BadInputError, match="prediction of case 2 is nan"):
        doubly_robust_rate(cases, [0.5] * 3, [0.5, 0.5, numpy.nan])
    weighted_rate(cases, [0.5, 0.5, 0.0])  # who could not be selected was not


def test_features_and_folds_have_to_fit_the_cases():
    cases = selected_cases([1.0, 0.0, numpy.nan])
    with pytest.raises(BadInputError, match="2 rows"):
        rate_under_selection(cases, [[0.0], [1.0]])
    with pytest.raises(BadInputError, match="5 folds of 3 users"):
        rate_under_selection(cases, [[0.0], [1.0], [2.0]])


def test_models_that_learn_from_a_part_say_what_those_of_the_whole_do():
    for seed, rare in ((11, 0.0), (12, 3.0)):
        generator = numpy.random.default_rng(seed)
        features = generator.normal(size=(30_000, 2))
        everybody = generator.random(30_000) < expit(-0.5 + features[:, 0] + 0.5 * features[:, 1])
        selected = generator.random(30_000) < expit(-0.8 - rare + 1.2 * features[:, 0] - 0.4 * features[:, 1])
        cases = selected_cases(numpy.where(selected, everybody.astype(float), numpy.nan))
        whole = rate_under_selection(cases, features)
        part = rate_under_selection(cases, features, most_learned=2_000)
        error = whole.doubly_robust.estimate.variance**0.5
        assert part.doubly_robust.estimate.value == pytest.approx(whole.doubly_robust.estimate.value, abs=error)
        assert part.weighted.estimate.value == pytest.approx(whole.weighted.estimate.value, abs=1.5 * error)
        assert part.raw.estimate == whole.raw.estimate


def test_cases_that_stand_for_several_count_for_as_many():
    outcome, features, *_ = traffic(13, 3_000)
    twice = numpy.arange(3_000) < 1_000
    users = numpy.arange(3_000)
    repeated = numpy.concatenate([users, users[twice]])
    weighed = selected_cases(outcome, users, weights=1.0 + twice)
    counted = selected_cases(outcome[repeated], repeated)
    assert raw_rate(weighed).estimate == raw_rate(counted).estimate
    assert worst_case(weighed).bounds == worst_case(counted).bounds
    report = rate_under_selection(weighed, features)
    assert report.selected_share == pytest.approx(float(numpy.isfinite(counted.outcome).mean()))
    for wrong in (0.0, numpy.nan):
        with pytest.raises(BadInputError, match="weight"):
            selected_cases(outcome, weights=numpy.full(3_000, wrong))


def test_where_one_in_a_hundred_rates_intervals_cover_all_the_same():
    truth, covered, rounds, raw = TRUTH, 0, 60, 0
    for seed in range(rounds):
        generator = numpy.random.default_rng(500 + seed)
        features = generator.normal(size=(30_000, 2))
        outcome = (generator.random(30_000) < expit(-0.5 + features[:, 0] + 0.5 * features[:, 1])).astype(float)
        selected = generator.random(30_000) < expit(-5.2 + 0.8 * features[:, 0] - 0.4 * features[:, 1])
        cases = selected_cases(numpy.where(selected, outcome, numpy.nan))
        report = rate_under_selection(cases, features, most_learned=8_000)
        covered += covers(report.doubly_robust.interval, truth)
        raw += covers(report.raw.interval, truth)
    assert selected.mean() < 0.01
    assert raw / rounds < 0.2
    assert covered / rounds >= 0.9


def test_an_outcome_that_several_cases_of_a_user_share_counts_once():
    outcome, features, probability, _ = traffic(3, cases=600)
    whole = rate_under_selection(selected_cases(outcome), features, probability=probability)
    times = numpy.where(numpy.arange(600) % 2, 3, 1)
    user = numpy.repeat(numpy.arange(600), times)
    cases = selected_cases(numpy.repeat(outcome, times), user, shares=numpy.repeat(1.0 / times, times))
    shared = rate_under_selection(cases, numpy.repeat(features, times, axis=0), probability=numpy.repeat(probability, times))
    for one, other in ((whole.raw, shared.raw), (whole.weighted, shared.weighted)):
        assert other.estimate.value == pytest.approx(one.estimate.value)
        assert other.estimate.variance == pytest.approx(one.estimate.variance)
    assert shared.worst_case.bounds.low == pytest.approx(whole.worst_case.bounds.low)
    assert shared.effective_sample_size == pytest.approx(whole.effective_sample_size)
    assert shared.largest_weight == pytest.approx(whole.largest_weight)
    with pytest.raises(BadInputError, match="not above 0"):
        selected_cases([1.0], shares=[0.0])
