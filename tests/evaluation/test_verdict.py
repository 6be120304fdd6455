"""What a suite lets pass and what it refuses, and why, on scores made by hand."""

import math

import pytest

from penstock.evaluation.suite_files import EventItem, ExactItem, TabularItem
from penstock.evaluation.verdict import Tolerances, judge_detection, judge_exact_match, judge_held_out

TOLERANCES = Tolerances()
HALF = math.log(0.5)


def logged(number=400):
    """Half the events earn .75 and half -.25, each done with a probability of one half."""
    return [
        EventItem(
            item_id=f"b2:{index}",
            prompt=[],
            completion="x",
            reward=(0.75, -0.25)[index % 2],
            behaviour_logprob=HALF,
            user=f"u_{index // 3}",
        )
        for index in range(number)
    ]


def logprobs(items, good, bad):
    return [math.log(good if item.reward > 0 else bad) for item in items]


def test_a_checkpoint_that_does_more_of_what_pays_passes():
    items = logged()
    judged = judge_held_out(items, logprobs(items, 0.8, 0.2), logprobs(items, 0.5, 0.5), TOLERANCES)
    assert judged.passed
    assert judged.score == pytest.approx(0.55)
    assert judged.baseline_score == pytest.approx(0.25)
    assert judged.difference == pytest.approx(0.3)


def test_a_checkpoint_shown_to_earn_less_is_refused():
    items = logged()
    judged = judge_held_out(items, logprobs(items, 0.3, 0.7), logprobs(items, 0.5, 0.5), TOLERANCES)
    assert not judged.passed
    assert judged.difference_high < 0
    assert "earns less than production" in judged.reason


def test_a_seeming_loss_beyond_the_margin_is_refused_though_unproven():
    items = logged(60)
    candidate = logprobs(items, 0.47, 0.53)
    noisy = [value if index % 7 else HALF for index, value in enumerate(candidate)]
    judged = judge_held_out(items, noisy, logprobs(items, 0.5, 0.5), Tolerances(held_out_margin=0.001))
    assert not judged.passed
    assert (
        judge_held_out(items, noisy, logprobs(items, 0.5, 0.5), Tolerances(held_out_margin=1.0)).difference == judged.difference
    )


def test_a_checkpoint_equal_to_production_passes():
    items = logged()
    judged = judge_held_out(items, logprobs(items, 0.6, 0.6), logprobs(items, 0.6, 0.6), TOLERANCES)
    assert (judged.passed, judged.difference) == (True, 0.0)


def test_a_checkpoint_that_does_what_was_never_logged_cannot_be_judged_and_is_refused():
    items = logged()
    judged = judge_held_out(items, logprobs(items, 0.001, 0.001), logprobs(items, 0.5, 0.5), TOLERANCES)
    assert not judged.passed
    assert "never logged" in judged.reason


def test_too_few_events_that_speak_for_it_are_no_proof():
    items = logged(8)
    judged = judge_held_out(items, logprobs(items, 0.8, 0.2), logprobs(items, 0.5, 0.5), TOLERANCES)
    assert "too few logged events" in judged.reason


def test_every_item_carries_its_part_of_both_scores():
    items = logged(40)
    judged = judge_held_out(items, logprobs(items, 1.0, 0.5), logprobs(items, 0.5, 0.5), TOLERANCES)
    assert (judged.items[0].score, judged.items[0].baseline_score) == pytest.approx((1.5, 0.75))
    assert [one.item_id for one in judged.items] == [item.item_id for item in items]


def exact(number=100):
    return [ExactItem(item_id=f"b2:{index}", prompt=[], expected="yes") for index in range(number)]


@pytest.mark.parametrize(("right", "before", "passed"), [(100, 100, True), (95, 100, True), (94, 100, False), (60, 40, True)])
def test_exact_match_may_fall_by_the_tolerance_and_no_more(right, before, passed):
    items = exact()
    answers = ["yes"] * right + ["no"] * (100 - right)
    judged = judge_exact_match(items, answers, ["yes"] * before + ["no"] * (100 - before), TOLERANCES)
    assert judged.passed == passed
    assert judged.score == right / 100
    assert judged.score_low < judged.score < judged.score_high or right in (0, 100)


