"""Partitions of a table, one per UTC day: which of them have files that have come of age since a job last looked."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from deltalake import DeltaTable

from penstock.lake.tables import PARTITION


def partitions_due(handle: DeltaTable, age: timedelta, last: int, now: datetime) -> list[date]:
    """Days with a file that reached this age after `last`, in seconds since 1970, ascending."""
    adds = handle.get_add_actions(flatten=True)
    days, modified = (adds.column(name).to_pylist() for name in (f"partition.{PARTITION}", "modification_time"))
    reached = ((day, (_moment(when) + age).timestamp()) for day, when in zip(days, modified, strict=True))
    return sorted({_day(day) for day, moment in reached if last < moment <= now.timestamp()})


def partitions(handle: DeltaTable) -> list[date]:
    """Days that have files, ascending."""
    return sorted({_day(value) for value in handle.get_add_actions(flatten=True).column(f"partition.{PARTITION}").to_pylist()})


def _day(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(str(value))


def _moment(modified: Any) -> datetime:
    """The time of an add action, which deltalake gives as milliseconds or as a time with or without a zone."""
    if isinstance(modified, int):
        return datetime.fromtimestamp(modified / 1000, UTC)
    found: datetime = modified if modified.tzinfo else modified.replace(tzinfo=UTC)
    return found
