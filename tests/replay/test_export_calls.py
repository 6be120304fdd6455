"""Rows of exports that are not as they should be cost only themselves, and ids are OpenTelemetry's where they can be."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.replay.binding import PassedOverError, RowError
from penstock.replay.call import Call
from penstock.replay.export_calls import Adjustments, exported_rows, span_id, trace_id
from penstock.replay.exported import Exported, ExportedReport, ExportedSpan
from penstock.replay.log_rows import LogRow, read_rows
from penstock.replay.ready import NAMES, load_reader
from tests.replay.exported_rows import EXPORTS
from tests.rows import T0

ODD: tuple[Any, ...] = (
    None,
    "",
    "x",
    "{",
    '{"a": [1]}',
    7,
    -1,
    1e300,
    float("nan"),
    True,
    [],
    [None],
    [[]],
    {},
    {"a": {"b": None}},
    b"x",
)
ODD += ("\udfff", [{"role": None}], {"messages": [{"role": "user", "content": 7}]}, {"choices": [{}]}, {"generations": [None]})


def first_rows(tool: str) -> Iterator[dict[str, Any]]:
    for path in sorted(EXPORTS.glob(f"{tool}_*")):
        if path.suffix in (".json", ".jsonl"):
            reader = load_reader(tool, Adjustments(), dict)
            yield from (row.values for row in read_rows(Path(path), reader.source, frozenset()))


def read(tool: str, values: dict[str, Any]) -> Call | None:
    """A call, or None where the row is refused with a reason; anything else fails the test."""
    try:
        return load_reader(tool, Adjustments(), dict).read(LogRow(1, values, None, 0.0), "a.jsonl")
    except PassedOverError:
        return None
    except RowError as error:
        assert str(error)
        return None


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place within a row."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def replaced(row: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(row)
    inner: Any = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return changed


@pytest.mark.parametrize("tool", NAMES)
def test_an_odd_value_anywhere_costs_at_most_its_row(tool: str) -> None:
    for row in first_rows(tool):
        for path in places(row):
            for value in ODD:
                read(tool, replaced(row, path, value))


@pytest.mark.parametrize("tool", NAMES)
def test_a_missing_value_anywhere_costs_at_most_its_row(tool: str) -> None:
    for row in first_rows(tool):
        for name in row:
            read(tool, {key: value for key, value in row.items() if key != name})
    assert read(tool, {}) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0af7651916cd43dd8448eb211c80319c", "0af7651916cd43dd8448eb211c80319c"),
        ("0AF7651916CD43DD8448EB211C80319C", "0af7651916cd43dd8448eb211c80319c"),
        ("0af76519-16cd-43dd-8448-eb211c80319c", "0af7651916cd43dd8448eb211c80319c"),
    ],
)
def test_a_trace_id_that_is_one_stays(text: str, expected: str) -> None:
    assert trace_id("t", text) == expected


def test_an_id_that_is_none_is_derived_and_always_the_same() -> None:
    assert trace_id("t", "my trace") == trace_id("t", "my trace") != trace_id("u", "my trace")
    assert len(trace_id("t", "0" * 32)) == 32
    assert trace_id("t", "0" * 32).strip("0")
    assert span_id("t", "00f067aa0ba902b7") == "00f067aa0ba902b7"
    assert len(span_id("t", "gen-1")) == 16


def span(**fields: Any) -> ExportedSpan:
    return ExportedSpan(trace="t", span="s", kind="inference", started_at=T0, fields=fields)


def call(exported: Exported, **adjustments: Any) -> Call:
    reader = exported_rows("tool", lambda _row: exported, Adjustments(**adjustments))
    return reader.read(LogRow(1, {}, None, 0.0), "")


def test_a_field_of_the_wrong_kind_is_a_reason() -> None:
    with pytest.raises(RowError, match="input_tokens: a float is no whole number"):
        call(Exported(spans=[span(input_tokens=1.5)]))


def test_a_report_is_dated_by_itself_or_by_its_span_and_has_the_name_that_it_is_given() -> None:
    report = ExportedReport(id="1", name="thumb", value=1.0, span=("t", "s"))
    (sent,) = call(Exported(spans=[span()], reports=[report]), names={"thumb": "rating"}).feedback
    assert (sent["name"], sent["occurred_at"], sent["source"]) == ("rating", T0.isoformat(), "tool")


def test_a_report_about_nothing_is_a_reason() -> None:
    with pytest.raises(RowError, match="names nothing"):
        call(Exported(reports=[ExportedReport(id="1", name="thumb")]))


def test_another_adjustment_is_another_replay() -> None:
    readers = [exported_rows("tool", lambda _row: Exported(), Adjustments(application=name)) for name in (None, "a", "b")]
    assert len({reader.identity for reader in readers}) == 3
