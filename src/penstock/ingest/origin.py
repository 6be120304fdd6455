"""What all records of one resource and scope have in common, and which times a clock can have shown."""

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct

from penstock.formats.aliases import text_of
from penstock.formats.report_time import MOST_AHEAD

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST_NS = 946_684_800_000_000_000  # 2000-01-01


class Origin(Struct, frozen=True):
    """Of one resource and scope."""

    application: str | None
    attributes: dict[str, str]
    scope: str | None
    known_at: datetime
    latest_ns: int  # a time after this is no time


def origin_of(resource: dict[str, Any], scope: Any, known_at: datetime) -> Origin:
    """The origin that a resource's attributes (plain Python values) and an InstrumentationScope name."""
    return Origin(
        application=text_of(resource.get("service.name")),
        attributes={
            f"resource.{name}": text_of(value) or ""
            for name, value in resource.items()
            if name != "service.name" and not name.startswith("telemetry.sdk.")
        },
        scope=f"{scope.name} {scope.version}".strip() or None,
        known_at=known_at,
        latest_ns=latest_plausible_ns(known_at),
    )


def latest_plausible_ns(known_at: datetime) -> int:
    """The latest time, in nanoseconds since 1970, that a record which arrived then may carry."""
    return (known_at + MOST_AHEAD - EPOCH) // timedelta(microseconds=1) * 1000
