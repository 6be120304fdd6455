"""The time that a report names: ISO 8601, or an epoch whose unit shows in its size."""

from datetime import UTC, datetime, timedelta

from penstock.errors import BadInputError

# Epoch times are seconds, milliseconds, microseconds or nanoseconds; each is a thousand times the one before.
_LARGEST_EPOCH_S = 1e11


MOST_AHEAD = timedelta(days=1)


def is_far_ahead(moment: datetime, now: datetime) -> bool:
    """Whether a time lies so far ahead of our clock that it is no skew but a mistake, and would count as the last for ever."""
    return moment > now + MOST_AHEAD


def read_time(given: str | float) -> datetime:
    """ISO 8601 (UTC where it names no zone) or an epoch in seconds, ms, us or ns, told apart by its size."""
    try:
        if isinstance(given, str):
            moment = datetime.fromisoformat(given.strip())
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = float(given)
        for _ in range(3):
            seconds = seconds / 1000.0 if abs(seconds) > _LARGEST_EPOCH_S else seconds
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise BadInputError(f"The time {given!r} is neither an ISO 8601 time nor an epoch.") from error
