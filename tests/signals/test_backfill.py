"""Definitions that are new or changed, over what was there before them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import ibis
import pyarrow as pa
import pytest

from penstock.errors import StorageError
from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock
from penstock.records.signal import Signal
from penstock.signals.definition import BatchDefinition, ExpressionDefinition, Tables
from penstock.signals.run import run_signals
from tests.rows import make_interaction


def long_words(least: int, version: int) -> ExpressionDefinition:
    """A signal on every interaction whose prompt has so many characters: how many there are."""

    def select(tables: Tables) -> Any:
        rows = tables.interactions.filter(tables.interactions.prompt_text.length() >= least)
        return rows.select(
            "interaction_id",
            "session_id",
            target_id="interaction_id",
            occurred_at="started_at",
            value=rows.prompt_text.length().cast("float64"),
            target_kind=ibis.literal("interaction"),
            name=ibis.literal("long"),
            kind=ibis.literal("implicit"),
            source=ibis.literal("test"),
        )

    return ExpressionDefinition(name="long", version=version, source="interactions", select=select)


Run = Callable[..., dict[str, int]]


@pytest.fixture
def run(lake: Lake, clock: WriterClock) -> Run:
    def with_definitions(*definitions: ExpressionDefinition, **options: Any) -> dict[str, int]:
        return run_signals(lake, clock, definitions={one.name: one for one in definitions}, **options)

    return with_definitions


def found(lake: Lake) -> list[tuple[str, str, float | None]]:
    rows: list[Signal] = lake.to_records("signals", lake.current("signals"))
    return sorted((row.definition, row.evidence.get("withdrawn", ""), row.value) for row in rows)


def test_a_new_definition_is_run_over_what_was_there_before_it(lake: Lake, run: Run) -> None:
    day = timedelta(days=1).total_seconds()
    rows = [make_interaction(number, prompt_text="x" * (number + 1), start=number % 3 * day) for number in range(9)]
    lake.append("interactions", rows)
    assert run() == {}
    assert run(long_words(5, 1), max_rows=2) == {"long": 5}
    assert run(long_words(5, 1)) == {}
    lake.append("interactions", [make_interaction(20, prompt_text="x" * 9)])
    assert run(long_words(5, 1)) == {"long": 1}


def test_a_changed_definition_gives_new_rows_beside_the_old_and_says_what_it_does_not_find(lake: Lake, run: Run) -> None:
    lake.append("interactions", [make_interaction(number, prompt_text="x" * (number + 1)) for number in range(6)])
    run(long_words(5, 1))
    assert run(long_words(6, 2)) == {"long": 2}
    assert found(lake) == [
        ("long@1", "", 5.0),
        ("long@1", "", 6.0),
        ("long@2", "", 6.0),
        ("long@2", "long@2 does not find what long@1 found", None),
    ]
    assert run(long_words(6, 2)) == {}


def test_an_older_version_is_left_as_it_was(lake: Lake, run: Run) -> None:
    lake.append("interactions", [make_interaction(0, prompt_text="x" * 9)])
    run(long_words(5, 1))
    run(long_words(5, 2))
    lake.append("interactions", [make_interaction(0, prompt_text="x" * 7, revision=1)])
    run(long_words(5, 2))
    assert found(lake) == [("long@1", "", 9.0), ("long@2", "", 7.0)]


def test_cut_short_it_goes_on_with_the_day_it_had_reached(lake: Lake, run: Run, clock: WriterClock) -> None:
    day = timedelta(days=1).total_seconds()
    lake.append("interactions", [make_interaction(number, prompt_text="x" * 9, start=number * day) for number in range(4)])
    run()

    def fails_on_the_third(batch: pa.RecordBatch) -> pa.RecordBatch:
        seen.append(1)
        if len(seen) == 3:
            raise StorageError("cut short")
        return batch

    seen: list[int] = []
    select = long_words(5, 1).select
    mortal = BatchDefinition(name="long", version=1, source="interactions", select=select, judge=fails_on_the_third)
    with pytest.raises(StorageError):
        run(mortal)
    assert len(found(lake)) == 2
    assert run(mortal) == {"long": 2}
    assert len(seen) == 5
