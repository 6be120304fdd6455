"""What a watermark remembers."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from penstock.errors import ConfigurationError
from penstock.replay.log_rows import Mark
from penstock.replay.progress import ProgressFile
from penstock.replay.watermark import decode_mark, encode_mark, fresh_rows, keep_marks

ROW = {"id": 1, "at": datetime(2026, 3, 1, tzinfo=UTC)}


@pytest.mark.parametrize(
    "value",
    [
        7,
        2**70,
        0.1,
        Decimal("12.50"),
        "2026-03-01",
        "",
        date(2026, 3, 1),
        datetime(2026, 3, 1, 10, 0, 0, 123_456),
        datetime(2026, 3, 1, 10, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    found = decode_mark(encode_mark(value))
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("value", [True, None, b"x", [1], float("nan"), UUID(int=1)])
def test_what_has_no_order_that_lasts_is_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=type(value).__name__):
        encode_mark(value)


def test_rows_that_are_done_are_left_out_and_the_others_numbered_on() -> None:
    (done,) = fresh_rows([(ROW, 0.5)], "at", set(), 0)
    assert done.mark is not None
    (fresh,) = fresh_rows([(ROW, 0.5), ({**ROW, "id": 2}, 1.0)], "at", {done.mark.digest}, 10)
    assert (fresh.number, fresh.values["id"]) == (11, 2)


@pytest.mark.parametrize("odd", ["\udfff", b"\xff", {1: {"a": Decimal(1)}}, (UUID(int=1), float("nan"))])
def test_a_row_is_known_by_whatever_it_holds(odd: Any) -> None:
    (row,) = fresh_rows([({**ROW, "odd": odd}, 1.0)], "at", set(), 0)
    assert row.mark is not None


def test_only_rows_at_the_highest_value_are_remembered(tmp_path: Path) -> None:
    file = ProgressFile(tmp_path, "key", "table")
    marks = [Mark("1", "a"), Mark("2", "b"), Mark("2", "c")]
    assert keep_marks(file, None, marks) == "2"
    assert file.load_seen() == {"b", "c"}
    assert keep_marks(file, "2", [Mark("2", "d")]) == "2"
    assert file.load_seen() == {"b", "c", "d"}
    assert keep_marks(file, "2", []) == "2"
    assert keep_marks(file, "2", [Mark("2", "e"), Mark("3", "f")]) == "3"
    assert file.load_seen() == {"f"}
