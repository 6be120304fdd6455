"""JSON files as streams of rows: arrays, answers of APIs, single objects, objects one after the other, and broken ones."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from penstock.errors import BadInputError
from penstock.replay.log_rows import read_rows
from penstock.replay.mapping import SourceMapping

SOURCE = SourceMapping(name="test")
ROWS = [{"a": 1, "b": {"data": [1]}}, {"a": 2.5}]


def write(folder: Path, content: str, name: str = "log.json") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
    return path


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(ROWS),
        json.dumps({"data": ROWS, "meta": {"page": 1}}),
        json.dumps({"next_cursor": {"data": []}, "data": ROWS}),
        json.dumps({"traces": ROWS}),
        "\n".join(json.dumps(row) for row in ROWS),
        json.dumps(ROWS, indent=2),
    ],
)
@pytest.mark.parametrize("name", ["log.json", "log.json.gz"])
def test_rows_are_found_wherever_a_tool_puts_them(content: str, name: str, tmp_path: Path) -> None:
    found = list(read_rows(write(tmp_path, content, name), SOURCE, frozenset()))
    assert [(row.number, row.values) for row in found] == [(1, ROWS[0]), (2, ROWS[1])]
    assert [type(row.values["a"]) for row in found] == [int, float]


def test_an_object_that_is_a_trace_is_one_row(tmp_path: Path) -> None:
    trace: dict[str, Any] = {"info": {"trace_id": "t"}, "data": {"spans": [{}, {}]}}
    (row,) = read_rows(write(tmp_path, json.dumps(trace)), SOURCE, frozenset())
    assert row.values == trace


def test_reading_goes_on_after_a_row(tmp_path: Path) -> None:
    assert [row.number for row in read_rows(write(tmp_path, json.dumps(ROWS * 5)), SOURCE, frozenset(), after=8)] == [9, 10]


def test_what_is_no_object_is_a_row_with_its_problem(tmp_path: Path) -> None:
    found = list(read_rows(write(tmp_path, '[1, {"a": 1}, "b"]'), SOURCE, frozenset()))
    assert [row.problem is None for row in found] == [False, True, False]


@pytest.mark.parametrize("content", ['[{"a": 1}, {"a":', '[{"a": 1}', '[{"a": 1}, }'])
def test_a_file_that_breaks_off_gives_its_rows_and_then_the_reason(content: str, tmp_path: Path) -> None:
    rows = read_rows(write(tmp_path, content), SOURCE, frozenset())
    assert next(rows).values == {"a": 1}
    with pytest.raises(BadInputError, match="JSON"):
        list(rows)


@pytest.mark.parametrize("content", ["", "no JSON at all", "\x00\x01"])
def test_a_file_that_is_no_json_is_refused(content: str, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="JSON"):
        list(read_rows(write(tmp_path, content), SOURCE, frozenset()))


def test_an_empty_list_has_no_rows(tmp_path: Path) -> None:
    assert list(read_rows(write(tmp_path, "[]"), SOURCE, frozenset())) == []
