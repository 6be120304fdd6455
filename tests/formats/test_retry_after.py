from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from penstock.formats.retry_after import read_retry_after_s


@pytest.mark.parametrize(("header", "seconds"), [("5", 5.0), ("0.5", 0.5), ("-3", 0.0), (None, None), ("", None), ("soon", None)])
def test_seconds_are_a_delay_and_nonsense_is_none(header: str | None, seconds: float | None) -> None:
    assert read_retry_after_s(header) == seconds


@pytest.mark.parametrize("header", ["inf", "nan", "Mon, 01 Jan 99999 00:00:00 GMT"])
def test_what_never_comes_is_no_delay(header: str) -> None:
    assert read_retry_after_s(header) is None


def test_a_date_is_a_delay_from_now_and_one_gone_by_none() -> None:
    later = read_retry_after_s(format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True))
    assert later is not None and 50 < later <= 60
    assert read_retry_after_s("Thu, 01 Jan 2015 00:00:00 GMT") == 0.0