def test_what_moves_to_where_the_log_cannot_see_counts_at_the_worst_reward_logged():
    items = logged()
    covered = judge_held_out(items, logprobs(items, 0.5, 0.5), logprobs(items, 0.5, 0.5), TOLERANCES)
    assert covered.passed
    # A fifth of all it does was never logged; what was logged earns a little more than before.
    hidden = judge_held_out(items, logprobs(items, 0.404, 0.4), logprobs(items, 0.5, 0.5), TOLERANCES)
    assert hidden.difference > 0
    assert not hidden.passed
    assert "never logged may cost 0.0490 per event" in hidden.reason


def test_a_gain_on_what_was_logged_outweighs_a_little_that_was_not():
    items = logged()
    judged = judge_held_out(items, logprobs(items, 0.7, 0.2), logprobs(items, 0.5, 0.5), TOLERANCES)
    assert judged.passed


def transactions(positives=40, negatives=400, weight=1.0):
    return [
        TabularItem(
            item_id=f"b2:{index}",
            features={},
            label=float(index < positives),
            weight=weight if index < positives else 1.0,
            user=f"u_{index}",
            interaction_id=f"i_{index}",
        )
        for index in range(positives + negatives)
    ]


def scores(items, found, first=0):
    """High for so many positives from one on, low for the rest, and in between for all negatives."""
    inside = range(first, first + found)
    return [0.9 if index in inside else 0.1 if item.label else 0.5 for index, item in enumerate(items)]


RATE = Tolerances(false_positive_rate=0.01, detection=0.02)


def test_a_classifier_that_finds_more_at_the_same_rate_passes_and_says_by_how_much():
    items = transactions()
    judged = judge_detection(items, scores(items, 36), scores(items, 20), RATE)
    assert judged.passed
    assert (judged.score, judged.baseline_score, judged.difference) == (0.9, 0.5, pytest.approx(0.4))
    assert 0 < judged.difference_low < 0.4 < judged.difference_high
    assert judged.reason.startswith("90.0% found, production 50.0%, +40.0% (at 1.00% false positives; 40 effective positives")
    assert sum(one.score for one in judged.items) == 36
    assert {one.slice for one in judged.items} == {"positive", "negative"}


def test_a_classifier_that_is_shown_to_find_fewer_is_refused():
    items = transactions()
    judged = judge_detection(items, scores(items, 20), scores(items, 36), RATE)
    assert not judged.passed
    assert "fewer positives than production: -40.0%, at most" in judged.reason


def test_a_loss_beyond_the_margin_is_refused_although_it_may_be_chance():
    items = transactions()
    judged = judge_detection(items, scores(items, 20), scores(items, 20, first=18), RATE)
    assert judged.passed
    judged = judge_detection(items, scores(items, 18), scores(items, 20, first=10), RATE)
    assert "seems to find fewer" in judged.reason and judged.difference_high > 0


def test_a_loss_within_the_margin_is_put_up_with_even_where_it_is_certain():
    items = transactions(positives=1_000)
    judged = judge_detection(items, scores(items, 988), scores(items, 1_000), RATE)
    assert judged.passed
    assert judged.difference_high < 0
    judged = judge_detection(items, scores(items, 975), scores(items, 1_000), RATE)
    assert "fewer positives than production: -2.5%, at most" in judged.reason


def test_a_few_rows_that_stand_for_many_are_not_many():
    few = transactions(positives=30)
    heavy = [*transactions(positives=30, weight=1.0)[:28], *transactions(positives=2, weight=100.0)[:2], *few[30:]]
    judged = judge_detection(heavy, scores(heavy, 20), scores(heavy, 20), RATE)
    assert "too few positives to tell (2." in judged.reason
