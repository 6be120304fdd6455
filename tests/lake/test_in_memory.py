"""What holds for every connection, the lake's own too: a long query draws nothing, and times are in UTC."""

from datetime import datetime

from penstock.lake.in_memory import open_database
from penstock.lake.lake import Lake

_SETTINGS = "SELECT current_setting('enable_progress_bar') AS drawn, current_setting('TimeZone') AS zone, TIMESTAMPTZ '{}' AS at"


def test_nothing_is_drawn_and_times_are_in_utc(lake: Lake) -> None:
    at = datetime.fromisoformat("2026-03-01T12:00:00+00:00")
    for rows in (open_database().sql(_SETTINGS.format(at)).to_arrow_table(), lake.query(_SETTINGS.format(at))):
        assert rows.to_pylist() == [{"drawn": False, "zone": "UTC", "at": at}]
