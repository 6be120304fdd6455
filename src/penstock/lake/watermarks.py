"""Watermarks of a reader: how far a run has to read, and which of them a commit moves on.

A commit names only those that it advances, since a repeated one means a replay.
"""

from collections.abc import Iterable, Mapping

from penstock.lake.lake import Lake
from penstock.lake.tables import source_of


class Horizon:
    """The newest versions of the sources when a run began.

    A run ends there: one that went on while there is something new would never end where rows arrive faster than it reads, and
    what comes after it in a refresh would starve.
    """

    def __init__(self, lake: Lake, table: str, apps: Iterable[str]) -> None:
        self._lake = lake
        self._table = table
        self._newest = {app: lake.version(source) for app in apps if (source := source_of(app)) is not None}

    def is_reached(self) -> bool:
        """Whether what was there at the beginning has been read."""
        return self.is_reached_by({app: self._lake.transaction_version(self._table, app) for app in self._newest})

    def is_reached_by(self, reached: Mapping[str, int | None]) -> bool:
        """Whether it has been, once these versions have."""
        return all((mark := reached[app]) is not None and mark >= newest for app, newest in self._newest.items())


def advancing(lake: Lake, table: str, watermarks: Mapping[str, int]) -> dict[str, int]:
    """Those that are further than what the table holds; none of them may be behind it."""
    reached = {app: lake.transaction_version(table, app) for app in watermarks}
    return {app: version for app, version in watermarks.items() if (mark := reached[app]) is None or version > mark}
