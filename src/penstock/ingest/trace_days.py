"""How far apart in time what belongs to one trace is sought."""

from collections.abc import Sequence
from datetime import date, timedelta

# A parent that lies further off does not count, and a span sent again with another start keeps the day of its first.
_TRACE_DAYS = timedelta(days=2)


def days_around(days: Sequence[date]) -> tuple[date, date]:
    """The first and the last day to look at, for rows that started on these."""
    return min(days) - _TRACE_DAYS, max(days) + _TRACE_DAYS
