"""Times as reports name them."""

from datetime import UTC, datetime, timedelta

import pytest

from penstock.errors import BadInputError
from penstock.formats.report_time import is_far_ahead, read_time


@pytest.mark.parametrize(
    "given", [1_770_000_000, 1_770_000_000_000, 1_770_000_000_000_000, 1.77e18, "2026-02-02T02:40:00Z", "2026-02-02T02:40:00"]
)
def test_times_are_iso_or_an_epoch_of_any_unit(given: str | float) -> None:
    assert read_time(given) == datetime(2026, 2, 2, 2, 40, tzinfo=UTC)


@pytest.mark.parametrize("given", ["", "x", float("nan"), float("inf"), -1e30, "9999-99-99"])
def test_what_is_no_time_is_told(given: str | float) -> None:
    with pytest.raises(BadInputError, match="neither"):
        read_time(given)


def test_a_clock_may_run_ahead_by_a_day_and_no_more() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    assert not is_far_ahead(now + timedelta(days=1), now)
    assert is_far_ahead(now + timedelta(days=1, seconds=1), now)
