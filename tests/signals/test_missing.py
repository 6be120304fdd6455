"""Who is missing, through a real lake: corrected figures cover the truth where plain ones do not, and bad lakes are no error."""

from datetime import timedelta

import numpy
import pytest
from scipy.special import expit

from penstock.errors import BadInputError
from penstock.signals.missing import MissingQuestion, _figure, who_is_missing
from penstock.signals.traffic import Period
from penstock.statistics.intervals import Estimate, Interval
from penstock.statistics.selection import SelectionRate, selected_cases
from tests.rows import T0, make_interaction, make_signal
from tests.signals.shared_outcomes import share_out

TRUTH = 2 * 0.39797 - 1  # of expit(-0.5 + x) over normal x, and of ratings that are 1 or -1


def raters(lake, rounds, number=1_000, seed=0):
    """A day of traffic per round, in which whoever asks at length is served well and rates."""
    generator, rows, signals = numpy.random.default_rng(seed), [], []
    for day in range(rounds):
        need = generator.normal(size=number)
        good = generator.random(number) < expit(-0.5 + need)
        rates = generator.random(number) < expit(-0.8 + 1.2 * need)
        for at in range(number):
            place = day * number + at
            row = make_interaction(
                place, start=day * 86_400 + at * 40, user_id=f"u{place}", input_tokens=int(numpy.exp(5 + need[at])),
                error_type=None if at % 10 else "timeout",
            )  # fmt: skip
            rows.append(row)
            if rates[at]:
                signals.append(make_signal("rating", row, 1.0 if good[at] else -1.0))
    lake.append("interactions", rows)
    lake.append("signals", signals)


def day_of(lake, day):
    since = T0 + timedelta(days=day)
    found = who_is_missing(lake, MissingQuestion(period=Period(since=since, until=since + timedelta(hours=12))))
    return next(answer for answer in found.answers if answer.rate == "mean rating")


def covers(interval, truth=TRUTH):
    return interval.low <= truth <= interval.high


def test_the_truth_of_the_simulation_is_what_it_is_said_to_be():
    node = numpy.linspace(-8, 8, 4_001)
    density = numpy.exp(-node * node / 2) / numpy.sqrt(2 * numpy.pi)
    assert (2 * expit(node - 0.5) - 1) @ density * (node[1] - node[0]) == pytest.approx(TRUTH, abs=1e-3)


def test_whoever_is_served_well_rates_more_and_is_weighted_back(lake):
    raters(lake, 1, number=3_000)
    answer = day_of(lake, 0)
    assert not covers(answer.raw.interval)
    assert covers(answer.doubly_robust.interval)
    assert abs(answer.weighted.value - TRUTH) < 0.5 * abs(answer.raw.value - TRUTH)
    assert covers(answer.bounds)
    assert 0.2 < answer.heard_share < 0.5
    assert answer.effective_sample_size < 0.8 * answer.heard_share * answer.cases
    assert answer.largest_weight > 2.0


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_corrected_intervals_cover_where_plain_ones_do_not(lake):
    rounds = 400
    raters(lake, rounds)
    answers = [day_of(lake, day) for day in range(rounds)]
    share = {
        name: numpy.mean([covers(getattr(answer, name).interval) for answer in answers])
        for name in ("raw", "weighted", "doubly_robust")
    }
    assert share["raw"] < 0.2
    assert share["doubly_robust"] >= 0.93
    assert share["weighted"] >= 0.9
    assert all(covers(answer.bounds_interval) for answer in answers)


def test_every_signal_has_its_rate_and_sessions_rated_come_first(lake):
    rows = [make_interaction(number, session_id=f"s{number // 3}", user_id=f"u{number % 50}") for number in range(300)]
    lake.append("interactions", rows)
    generator = numpy.random.default_rng(1)
    signals = [make_signal("copy", row, 1.0) for row in rows if generator.random() < 0.3]
    signals += [make_signal("retry", row, 0.9) for row in rows[:-1] if generator.random() < 0.2]
    signals += [make_signal("rating", row, 1.0) for row in rows[::30]]
    signals += [make_signal("outcome.sold", row, 1.0, occurred_at=row.ended_at + timedelta(seconds=20)) for row in rows[::2]]
    about = {"target_kind": "session", "interaction_id": None}
    signals += [make_signal("completion", row, 0.8, target_id=row.session_id, **about) for row in rows[::6]]
    lake.append("signals", signals)
    found = who_is_missing(lake, MissingQuestion())
    answers = {answer.rate: answer for answer in found.answers}
    assert next(iter(answers)) == "sessions rated"
    assert answers["sessions rated"].raw.value == pytest.approx(0.1)
    assert (answers["mean completion"].unit, answers["mean completion"].heard_share) == ("session", 0.5)
    assert answers["outcome.sold comes"].raw.value == pytest.approx(0.5, abs=0.01)
    assert 0.9 < answers["outcome.sold comes"].heard_share < 1.0
    assert answers["retry rate"].heard == "who stays"
    assert answers["copy rate"].note == "all are heard"
    assert answers["copy rate, later"].unit == "user"
    assert (found.interactions, found.users) == (300, 50)
    assert found.raters.retry is not None


def test_where_all_rate_nothing_is_missing(lake):
    rows = [make_interaction(number) for number in range(60)]
    lake.append("interactions", rows)
    lake.append("signals", [make_signal("rating", row, 1.0 if number % 3 else -1.0) for number, row in enumerate(rows)])
    found = who_is_missing(lake, MissingQuestion())
    rating = next(answer for answer in found.answers if answer.rate == "mean rating")
    assert (rating.heard_share, rating.weighted, rating.note) == (1.0, None, "all are heard")
    assert rating.bounds.low == rating.bounds.high == rating.raw.value
    assert found.raters.share_of_sessions.value == 1.0
    assert found.raters.retry is None


