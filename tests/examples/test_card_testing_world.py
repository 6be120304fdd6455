"""The simulated stream: the same for a seed, honest traffic untouched by what is blocked, and features that look back only."""

import numpy
import pytest
from examples.card_testing.attackers import APPEAR, NEWEST, PATTERNS, Attackers, patterns_appeared, shares_of_patterns
from examples.card_testing.features import NAMES, FeaturePlatform
from examples.card_testing.transactions import DAY, HOUR, Transactions, join
from examples.card_testing.world import World

STEP = 6 * HOUR


def columns(given: Transactions) -> list[list[float]]:
    return [getattr(given, name).tolist() for name in given.__dict__]


def test_a_seed_gives_the_same_stream_and_another_one_another() -> None:
    first, again, other = (World(seed, 500).step(DAY, STEP) for seed in (3, 3, 4))
    assert columns(first) == columns(again)
    assert columns(first) != columns(other)


def test_honest_traffic_is_in_order_of_time_follows_the_hours_and_has_no_fraud() -> None:
    world = World(0, 2_000)
    day = join([world.step(start, STEP) for start in numpy.arange(0, DAY, STEP)])
    hours = numpy.bincount((day.time // HOUR).astype(int), minlength=24)
    assert (numpy.diff(day.time) >= 0).all()
    assert hours[2] < hours[18] / 2
    assert not day.fraud.any()
    assert 1_600 < len(day) < 4_000


def test_new_patterns_come_on_their_day_and_attackers_move_on_by_themselves() -> None:
    attackers = Attackers(World(0, 500), 400)
    early = attackers.step(0.0, STEP)
    assert early is not None and set(early.pattern.tolist()) <= {0, 1}
    begun = {one.number: one for one in attackers.campaigns}
    attackers.step(STEP, STEP)
    moved = [one for one in attackers.campaigns if one.moves]
    assert moved and all(one.hourly < begun[one.number].hourly and one.things != begun[one.number].things for one in moved)
    late = Attackers(World(0, 500), 4_000).step(APPEAR[-1] * DAY, STEP)
    assert late is not None and len(PATTERNS) - 1 in late.pattern
    assert len(APPEAR) == len(PATTERNS)


def test_the_newest_patterns_make_up_the_same_share_whatever_came_before() -> None:
    assert patterns_appeared(4 * DAY) == [(0, 1), (2, 3)]
    for at in (day * DAY for day in APPEAR if day > 0):
        shares = shares_of_patterns(at)
        assert shares.sum() == pytest.approx(1.0)
        assert shares[list(patterns_appeared(at)[-1])].sum() == pytest.approx(NEWEST)
        assert (shares[: patterns_appeared(at)[-1][-1] + 1] > 0).all()


def test_all_attempts_follow_from_the_seed_so_every_arm_meets_the_same() -> None:
    one, other = (Attackers(World(5, 500), 300) for _ in range(2))
    for at in numpy.arange(0, DAY, STEP):
        first, second = one.step(float(at), STEP), other.step(float(at), STEP)
        assert first is not None and second is not None
        assert columns(first) == columns(second)


def test_features_are_the_same_whether_what_comes_later_is_there_or_not() -> None:
    world = World(1, 800)
    day = join([world.step(start, STEP) for start in numpy.arange(0, DAY, STEP)])
    whole = FeaturePlatform(world).describe(day)
    part = FeaturePlatform(world).describe(day.take(numpy.arange(300)))
    assert numpy.array_equal(whole[:300], part)
    assert whole.shape == (len(day), len(NAMES))


def test_features_remember_the_day_before() -> None:
    world = World(1, 800)
    day = join([world.step(start, STEP) for start in numpy.arange(0, DAY, STEP)])
    whole = FeaturePlatform(world).describe(day)
    platform, half = FeaturePlatform(world), len(day) // 2
    parts = [platform.describe(day.take(numpy.arange(half))), platform.describe(day.take(numpy.arange(half, len(day))))]
    assert numpy.array_equal(numpy.concatenate(parts), whole)


def test_features_remember_cards_and_devices_of_the_week() -> None:
    world = World(1, 800)
    monday, later = world.step(0.0, STEP), world.step(3 * DAY, STEP)
    back = Transactions(**{**later.__dict__, "card": numpy.full(len(later), monday.card[0])}).take(numpy.array([0]))
    platform = FeaturePlatform(world)
    platform.describe(monday)
    (row,) = platform.describe(back)
    assert row[NAMES.index("card_known")] == (monday.card == monday.card[0]).sum()
    assert row[NAMES.index("merchant_to_usual_6h")] < 1
