"""Rates of cohorts, young and old, of cases whose truth is known."""

from datetime import timedelta
from typing import Any

import numpy
import pyarrow as pa
import pytest

from penstock.errors import BadInputError
from penstock.outcome_settings import OutcomeSettings
from penstock.outcomes.cohort_rates import cohort_rates
from tests.rows import T0

SETTINGS = OutcomeSettings(keys=["k"], window_h=240.0)


def cases(age: Any, delay: Any, value: Any = 1.0, **more: Any) -> pa.Table:
    """Cases by age and by the delay of their outcome in hours, which has come where it is shorter than the age."""
    ages, delays = numpy.asarray(age, dtype=float), numpy.asarray(delay, dtype=float)
    came = delays <= ages
    started = [T0 - timedelta(hours=float(one)) for one in ages]
    happened = [begun + timedelta(hours=float(late)) if is_there else None for begun, late, is_there in zip(started, delays, came, strict=True)]  # fmt: skip  # noqa: E501
    values = numpy.broadcast_to(value, ages.shape)
    columns = {
        "started_at": pa.array(started, pa.timestamp("us", "UTC")),
        "happened_at": pa.array(happened, pa.timestamp("us", "UTC")),
        "value": pa.array([float(one) if is_there else None for one, is_there in zip(values, came, strict=True)], pa.float64()),
        "weight": pa.array(numpy.ones(len(ages))),
        "age_h": pa.array(ages),
        "delay_h": pa.array([float(one) if is_there else None for one, is_there in zip(delays, came, strict=True)], pa.float64()),
    }
    return pa.table({**columns, **{name: pa.array(given) for name, given in more.items()}})


