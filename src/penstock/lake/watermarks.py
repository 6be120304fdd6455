"""Watermarks of a reader of several tables: a commit names only those that it moves on, since a repeated one means a replay."""

from collections.abc import Mapping

from penstock.lake.lake import Lake


def advancing(lake: Lake, table: str, watermarks: Mapping[str, int]) -> dict[str, int]:
    """Those that are further than what the table holds; none of them may be behind it."""
    reached = {app: lake.transaction_version(table, app) for app in watermarks}
    return {app: version for app, version in watermarks.items() if (mark := reached[app]) is None or version > mark}
