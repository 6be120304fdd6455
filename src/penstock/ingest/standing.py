"""What stands of interactions that are built anew, and which of these differ from it.

Most of a row are its texts, and most late arrivals change something else of it: then the texts that stand are never read.
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import ibis.expr.types as ir
import msgspec
import pyarrow as pa
from msgspec import Struct

from penstock.ingest.trace_days import days_around
from penstock.lake.arrow_schema import from_arrow
from penstock.lake.lake import Lake
from penstock.records.interaction import Interaction

Record = TypeVar("Record", bound=Struct)

_TEXTS: dict[str, Any] = dict.fromkeys(
    ["input_messages", "output_messages", "system_instructions", "prompt_text", "response_text"]
)


def find_standing(lake: Lake, built: Sequence[Interaction]) -> dict[str, Interaction]:
    """The latest revision of each of these interactions, those merged into another included."""
    return _latest(_rows(lake, built).to_pyarrow()) if built else {}


def find_standing_briefly(lake: Lake, built: Sequence[Interaction]) -> dict[str, Interaction]:
    """The same without the texts of those that differ in something else."""
    if not built:
        return {}
    standing = _latest(_rows(lake, built).drop(*_TEXTS).to_pyarrow())
    again = [row for row in built if row.interaction_id in standing]
    differ = {row.interaction_id for row in amend((msgspec.structs.replace(row, **_TEXTS) for row in again), standing)}
    return standing | find_standing(lake, [row for row in again if row.interaction_id not in differ])


def amend(built: Iterable[Interaction], standing: dict[str, Interaction]) -> Iterable[Interaction]:
    """Those that are new, and those that differ from what stands, as its next revision."""
    for interaction in built:
        before = standing.get(interaction.interaction_id)
        if before is None:
            yield interaction
            continue
        started_at = interaction.started_at
        if started_at.date() != before.started_at.date():
            started_at = before.started_at  # all revisions of a row lie in one partition
        as_before = msgspec.structs.replace(
            interaction, known_at=before.known_at, revision=before.revision, started_at=started_at, turn_index=before.turn_index
        )
        if as_before != before:
            yield msgspec.structs.replace(as_before, known_at=interaction.known_at, revision=before.revision + 1)


def to_records(record: type[Record], table: pa.Table) -> list[Record]:
    """Rows as records; columns that are empty throughout are left to the record's defaults, which halves the time."""
    filled = [name for name in table.column_names if not _is_empty(table.column(name))]
    return from_arrow(record, table.select(filled)) if table.num_rows else []


def _is_empty(column: Any) -> bool:
    if column.null_count == len(column):
        return True
    return pa.types.is_map(column.type) and not any(len(chunk.items) for chunk in column.chunks)


def _rows(lake: Lake, built: Sequence[Interaction]) -> ir.Table:
    around = days_around([interaction.started_at.date() for interaction in built])
    return lake.rows_with("interactions", "interaction_id", [row.interaction_id for row in built], dates=around)


def _latest(rows: pa.Table) -> dict[str, Interaction]:
    standing: dict[str, Interaction] = {}
    for row in to_records(Interaction, rows):
        other = standing.get(row.interaction_id)
        if other is None or row.revision > other.revision:
            standing[row.interaction_id] = row
    return standing
