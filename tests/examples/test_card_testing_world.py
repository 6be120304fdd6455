"""The simulated stream: the same for a seed, honest traffic untouched by what is blocked, and features that look back only."""

import numpy
from examples.card_testing.attackers import APPEAR, PATTERNS, Attackers
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


def test_new_patterns_come_on_their_day_and_attackers_who_are_blocked_give_up_or_move_on() -> None:
    attackers = Attackers(World(0, 500), 400)
    early = attackers.step(0.0, STEP)
    assert early is not None and set(early.pattern.tolist()) <= {0, 1}
    before = {one.number: one.merchant for one in attackers.campaigns}
    attackers.react(early, numpy.ones(len(early), dtype=bool))
    tried = set(early.campaign.tolist())
    stayed = [one for one in attackers.campaigns if one.number in tried]
    assert len(stayed) < len(tried)
    assert all(one.moves == 1 for one in stayed)
    assert len(before) == len(set(before))
    late = Attackers(World(0, 500), 4_000).step(APPEAR[-1] * DAY, STEP)
    assert late is not None and len(PATTERNS) - 1 in late.pattern
    assert len(APPEAR) == len(PATTERNS)


def test_blocking_changes_nothing_of_honest_traffic() -> None:
    world, attackers = World(5, 500), Attackers(World(5, 500), 300)
    untouched = World(5, 500).step(STEP, STEP)
    tried = attackers.step(0.0, STEP)
    assert tried is not None
    attackers.react(tried, numpy.ones(len(tried), dtype=bool))
    attackers.step(STEP, STEP)
    assert columns(world.step(STEP, STEP)) == columns(untouched)


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