def test_where_hardly_anybody_rates_only_the_bounds_are_told(lake):
    rows = [make_interaction(number) for number in range(60)]
    lake.append("interactions", rows)
    lake.append("signals", [make_signal("rating", row, 1.0) for row in rows[:3]])
    rating = next(answer for answer in who_is_missing(lake, MissingQuestion()).answers if answer.rate == "mean rating")
    assert (rating.weighted, rating.doubly_robust) == (None, None)
    assert rating.note == "too few to model: 3 of 60 heard"
    assert (rating.bounds.low, rating.bounds.high) == pytest.approx((-0.9, 1.0))


def test_ratings_that_are_all_alike_are_no_error(lake):
    rows = [make_interaction(number, user_id=f"u{number}", input_tokens=number) for number in range(200)]
    lake.append("interactions", rows)
    lake.append("signals", [make_signal("rating", row, 1.0) for row in rows[:80]])
    rating = next(answer for answer in who_is_missing(lake, MissingQuestion()).answers if answer.rate == "mean rating")
    assert rating.raw.value == 1.0
    assert rating.doubly_robust.value > 0.8


def test_nobody_rates_no_signal_and_no_traffic_are_no_error(lake):
    assert who_is_missing(lake, MissingQuestion()).answers == ()
    rows = [make_interaction(number) for number in range(5)]
    lake.append("interactions", rows)
    assert who_is_missing(lake, MissingQuestion()).answers == ()
    lake.append("signals", [make_signal("copy", rows[0], 1.0)])
    found = who_is_missing(lake, MissingQuestion())
    assert found.raters is None
    assert [answer.rate for answer in found.answers] == ["copy rate"]


def test_a_captive_segment_is_flagged(lake):
    generator, rows, signals = numpy.random.default_rng(2), [], []
    for number in range(1_500):
        held = number % 3 == 0
        row = make_interaction(
            number,
            session_id=f"s{number // 3}-{held}",
            user_id=f"u{number}",
            segment="held" if held else "free",
            start=number * 100,
        )
        rows.append(row)
        if generator.random() < (0.1 if held else 0.4):
            signals.append(make_signal("copy", row, 1.0))
        if generator.random() < 0.2:
            signals.append(make_signal("rating", row, 1.0 if generator.random() < 0.7 else -1.0))
    lake.append("interactions", rows)
    lake.append("signals", signals)
    (found,) = who_is_missing(lake, MissingQuestion()).captive
    assert (found.segment, found.behaviour) == ("held", "copy rate")
    assert found.rate < 0.5 * found.rate_elsewhere


def test_a_column_that_tells_nothing_apart_is_refused(lake):
    with pytest.raises(BadInputError, match="--by colour"):
        who_is_missing(lake, MissingQuestion(by="colour"))


def solved(lake, values, parts, rate):
    share_out(lake, values, parts)
    found = who_is_missing(lake, MissingQuestion())
    return next(answer for answer in found.answers if answer.rate == rate)


def test_an_outcome_that_three_interactions_share_counts_once(lake, other_lake):
    values = [float(user % 4 == 0) for user in range(60)]
    one = solved(other_lake, values, [1] * 60, "mean outcome.solved")
    shared = solved(lake, values, [3 if user % 4 else 1 for user in range(60)], "mean outcome.solved")
    assert (one.raw.value, shared.raw.value) == (0.25, pytest.approx(0.25))
    assert shared.raw.interval.low == pytest.approx(one.raw.interval.low)
    assert shared.raw.interval.high == pytest.approx(one.raw.interval.high)
    assert "counts once" in shared.note
    assert "counts once" not in one.note


def test_interactions_without_an_outcome_count_as_those_that_share_one(lake):
    values = [1.0 if user % 2 else None for user in range(120)]
    mean = solved(lake, values, [3] * 120, "mean outcome.solved")
    assert (mean.heard_share, mean.cases) == (pytest.approx(0.5), 360)
    assert (mean.bounds.low, mean.bounds.high) == pytest.approx((0.5, 1.0))
    assert mean.effective_sample_size == pytest.approx(60, rel=0.1)
    coming = next(answer for answer in who_is_missing(lake, MissingQuestion()).answers if answer.rate == "outcome.solved comes")
    assert coming.raw.value == pytest.approx(0.5, abs=0.02)


def test_few_outcomes_are_few_however_many_share_them(lake):
    values = [1.0 if user < 9 else None for user in range(60)]
    answer = solved(lake, values, [3] * 60, "mean outcome.solved")
    assert (answer.weighted, answer.note.partition(";")[0]) == (None, "too few to model: 9 of 60 heard")


@pytest.mark.parametrize(
    ("value", "low", "high", "shown"),
    [
        (-3.58e-06, 2.776e-17, 0.2, (0.0, 0.0, 0.2)),
        (1.0 + 1e-12, 0.9, 1.0 - 1e-12, (1.0, 0.9, 1.0)),
        (0.5, 1e-6, 0.9, (0.5, 1e-6, 0.9)),
    ],
)
def test_a_share_lies_between_0_and_1_and_rounding_shows_nowhere(value, low, high, shown):
    rate = SelectionRate(estimate=Estimate(value=value, variance=0.1, units=9), interval=Interval(low=low, high=high))
    figure = _figure(rate, selected_cases(numpy.array([0.0, 1.0]), numpy.array([0, 1])))
    assert (figure.value, figure.interval.low, figure.interval.high) == shown