def drawn(number: int, rate: float, youngest_h: float, oldest_h: float, seed: int = 3) -> pa.Table:
    rng = numpy.random.default_rng(seed)
    delay = numpy.where(rng.random(number) < rate, rng.exponential(24.0, number), numpy.inf)
    return cases(rng.uniform(youngest_h, oldest_h, number), delay, segment=["a", "b"] * (number // 2))


def test_a_young_cohort_is_corrected_and_marked_and_the_naive_share_stands_beside() -> None:
    (found,) = cohort_rates(drawn(50_000, 0.30, 0.0, 48.0), SETTINGS, "all")
    assert found.naive == pytest.approx(0.17, abs=0.01)
    assert found.rate == pytest.approx(0.30, abs=0.01)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.30 < found.high
    assert found.provisional


def test_old_cohorts_stand_as_they_are_and_lend_young_ones_their_delays() -> None:
    rates = cohort_rates(drawn(40_000, 0.20, 0.0, 20 * 24.0), SETTINGS, "day")
    assert [one.cohort for one in rates] == sorted(one.cohort for one in rates)
    old, young = rates[1], rates[-1]
    assert (old.provisional, old.rate, old.arrived) == (False, old.naive, 1.0)
    assert young.provisional
    assert young.naive < 0.1
    assert young.low is not None
    assert young.high is not None
    assert young.low < 0.20 < young.high
    middle = [one for one in rates if not one.provisional and one.arrived is not None and 0.9 <= one.arrived < 1.0]
    assert middle, "cohorts of which nearly all has come are published as they are"


def test_cohorts_are_split_by_a_dimension_and_by_weeks() -> None:
    rates = cohort_rates(drawn(4_000, 0.5, 300.0, 600.0), SETTINGS, "week", "segment")
    assert {one.by for one in rates} == {"a", "b"}
    assert len({one.cohort for one in rates}) == 3
    assert sum(one.cases for one in rates) == 4_000
    assert all(one.rate == pytest.approx(0.5, abs=0.1) for one in rates)


def test_nothing_yet_is_not_negative_and_without_any_outcome_there_is_no_rate() -> None:
    (found,) = cohort_rates(cases([1.0] * 30, [numpy.inf] * 30), SETTINGS, "all")
    assert (found.rate, found.arrived, found.naive, found.provisional, found.mean_value) == (None, None, 0.0, True, None)


def test_a_cohort_younger_than_any_delay_has_no_rate() -> None:
    young = cases([0.5] * 50, [numpy.inf] * 50)
    old = cases([500.0] * 400, [30.0 + one % 7 for one in range(400)])
    found = cohort_rates(pa.concat_tables([old, young]), SETTINGS, "day")
    assert (found[-1].rate, found[-1].arrived, found[-1].provisional) == (None, 0.0, True)
    assert found[0].rate == 1.0


def test_absence_counts_in_the_mean_value_only_where_a_definition_says_from_when() -> None:
    made = cases([300.0] * 4 + [1.0], [1.0, 1.0, numpy.inf, numpy.inf, numpy.inf], [1.0, 0.0, 9.0, 9.0, 9.0])
    (without,) = cohort_rates(made, SETTINGS, "all")
    assert (without.mean_value, without.outcomes, without.cases) == (0.5, 2, 5)
    (with_zeros,) = cohort_rates(made, OutcomeSettings(keys=["k"], mature_after_h=240.0), "all")
    assert with_zeros.mean_value == 0.25


def test_an_outcome_without_a_value_has_come_and_is_in_no_rate() -> None:
    (found,) = cohort_rates(cases([300.0] * 4, [1.0] * 3 + [numpy.inf], [1.0, numpy.nan, 0.0, 9.0]), SETTINGS, "all")
    assert (found.outcomes, found.naive, found.rate, found.mean_value) == (3, 0.25, 0.25, 0.5)


def test_an_outcome_after_mature_after_h_or_after_the_window_counts_in_rates() -> None:
    made = cases([300.0] * 4, [1.0, 100.0, 260.0, numpy.inf])
    (found,) = cohort_rates(made, OutcomeSettings(keys=["k"], window_h=240.0, mature_after_h=24.0), "all")
    assert (found.naive, found.rate, found.mean_value, found.provisional) == (0.75, 0.75, 0.75, False)


def test_no_cases_give_no_rates_and_another_cohort_is_refused() -> None:
    assert cohort_rates(drawn(2, 0.5, 1.0, 2.0).slice(0, 0), SETTINGS, "day") == []
    with pytest.raises(BadInputError, match="month"):
        cohort_rates(drawn(2, 0.5, 1.0, 2.0), SETTINGS, "month")


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("young_h", [24.0, 168.0])
def test_what_comes_after_the_window_is_no_part_of_the_rate(seed: int, young_h: float) -> None:
    rng = numpy.random.default_rng(seed)
    number, window_h = 4_000, 168.0
    delay = numpy.where(rng.random(number) < 0.5, rng.exponential(200.0, number), numpy.inf)
    within = 0.5 * (1.0 - numpy.exp(-window_h / 200.0))
    settings = OutcomeSettings(keys=["k"], window_h=window_h)
    age = rng.uniform(0.0, young_h, number)
    age[:100] = 400.0  # too few to know the delays by
    late = numpy.where(delay <= window_h, delay, numpy.inf)  # never attributed
    (whole,) = cohort_rates(cases(age, late), settings, "all")
    assert whole.provisional
    assert whole.low is not None
    assert whole.high is not None
    assert whole.low - 0.01 < within < whole.high + 0.01
    if young_h == window_h:
        assert whole.rate == pytest.approx(within, abs=0.03)


@pytest.mark.parametrize("oldest_h", [600.0, 48.0])
def test_a_case_in_three_parts_is_one_case(oldest_h: float) -> None:
    whole = drawn(600, 0.4, 0.0 if oldest_h < 100.0 else 300.0, oldest_h)
    parts = whole.take(numpy.repeat(numpy.arange(600), 3))
    parts = parts.set_column(parts.schema.get_field_index("weight"), "weight", pa.array(numpy.full(1_800, 1 / 3)))
    settings = OutcomeSettings(keys=["k"], window_h=240.0, mature_after_h=240.0)
    for cohort in ("all", "week"):
        for one, other in zip(cohort_rates(whole, settings, cohort), cohort_rates(parts, settings, cohort), strict=True):
            assert (other.cases, other.outcomes, type(other.cases)) == (one.cases, one.outcomes, int)
            for name in ("naive", "arrived", "rate", "low", "high", "mean_value"):
                assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-3), name
