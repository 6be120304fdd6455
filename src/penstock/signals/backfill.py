"""A definition that is new, or changed, is run over everything that is there, day after day, before it joins the others.

What its other versions have found stays beside what it finds. Where they found something and it does not, it says so in a row
without a value, so that whatever rests on theirs is worked out anew. Cut short, it goes on with the day it had reached.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from penstock.lake.in_memory import open_database
from penstock.lake.lake import Lake
from penstock.records.ids import signal_id
from penstock.signals.amend import NO_SIGNALS, WITHDRAWN, definition_key, found_by
from penstock.signals.definition import Definition, label
from penstock.signals.scope import INTERACTION_COLUMNS

COMPLETE = date.max.toordinal()
_PREFIX = "signals:definition:"  # the day up to which a definition was run over what there was, as an ordinal


def mark_of(definition: Definition) -> str:
    """The transaction under which the table of signals keeps how far a definition has come."""
    return _PREFIX + label(definition)


def incomplete(lake: Lake, definitions: Iterable[Definition]) -> dict[str, tuple[Definition, int]]:
    """The definitions that have not been run over everything, each with the day that it has reached, by mark."""
    reached = {mark_of(one): (one, lake.transaction_version("signals", mark_of(one)) or 0) for one in definitions}
    return {mark: (one, day) for mark, (one, day) in reached.items() if day < COMPLETE}


def turns_after(lake: Lake, reached: int, most: int) -> Iterator[tuple[int, pa.Table]]:
    """The interactions of every day after the one reached, so many at a time, each time with the day that is reached by then."""
    for day in lake.days("interactions"):
        if (number := day.toordinal()) <= reached:
            continue
        turns = lake.current("interactions", dates=(day, day)).select(*INTERACTION_COLUMNS)
        rows: pa.Table = turns.order_by(["session_id", "started_at", "interaction_id"]).to_pyarrow()
        for first in range(0, rows.num_rows, most):
            is_last = first + most >= rows.num_rows
            yield number if is_last else number - 1, rows.slice(first, most)


def no_longer_found(definition: Definition, standing: pa.Table, found: pa.Table, known_at: datetime) -> pa.Table:
    """Rows without a value for what other versions of a definition have found, in what stands, and this one has not."""
    by: Any = standing.column("definition")
    is_other = pc.and_(pc.starts_with(by, f"{definition.name}@"), pc.not_equal(by, pa.scalar(label(definition))))
    others = standing.filter(pc.and_(is_other, pc.is_valid(standing.column("value"))))
    if others.num_rows == 0:
        return NO_SIGNALS
    engine = open_database()
    engine.register("others", others)
    engine.register("found", found_by([definition], found).select(["target_id", "name"]))
    gone = engine.sql(
        "SELECT * FROM (FROM others ANTI JOIN found USING (target_id, name)) "
        "QUALIFY row_number() OVER (PARTITION BY target_id, name ORDER BY known_at DESC) = 1"
    ).to_arrow_table()
    rows = [
        {
            **row,
            "signal_id": signal_id(definition_key(definition), row["target_id"], row["name"]),
            "value": None,
            "text": None,
            "known_at": known_at,
            "revision": 0,
            "definition": label(definition),
            "evidence": [(WITHDRAWN, f"{label(definition)} does not find what {row['definition']} found")],
        }
        for row in gone.to_pylist()
    ]
    return pa.Table.from_pylist(rows, NO_SIGNALS.schema) if rows else NO_SIGNALS
