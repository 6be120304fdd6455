"""How the rows of a log become calls: by a mapping file, or by the translator of a tool's export."""

from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from penstock.records.clock import utc_now
from penstock.replay.call import Call
from penstock.replay.log_rows import LogRow
from penstock.replay.mapping import RowMapping, SourceMapping
from penstock.replay.row_mapping import map_row


class RowReader(Struct, frozen=True, kw_only=True):
    """Reads rows of one kind."""

    identity: str  # another one starts another replay
    source: SourceMapping
    columns: frozenset[str] = frozenset()  # those that a header must have
    read: Callable[[LogRow, str], Call]  # a row and the name of its file; raises RowError


def mapped_rows(mapping: RowMapping, clock: Callable[[], datetime] = utc_now) -> RowReader:
    """Rows whose columns a mapping file describes."""
    return RowReader(
        identity=mapping.text,
        source=mapping.source,
        columns=mapping.columns,
        read=lambda row, file_name: map_row(row, file_name, mapping, clock()),
    )
