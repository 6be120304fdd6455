"""A definition on a sample: what it would find in whole sessions of the newest traffic, with nothing written."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa
from msgspec import Struct

from penstock.errors import BadInputError
from penstock.lake.lake import Lake
from penstock.signals.definition import FINDINGS, Definition, label
from penstock.signals.engine import LakeEngine, tables_of
from penstock.signals.scope import INTERACTION_COLUMNS, scope_of_turns


class Trial(Struct, frozen=True, kw_only=True):
    """What a definition found in a sample."""

    definition: str
    interactions: int  # in the sample
    targets: int  # interactions, or sessions, that have a finding
    with_value: int
    errors: int  # findings that tell of an error of a user's function
    quantiles: Mapping[str, float]  # of the values
    examples: list[dict[str, Any]]


def try_definition(lake: Lake, definition: Definition, sample: int, as_of: datetime, examples: int = 10) -> Trial:
    """Run a definition over the newest interactions, so many at least where there are as many."""
    seeds = _newest(lake, sample)
    scope = scope_of_turns(lake, seeds)
    engine = LakeEngine(lake)
    with tables_of(engine, scope, as_of, None) as tables, _telling_of_rows(definition):
        found = pa.Table.from_batches(list(engine.find(definition, tables)), FINDINGS)
    rows = found.to_pylist(maps_as_pydicts="strict")
    values = sorted(row["value"] for row in rows if row["value"] is not None)
    return Trial(
        definition=label(definition),
        interactions=seeds.num_rows,
        targets=len({row["target_id"] for row in rows}),
        with_value=len(values),
        errors=sum("error" in row["evidence"] for row in rows),
        quantiles={name: values[min(len(values) - 1, int(share * len(values)))] for name, share in _SHARES.items() if values},
        examples=[_example(row) for row in rows[:examples]],
    )


@contextmanager
def _telling_of_rows(definition: Definition) -> Iterator[None]:
    """What a SELECT stumbles on in a row is told whole: nothing is written, and whoever tries it may read the rows."""
    try:
        yield
    except duckdb.Error as error:
        reason = str(error).partition("\n")[0]
        raise BadInputError(
            f"[signals.{definition.name}] fails on a row: {reason}. TRY_CAST gives NULL where CAST fails."
        ) from error


_SHARES = {"least": 0.0, "p25": 0.25, "median": 0.5, "p75": 0.75, "most": 1.0}


def _example(row: dict[str, Any]) -> dict[str, Any]:
    told = {name: row[name] for name in ("target_kind", "target_id", "name", "value", "occurred_at", "text")}
    return {**told, "evidence": row["evidence"]}


def _newest(lake: Lake, sample: int) -> pa.Table:
    """The newest interactions, from as many days as it takes."""
    taken: list[pa.Table] = []
    for day in reversed(lake.days("interactions")):
        rows = lake.current("interactions", dates=(day, day)).select(*INTERACTION_COLUMNS)
        missing = sample - sum(part.num_rows for part in taken)
        taken.append(rows.order_by(rows.started_at.desc()).limit(missing).to_pyarrow())
        if sum(part.num_rows for part in taken) >= sample:
            break
    return pa.concat_tables(taken) if taken else lake.current("interactions", ids=[]).select(*INTERACTION_COLUMNS).to_pyarrow()
